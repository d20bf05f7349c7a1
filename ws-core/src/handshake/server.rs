//! The server's side of the opening handshake: the head of a request, RFC 6455 section 4.2.1.

use std::mem;

use http::header::{self, HeaderName};
use http::{Method, Version};

use super::cursor::Cursor;
use super::field_lines::FieldLines;
use super::head::{FieldEvent, FieldScanner, HeadLimits};
use super::host::Authority;
use super::opening::Opening;
use super::refusal::Refusal;
use super::request_head::RequestHead;
use super::request_line::RequestLineScanner;

/// Reads the head of one request, strictly, as its bytes arrive.
#[derive(Debug)]
pub struct RequestReader {
    limits: HeadLimits,
    cursor: Cursor,
    state: State,
}

#[derive(Debug)]
enum State {
    Line(RequestLineScanner),
    Fields(FieldScanner, FieldLines, RequestHead),
    Refused(Refusal),
    Done,
}

impl RequestReader {
    /// Returns a reader at the first byte of a connection.
    pub fn new(limits: HeadLimits) -> Self {
        let state = State::Line(RequestLineScanner::new(limits));
        Self { limits, cursor: Cursor::new(0, limits.bytes), state }
    }

    /// Looks at what is new in `buffer`, which holds *all* bytes received so far.
    ///
    /// `Ok(None)`: more is needed; the buffer then holds fewer than [`HeadLimits::bytes`] bytes.
    /// `Ok(Some((opening, length)))`: the head is whole and `length` bytes long; after a 101, what follows it in
    /// `buffer` are the first bytes of frames. After that the reader is used up and returns `Ok(None)`.
    ///
    /// # Errors
    /// A [`Refusal`] to send before closing; a further call returns the same one. Faults of the request line and of the fields'
    /// form are found at the byte that proves them, those of a field's value at the end of its line. What only
    /// matters for a WebSocket (`Sec-WebSocket-*`) is judged at the end of the head: before it, it is unknown whether
    /// the request is for one.
    pub fn receive(&mut self, buffer: &[u8]) -> Result<Option<(Opening, usize)>, Refusal> {
        let result = self.advance(buffer);
        if let Err(refusal) = &result {
            self.state = State::Refused(refusal.clone());
        }
        result
    }

    fn advance(&mut self, buffer: &[u8]) -> Result<Option<(Opening, usize)>, Refusal> {
        if let State::Line(scanner) = &mut self.state {
            let line = scanner.next(&mut self.cursor, buffer);
            let Some((method, target, version)) =
                line.map_err(|refusal| refusal.without_body(scanner.is_head()))?
            else {
                return Ok(None);
            };
            let head = RequestHead::new(method, target, version);
            self.state = State::Fields(FieldScanner::new(self.limits.fields), FieldLines::default(), head);
        }
        match &mut self.state {
            State::Fields(scanner, lines, head) => {
                let whole = scan_fields(scanner, lines, head, &mut self.cursor, buffer);
                if !whole.map_err(|refusal| refusal.without_body(head.method() == Method::HEAD))? {
                    return Ok(None);
                }
            }
            State::Refused(refusal) => return Err(refusal.clone()),
            State::Line(_) | State::Done => return Ok(None),
        }
        match mem::replace(&mut self.state, State::Done) {
            State::Fields(_, _, head) => Ok(Some((Opening::new(head)?, self.cursor.position()))),
            _ => Ok(None),
        }
    }
}

/// Takes field lines into the request; true once the head is whole.
fn scan_fields(
    scanner: &mut FieldScanner,
    lines: &mut FieldLines,
    head: &mut RequestHead,
    cursor: &mut Cursor,
    buffer: &[u8],
) -> Result<bool, Refusal> {
    while let Some(event) = scanner.next(cursor, buffer)? {
        match event {
            FieldEvent::Name(name) => check_name(name, |field| lines.contain(field))?,
            FieldEvent::Line { name, value, place } => {
                check_value(name, value)?;
                let behind = |start: usize, part: &[u8]| start..start.saturating_add(part.len());
                lines.push(buffer, behind(place.name, name), behind(place.value, value))?;
            }
            FieldEvent::End => {
                head.set_lines(mem::take(lines))?;
                return check_host(head.version(), head.has(&header::HOST)).map(|()| true);
            }
        }
    }
    Ok(false)
}

/// Checks that there is a Host field where one is required.
pub(super) fn check_host(version: Version, is_there: bool) -> Result<(), Refusal> {
    // RFC 9112 §3.2: an HTTP/1.1 request without Host MUST get 400; in HTTP/1.0 there need not be one.
    if version == Version::HTTP_10 || is_there {
        Ok(())
    } else {
        Err(Refusal::bad_request("there is no Host field"))
    }
}

/// What a field's mere presence proves; `came_before` returns whether an earlier line has that name.
pub(super) fn check_name(name: &[u8], came_before: impl Fn(&HeaderName) -> bool) -> Result<(), Refusal> {
    // RFC 9112 §3.2: more than one Host field MUST get 400.
    if is_name(name, "host") && came_before(&header::HOST) {
        return Err(Refusal::bad_request("there is more than one Host field"));
    }
    // RFC 9112 §6.1: what delimits the message differently for a proxy and for us is how requests are smuggled; a
    // handshake has no body.
    if is_name(name, "transfer-encoding") {
        return Err(Refusal::bad_request("a request with a body (Transfer-Encoding) is not supported"));
    }
    // RFC 9112 §6.3: likewise.
    if is_name(name, "content-length") && came_before(&header::CONTENT_LENGTH) {
        return Err(Refusal::bad_request("there is more than one Content-Length field"));
    }
    Ok(())
}

/// What a field's value proves, at the end of its line.
pub(super) fn check_value(name: &[u8], value: &[u8]) -> Result<(), Refusal> {
    // RFC 9112 §3.2: an invalid Host MUST get 400.
    if is_name(name, "host") && std::str::from_utf8(value).ok().and_then(Authority::parse).is_none() {
        return Err(Refusal::bad_request("the Host field is not a host with an optional port"));
    }
    // RFC 9110 §8.6: Content-Length = 1*DIGIT; and a handshake has no body.
    if is_name(name, "content-length") && (value.is_empty() || value.iter().any(|&byte| byte != b'0')) {
        return Err(Refusal::bad_request(
            "a request with a body (Content-Length other than 0) is not supported",
        ));
    }
    Ok(())
}

/// `field` is a literal, so that a name of another length, as nearly all are, takes one comparison.
#[inline]
fn is_name(name: &[u8], field: &str) -> bool {
    name.eq_ignore_ascii_case(field.as_bytes())
}
