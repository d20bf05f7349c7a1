//! What one end put on the wire, judged by a parser that has nothing in common with the library's.

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
    let mut at = 0;
    while at < bytes.len() {
        let fail = |what: &str| Err(format!("{what} at byte {at} of {}", bytes.len()));
        if wire.close.is_some() {
            return fail("something after the Close");
        }
        let Some((header, len)) = header(&bytes[at..]) else {
            wire.half = bytes.len() - at;
            return Ok(wire);
        };
        let (fin, rsv1, opcode) = (bytes[at] & 0x80 != 0, bytes[at] & 0x40 != 0, bytes[at] & 0x0F);
        if bytes[at] & 0x30 != 0 {
            return fail("RSV2 or RSV3");
        }
        if (bytes[at + 1] & 0x80 != 0) != masked {
            return fail("the wrong masking");
        }
        let control = opcode >= 8;
        if control && (!fin || len > 125) {
            return fail("a fragmented or long control frame");
        }
        if rsv1 && (!compressing || control || opcode == 0) {
            return fail("RSV1 out of place");
        }
        let end = at + header + len;
        let Some(payload) = bytes.get(at + header..end) else {
            wire.half = bytes.len() - at;
            return Ok(wire);
        };
        match opcode {
            0 if !inside => return fail("a continuation of nothing"),
            1 | 2 if inside => return fail("a new message inside another"),
            0..=2 => {
                inside = !fin;
                wire.messages += usize::from(fin);
            }
            8 => {
                let key = if masked { &bytes[at + header - 4..at + header] } else { &[0; 4] };
                wire.close = Some(match payload {
                    [] => 1005,
                    [_] => return fail("a Close with one byte"),
                    [a, b, ..] => u16::from_be_bytes([a ^ key[0], b ^ key[1]]),
                });
            }
            9 => wire.pings += 1,
            10 => wire.pongs += 1,
            _ => return fail("a reserved opcode"),
        }
        at = end;
    }
    Ok(wire)
}

/// The lengths of header and payload; `None` if the header is not all there.
fn header(bytes: &[u8]) -> Option<(usize, usize)> {
    let second = *bytes.get(1)?;
    let mask = if second & 0x80 != 0 { 4 } else { 0 };
    let (extra, len) = match second & 0x7F {
        126 => (2, usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?))),
        127 => (8, u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?) as usize),
        n => (0, usize::from(n)),
    };
    (bytes.len() >= 2 + extra + mask).then_some((2 + extra + mask, len))
}
