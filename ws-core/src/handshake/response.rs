//! Reading the head of a response: RFC 9112 section 4.

use http::{StatusCode, Version};

use super::cursor::Cursor;
use super::head::{
    FieldEvent, FieldScanner, HeadLimits, VERSION_END, append, expect_line_feed, is_version_byte, unfold,
    version_digits,
};
use super::head_error::HeadError;

/// Reads the head of one HTTP/1.1 (or 1.0) response, strictly, as its bytes arrive.
///
/// A field line that is folded is read as one (RFC 9112 section 5.2). The client's handshake uses this reader; it
/// serves for a proxy's answer to CONNECT as well.
#[derive(Debug)]
pub struct ResponseReader {
    cursor: Cursor,
    state: State,
    response: http::Response<()>,
    fields: FieldScanner,
}

/// Where in the head the scan is. Each number is the index in the buffer at which that part begins.
#[derive(Debug)]
enum State {
    Version { start: usize },
    StatusStart,
    Status { start: usize },
    StatusEnd,
    Reason,
    LineFeed,
    Fields,
    Done,
}

impl ResponseReader {
    /// Returns a reader at the first byte of a response.
    pub fn new(limits: HeadLimits) -> Self {
        Self::new_at(0, limits)
    }

    /// A reader of a response that follows interim ones, `start` bytes into the buffer. The limit on bytes counts
    /// from the start of the buffer.
    pub(super) fn new_at(start: usize, limits: HeadLimits) -> Self {
        Self {
            cursor: Cursor::new(start, limits.bytes),
            state: State::Version { start },
            response: http::Response::new(()),
            fields: FieldScanner::folding(limits.fields),
        }
    }

    /// Looks at what is new in `buffer`, which holds *all* bytes received so far.
    ///
    /// `Ok(None)`: more is needed. `Ok(Some((response, length)))`: the head is whole and `length` bytes long. After
    /// that, and after an error, the reader is used up and returns `Ok(None)`.
    ///
    /// # Errors
    /// [`HeadError`], at the byte that proves it.
    pub fn receive(&mut self, buffer: &[u8]) -> Result<Option<(http::Response<()>, usize)>, HeadError> {
        let result = self.advance(buffer);
        if !matches!(result, Ok(false)) {
            self.state = State::Done;
        }
        let whole = result?;
        Ok(whole.then(|| (std::mem::take(&mut self.response), self.cursor.position())))
    }

    fn advance(&mut self, buffer: &[u8]) -> Result<bool, HeadError> {
        if matches!(self.state, State::Done) || !self.scan_status_line(buffer)? {
            return Ok(false);
        }
        while let Some(event) = self.fields.next(&mut self.cursor, buffer)? {
            match event {
                FieldEvent::Name(_) => {}
                FieldEvent::Line { name, value, .. } => {
                    append(self.response.headers_mut(), name, &unfold(value))?;
                }
                FieldEvent::End => return Ok(true),
            }
        }
        Ok(false)
    }

    /// True once the status line is whole.
    fn scan_status_line(&mut self, buffer: &[u8]) -> Result<bool, HeadError> {
        while !matches!(self.state, State::Fields) {
            let Some((at, byte)) = self.cursor.next(buffer)? else {
                return Ok(false);
            };
            self.state = match self.state {
                State::Version { start } => {
                    let index = at.saturating_sub(start);
                    expect(is_version_byte(index, byte), "it does not begin with an HTTP version")?;
                    if index < VERSION_END {
                        State::Version { start }
                    } else {
                        *self.response.version_mut() =
                            parse_version(buffer.get(start..=at).unwrap_or_default())?;
                        State::StatusStart
                    }
                }
                State::StatusStart => {
                    expect(byte == b' ', "the version is not followed by a space")?;
                    State::Status { start: at.saturating_add(1) }
                }
                State::Status { start } => {
                    // RFC 9112 §4: status-code = 3DIGIT.
                    expect(byte.is_ascii_digit(), "the status is not three digits")?;
                    if at.saturating_sub(start) < 2 {
                        State::Status { start }
                    } else {
                        *self.response.status_mut() =
                            parse_status(buffer.get(start..=at).unwrap_or_default())?;
                        State::StatusEnd
                    }
                }
                // RFC 9112 §4: the space before an empty reason is a MUST that many servers do not know of.
                State::StatusEnd if byte == b'\r' => State::LineFeed,
                State::StatusEnd => {
                    expect(byte == b' ', "the status is not three digits")?;
                    State::Reason
                }
                State::Reason => match byte {
                    b'\r' => State::LineFeed,
                    // RFC 9112 §4: reason-phrase = 1*( HTAB / SP / VCHAR / obs-text ).
                    b'\t' | b' '..=b'~' | 0x80.. => State::Reason,
                    _ => return Err(HeadError::StartLine("a control character in the reason")),
                },
                State::LineFeed => {
                    expect_line_feed(byte).map_err(HeadError::StartLine)?;
                    State::Fields
                }
                State::Fields | State::Done => return Ok(false),
            };
        }
        Ok(true)
    }
}

fn expect(condition: bool, otherwise: &'static str) -> Result<(), HeadError> {
    if condition { Ok(()) } else { Err(HeadError::StartLine(otherwise)) }
}

fn parse_version(version: &[u8]) -> Result<Version, HeadError> {
    match version_digits(version) {
        (1, 0) => Ok(Version::HTTP_10),
        // RFC 9110 §2.5: a higher minor version is read as 1.1.
        (1, _) => Ok(Version::HTTP_11),
        (major, minor) => Err(HeadError::Version { major, minor }),
    }
}

fn parse_status(status: &[u8]) -> Result<StatusCode, HeadError> {
    StatusCode::from_bytes(status).map_err(|_| HeadError::StartLine("the status is below 100"))
}
