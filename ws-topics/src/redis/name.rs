//! Topics as channels, patterns and keys.

use crate::backplane::{BackplaneError, Channel, Interest};

use super::RedisOptions;

#[derive(Clone)]
pub(super) struct Names {
    prefix: String,
    sharded: bool,
    filters: bool,
}

/// A channel or a pattern, by the kind of its subscription.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Name {
    Plain(String),
    Sharded(String),
    Pattern(String),
}

impl Names {
    pub(super) fn new(options: &RedisOptions) -> Self {
        Self { prefix: options.prefix.clone(), sharded: options.sharded, filters: options.filters }
    }

    /// The channels that a payload is published to.
    pub(super) fn of_channel(&self, channel: &Channel) -> Vec<Name> {
        let prefix = &self.prefix;
        let (name, topic) = match channel {
            Channel::Topic(topic) => (format!("{prefix}:t:{topic}"), Some(topic)),
            Channel::Presence(topic) => (format!("{prefix}:p:{topic}"), None),
            Channel::Servers => (format!("{prefix}:s"), None),
        };
        match topic {
            _ if !self.sharded => vec![Name::Plain(name)],
            // Patterns do not match sharded channels.
            Some(topic) if self.filters => {
                vec![Name::Sharded(name), Name::Plain(format!("{prefix}:f:{topic}"))]
            }
            _ => vec![Name::Sharded(name)],
        }
    }

    /// What an interest subscribes to.
    pub(super) fn of_interest(&self, interest: &Interest) -> Result<Vec<Name>, BackplaneError> {
        let filter = match interest {
            Interest::Channel(channel) => return Ok(self.of_channel(channel).into_iter().take(1).collect()),
            Interest::Filter(filter) => filter,
        };
        if self.sharded && !self.filters {
            let what = format!(
                "filter {filter:?} cannot be subscribed to: set `filters` of RedisOptions, for all servers"
            );
            return Err(BackplaneError::refused(what));
        }
        let mut pattern = format!("{}:{}:", self.prefix, if self.sharded { 'f' } else { 't' });
        let mut patterns = Vec::new();
        for (place, level) in filter.split('/').enumerate() {
            // MQTT 5 section 4.7.1.2: `#` also matches the parent level.
            if level == "#" && place > 0 {
                patterns.push(Name::Pattern(pattern.clone()));
            }
            if place > 0 {
                pattern.push('/');
            }
            match level {
                "+" | "#" => pattern.push('*'),
                level => push_escaped(&mut pattern, level),
            }
        }
        patterns.push(Name::Pattern(pattern));
        Ok(patterns)
    }

    /// The keys of the log of a topic.
    pub(super) fn of_log(&self, topic: &str) -> [String; 3] {
        ["meta", "entries", "ids"].map(|what| format!("{}:l:{{{topic}}}:{what}", self.prefix))
    }
}

/// Appends a text that a pattern matches literally.
fn push_escaped(to: &mut String, text: &str) {
    for c in text.chars() {
        if matches!(c, '*' | '?' | '[' | ']' | '\\' | '^') {
            to.push('\\');
        }
        to.push(c);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(options: RedisOptions) -> Names {
        Names::new(&options.prefix("w"))
    }

    fn patterns(filter: &str) -> Vec<Name> {
        names(RedisOptions::new("")).of_interest(&Interest::Filter(filter.into())).unwrap()
    }

    #[test]
    fn a_topic_is_published_to_a_sharded_channel_and_to_one_for_patterns() {
        let topic = Channel::Topic("a/b".into());
        let of = |options| names(options).of_channel(&topic);
        assert_eq!(
            of(RedisOptions::new("")),
            [Name::Sharded("w:t:a/b".into()), Name::Plain("w:f:a/b".into())]
        );
        assert_eq!(of(RedisOptions::new("").filters(false)), [Name::Sharded("w:t:a/b".into())]);
        assert_eq!(of(RedisOptions::new("").sharded(false)), [Name::Plain("w:t:a/b".into())]);
        let interest = names(RedisOptions::new("")).of_interest(&Interest::Channel(topic.clone())).unwrap();
        assert_eq!(interest, [Name::Sharded("w:t:a/b".into())]);
    }

    #[test]
    fn the_pattern_of_a_filter_has_wildcards_where_the_filter_has_them() {
        assert_eq!(patterns("a/+/c"), [Name::Pattern("w:f:a/*/c".into())]);
        assert_eq!(patterns("a/#"), [Name::Pattern("w:f:a".into()), Name::Pattern("w:f:a/*".into())]);
        assert_eq!(patterns("#"), [Name::Pattern("w:f:*".into())]);
        assert_eq!(patterns("a*?[b]^\\/+"), [Name::Pattern("w:f:a\\*\\?\\[b\\]\\^\\\\/*".into())]);
    }

    #[test]
    fn a_filter_is_refused_where_messages_are_not_published_for_filters() {
        let names = names(RedisOptions::new("").filters(false));
        assert!(names.of_interest(&Interest::Filter("#".into())).unwrap_err().is_refusal());
    }
}
