//! What one end put on the wire, judged by a parser that has nothing in common with the library's.

use ws_wire::{Header, take};

/// What a wire holds.
#[derive(Debug, Default)]
pub struct Wire {
    pub close: Option<u16>,
    pub pings: usize,
    pub pongs: usize,
    pub messages: usize,
    /// Bytes of a frame that is not all there.
    pub half: usize,
}

/// What the DATA frames have in them that an end of an HTTP/2 connection with one stream wrote (RFC 9113 section 4.1).
pub fn data(mut http2: &[u8]) -> Vec<u8> {
    http2 = http2.strip_prefix(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap_or(http2);
    let mut data = Vec::new();
    while let Some((head, rest)) = http2.split_at_checked(9) {
        let length = (u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize).min(rest.len());
        let (payload, rest) = rest.split_at(length);
        if head[3] == 0 {
            data.extend_from_slice(payload);
        }
        http2 = rest;
    }
    data
}

/// Checks the rules of RFC 6455 section 5 on all that an end wrote.
pub fn check(bytes: &[u8], masked: bool, compressing: bool) -> Result<Wire, String> {
    let mut wire = Wire::default();
    let mut inside = false;
    let mut rest = bytes;
    while !rest.is_empty() {
        let at = bytes.len() - rest.len();
        let fail = |what: &str| Err(format!("{what} at byte {at} of {}", bytes.len()));
        if wire.close.is_some() {
            return fail("something after the Close");
        }
        let Some((header, _)) = Header::read(rest) else { break };
        if header.rsv & 3 != 0 {
            return fail("RSV2 or RSV3");
        }
        if header.mask.is_some() != masked {
            return fail("the wrong masking");
        }
        if !header.minimal {
            return fail("a length in more bytes than it needs");
        }
        if header.is_control() && (!header.fin || header.length > 125) {
            return fail("a fragmented or long control frame");
        }
        if header.rsv == 4 && (!compressing || header.is_control() || header.opcode == 0) {
            return fail("RSV1 out of place");
        }
        let Some((_, payload)) = take(&mut rest) else { break };
        match header.opcode {
            0 if !inside => return fail("a continuation of nothing"),
            1 | 2 if inside => return fail("a new message inside another"),
            0..=2 => {
                inside = !header.fin;
                wire.messages += usize::from(header.fin);
            }
            8 => {
                wire.close = Some(match payload[..] {
                    [] => 1005,
                    [_] => return fail("a Close with one byte"),
                    [a, b, ..] => u16::from_be_bytes([a, b]),
                });
            }
            9 => wire.pings += 1,
            10 => wire.pongs += 1,
            _ => return fail("a reserved opcode"),
        }
    }
    wire.half = rest.len();
    Ok(wire)
}
