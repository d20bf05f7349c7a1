//! The body of a response that refuses the handshake: RFC 9112 sections 6 and 7.

use http::header;
use http::{Response, Version};

use super::head::expect_line_feed;
use super::refusal::is_bodiless;
use super::token::{list_elements, list_entries, values};

/// How the end of a response's body is found (RFC 9112 section 6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyFraming {
    /// There is no body.
    None,
    /// The fields that say where the body ends contradict each other or are malformed: it cannot be read.
    Invalid,
    /// `Content-Length`: as many bytes.
    Length(u64),
    /// `Transfer-Encoding: chunked`.
    Chunked,
    /// Everything up to the end of the stream.
    UntilClose,
}

/// What a [`BodyReader`] makes of the bytes it was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyProgress {
    /// More is to come. With [`BodyFraming::UntilClose`] it stays at this until the stream ends.
    Partial,
    /// The body is whole.
    Complete,
    /// The body is larger than the limit; what is within the limit is kept.
    LimitReached,
    /// The framing or the chunked coding is malformed; what came before is kept.
    Malformed,
}

impl BodyFraming {
    /// Returns the framing of the body that follows a final response's head (to a request other than HEAD and CONNECT).
    pub fn of<B>(response: &Response<B>) -> Self {
        let headers = response.headers();
        // RFC 9112 §6.3 item 1.
        if is_bodiless(response.status()) {
            return Self::None;
        }
        // Items 3 and 4: Transfer-Encoding overrides Content-Length.
        if let Some(last) = list_elements(values(headers, &header::TRANSFER_ENCODING)).last() {
            return match last.eq_ignore_ascii_case(b"chunked") {
                // RFC 9112 §6.1: in HTTP/1.0 the framing is faulty.
                _ if response.version() == Version::HTTP_10 => Self::Invalid,
                true => Self::Chunked,
                false => Self::UntilClose,
            };
        }
        // Not a list by its grammar: an empty entry is not to be trusted either.
        let mut lengths = list_entries(values(headers, &header::CONTENT_LENGTH));
        match lengths.next() {
            // Item 5: several Content-Lengths that are the same are one; anything else is not to be trusted.
            Some(first) if lengths.all(|length| length == first) => {
                parse_length(first).map_or(Self::Invalid, Self::Length)
            }
            Some(_) => Self::Invalid,
            // Item 8.
            None => Self::UntilClose,
        }
    }
}

/// Collects a body up to a limit. It never holds more than the limit, nor allocates for what has not arrived.
#[derive(Debug)]
pub struct BodyReader {
    state: State,
    limit: usize,
    body: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Length { remaining: u64 },
    UntilClose,
    Chunked { chunk: Chunk, ignored: usize },
    Final(BodyProgress),
}

/// Where in the chunked coding the scan is (RFC 9112 section 7.1).
#[derive(Debug, Clone, Copy)]
enum Chunk {
    SizeStart,
    Size { size: u64 },
    SizeWhitespace { size: u64 },
    Extension { size: u64 },
    SizeLineFeed { size: u64 },
    Data { remaining: u64 },
    DataCarriageReturn,
    DataLineFeed,
    TrailerStart,
    Trailer,
    TrailerLineFeed,
    LastLineFeed,
}

impl BodyReader {
    /// The most that is kept of a refusal's body by default: 64 KiB.
    pub const DEFAULT_LIMIT: usize = 64 * 1024;

    /// Returns a reader that keeps at most `limit` bytes.
    pub fn new(framing: BodyFraming, limit: usize) -> Self {
        let state = match framing {
            BodyFraming::None | BodyFraming::Length(0) => State::Final(BodyProgress::Complete),
            BodyFraming::Invalid => State::Final(BodyProgress::Malformed),
            BodyFraming::Length(remaining) => State::Length { remaining },
            BodyFraming::Chunked => State::Chunked { chunk: Chunk::SizeStart, ignored: 0 },
            BodyFraming::UntilClose => State::UntilClose,
        };
        Self { state, limit, body: Vec::new() }
    }

    /// Takes the next bytes of the stream: those that follow what it was given before (first: the head).
    ///
    /// Anything but [`BodyProgress::Partial`] is final: further bytes are ignored.
    pub fn receive(&mut self, mut bytes: &[u8]) -> BodyProgress {
        while !bytes.is_empty() && self.progress() == BodyProgress::Partial {
            bytes = self.step(bytes);
        }
        self.progress()
    }

    /// Returns what the last call of [`receive`](Self::receive) said.
    pub fn progress(&self) -> BodyProgress {
        match self.state {
            State::Final(progress) => progress,
            State::Length { .. } | State::UntilClose | State::Chunked { .. } => BodyProgress::Partial,
        }
    }

    /// Returns what has been collected.
    pub fn into_body(self) -> Vec<u8> {
        self.body
    }

    /// Takes some bytes from the front and returns the rest.
    fn step<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        match self.state {
            State::Final(_) => &[],
            State::UntilClose => self.take(bytes, u64::MAX).1,
            State::Length { remaining } => {
                let (remaining, rest) = self.take(bytes, remaining);
                self.advance(if remaining == 0 {
                    State::Final(BodyProgress::Complete)
                } else {
                    State::Length { remaining }
                });
                rest
            }
            State::Chunked { chunk: Chunk::Data { remaining }, ignored } => {
                let (remaining, rest) = self.take(bytes, remaining);
                let chunk =
                    if remaining == 0 { Chunk::DataCarriageReturn } else { Chunk::Data { remaining } };
                self.advance(State::Chunked { chunk, ignored });
                rest
            }
            State::Chunked { chunk, ignored } => {
                let Some((&byte, rest)) = bytes.split_first() else { return bytes };
                self.advance(match chunk.next(byte) {
                    Some(Some(chunk)) => State::Chunked { chunk, ignored: chunk.count_ignored(ignored) },
                    Some(None) => State::Final(BodyProgress::Complete),
                    None => State::Final(BodyProgress::Malformed),
                });
                rest
            }
        }
    }

    /// Keeps up to `remaining` of `bytes`, as far as the limit allows; returns what remains of both.
    fn take<'b>(&mut self, bytes: &'b [u8], remaining: u64) -> (u64, &'b [u8]) {
        let wanted = usize::try_from(remaining).unwrap_or(usize::MAX).min(bytes.len());
        debug_assert!(self.body.len() <= self.limit, "more is kept than may be");
        let (data, rest) = bytes.split_at_checked(wanted).unwrap_or_default();
        let room = self.limit.saturating_sub(self.body.len());
        self.body.extend_from_slice(data.get(..room).unwrap_or(data));
        if data.len() > room {
            self.state = State::Final(BodyProgress::LimitReached);
        }
        (remaining.saturating_sub(data.len() as u64), rest)
    }

    fn advance(&mut self, next: State) {
        self.state = match (self.state, next) {
            (State::Final(_), _) => self.state,
            (_, State::Chunked { ignored, .. }) if ignored > MAX_IGNORED => {
                State::Final(BodyProgress::Malformed)
            }
            _ => next,
        };
    }
}

impl Chunk {
    /// The state after `byte`; `Some(None)` is the end of the body, `None` a fault.
    fn next(self, byte: u8) -> Option<Option<Self>> {
        let digit = char::from(byte).to_digit(16).map(u64::from);
        let line_feed = expect_line_feed(byte).is_ok();
        Some(Some(match (self, byte) {
            (Self::SizeStart, _) => Self::Size { size: digit? },
            (Self::Size { size } | Self::SizeWhitespace { size } | Self::Extension { size }, b'\r') => {
                Self::SizeLineFeed { size }
            }
            // RFC 9112 §7.1.1: chunk extensions are passed over, with the bad whitespace before them; each begins
            // with a semicolon.
            (Self::Size { size } | Self::SizeWhitespace { size }, b';') => Self::Extension { size },
            (Self::Size { size } | Self::SizeWhitespace { size }, b' ' | b'\t') => {
                Self::SizeWhitespace { size }
            }
            // RFC 9112 §7.1: a size that overflows is a fault, not a small size.
            (Self::Size { size }, _) => Self::Size { size: size.checked_mul(16)?.checked_add(digit?)? },
            (Self::Extension { size }, b'\t' | b' '..=b'~' | 0x80..) => Self::Extension { size },
            (Self::SizeLineFeed { size: 0 }, _) if line_feed => Self::TrailerStart,
            (Self::SizeLineFeed { size }, _) if line_feed => Self::Data { remaining: size },
            (Self::DataCarriageReturn, b'\r') => Self::DataLineFeed,
            (Self::DataLineFeed, _) if line_feed => Self::SizeStart,
            (Self::TrailerStart, b'\r') => Self::LastLineFeed,
            (Self::Trailer, b'\r') => Self::TrailerLineFeed,
            (Self::TrailerStart | Self::Trailer, b'\t' | b' '..=b'~' | 0x80..) => Self::Trailer,
            (Self::TrailerLineFeed, _) if line_feed => Self::TrailerStart,
            (Self::LastLineFeed, _) if line_feed => return Some(None),
            _ => return None,
        }))
    }

    /// The count of bytes that add nothing to the body, after one more of this state.
    fn count_ignored(self, ignored: usize) -> usize {
        match self {
            Self::Size { .. } | Self::SizeWhitespace { .. } | Self::Extension { .. } | Self::Trailer => {
                ignored.saturating_add(1)
            }
            _ => ignored,
        }
    }
}

fn parse_length(length: &[u8]) -> Option<u64> {
    // RFC 9110 §8.6: Content-Length = 1*DIGIT, so no sign.
    let digits =
        std::str::from_utf8(length).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
    digits.parse().ok()
}

/// The most bytes of sizes, chunk extensions and trailers that are skipped: without a bound a peer could send
/// them forever, as they add nothing to the body.
const MAX_IGNORED: usize = 256 * 1024;
