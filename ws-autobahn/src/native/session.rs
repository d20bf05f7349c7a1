//! The suite's end of a connection: parses what the peer sends by RFC 6455, and follows the closing handshake.
//!
//! It is strict with what it receives (a protocol error of the peer fails the connection) and sends anything.

mod end;

use std::collections::VecDeque;

use crate::{
    native::{
        deflate::{Agreed, Deflater, Inflater},
        frame::{BINARY, CLOSE, Frame, Header, PING, PONG, apply_mask, close_body, frame, pong},
        log::Log,
        payload::Payload,
        rules,
        script::{Delivery, Event},
    },
    role::Role,
};

pub(crate) use end::{End, Phase};

/// The suite's end of an open connection.
#[derive(Debug)]
pub(crate) struct Session {
    /// The role of the tested peer.
    pub(crate) tested: Role,
    /// The phase of closing.
    pub(crate) phase: Phase,
    /// What is known about the end.
    pub(crate) end: End,
    /// The wire log.
    pub(crate) log: Log,
    /// The bytes to write.
    pub(crate) out: VecDeque<Chunk>,
    /// Compresses the suite's messages, if the extension was agreed.
    pub(crate) deflater: Option<Deflater>,
    inflater: Option<Inflater>,
    input: Vec<u8>,
    reading: Reading,
    message: Option<Message>,
}

/// Bytes to write.
#[derive(Debug)]
pub(crate) struct Chunk {
    /// The bytes.
    pub(crate) bytes: Vec<u8>,
    /// How many bytes have been written.
    pub(crate) written: usize,
    /// How they are written to TCP.
    pub(crate) delivery: Delivery,
}

/// The parse state of the peer's bytes.
#[derive(Debug)]
enum Reading {
    /// Before a frame header.
    Head,
    /// Before the payload of a frame.
    Payload(Header, usize),
    /// In a payload that is skipped: this many bytes are still to come.
    Skipping(u64),
}

/// A message whose first fragments have been received.
#[derive(Debug)]
struct Message {
    opcode: u8,
    compressed: bool,
    payload: Vec<u8>,
}

/// The longest message that the suite accepts: twice what it sends.
const LONGEST: usize = 32 << 20;
/// The maximum number of pieces that wait to be written when a Ping is answered: a peer may send Pings and never read.
const CHUNKS: usize = 1024;

/// The codes that the suite sends (RFC 6455 section 7.4.1).
const PROTOCOL_ERROR: u16 = 1002;
const NOT_UTF8: u16 = 1007;

impl Session {
    /// Creates the session of a connection whose opening handshake is complete.
    pub(crate) fn new(tested: Role, agreed: Option<Agreed>) -> Self {
        let (ours, theirs) = match (agreed, tested) {
            (None, _) => (None, None),
            (Some(agreed), Role::Server) => (Some(agreed.client), Some(agreed.server)),
            (Some(agreed), Role::Client) => (Some(agreed.server), Some(agreed.client)),
        };
        Self {
            tested,
            phase: Phase::Open,
            end: End::default(),
            log: Log::new(),
            out: VecDeque::new(),
            deflater: ours.map(Deflater::new),
            inflater: theirs.map(Inflater::new),
            input: Vec::new(),
            reading: Reading::Head,
            message: None,
        }
    }

    /// Returns the masking key: a client must mask, a server must not (RFC 6455 section 5.1).
    pub(crate) fn mask(&self) -> Option<[u8; 4]> {
        match self.tested {
            Role::Server => Some(KEY),
            Role::Client => None,
        }
    }

    /// Sends a frame.
    pub(crate) fn send(&mut self, frame: &Frame, delivery: Delivery) {
        let bytes = frame.encode(self.mask());
        self.log.sent(&bytes);
        self.write(bytes, delivery);
    }

    /// Queues bytes to be written.
    pub(crate) fn write(&mut self, bytes: Vec<u8>, delivery: Delivery) {
        match self.out.back_mut() {
            Some(last)
                if last.delivery == Delivery::Joined
                    && delivery == Delivery::Joined
                    && last.bytes.len() < JOINED =>
            {
                last.bytes.extend(bytes);
            }
            _ => self.out.push_back(Chunk { bytes, written: 0, delivery }),
        }
    }

    /// Begins the closing handshake, unless it has begun.
    pub(crate) fn close(&mut self, body: Vec<u8>) {
        if self.phase == Phase::Open {
            self.end.closed_by_suite = true;
            self.phase = Phase::Closing;
            self.send(&frame(CLOSE, body), Delivery::Joined);
        }
    }

    /// Fails the connection (RFC 6455 section 7.1.7) with a Close, or ends TCP if a Close was sent before.
    pub(crate) fn fail(&mut self, code: u16, why: &str) {
        self.end.failed_by_suite = true;
        match self.phase {
            Phase::Open => {
                let reason: String = why.chars().filter(char::is_ascii).take(100).collect();
                self.close(close_body(code, reason.as_bytes()));
            }
            Phase::Closing | Phase::Closed => self.drop_connection(),
            Phase::Over => {}
        }
    }

    /// Ends the TCP connection.
    pub(crate) fn drop_connection(&mut self) {
        if self.phase != Phase::Over {
            self.end.dropped_by_suite = true;
            self.phase = Phase::Over;
        }
    }

    /// Records that the peer has not done its part of closing in time.
    pub(crate) fn closing_is_late(&mut self) {
        let note = match self.phase {
            Phase::Closing => "the peer did not answer the Close in time",
            _ => "the server did not end the TCP connection in time",
        };
        // After the peer's Close the handshake was clean; a late end is judged by which side ends TCP.
        if self.phase == Phase::Closing || self.end.closed_by_suite {
            self.end.clean = false;
        }
        self.log.note(note);
        self.end.note.get_or_insert_with(|| note.to_owned());
        self.drop_connection();
    }

    /// Receives bytes from the peer and returns the complete messages and Pongs.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Vec<Event> {
        let mut events = Vec::new();
        self.input.extend_from_slice(bytes);
        let mut input = std::mem::take(&mut self.input);
        let mut at = 0usize;
        while self.phase != Phase::Over
            && let Some(rest) = input.get_mut(at..)
            && let Some(read) = self.next(rest, &mut events)
        {
            at = at.saturating_add(read);
        }
        input.drain(..at.min(input.len()));
        self.input = input;
        events
    }

    /// Parses one header or payload at the beginning of `input` and returns its size; `None` when bytes are missing.
    fn next(&mut self, input: &mut [u8], events: &mut Vec<Event>) -> Option<usize> {
        match self.reading {
            Reading::Head => {
                let (header, size) = Header::read(input)?;
                let inside = self.message.is_some();
                if let Err(why) = rules::head(&header, self.tested, self.inflater.is_some(), inside) {
                    self.violation(&why);
                }
                let total = header.length.saturating_add(size as u64);
                let counts = !self.end.failed_by_suite || header.opcode == CLOSE;
                let most = if header.is_control() { 125 } else { LONGEST as u64 };
                if counts && header.length <= most {
                    self.reading = Reading::Payload(header, size);
                    Some(0)
                } else {
                    if counts {
                        self.violation(&format!("a message of more than {LONGEST} bytes"));
                    }
                    self.log.received(input, total);
                    self.reading = Reading::Skipping(total);
                    Some(0)
                }
            }
            Reading::Payload(header, size) => {
                let end = usize::try_from(header.length).ok()?.checked_add(size)?;
                let frame = input.get_mut(..end)?;
                self.log.received(frame, end as u64);
                self.reading = Reading::Head;
                let payload = frame.get_mut(size..)?;
                if let Some(key) = header.mask {
                    apply_mask(payload, key);
                }
                self.frame(&header, payload, events);
                Some(end)
            }
            Reading::Skipping(left) => {
                let here = left.min(input.len() as u64);
                self.reading = match left.saturating_sub(here) {
                    0 => Reading::Head,
                    left => Reading::Skipping(left),
                };
                usize::try_from(here).ok().filter(|n| *n > 0 || matches!(self.reading, Reading::Head))
            }
        }
    }

    fn violation(&mut self, why: &str) {
        self.note_fault(why);
        self.fail(PROTOCOL_ERROR, why);
    }

    fn note_fault(&mut self, why: &str) {
        self.log.note(format!("the peer sent {why}"));
        self.end.note.get_or_insert_with(|| format!("the peer sent {why}"));
    }

    fn frame(&mut self, header: &Header, payload: &[u8], events: &mut Vec<Event>) {
        match header.opcode {
            CLOSE => self.closed(payload),
            _ if self.end.failed_by_suite => {}
            PING if self.phase == Phase::Open && self.out.len() < CHUNKS => {
                self.send(&pong(payload), Delivery::Joined)
            }
            PING => {}
            PONG => events.push(Event::Pong(payload.into())),
            _ => {
                let message = self.message.get_or_insert_with(|| Message {
                    opcode: header.opcode,
                    compressed: header.rsv == 4,
                    payload: Vec::new(),
                });
                message.payload.extend_from_slice(payload);
                let too_long = message.payload.len() > LONGEST;
                if too_long {
                    self.message = None;
                    self.violation(&format!("a message of more than {LONGEST} bytes"));
                } else if header.fin
                    && let Some(message) = self.message.take()
                {
                    self.message(message, events);
                }
            }
        }
    }

    fn message(&mut self, message: Message, events: &mut Vec<Event>) {
        let Message { opcode, compressed, mut payload } = message;
        if compressed && let Some(inflater) = &mut self.inflater {
            match inflater.message(&payload, LONGEST) {
                Ok(plain) => payload = plain,
                Err(why) => {
                    self.note_fault(&format!("a message that cannot be decompressed: {why}"));
                    return self.fail(NOT_UTF8, &why);
                }
            }
        }
        match opcode {
            BINARY => events.push(Event::Binary(Payload::Bytes(payload))),
            // RFC 6455 section 8.1.
            _ if std::str::from_utf8(&payload).is_err() => {
                let why = "text that is not UTF-8";
                self.note_fault(why);
                self.fail(NOT_UTF8, why);
            }
            _ => events.push(Event::Text(Payload::Bytes(payload))),
        }
    }

    /// Handles the peer's Close (RFC 6455 sections 5.5.1 and 7.1.5).
    fn closed(&mut self, body: &[u8]) {
        let (code, reason) = match body.split_first_chunk::<2>() {
            Some((code, reason)) => (Some(u16::from_be_bytes(*code)), reason),
            None => (None, &[][..]),
        };
        self.end.code = code;
        if let Some(code) = code.filter(|code| !rules::may_be_sent(*code)) {
            self.violation(&format!("a Close with the code {code}, which must not be sent"));
        }
        if std::str::from_utf8(reason).is_err() {
            let why = "a Close with a reason that is not UTF-8";
            self.note_fault(why);
            self.fail(NOT_UTF8, why);
        }
        match self.phase {
            Phase::Open => {
                self.end.clean = true;
                self.send(&frame(CLOSE, close_body(1000, b"")), Delivery::Joined);
                self.phase = Phase::Closed;
                self.end_as_server();
            }
            Phase::Closing => {
                self.end.clean = true;
                self.phase = Phase::Closed;
                self.end_as_server();
            }
            // RFC 6455 section 5.5.1: nothing may follow a Close.
            Phase::Closed => {}
            Phase::Over => self.end.clean = false,
        }
    }

    /// RFC 6455 section 7.1.1: the server ends the TCP connection first.
    fn end_as_server(&mut self) {
        if self.tested == Role::Client {
            self.drop_connection();
        }
    }
}

/// The masking key of the suite, which is the one of RFC 6455 section 5.7: the log is easier to read when all frames
/// have the same key, and no intermediary has to be protected from what the suite sends.
pub(crate) const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// The approximate size of the writes of joined frames.
const JOINED: usize = 64 << 10;
