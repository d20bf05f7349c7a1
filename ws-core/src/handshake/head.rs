//! Heads of HTTP/1.1 messages, scanned strictly as their bytes arrive: RFC 9112 sections 2.2 and 5.

use std::borrow::Cow;

use http::header::{HeaderMap, HeaderName, HeaderValue};

use super::cursor::Cursor;
use super::head_error::HeadError;
use super::token::{is_tchar, trim_ows};
use crate::setters::setters;

/// How large a head may be. All counts are of the head of one message. Each field has a setter of the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct HeadLimits {
    /// Bytes of the whole head, from its first byte to the empty line, both included. A client counts the interim
    /// (1xx) responses before the final one too.
    pub bytes: usize,
    /// Field lines; lines are counted, not distinct names.
    pub fields: usize,
    /// Bytes of the request target. Without effect on responses.
    pub target: usize,
}

impl HeadLimits {
    /// Returns the defaults of a server: 16 KiB, 100 field lines, a target of 8 KiB.
    pub const fn server() -> Self {
        Self { bytes: 16 * 1024, fields: 100, target: 8 * 1024 }
    }

    /// Returns the defaults of a client: 64 KiB, 100 field lines.
    pub const fn client() -> Self {
        Self { bytes: 64 * 1024, fields: 100, target: 8 * 1024 }
    }

    setters! { bytes: usize, fields: usize, target: usize }
}

/// Scans field lines up to the empty line that ends the head.
#[derive(Debug)]
pub(super) struct FieldScanner {
    state: FieldState,
    lines: usize,
    limit: usize,
    folds: bool,
}

/// Where in the buffer a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// The index of the first byte of the name.
    pub(super) name: usize,
    /// The index of the first byte of the value.
    pub(super) value: usize,
}

/// What [`FieldScanner::next`] has found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum FieldEvent<'b> {
    /// The name of a line, as soon as its colon is there.
    Name(&'b [u8]),
    /// A whole line; the value is without the whitespace around it, and with its folds.
    Line { name: &'b [u8], value: &'b [u8], place: Place },
    /// The empty line.
    End,
}

#[derive(Debug)]
enum FieldState {
    /// At the first byte of a line.
    Start,
    /// In the name, which begins at `name`.
    Name { name: usize },
    /// In the value, behind the colon at `colon`.
    Value { name: usize, colon: usize },
    /// Behind the CR at `end`.
    LineFeed { name: usize, colon: usize, end: usize },
    /// Behind the line end that began at `end`, where the next line may go on with the value.
    Fold { name: usize, colon: usize, end: usize },
    /// Behind the CR of the empty line.
    LastLineFeed,
}

impl FieldScanner {
    /// A scanner of a request's fields.
    pub(super) const fn new(limit: usize) -> Self {
        Self { state: FieldState::Start, lines: 0, limit, folds: false }
    }

    /// A scanner of a response's fields, where a value may go on in the next line ([`unfold`] joins it). A line that
    /// is folded counts once.
    pub(super) const fn folding(limit: usize) -> Self {
        Self { folds: true, ..Self::new(limit) }
    }

    /// The next event; `None` when more bytes are needed.
    pub(super) fn next<'b>(
        &mut self,
        cursor: &mut Cursor,
        buffer: &'b [u8],
    ) -> Result<Option<FieldEvent<'b>>, HeadError> {
        loop {
            // Most of a head is bytes that change nothing: they are taken at once.
            match self.state {
                FieldState::Name { .. } => cursor.skip_name(buffer),
                FieldState::Value { .. } => cursor.skip_value(buffer),
                _ => {}
            }
            let Some((at, byte)) = cursor.next(buffer)? else { return Ok(None) };
            self.state = match self.state {
                FieldState::Start => match byte {
                    b'\r' => FieldState::LastLineFeed,
                    // RFC 9112 §5.2: a server rejects obs-fold; §2.2: nor is there whitespace before the first field.
                    b' ' | b'\t' => return Err(HeadError::FieldLine("it begins with whitespace")),
                    _ if !is_tchar(byte) => return Err(HeadError::FieldLine(NOT_A_NAME)),
                    _ if self.lines >= self.limit => {
                        return Err(HeadError::TooManyFields { limit: self.limit });
                    }
                    _ => {
                        self.lines = self.lines.saturating_add(1);
                        FieldState::Name { name: at }
                    }
                },
                FieldState::Name { name } => match byte {
                    b':' => {
                        self.state = FieldState::Value { name, colon: at };
                        return Ok(buffer.get(name..at).map(FieldEvent::Name));
                    }
                    // RFC 9112 §5.1: whitespace between name and colon MUST be rejected with 400.
                    b' ' | b'\t' => return Err(HeadError::FieldLine("whitespace before the colon")),
                    _ => return Err(HeadError::FieldLine(NOT_A_NAME)),
                },
                FieldState::Value { name, colon } => match byte {
                    b'\r' => FieldState::LineFeed { name, colon, end: at },
                    _ => return Err(HeadError::FieldLine("a control character in the value")),
                },
                FieldState::LineFeed { name, colon, end } => {
                    expect_line_feed(byte).map_err(HeadError::FieldLine)?;
                    if self.folds {
                        FieldState::Fold { name, colon, end }
                    } else {
                        self.state = FieldState::Start;
                        return Ok(line(buffer, name, colon, end));
                    }
                }
                // RFC 9112 §5.2: a line that begins with whitespace goes on with the value of the line before it.
                FieldState::Fold { name, colon, .. } if matches!(byte, b' ' | b'\t') => {
                    FieldState::Value { name, colon }
                }
                FieldState::Fold { name, colon, end } => {
                    cursor.step_back();
                    self.state = FieldState::Start;
                    return Ok(line(buffer, name, colon, end));
                }
                FieldState::LastLineFeed => {
                    expect_line_feed(byte).map_err(HeadError::FieldLine)?;
                    return Ok(Some(FieldEvent::End));
                }
            };
        }
    }
}

/// The line whose name begins at `name`, and whose value ends before the CR at `end`.
fn line(buffer: &[u8], name: usize, colon: usize, end: usize) -> Option<FieldEvent<'_>> {
    let behind = buffer.get(colon..end)?.strip_prefix(b":")?;
    // RFC 9112 §5.1: the whitespace around a value is not part of it.
    let value = trim_ows(behind);
    let ahead = behind.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let place = Place { name, value: colon.saturating_add(1).saturating_add(ahead) };
    Some(FieldEvent::Line { name: buffer.get(name..colon)?, value, place })
}

/// A value without its folds: a client replaces each of them by spaces (RFC 9112 section 5.2).
pub(super) fn unfold(value: &[u8]) -> Cow<'_, [u8]> {
    if !value.contains(&b'\n') {
        return Cow::Borrowed(value);
    }
    // obs-fold = OWS CRLF RWS: the whitespace on both sides belongs to it.
    let lines = value.split(|&byte| byte == b'\n');
    let lines: Vec<_> = lines.map(|line| trim_ows(line.strip_suffix(b"\r").unwrap_or(line))).collect();
    Cow::Owned(trim_ows(&lines.join(&b' ')).to_vec())
}

/// The name of a scanned line.
pub(super) fn field_name(name: &[u8]) -> Result<HeaderName, HeadError> {
    HeaderName::from_bytes(name).map_err(|_| HeadError::FieldLine(NAME_TOO_LONG))
}

/// Adds a scanned line to the headers.
pub(super) fn append(headers: &mut HeaderMap, name: &[u8], value: &[u8]) -> Result<(), HeadError> {
    let name = field_name(name)?;
    let value = HeaderValue::from_bytes(value).map_err(|_| HeadError::FieldLine(NOT_A_NAME))?;
    let limit = headers.len();
    append_value(headers, name, value, limit)
}

/// Adds a field; a map that is full reports `limit`.
pub(super) fn append_value(
    headers: &mut HeaderMap,
    name: HeaderName,
    value: HeaderValue,
    limit: usize,
) -> Result<(), HeadError> {
    headers.try_append(name, value).map(|_| ()).map_err(|_| HeadError::TooManyFields { limit })
}

/// Checks that a CR is followed by LF.
pub(super) fn expect_line_feed(byte: u8) -> Result<(), &'static str> {
    // RFC 9112 §2.2: a bare CR is not a line end.
    if byte == b'\n' { Ok(()) } else { Err("a CR without LF") }
}

/// Whether `byte` can stand at `index` of an HTTP version such as `HTTP/1.1` (RFC 9112 section 2.3).
pub(super) fn is_version_byte(index: usize, byte: u8) -> bool {
    match VERSION_FORM.get(index) {
        Some(b'0') => byte.is_ascii_digit(),
        Some(&expected) => byte == expected,
        None => false,
    }
}

/// The last index of an HTTP version.
pub(super) const VERSION_END: usize = VERSION_FORM.len() - 1;

/// The digits of an HTTP version that [`is_version_byte`] has passed.
pub(super) fn version_digits(version: &[u8]) -> (u8, u8) {
    let digit = |index| version.get(index).map_or(0, |byte: &u8| byte.wrapping_sub(b'0'));
    (digit(5), digit(7))
}

/// The form of an HTTP version; `0` stands for any digit.
const VERSION_FORM: &[u8] = b"HTTP/0.0";
/// The longest name that [`HeaderName`] can hold, in bytes.
pub(super) const LONGEST_NAME: usize = u16::MAX as usize;
pub(super) const NAME_TOO_LONG: &str = "the name is too long";
pub(super) const NOT_A_NAME: &str = "a character that cannot stand in a field name";
