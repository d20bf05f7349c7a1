//! Topics as subjects and as names of streams.

use std::fmt::Write;

use crate::backplane::{BackplaneError, Channel, Interest};

/// How long the name of a stream may be: the server's limit.
const MAX_STREAM_NAME: usize = 255;

#[derive(Clone)]
pub(super) struct Names {
    prefix: String,
}

impl Names {
    pub(super) fn new(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned() }
    }

    pub(super) fn subject_of(&self, channel: &Channel) -> String {
        let (kind, topic) = match channel {
            Channel::Topic(topic) => ("t", topic),
            Channel::Presence(topic) => ("p", topic),
            Channel::Servers => return format!("{}.s", self.prefix),
        };
        let mut subject = format!("{}.{kind}", self.prefix);
        for level in topic.split('/') {
            subject.push('.');
            push_token(&mut subject, level);
        }
        subject
    }

    /// The subjects that together are what an interest is in; no message has two of them.
    pub(super) fn subjects_of(&self, interest: &Interest) -> Vec<String> {
        let filter = match interest {
            Interest::Channel(channel) => return vec![self.subject_of(channel)],
            Interest::Filter(filter) => filter,
        };
        let begin = format!("{}.t", self.prefix);
        let mut subject = begin.clone();
        for level in filter.split('/') {
            match level {
                // MQTT 5 section 4.7.1.2: `#` also matches the parent level; `>` does not.
                "#" if subject == begin => return vec![format!("{subject}.>")],
                "#" => return vec![subject.clone(), format!("{subject}.>")],
                "+" => subject.push_str(".*"),
                level => {
                    subject.push('.');
                    push_token(&mut subject, level);
                }
            }
        }
        vec![subject]
    }

    /// The name of the stream of a topic.
    pub(super) fn stream_of(&self, topic: &str) -> Result<String, BackplaneError> {
        let mut name = format!("{}==", self.prefix);
        push_token(&mut name, topic);
        if name.len() > MAX_STREAM_NAME {
            let what = format!(
                "the stream of topic {topic:?} would have a name of more than {MAX_STREAM_NAME} bytes: choose a shorter topic"
            );
            return Err(BackplaneError::refused(what));
        }
        Ok(name)
    }

    /// The subject of the stream of a topic.
    pub(super) fn log_of(&self, topic: &str, epoch: u64) -> String {
        let mut subject = format!("{}.l.{epoch}.", self.prefix);
        push_token(&mut subject, topic);
        subject
    }

    /// The epoch that a subject of a stream has.
    pub(super) fn epoch_of(&self, subject: &str) -> Option<u64> {
        let rest = subject.strip_prefix(&self.prefix)?.strip_prefix(".l.")?;
        rest.split_once('.')?.0.parse().ok()
    }
}

/// Appends a text as one token.
fn push_token(to: &mut String, text: &str) {
    if text.is_empty() {
        to.push('=');
    }
    for c in text.chars() {
        // The client splits lines at the spaces of Unicode, too; nats-server 2.9 makes reply subjects of the names of streams by a format, in which `%` is special.
        if c.is_whitespace() || c.is_control() || matches!(c, '.' | '*' | '>' | '=' | '%' | '/' | '\\') {
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                let _ = write!(to, "={byte:02X}");
            }
        } else {
            to.push(c);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(topic: &str) -> String {
        Names::new("w").subject_of(&Channel::Topic(topic.into()))
    }

    fn filter(filter: &str) -> Vec<String> {
        Names::new("w").subjects_of(&Interest::Filter(filter.into()))
    }

    #[test]
    fn each_topic_has_a_subject_that_is_valid_and_no_other_topic_has() {
        let topics = [
            "a",
            "a/b",
            "a.b",
            "a%2Eb",
            "a b",
            "",
            "/",
            "a/",
            "/a",
            "%",
            "*",
            ">",
            "a\tb",
            "ü/\u{2028}",
            "\\",
            "A",
        ];
        let subjects: Vec<_> = topics.iter().map(|name| topic(name)).collect();
        for (place, subject) in subjects.iter().enumerate() {
            assert!(
                !subject.contains(char::is_control)
                    && !subject.contains(char::is_whitespace)
                    && !subject.contains([' ', '*', '>']),
                "{subject}"
            );
            assert!(subject.split('.').all(|token| !token.is_empty()), "{subject}");
            assert!(!subjects.iter().skip(place + 1).any(|other| other == subject), "{subject}");
        }
        assert_eq!(topic("\u{3000}"), "w.t.=E3=80=80");
        assert_eq!(topic("a.b/ü//c d"), "w.t.a=2Eb.ü.=.c=20d");
    }

    #[test]
    fn a_filter_matches_its_parent_level_too() {
        assert_eq!(filter("a/+/c"), ["w.t.a.*.c"]);
        assert_eq!(filter("a/#"), ["w.t.a", "w.t.a.>"]);
        assert_eq!(filter("#"), ["w.t.>"]);
        assert_eq!(filter("+/#"), ["w.t.*", "w.t.*.>"]);
        assert_eq!(filter("+"), ["w.t.*"]);
    }

    #[test]
    fn the_subject_of_a_log_has_its_epoch() {
        let names = Names::new("w");
        assert_eq!(names.log_of("a/b.c", 17), "w.l.17.a=2Fb=2Ec");
        assert_eq!(names.epoch_of("w.l.17.a=2Fb=2Ec"), Some(17));
        assert_eq!(names.epoch_of("w.l.x.a"), None);
        assert_eq!(names.epoch_of("other"), None);
    }

    #[test]
    fn the_name_of_a_stream_that_is_too_long_is_refused() {
        let names = Names::new("w");
        assert_eq!(names.stream_of("a/b").unwrap(), "w==a=2Fb");
        assert!(names.stream_of(&"a".repeat(252)).is_ok());
        assert!(names.stream_of(&"a".repeat(253)).unwrap_err().is_refusal());
    }
}
