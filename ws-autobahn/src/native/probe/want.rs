//! The observed events of a connection, and the expected sequences of events.

use std::ops::RangeInclusive;

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::native::{handshake::Head, http2::frames::code_words, payload::words as payload_words};

/// An observed event of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// The request of a client.
    Request(Head),
    /// The connection is open.
    Open(Head),
    /// An answer that does not open the connection.
    Status(u16, Head),
    /// An invalid answer or frame.
    Wrong(String),
    /// A text message.
    Text(Vec<u8>),
    /// A binary message.
    Binary(Vec<u8>),
    /// A Ping.
    Ping,
    /// A Pong.
    Pong(Vec<u8>),
    /// A Close with this code, and whether the suite's Close had the same code.
    Close(Option<u16>, bool),
    /// The peer ended its half of the connection.
    Fin,
    /// The connection was reset.
    Reset,
    /// The moment of `Act::Mark`.
    Mark,
    /// Nothing was received for as long as the case waits.
    Silence,
    /// Whether another connection was served.
    Neighbour(bool),
    /// A measurement above the limit, with a description.
    TooMuch(String),
    /// HTTP/2: the peer's first SETTINGS, and whether they permit the extended CONNECT.
    Settings(bool),
    /// HTTP/2: END_STREAM of the peer.
    EndStream,
    /// HTTP/2: RST_STREAM with this code.
    Aborted(u32),
    /// HTTP/2: GOAWAY with this code.
    GoAway(u32),
    /// HTTP/2: the end of the connection.
    Gone,
}

/// An expected event.
#[derive(Clone, Debug)]
pub(crate) enum Want {
    /// The request of a client with these fields; every sequence of a client begins with it.
    Request(Vec<Field>),
    /// The connection is open, with these fields in the answer.
    Open(Vec<Field>),
    /// An answer with one of these status codes and these fields.
    Status(RangeInclusive<u16>, Vec<Field>),
    /// This text.
    Text(Vec<u8>),
    /// A binary message of this length.
    Binary(usize),
    /// Any binary message.
    AnyBinary,
    /// Any Ping or Pong.
    Control,
    /// This Pong.
    Pong(Vec<u8>),
    /// A Close with one of these codes; without a code if the list is empty.
    Close(&'static [u16]),
    /// A Close with the same code as the suite's Close.
    SameClose,
    /// A Close of any kind.
    AnyClose,
    /// The moment of `Act::Mark`.
    Mark,
    /// FIN.
    Fin,
    /// FIN or RST; over HTTP/2, END_STREAM or RST_STREAM.
    End,
    /// Nothing more, while the connection is still open.
    Silence,
    /// Another connection was served.
    Neighbour,
    /// A measurement above the limit.
    TooMuch,
    /// HTTP/2: SETTINGS that permit the extended CONNECT.
    Permits,
    /// HTTP/2: SETTINGS of a client, whatever they are.
    Settings,
    /// HTTP/2: END_STREAM.
    EndStream,
    /// HTTP/2: RST_STREAM with one of these codes; with any if the list is empty.
    Aborted(&'static [u32]),
    /// HTTP/2: GOAWAY with one of these codes; with any if the list is empty.
    GoAway(&'static [u32]),
    /// HTTP/2: the end of the connection.
    Gone,
    /// This many of this event.
    Many(RangeInclusive<usize>, Box<Self>),
    /// Anything, or nothing.
    Rest,
}

/// A condition on the fields of a head.
#[derive(Clone, Debug)]
pub(crate) enum Field {
    /// The field is present.
    There(&'static str),
    /// The field is absent.
    Absent(&'static str),
    /// The field has this element; case is ignored.
    Has(&'static str, &'static str),
    /// The field has an element that begins with this.
    Begins(&'static str, &'static str),
    /// The field has no element that contains this.
    Lacks(&'static str, &'static str),
    /// The field has an element that contains this.
    Contains(&'static str, &'static str),
    /// The field is present once, with this value.
    Is(&'static str, &'static str),
    /// The field is present once, with sixteen bytes in Base64.
    Nonce(&'static str),
    /// The field is present once and not empty.
    Once(&'static str),
    /// The first line begins and ends with these, and has two spaces.
    Line(&'static str, &'static str),
}

impl Want {
    /// Requires that the answer also has this field.
    pub(crate) fn with(mut self, field: Field) -> Self {
        if let Self::Request(fields) | Self::Open(fields) | Self::Status(_, fields) = &mut self {
            fields.push(field);
        }
        self
    }

    fn is(&self, seen: &Seen) -> bool {
        match (self, seen) {
            (Self::Request(fields), Seen::Request(head)) | (Self::Open(fields), Seen::Open(head)) => {
                fields.iter().all(|field| field.fits(head))
            }
            (Self::Status(range, fields), Seen::Status(status, head)) => {
                range.contains(status) && fields.iter().all(|field| field.fits(head))
            }
            (Self::Text(wanted), Seen::Text(seen)) | (Self::Pong(wanted), Seen::Pong(seen)) => wanted == seen,
            (Self::Binary(length), Seen::Binary(seen)) => *length == seen.len(),
            (Self::Close([]), Seen::Close(None, _))
            | (Self::Control, Seen::Ping | Seen::Pong(_))
            | (Self::AnyBinary, Seen::Binary(_))
            | (Self::AnyClose, Seen::Close(..))
            | (Self::SameClose, Seen::Close(_, true))
            | (Self::Mark, Seen::Mark)
            | (Self::Fin, Seen::Fin)
            | (Self::End, Seen::Fin | Seen::Reset | Seen::EndStream | Seen::Aborted(_))
            | (Self::Silence, Seen::Silence)
            | (Self::Neighbour, Seen::Neighbour(true))
            | (Self::Permits, Seen::Settings(true))
            | (Self::Settings, Seen::Settings(_))
            | (Self::EndStream, Seen::EndStream)
            | (Self::Aborted([]), Seen::Aborted(_))
            | (Self::GoAway([]), Seen::GoAway(_))
            | (Self::Gone, Seen::Gone)
            | (Self::TooMuch, Seen::TooMuch(_)) => true,
            (Self::Aborted(codes), Seen::Aborted(code)) | (Self::GoAway(codes), Seen::GoAway(code)) => {
                codes.contains(code)
            }
            (Self::Close(codes), Seen::Close(Some(code), _)) => codes.contains(code),
            _ => false,
        }
    }
}

impl Field {
    fn fits(&self, head: &Head) -> bool {
        let elements = |name: &str| -> Vec<String> {
            let values = head.values(name);
            let elements = values.iter().flat_map(|value| value.split(','));
            elements.map(|element| element.trim().to_ascii_lowercase()).collect()
        };
        match self {
            Self::There(name) => !head.values(name).is_empty(),
            Self::Absent(name) => elements(name).iter().all(String::is_empty),
            Self::Has(name, element) => elements(name).contains(&element.to_ascii_lowercase()),
            Self::Begins(name, start) => elements(name).iter().any(|element| element.starts_with(start)),
            Self::Contains(name, part) => elements(name).iter().any(|element| element.contains(part)),
            Self::Is(name, value) => head.values(name) == [*value],
            Self::Nonce(name) => match &head.values(name)[..] {
                [key] => STANDARD.decode(key).is_ok_and(|nonce| nonce.len() == 16),
                _ => false,
            },
            Self::Once(name) => matches!(&head.values(name)[..], [value] if !value.is_empty()),
            Self::Line(start, end) => {
                let first = &head.first;
                first.starts_with(start) && first.ends_with(end) && first.matches(' ').count() == 2
            }
            Self::Lacks(name, part) => !elements(name).iter().any(|element| element.contains(part)),
        }
    }
}

/// Whether the observed events are this sequence, from beginning to end.
pub(crate) fn matches(course: &[Want], seen: &[Seen]) -> bool {
    match course.split_first() {
        None => seen.is_empty(),
        Some((Want::Rest, _)) => true,
        Some((Want::Many(count, want), rest)) => {
            let most = seen.iter().take_while(|seen| want.is(seen)).count().min(*count.end());
            (*count.start()..=most).rev().any(|n| matches(rest, seen.get(n..).unwrap_or_default()))
        }
        Some((want, rest)) => match seen.split_first() {
            Some((first, others)) => want.is(first) && matches(rest, others),
            None => false,
        },
    }
}

/// Whether a case may end here: the sequence is complete and not empty.
pub(crate) fn is_complete(course: &[Want], seen: &[Seen]) -> bool {
    match (course.last(), seen.last()) {
        (None | Some(Want::Rest), _) => false,
        (Some(Want::Many(..)), _) => matches(course, seen),
        // Asked after every read, of thousands of events: the last one decides most of the time.
        (Some(want), Some(last)) => want.is(last) && matches(course, seen),
        (Some(_), None) => false,
    }
}

/// Adds an event, of which a bounded number is kept; the last one is always kept.
pub(crate) fn keep(seen: &mut Vec<Seen>, event: Seen) {
    if seen.len() >= EVENTS {
        seen.pop();
    }
    seen.push(event);
}

/// The maximum number of events that are kept.
const EVENTS: usize = 10_000;

/// Describes a sequence of expected events.
pub(crate) fn words(course: &[Want]) -> String {
    let words = |want: &Want| match want {
        Want::Request(fields) => format!("a request{}", field_words(fields)),
        Want::Open(fields) => format!("the connection opens{}", field_words(fields)),
        Want::Status(range, fields) if range.start() == range.end() => {
            format!("status {}{}", range.start(), field_words(fields))
        }
        Want::Status(range, fields) => {
            format!("a status from {} to {}{}", range.start(), range.end(), field_words(fields))
        }
        Want::Text(text) => format!("text {}", payload_words(text)),
        Want::Binary(length) => format!("a binary message of {length} bytes"),
        Want::AnyBinary => "a binary message".to_owned(),
        Want::Control => "Pings or Pongs".to_owned(),
        Want::Pong(payload) => format!("Pong {}", payload_words(payload)),
        Want::Close([]) => "a Close without a code".to_owned(),
        Want::Close(codes) => {
            let codes: Vec<String> = codes.iter().map(u16::to_string).collect();
            format!("a Close with {}", codes.join(" or "))
        }
        Want::SameClose => "a Close with the code of the suite's Close".to_owned(),
        Want::Mark => "the pause ends".to_owned(),
        Want::AnyClose => "a Close".to_owned(),
        Want::Fin => "FIN".to_owned(),
        Want::End => "the end of the connection".to_owned(),
        Want::Silence => "nothing more".to_owned(),
        Want::Neighbour => "another connection or stream is served".to_owned(),
        Want::TooMuch => "a measurement above the limit".to_owned(),
        Want::Permits => "SETTINGS that permit WebSockets".to_owned(),
        Want::Settings => "SETTINGS".to_owned(),
        Want::EndStream => "END_STREAM".to_owned(),
        Want::Aborted(codes) => format!("RST_STREAM{}", code_list(codes)),
        Want::GoAway(codes) => format!("GOAWAY{}", code_list(codes)),
        Want::Gone => "the end of the connection".to_owned(),
        Want::Many(count, want) if *count.end() == 1 => format!("({})", words(std::slice::from_ref(want))),
        Want::Many(_, want) => format!("any number of: {}", words(std::slice::from_ref(want))),
        Want::Rest => "anything".to_owned(),
    };
    match course {
        [] => "nothing".to_owned(),
        _ => course.iter().map(words).collect::<Vec<_>>().join(", "),
    }
}

fn code_list(codes: &[u32]) -> String {
    let words: Vec<String> = codes.iter().map(|code| code_words(*code)).collect();
    if words.is_empty() { String::new() } else { format!(" {}", words.join(" or ")) }
}

fn field_words(fields: &[Field]) -> String {
    let word = |field: &Field| match field {
        Field::There(name) => format!(" with {name}"),
        Field::Absent(name) => format!(" without {name}"),
        Field::Has(name, element) => format!(" with {element:?} in {name}"),
        Field::Begins(name, start) => format!(" with {start:?} in {name}"),
        Field::Lacks(name, part) => format!(" without {part:?} in {name}"),
        Field::Contains(name, part) => format!(" with {part:?} in {name}"),
        Field::Is(name, value) => format!(" with {value:?} alone in {name}"),
        Field::Nonce(name) => format!(" with one {name} of sixteen bytes in Base64"),
        Field::Once(name) => format!(" with one {name}"),
        Field::Line(start, end) => format!(" with a first line from {start:?} to {end:?}"),
    };
    fields.iter().map(word).collect()
}

/// Describes observed events.
pub(crate) fn seen_words(seen: &[Seen]) -> String {
    let words = |seen: &Seen| match seen {
        Seen::Request(_) => "a request".to_owned(),
        Seen::Open(_) => "the connection opens".to_owned(),
        Seen::Status(status, _) => format!("status {status}"),
        Seen::Wrong(why) | Seen::TooMuch(why) => why.clone(),
        Seen::Text(text) => format!("text {}", payload_words(text)),
        Seen::Binary(bytes) => format!("a binary message of {} bytes", bytes.len()),
        Seen::Ping => "a Ping".to_owned(),
        Seen::Pong(payload) => format!("Pong {}", payload_words(payload)),
        Seen::Mark => "the pause ends".to_owned(),
        Seen::Close(None, _) => "a Close without a code".to_owned(),
        Seen::Close(Some(code), _) => format!("a Close with {code}"),
        Seen::Fin => "FIN".to_owned(),
        Seen::Reset => "RST".to_owned(),
        Seen::Silence => "nothing more".to_owned(),
        Seen::Neighbour(true) => "another connection or stream is served".to_owned(),
        Seen::Neighbour(false) => "another connection or stream is not served".to_owned(),
        Seen::Settings(true) => "SETTINGS that permit WebSockets".to_owned(),
        Seen::Settings(false) => "SETTINGS that do not permit WebSockets".to_owned(),
        Seen::EndStream => "END_STREAM".to_owned(),
        Seen::Aborted(code) => format!("RST_STREAM {}", code_words(*code)),
        Seen::GoAway(code) => format!("GOAWAY {}", code_words(*code)),
        Seen::Gone => "the end of the connection".to_owned(),
    };
    const SHOWN: usize = 12;
    match seen {
        [] => "nothing".to_owned(),
        _ => {
            let mut all: Vec<String> = seen.iter().take(SHOWN).map(words).collect();
            if let Some(more @ 1..) = seen.len().checked_sub(SHOWN) {
                all.push(format!("{more} more events"));
                all.extend(seen.last().map(words));
            }
            all.join(", ")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::native::probe::{closes, echoes, ends, many, maybe, opens};

    fn head(value: &str) -> Head {
        Head { first: String::new(), fields: vec![("a".to_owned(), value.to_owned())] }
    }

    #[test]
    fn a_course_of_events_is_matched_from_beginning_to_end() {
        let seen = [
            Seen::Open(head("")),
            Seen::Ping,
            Seen::Text(b"x".to_vec()),
            Seen::Close(None, false),
            Seen::Fin,
        ];
        assert!(matches(&[opens(), many(Want::Control), echoes("x"), closes(&[]), ends()], &seen));
        assert!(matches(&[opens(), maybe(Want::Control), Want::Rest], &seen));
        assert!(!matches(&[opens(), echoes("x"), closes(&[]), ends()], &seen));
        assert!(!matches(&[opens(), many(Want::Control), echoes("x"), closes(&[])], &seen));
        assert!(!matches(&[opens(), many(Want::Control), echoes("x"), closes(&[1000]), ends()], &seen));
        assert!(matches(&[many(Want::Control)], &[]));
    }

    #[test]
    fn fields_are_compared_as_comma_separated_lists() {
        let has = |value: &str| Field::Has("a", "B").fits(&head(value));
        assert!(has("x, b") && has("B") && !has("bb"));
        assert!(Field::Absent("a").fits(&head(" ")) && !Field::Absent("a").fits(&head("x")));
        assert!(Field::Begins("a", "p").fits(&head("x, p; q")) && Field::There("a").fits(&head("")));
        assert!(Field::Lacks("a", "q").fits(&head("p")) && !Field::Lacks("a", "q").fits(&head("p; q")));
    }
}
