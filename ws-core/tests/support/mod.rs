//! What the tests of the connection share: frames made of bytes, and the split property.
#![allow(dead_code, unreachable_pub, unused_imports, reason = "each test binary uses its part")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation)]

pub(crate) mod miri;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Buf;
// Frames that ws-core has not written.
pub use ws_wire::{frame, header};

use ws_core::{CloseInfo, Config, Connection, Event, Piece, ProtocolError, Role};

/// First bytes of frames: FIN, RSV, opcode.
pub const TEXT: u8 = 0x81;
pub const BINARY: u8 = 0x82;
pub const TEXT_PART: u8 = 0x01;
pub const BINARY_PART: u8 = 0x02;
pub const PART: u8 = 0x00;
pub const LAST: u8 = 0x80;
pub const CLOSE: u8 = 0x88;
pub const PING: u8 = 0x89;
pub const PONG: u8 = 0x8A;

/// The key of frames made here.
pub const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
pub const ROLES: [Role; 2] = [Role::Client, Role::Server];

/// A frame as `receiver` gets it: masked for a server, bare for a client.
pub fn sent_to(receiver: Role, first: u8, payload: &[u8]) -> Vec<u8> {
    frame(first, payload, (receiver == Role::Server).then_some(KEY))
}

/// Several of them.
pub fn stream_to(receiver: Role, frames: &[(u8, &[u8])]) -> Vec<u8> {
    frames.iter().flat_map(|(first, payload)| sent_to(receiver, *first, payload)).collect()
}

/// The body of a Close frame.
pub fn close_body(code: u16, reason: &[u8]) -> Vec<u8> {
    [&code.to_be_bytes(), reason].concat()
}

pub fn config() -> Config {
    Config::server()
}

pub fn open(role: Role, config: &Config) -> Connection {
    let config = Arc::new(config.clone());
    match role {
        Role::Server => Connection::server(config),
        Role::Client => Connection::client(config, [7; 32]),
    }
}

/// Takes all that a connection has to write, chunk by chunk.
pub fn written(connection: &mut Connection) -> Vec<u8> {
    let mut all = Vec::new();
    let mut output = connection.output();
    while output.has_remaining() {
        let chunk = output.chunk().to_vec();
        assert!(!chunk.is_empty(), "bytes remain, but there is no chunk");
        output.advance(chunk.len());
        all.extend(chunk);
    }
    all
}

/// What `sender` wrote, unmasked and cut into (first byte, payload).
pub fn frames_from(sender: Role, mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        let (header, payload) = ws_wire::take(&mut bytes).expect("the last frame is incomplete");
        assert_eq!(header.mask.is_some(), sender == Role::Client, "a client masks, a server does not");
        frames.push((header.first(), payload));
    }
    frames
}

/// All that a stream of bytes does to a connection.
#[derive(Debug, Clone, PartialEq)]
pub struct Received {
    pub events: Vec<Event<'static>>,
    pub error: Option<ProtocolError>,
    /// The frames it wrote in answer.
    pub answers: Vec<(u8, Vec<u8>)>,
    pub close_info: Option<CloseInfo>,
    /// How many bytes it had taken when an error or a Close came, fed byte by byte.
    pub decided_at: Option<usize>,
}

/// Feeds `stream` in one piece, byte by byte, split at every place and, if it is short, at every pair
/// of places, whole messages and pieces; asserts that nothing differs, and returns what it does.
pub fn receive_every_way(open: impl Fn() -> Connection, stream: &[u8]) -> Received {
    let whole = feed(open(), stream, &[], false);
    let bytewise: Vec<usize> = (1..stream.len()).collect();
    let decided_at = feed(open(), stream, &bytewise, false).decided_at;
    let check = |cuts: &[usize]| {
        for pieces in [false, true] {
            let mut split = feed(open(), stream, cuts, pieces);
            split.decided_at = whole.decided_at;
            assert_eq!(split, whole, "split at {cuts:?}, pieces {pieces}, of {} bytes", stream.len());
        }
    };
    check(&[]);
    check(&bytewise);
    for place in places(stream.len()) {
        check(&[place]);
    }
    if stream.len() <= 32 && !cfg!(miri) {
        for first in 1..stream.len() {
            for second in first + 1..stream.len() {
                check(&[first, second]);
            }
        }
    }
    Received { decided_at, ..whole }
}

/// As [`receive_every_way`], with the default settings.
pub fn receive(role: Role, stream: &[u8]) -> Received {
    receive_every_way(|| open(role, &config()), stream)
}

/// Every place of a short stream; of a long one those near its ends, and some between.
fn places(len: usize) -> Vec<usize> {
    let mut rng = XorShift::new(len as u64);
    let (near, between) = match len {
        9.. if cfg!(miri) => (3, 1),
        0..=400 => (len, 0),
        401..=10_000 => (40, 40),
        _ => (15, 8),
    };
    let mut places: Vec<usize> = (1..len).filter(|place| *place < near || *place + near > len).collect();
    places.extend((0..between).map(|_| 1 + rng.below(len - 1)));
    places
}

fn feed(mut connection: Connection, stream: &[u8], cuts: &[usize], pieces: bool) -> Received {
    let mut received =
        Received { events: Vec::new(), error: None, answers: Vec::new(), close_info: None, decided_at: None };
    let mut open = Open::default();
    let mut from = 0;
    for to in cuts.iter().copied().chain([stream.len()]) {
        let mut buffer = stream[from..to].to_vec();
        let mut input = buffer.as_mut_slice();
        loop {
            let next = match pieces {
                false => connection.receive(&mut input).map(|event| event.map(own)),
                true => match connection.receive_piece(&mut input) {
                    Ok(Some(piece)) => match open.join(piece) {
                        Some(event) => Ok(Some(event)),
                        None => continue,
                    },
                    Ok(None) => Ok(None),
                    Err(error) => Err(error),
                },
            };
            match next {
                Ok(Some(event)) => {
                    if matches!(event, Event::Close(_)) {
                        received.decided_at = Some(to);
                    }
                    received.events.push(event);
                }
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(received.error, None, "a connection fails once");
                    received.error = Some(error);
                    received.decided_at = Some(to);
                }
            }
        }
        assert!(input.is_empty(), "Ok(None) means that all is used");
        from = to;
    }
    received.close_info = connection.close_info();
    let role = connection.role();
    received.answers = frames_from(role, &written(&mut connection));
    received
}

/// A message whose pieces are being joined.
#[derive(Default)]
struct Open {
    text: String,
    bytes: Vec<u8>,
}

impl Open {
    fn join(&mut self, piece: Piece<'_>) -> Option<Event<'static>> {
        match piece {
            Piece::Text { text, last } => {
                self.text.push_str(&text);
                last.then(|| Event::Text(Cow::Owned(std::mem::take(&mut self.text))))
            }
            Piece::Binary { bytes, last } => {
                self.bytes.extend_from_slice(&bytes);
                last.then(|| Event::Binary(std::mem::take(&mut self.bytes).into()))
            }
            Piece::Ping(payload) => Some(Event::Ping(Cow::Owned(payload.into_owned()))),
            Piece::Pong(payload) => Some(Event::Pong(Cow::Owned(payload.into_owned()))),
            Piece::Close(frame) => Some(Event::Close(frame)),
        }
    }
}

/// An event that borrows nothing.
pub fn own(event: Event<'_>) -> Event<'static> {
    match event {
        Event::Text(text) => Event::Text(Cow::Owned(text.into_owned())),
        Event::Binary(bytes) => Event::Binary(bytes.into_bytes().into()),
        Event::Ping(payload) => Event::Ping(Cow::Owned(payload.into_owned())),
        Event::Pong(payload) => Event::Pong(Cow::Owned(payload.into_owned())),
        Event::Close(frame) => Event::Close(frame),
    }
}

/// Gives `bytes` to a connection in one input; all its events, and the error that ended them.
pub fn give(connection: &mut Connection, bytes: &[u8]) -> Result<Vec<Event<'static>>, ProtocolError> {
    let mut buffer = bytes.to_vec();
    let mut input = buffer.as_mut_slice();
    let mut events = Vec::new();
    while let Some(event) = connection.receive(&mut input)? {
        events.push(own(event));
    }
    Ok(events)
}

pub fn text(text: &str) -> Event<'static> {
    Event::Text(Cow::Owned(text.to_owned()))
}

pub fn binary(bytes: &[u8]) -> Event<'static> {
    Event::Binary(bytes.to_vec().into())
}

pub fn ping(payload: &[u8]) -> Event<'static> {
    Event::Ping(Cow::Owned(payload.to_owned()))
}

pub fn pong(payload: &[u8]) -> Event<'static> {
    Event::Pong(Cow::Owned(payload.to_owned()))
}

/// Seconds since the epoch of a test.
pub fn s(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// A small generator, the same numbers on every run.
pub struct XorShift(u64);

impl XorShift {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }
}
