//! Frames of HTTP/2 as bytes (RFC 9113 section 4): encoded with any content, valid or not, and parsed without checks.

/// A frame, which need not be valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    /// The type.
    pub(crate) kind: u8,
    /// The flags.
    pub(crate) flags: u8,
    /// The stream, 0 for the connection.
    pub(crate) stream: u32,
    /// The payload.
    pub(crate) payload: Vec<u8>,
}

// The types (RFC 9113 section 6).
pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PUSH_PROMISE: u8 = 5;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

// The flags.
pub(crate) const END_STREAM: u8 = 1;
pub(crate) const ACK: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;
pub(crate) const PADDED: u8 = 8;
pub(crate) const HAS_PRIORITY: u8 = 32;

// The settings (RFC 9113 section 6.5.2, RFC 8441 section 3).
pub(crate) const HEADER_TABLE_SIZE: u16 = 1;
pub(crate) const ENABLE_PUSH: u16 = 2;
pub(crate) const MAX_CONCURRENT_STREAMS: u16 = 3;
pub(crate) const INITIAL_WINDOW_SIZE: u16 = 4;
pub(crate) const MAX_FRAME_SIZE: u16 = 5;
pub(crate) const ENABLE_CONNECT_PROTOCOL: u16 = 8;

// The error codes (RFC 9113 section 7).
pub(crate) const NO_ERROR: u32 = 0;
pub(crate) const PROTOCOL_ERROR: u32 = 1;
pub(crate) const INTERNAL_ERROR: u32 = 2;
pub(crate) const FLOW_CONTROL_ERROR: u32 = 3;
pub(crate) const STREAM_CLOSED: u32 = 5;
pub(crate) const FRAME_SIZE_ERROR: u32 = 6;
pub(crate) const REFUSED_STREAM: u32 = 7;
pub(crate) const CANCEL: u32 = 8;
pub(crate) const COMPRESSION_ERROR: u32 = 9;
pub(crate) const ENHANCE_YOUR_CALM: u32 = 11;

/// What a client sends first (RFC 9113 section 3.4).
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// The flow-control windows before any SETTINGS (RFC 9113 section 6.9.2).
pub(crate) const INITIAL_WINDOW: i64 = 65_535;
/// The largest payload that every endpoint accepts (RFC 9113 section 4.2).
pub(crate) const LARGEST: usize = 16_384;
const HEAD: usize = 9;

/// Returns a frame.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: impl Into<Vec<u8>>) -> Frame {
    Frame { kind, flags, stream, payload: payload.into() }
}

/// Returns a frame SETTINGS.
pub(crate) fn settings(settings: &[(u16, u32)]) -> Frame {
    let pair = |(name, value): &(u16, u32)| [&name.to_be_bytes()[..], &value.to_be_bytes()].concat();
    frame(SETTINGS, 0, 0, settings.iter().flat_map(pair).collect::<Vec<u8>>())
}

/// Returns a frame WINDOW_UPDATE.
pub(crate) fn window_update(stream: u32, size: u32) -> Frame {
    frame(WINDOW_UPDATE, 0, stream, size.to_be_bytes())
}

/// Returns a frame RST_STREAM.
pub(crate) fn reset(stream: u32, code: u32) -> Frame {
    frame(RST_STREAM, 0, stream, code.to_be_bytes())
}

/// Returns a frame GOAWAY.
pub(crate) fn go_away(last: u32, code: u32) -> Frame {
    frame(GOAWAY, 0, 0, [last.to_be_bytes(), code.to_be_bytes()].concat())
}

impl Frame {
    /// Returns the bytes on the wire.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let [_, length @ ..] = u32::try_from(self.payload.len()).unwrap_or(u32::MAX).to_be_bytes();
        let stream = self.stream.to_be_bytes();
        [&length[..], &[self.kind, self.flags], &stream, &self.payload].concat()
    }

    /// Parses the frame at the beginning of `bytes` and returns it with its size; `None` when bytes are missing.
    pub(crate) fn read(bytes: &[u8]) -> Option<(Self, usize)> {
        let [a, b, c, kind, flags, stream @ ..] = *bytes.first_chunk::<HEAD>()?;
        let length = u32::from_be_bytes([0, a, b, c]);
        let end = usize::try_from(length).ok()?.checked_add(HEAD)?;
        let payload = bytes.get(HEAD..end)?.to_vec();
        // The first bit of the stream is reserved (RFC 9113 section 4.1).
        let stream = u32::from_be_bytes(stream) & 0x7fff_ffff;
        Some((Self { kind, flags, stream, payload }, end))
    }

    /// Whether the flag is set.
    pub(crate) fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// Whether this is the last frame of its stream in this direction.
    pub(crate) fn ends_stream(&self) -> bool {
        matches!(self.kind, DATA | HEADERS) && self.has(END_STREAM)
    }

    /// Returns the content of DATA or HEADERS, without padding and priority (RFC 9113 sections 6.1 and 6.2); `None`
    /// when the frame is too short for them.
    pub(crate) fn content(&self) -> Option<&[u8]> {
        let mut content = &self.payload[..];
        if self.has(PADDED) {
            let (padding, rest) = content.split_first()?;
            content = rest.get(..rest.len().checked_sub(usize::from(*padding))?)?;
        }
        if self.kind == HEADERS && self.has(HAS_PRIORITY) {
            content = content.get(5..)?;
        }
        Some(content)
    }

    /// Returns the four bytes of the payload at `at` as a number: an error code, or a window.
    pub(crate) fn number(&self, at: usize) -> Option<u32> {
        self.payload.get(at..)?.first_chunk::<4>().map(|four| u32::from_be_bytes(*four))
    }

    /// Returns the settings in the payload.
    pub(crate) fn settings(&self) -> Vec<(u16, u32)> {
        let (sixes, _) = self.payload.as_chunks::<6>();
        let pair =
            |&[a, b, c, d, e, f]: &[u8; 6]| (u16::from_be_bytes([a, b]), u32::from_be_bytes([c, d, e, f]));
        sixes.iter().map(pair).collect()
    }

    /// Describes the frame, without the content of DATA and of field blocks.
    pub(crate) fn words(&self) -> String {
        let name = match NAMES.get(usize::from(self.kind)) {
            Some(name) => (*name).to_owned(),
            None => format!("frame of type {}", self.kind),
        };
        let mut text = format!("{name}, stream {}", self.stream);
        let flags: &[(u8, &str)] = match self.kind {
            DATA => &[(END_STREAM, "END_STREAM"), (PADDED, "PADDED")],
            HEADERS => &[
                (END_STREAM, "END_STREAM"),
                (END_HEADERS, "END_HEADERS"),
                (PADDED, "PADDED"),
                (HAS_PRIORITY, "PRIORITY"),
            ],
            CONTINUATION => &[(END_HEADERS, "END_HEADERS")],
            SETTINGS | PING => &[(ACK, "ACK")],
            _ => &[],
        };
        for (flag, name) in flags {
            if self.has(*flag) {
                text.push_str(&format!(", {name}"));
            }
        }
        match (self.kind, self.number(0)) {
            (RST_STREAM, Some(code)) => text.push_str(&format!(", {}", code_words(code))),
            (WINDOW_UPDATE, Some(size)) => text.push_str(&format!(", {size} bytes")),
            (GOAWAY, Some(last)) => {
                let code = self.number(4).map(code_words).unwrap_or_default();
                text.push_str(&format!(", last stream {last}, {code}"));
            }
            (SETTINGS, _) => {
                for (name, value) in self.settings() {
                    text.push_str(&format!(", {} = {value}", setting_words(name)));
                }
            }
            _ => text.push_str(&format!(", {} bytes", self.payload.len())),
        }
        text
    }
}

const NAMES: [&str; 10] = [
    "DATA",
    "HEADERS",
    "PRIORITY",
    "RST_STREAM",
    "SETTINGS",
    "PUSH_PROMISE",
    "PING",
    "GOAWAY",
    "WINDOW_UPDATE",
    "CONTINUATION",
];

/// Returns the name of an error code (RFC 9113 section 7).
pub(crate) fn code_words(code: u32) -> String {
    const CODES: [&str; 14] = [
        "NO_ERROR",
        "PROTOCOL_ERROR",
        "INTERNAL_ERROR",
        "FLOW_CONTROL_ERROR",
        "SETTINGS_TIMEOUT",
        "STREAM_CLOSED",
        "FRAME_SIZE_ERROR",
        "REFUSED_STREAM",
        "CANCEL",
        "COMPRESSION_ERROR",
        "CONNECT_ERROR",
        "ENHANCE_YOUR_CALM",
        "INADEQUATE_SECURITY",
        "HTTP_1_1_REQUIRED",
    ];
    let known = usize::try_from(code).ok().and_then(|code| CODES.get(code));
    known.map_or_else(|| format!("error code {code}"), |name| (*name).to_owned())
}

fn setting_words(name: u16) -> String {
    let known = match name {
        HEADER_TABLE_SIZE => "HEADER_TABLE_SIZE",
        ENABLE_PUSH => "ENABLE_PUSH",
        MAX_CONCURRENT_STREAMS => "MAX_CONCURRENT_STREAMS",
        INITIAL_WINDOW_SIZE => "INITIAL_WINDOW_SIZE",
        MAX_FRAME_SIZE => "MAX_FRAME_SIZE",
        6 => "MAX_HEADER_LIST_SIZE",
        ENABLE_CONNECT_PROTOCOL => "ENABLE_CONNECT_PROTOCOL",
        _ => return format!("setting {name}"),
    };
    known.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_http_2_are_encoded_parsed_and_described() {
        let permit = settings(&[(ENABLE_CONNECT_PROTOCOL, 1), (INITIAL_WINDOW_SIZE, 70_000)]);
        let bytes = permit.encode();
        assert_eq!(bytes[..9], [0, 0, 12, 4, 0, 0, 0, 0, 0]);
        assert_eq!(Frame::read(&bytes), Some((permit.clone(), 21)));
        assert!((0..21).all(|cut| Frame::read(&bytes[..cut]).is_none()));
        assert_eq!(permit.settings(), [(8, 1), (4, 70_000)]);
        let words = "SETTINGS, stream 0, ENABLE_CONNECT_PROTOCOL = 1, INITIAL_WINDOW_SIZE = 70000";
        assert_eq!(permit.words(), words);
        assert_eq!(reset(3, CANCEL).words(), "RST_STREAM, stream 3, CANCEL");
        assert_eq!(go_away(5, 99).words(), "GOAWAY, stream 0, last stream 5, error code 99");
        assert_eq!(frame(DATA, END_STREAM, 1, "ab").words(), "DATA, stream 1, END_STREAM, 2 bytes");
    }

    #[test]
    fn padding_and_priority_are_not_part_of_the_content() {
        let data = frame(DATA, PADDED, 1, [2, b'a', b'b', 0, 0]);
        assert_eq!(data.content().unwrap(), b"ab");
        let head = frame(HEADERS, PADDED | HAS_PRIORITY, 1, [1, 0, 0, 0, 0, 16, 0x88, 0]);
        assert_eq!(head.content().unwrap(), [0x88]);
        assert_eq!(frame(DATA, PADDED, 1, [3, 0, 0]).content(), None);
        assert_eq!(frame(DATA, PADDED, 1, []).content(), None);
    }
}
