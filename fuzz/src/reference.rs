//! RFC 6455 sections 5 and 7 once more, slowly: a decoder that is given all bytes there are, and
//! says what follows from them. It shares no code with ws-core.

use crate::inflate::{Fault, Inflater};
use crate::{End, Outcome, Received};
use ws_core::Role;

/// No fuzz input has more bytes: `-max_len` in fuzz/run.
const LONGEST_INPUT: usize = 4096;

/// As much of a frame header as its bytes tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Header {
    pub fin: bool,
    pub rsv1: bool,
    pub opcode: u8,
    /// The payload length, if all its bytes are there.
    pub len: Option<u64>,
    /// The masking key and the length of the header, if all of it is there.
    pub whole: Option<([u8; 4], usize)>,
}

/// The header cannot be one, whatever follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Illegal;

/// Reads the header that `bytes` begin with, as received by `receiver`.
///
/// # Errors
/// [`Illegal`] as soon as no continuation of `bytes` is a legal header.
pub fn header(bytes: &[u8], receiver: Role) -> Result<Option<Header>, Illegal> {
    let Some(&first) = bytes.first() else { return Ok(None) };
    let opcode = first & 0x0F;
    let (fin, rsv1, control) = (first & 0x80 != 0, first & 0x40 != 0, opcode >= 8);
    let legal = match opcode {
        0 => !rsv1,
        1 | 2 => true,
        8..=10 => fin && !rsv1,
        _ => false,
    };
    if !legal || first & 0x30 != 0 {
        return Err(Illegal);
    }
    let mut header = Header { fin, rsv1, opcode, len: None, whole: None };
    let Some(&second) = bytes.get(1) else { return Ok(Some(header)) };
    if (second & 0x80 != 0) != (receiver == Role::Server) {
        return Err(Illegal);
    }
    let short = second & 0x7F;
    if control && short > 125 || opcode == 8 && short == 1 {
        return Err(Illegal);
    }
    let (width, smallest, largest) = match short {
        126 => (2, 126, 0xFFFF),
        127 => (8, 0x1_0000, (1 << 63) - 1),
        len => (0, u64::from(len), u64::from(len)),
    };
    let length = &bytes[2..bytes.len().min(2 + width)];
    // The least and the most that the length can still become.
    let (mut least, mut most) = if width == 0 { (smallest, smallest) } else { (0, 0) };
    for place in 0..width {
        least = least << 8 | u64::from(*length.get(place).unwrap_or(&0x00));
        most = most << 8 | u64::from(*length.get(place).unwrap_or(&0xFF));
    }
    if most < smallest || least > largest {
        return Err(Illegal);
    }
    if length.len() == width {
        header.len = Some(least);
        let end = 2 + width;
        header.whole = match receiver {
            Role::Client => Some(([0; 4], end)),
            Role::Server => bytes.get(end..end + 4).map(|key| (key.try_into().unwrap(), end + 4)),
        };
    }
    Ok(Some(header))
}

/// The limits that a stream is held to.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)]
pub struct Limits {
    pub message: u64,
    pub fragments: u64,
    /// Control frames in all.
    pub control: u64,
}

impl Limits {
    /// None at all.
    pub const NONE: Self = Self { message: u64::MAX, fragments: u64::MAX, control: u64::MAX };
}

/// What is known of a stream, beside its outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The events, and how they end.
    pub outcome: Outcome,
    /// Bytes behind the last whole frame.
    pub unfinished: usize,
    /// A message has begun and not ended.
    pub in_message: bool,
    /// A compressed message has begun.
    pub any_compressed: bool,
    /// The sizes and opcodes of the whole frames.
    pub frames: Vec<(u8, u64)>,
}

/// Reads all frames of `stream`, as received by `receiver`; with an inflater where permessage-deflate is agreed.
pub fn read(receiver: Role, limits: Limits, inflater: Option<Inflater>, stream: &[u8]) -> Reading {
    let mut reading = Reading {
        outcome: Outcome::new(),
        unfinished: 0,
        in_message: false,
        any_compressed: false,
        frames: Vec::new(),
    };
    let mut reader = Reader { receiver, limits, inflater, message: None, control: 0 };
    let mut rest = stream;
    while !rest.is_empty() && reading.outcome.end == End::Open {
        match reader.frame(rest, &mut reading) {
            Ok(Some(used)) => rest = &rest[used..],
            Ok(None) => break,
            Err(code) => reading.outcome.end = End::Failed(code),
        }
    }
    reading.unfinished = rest.len();
    reading.in_message = reader.message.is_some();
    reading
}

struct Reader {
    receiver: Role,
    limits: Limits,
    inflater: Option<Inflater>,
    message: Option<Message>,
    control: u64,
}

#[derive(Clone)]
struct Message {
    text: bool,
    compressed: bool,
    /// As it came; compressed if it is.
    payload: Vec<u8>,
    announced: u64,
    fragments: u64,
}

impl Reader {
    /// Reads one frame; its size if it is whole, the close code if it is at fault.
    fn frame(&mut self, bytes: &[u8], reading: &mut Reading) -> Result<Option<usize>, u16> {
        // What the first byte proves comes first.
        let Some(first) = header(&bytes[..1], self.receiver).map_err(|Illegal| 1002u16)? else {
            return Ok(None);
        };
        let (continues, control) = (first.opcode == 0, first.opcode >= 8);
        if first.rsv1 && self.inflater.is_none() || !control && continues != self.message.is_some() {
            return Err(1002);
        }
        if !control && self.message.as_ref().is_some_and(|message| message.fragments >= self.limits.fragments)
        {
            return Err(1008);
        }
        let Some(header) = header(bytes, self.receiver).map_err(|Illegal| 1002u16)? else { return Ok(None) };
        let Some(len) = header.len else { return Ok(None) };
        let announced = self.message.as_ref().map_or(0, |message| message.announced).saturating_add(len);
        let compressed = header.rsv1 || self.message.as_ref().is_some_and(|message| message.compressed);
        // The work on a compressed message is bounded by its bytes on the wire.
        let allowance = if compressed { 1024 } else { 0 };
        if !control && announced > self.limits.message.saturating_add(allowance) {
            return Err(1009);
        }
        let Some((key, start)) = header.whole else { return Ok(None) };
        let end = usize::try_from(len).unwrap_or(usize::MAX).saturating_add(start);
        let whole = end <= bytes.len();
        let mut content = Vec::new();
        let payload: Vec<u8> = bytes[start..end.min(bytes.len())]
            .iter()
            .enumerate()
            .map(|(n, byte)| byte ^ key[n % 4])
            .collect();
        if control {
            self.control += 1;
            if self.control > self.limits.control {
                return Err(1008);
            }
            if header.opcode == 8 {
                check_close(&payload, whole)?;
            }
        } else {
            let mut message = self.message.take().unwrap_or(Message {
                text: header.opcode == 1,
                compressed: header.rsv1,
                payload: Vec::new(),
                announced: 0,
                fragments: 0,
            });
            message.announced = announced;
            message.fragments += 1;
            message.payload.extend(&payload);
            reading.any_compressed |= message.compressed;
            // What is longer than any input came out of ws-core itself, and is looked at once it is whole: to inflate it
            // anew for each frame would take a minute.
            if header.fin || message.payload.len() <= LONGEST_INPUT {
                content = self.check(&message, whole && header.fin)?;
            }
            self.message = Some(message);
        }
        if !whole {
            return Ok(None);
        }
        reading.frames.push((header.opcode, len));
        let received = match header.opcode {
            8 => {
                reading.outcome.end = End::Closed;
                Received::Close(payload.split_first_chunk::<2>().map(|(code, reason)| {
                    (u16::from_be_bytes(*code), String::from_utf8(reason.to_vec()).unwrap())
                }))
            }
            9 => Received::Ping(payload),
            10 => Received::Pong(payload),
            _ if !header.fin => return Ok(Some(end)),
            _ if self.message.take().unwrap().text => Received::Text(String::from_utf8(content).unwrap()),
            _ => Received::Binary(content),
        };
        reading.outcome.received.push(received);
        Ok(Some(end))
    }

    /// The content of a message so far, or the code that it fails with.
    fn check(&mut self, message: &Message, ended: bool) -> Result<Vec<u8>, u16> {
        let (mut content, mut fault) = (message.payload.clone(), None);
        if message.compressed {
            let limit = usize::try_from(self.limits.message).unwrap_or(usize::MAX);
            let inflated = self.inflater.as_mut().unwrap().message(&message.payload, ended, limit);
            (content, fault) = (inflated.content, inflated.fault);
        }
        if message.text && !is_text(&content, ended && fault.is_none()) {
            return Err(1007);
        }
        match fault {
            None => Ok(content),
            Some(Fault::TooLong) => Err(1009),
            Some(Fault::Corrupt | Fault::CutOff) => Err(1007),
        }
    }
}

/// Section 7.4: which codes can stand in a Close frame.
pub fn is_close_code(code: u16) -> bool {
    match code {
        1000..=1014 => ![1004, 1005, 1006].contains(&code),
        _ => (3000..5000).contains(&code),
    }
}

fn check_close(body: &[u8], whole: bool) -> Result<(), u16> {
    let Some((code, reason)) = body.split_first_chunk::<2>() else { return Ok(()) };
    if !is_close_code(u16::from_be_bytes(*code)) {
        return Err(1002);
    }
    if is_text(reason, whole) { Ok(()) } else { Err(1007) }
}

/// Whether it is UTF-8; unless it is `whole`, whether it can still become UTF-8.
fn is_text(bytes: &[u8], whole: bool) -> bool {
    match std::str::from_utf8(bytes) {
        Ok(_) => true,
        Err(error) => !whole && error.error_len().is_none(),
    }
}
