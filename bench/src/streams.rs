//! The client's end of an HTTP/2 connection whose streams are WebSockets (RFC 8441), without an HTTP library.

use std::io::{Read, Write};

use anyhow::{Result, bail, ensure};

use crate::answers::{Answers, Expected};

/// Opens this many WebSockets, on the streams 1, 3, 5 and so on.
///
/// The windows are the largest that there are: no load is answered with as many bytes, so that none has to be opened again.
pub fn open(stream: &mut (impl Read + Write), websockets: usize) -> Result<()> {
    stream.write_all(PREFACE)?;
    let window = LARGEST_WINDOW.to_be_bytes();
    stream.write_all(&frame(SETTINGS, 0, 0, &[&[0, INITIAL_WINDOW_SIZE][..], &window].concat()))?;
    stream.write_all(&frame(WINDOW_UPDATE, 0, 0, &(LARGEST_WINDOW - INITIAL_WINDOW).to_be_bytes()))?;
    stream.flush()?;
    let (kind, _, settings) = read_frame(stream)?;
    let permission = [0, ENABLE_CONNECT_PROTOCOL, 0, 0, 0, 1];
    ensure!(kind == SETTINGS && settings.chunks(6).any(|each| each == permission), "no extended CONNECT");
    stream.write_all(&frame(SETTINGS, ACK, 0, &[]))?;
    for index in 0..websockets {
        stream.write_all(&frame(HEADERS, END_HEADERS, id(index), &request()))?;
    }
    stream.flush()?;
    let mut opened = 0;
    while opened < websockets {
        match read_frame(stream)? {
            (HEADERS, _, fields) => {
                ensure!(fields.first() == Some(&STATUS_200), "the server refused a WebSocket");
                opened += 1;
            }
            (SETTINGS | WINDOW_UPDATE, ..) => {}
            (kind, ..) => bail!("a frame of the type {kind} during the handshake"),
        }
    }
    Ok(())
}

/// A DATA frame of the WebSocket with this index.
pub fn data(index: usize, payload: &[u8]) -> Vec<u8> {
    frame(DATA, 0, id(index), payload)
}

/// What comes back on the streams of a connection.
#[derive(Debug, Default)]
pub struct Streams {
    header: [u8; HEADER],
    have: usize,
    /// Bytes of the current frame still to come.
    remaining: usize,
    answers: Vec<Answers>,
}

impl Streams {
    pub fn new(websockets: usize) -> Self {
        Self { answers: (0..websockets).map(|_| Answers::default()).collect(), ..Self::default() }
    }

    /// Takes all of `bytes`; returns how many messages end in them.
    pub fn take(&mut self, mut bytes: &[u8], expected: Expected) -> Result<usize> {
        let mut messages = 0;
        while !bytes.is_empty() {
            if self.remaining == 0 {
                let length = bytes.len().min(HEADER - self.have);
                self.header[self.have..][..length].copy_from_slice(&bytes[..length]);
                self.have += length;
                bytes = &bytes[length..];
                if self.have == HEADER {
                    self.have = 0;
                    self.remaining = length_of(&self.header);
                }
                continue;
            }
            let (payload, rest) = bytes.split_at(bytes.len().min(self.remaining));
            self.remaining -= payload.len();
            bytes = rest;
            match self.header {
                [_, _, _, DATA, 0, id @ ..] => {
                    let index = u32::from_be_bytes(id) as usize / 2;
                    ensure!(index < self.answers.len(), "DATA on a stream that is not open");
                    messages += self.answers[index].take(payload, expected)?;
                }
                [_, _, _, SETTINGS | WINDOW_UPDATE | PING, ..] => {}
                [_, _, _, kind, flags, ..] => bail!("a frame of the type {kind} with the flags {flags:#x}"),
            }
        }
        Ok(messages)
    }
}

fn id(index: usize) -> u32 {
    2 * index as u32 + 1
}

fn frame(kind: u8, flags: u8, id: u32, payload: &[u8]) -> Vec<u8> {
    let [_, length @ ..] = (payload.len() as u32).to_be_bytes();
    [&length[..], &[kind, flags], &id.to_be_bytes(), payload].concat()
}

fn read_frame(stream: &mut impl Read) -> Result<(u8, u8, Vec<u8>)> {
    let mut header = [0; HEADER];
    stream.read_exact(&mut header)?;
    let mut payload = vec![0; length_of(&header)];
    stream.read_exact(&mut payload)?;
    Ok((header[3], header[4], payload))
}

fn length_of(header: &[u8; HEADER]) -> usize {
    let [a, b, c, ..] = *header;
    u32::from_be_bytes([0, a, b, c]) as usize
}

/// The fields of an extended CONNECT, as literals without indexing (RFC 7541 section 6.2.2).
fn request() -> Vec<u8> {
    let fields = [
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        (":scheme", "https"),
        (":path", "/"),
        (":authority", "localhost"),
        ("sec-websocket-version", "13"),
    ];
    let text = |text: &str| [&[text.len() as u8][..], text.as_bytes()].concat();
    fields.map(|(name, value)| [&[0][..], &text(name), &text(value)].concat()).concat()
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEADER: usize = 9;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;

const ACK: u8 = 1;
const END_HEADERS: u8 = 4;

const INITIAL_WINDOW_SIZE: u8 = 4;
const ENABLE_CONNECT_PROTOCOL: u8 = 8;

const INITIAL_WINDOW: u32 = 65_535;
const LARGEST_WINDOW: u32 = (1 << 31) - 1;

/// `:status: 200` in the static table (RFC 7541 appendix A).
const STATUS_200: u8 = 0x88;
