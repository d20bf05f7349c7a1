//! Where a message stands in its topic.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// The place of a message in its topic: messages of one epoch have the offsets 1, 2, 3, … in the order in which all
/// subscribers get them.
///
/// A topic that was published to, is forgotten and made anew, by a restart of the process too, has another epoch, so that a position of
/// before is never taken for one of now. Both numbers are less than 2^53: JavaScript has them exactly.
///
/// Its text form, for a query or a field of a message, is `EPOCH:OFFSET`:
///
/// ```
/// use ws_topics::Position;
///
/// let position: Position = "81985529:7".parse()?;
/// assert_eq!(position, Position { epoch: 81_985_529, offset: 7 });
/// assert_eq!(position.to_string(), "81985529:7");
/// # Ok::<(), ws_topics::PositionError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Position {
    /// Which life of the topic this is.
    pub epoch: u64,
    /// The number of the message in it, from 1 on; 0 is the place before the first.
    pub offset: u64,
}

/// A text is no [`Position`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("not a position of the form EPOCH:OFFSET, two decimal numbers")]
pub struct PositionError;

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.epoch, self.offset)
    }
}

impl FromStr for Position {
    type Err = PositionError;

    fn from_str(text: &str) -> Result<Self, PositionError> {
        let (epoch, offset) = text.split_once(':').ok_or(PositionError)?;
        Ok(Self { epoch: number(epoch)?, offset: number(offset)? })
    }
}

/// Digits only: `parse` alone would allow a sign.
fn number(text: &str) -> Result<u64, PositionError> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(PositionError);
    }
    text.parse().map_err(|_| PositionError)
}

/// Why and where a subscriber lost messages: what [`TopicsOptions::gap_mark`](crate::TopicsOptions::gap_mark) makes a message of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct GapMark<'a> {
    /// The topic or filter of the subscription.
    pub topic: &'a str,
    /// How many messages are missing at this place; `None` if that is not known, because the position to resume from
    /// is of another epoch, or the gap contains one between servers that the history no longer has.
    pub lost: Option<u64>,
    /// The positions of the first and the last that are missing. `None` for a filter, whose messages are of many topics, and if
    /// `lost` is.
    pub range: Option<(Position, Position)>,
}

impl GapMark<'_> {
    /// Returns the mark as JSON, the default:
    /// `{"gap":{"topic":"prices/gold","lost":3,"first":"81985529:7","last":"81985529:9"}}`. What is not known is `null`.
    pub fn to_json(&self) -> String {
        let mut json = String::from("{\"gap\":{\"topic\":\"");
        for character in self.topic.chars() {
            match character {
                '"' | '\\' => json.extend(['\\', character]),
                '\0'..'\u{20}' => json.push_str(&format!("\\u{:04x}", u32::from(character))),
                _ => json.push(character),
            }
        }
        let text = |position: Option<Position>| position.map_or("null".into(), |at| format!("\"{at}\""));
        let lost = self.lost.map_or("null".into(), |lost| lost.to_string());
        let (first, last) = (self.range.map(|(first, _)| first), self.range.map(|(_, last)| last));
        json.push_str(&format!("\",\"lost\":{lost},\"first\":{},\"last\":{}}}}}", text(first), text(last)));
        json
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_two_decimal_numbers_and_nothing_else() {
        for wrong in ["", ":", "1", "1:", ":1", "+1:2", "1:-2", "1:2:3", " 1:2", "99999999999999999999:1"] {
            assert_eq!(wrong.parse::<Position>(), Err(PositionError), "{wrong:?}");
        }
        assert_eq!("0:0".parse(), Ok(Position { epoch: 0, offset: 0 }));
    }

    #[test]
    fn a_gap_mark_is_json_whatever_the_topic_contains() {
        let mark = GapMark { topic: "a\"\\\u{1}é", lost: None, range: None };
        assert_eq!(
            mark.to_json(),
            r#"{"gap":{"topic":"a\"\\\u0001é","lost":null,"first":null,"last":null}}"#
        );
        let at = |offset| Position { epoch: 4, offset };
        let mark = GapMark { topic: "a", lost: Some(2), range: Some((at(7), at(8))) };
        assert_eq!(mark.to_json(), r#"{"gap":{"topic":"a","lost":2,"first":"4:7","last":"4:8"}}"#);
    }
}
