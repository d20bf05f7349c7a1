//! The suite's end of an HTTP/2 connection: it writes any frames and records what it receives.

mod input;

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, Empty, ReadHalf, WriteHalf, split},
    time::{Instant, sleep, sleep_until},
};

use super::Fields;
use crate::{
    native::{
        frame,
        http2::{
            frames::{DATA, END_STREAM, Frame, INITIAL_WINDOW, LARGEST, PADDED, frame as new_frame},
            hpack::Decoder,
        },
        log::Log,
        probe::{
            line::Line,
            want::{self, Seen},
        },
        script::Delivery,
        target::Wire,
    },
    role::Role,
};

/// The suite's end of a connection.
pub(crate) struct Connection<S> {
    reader: ReadHalf<S>,
    writer: WriteHalf<S>,
    pub(super) tested: Role,
    polite: bool,
    /// The events of the observed stream and of the connection, in order.
    pub(crate) seen: Vec<Seen>,
    /// The wire log.
    pub(crate) log: Log,
    /// The heads of the request and of the answer.
    pub(crate) heads: (String, String),
    /// Whether the connection has ended.
    pub(crate) ended: bool,
    /// The observed stream.
    pub(crate) stream: u32,
    streams: BTreeMap<u32, Stream>,
    decoder: Decoder,
    /// A field block whose end is missing.
    block: Option<(u32, bool, Vec<u8>)>,
    input: Vec<u8>,
    out: VecDeque<(Vec<u8>, bool)>,
    /// What the peer allows to send, on the connection and at first on a stream.
    window: i64,
    initial: i64,
    /// What the suite allows the peer to send on the connection, and at first on a stream.
    granted: i64,
    granted_initial: i64,
    /// The windows that the suite does not open by itself: of the connection, of the observed stream.
    held: [bool; 2],
    settled: bool,
    /// The pause between the frames of a delivery in pieces.
    pub(crate) pause: Duration,
    preface_missing: bool,
}

/// A stream.
pub(super) struct Stream {
    /// Its WebSocket; the bytes to write are taken from it.
    pub(super) line: Line<Empty>,
    /// What was offered: subprotocols and extensions.
    offered: (String, String),
    answered: bool,
    open: bool,
    over: bool,
    window: i64,
    granted: i64,
    pending: VecDeque<(Frame, bool)>,
}

/// The default pause between the frames of a delivery in pieces.
const SHORT: Duration = Duration::from_millis(1);

impl<S: Wire> Connection<S> {
    /// Creates the suite's end of a connection.
    pub(crate) fn new(stream: S, tested: Role, polite: bool) -> Self {
        let (reader, writer) = split(stream);
        Self {
            reader,
            writer,
            tested,
            polite,
            seen: Vec::new(),
            log: Log::new(),
            heads: (String::new(), String::new()),
            ended: false,
            stream: 0,
            streams: BTreeMap::new(),
            decoder: Decoder::new(),
            block: None,
            input: Vec::new(),
            out: VecDeque::new(),
            window: INITIAL_WINDOW,
            initial: INITIAL_WINDOW,
            granted: INITIAL_WINDOW,
            granted_initial: INITIAL_WINDOW,
            held: [false; 2],
            settled: false,
            pause: SHORT,
            preface_missing: tested == Role::Client,
        }
    }

    /// Sets the initial window of the streams, which the suite's SETTINGS have announced.
    pub(crate) fn set_granted(&mut self, initial: u32) {
        let difference = i64::from(initial).saturating_sub(self.granted_initial);
        self.granted_initial = i64::from(initial);
        for stream in self.streams.values_mut() {
            stream.granted = stream.granted.saturating_add(difference);
        }
    }

    /// Whether the peer's first SETTINGS have been received.
    pub(crate) fn is_settled(&self) -> bool {
        self.ended || self.settled
    }

    /// Whether a client's request has been received.
    pub(crate) fn is_asked(&self) -> bool {
        self.ended || self.stream != 0
    }

    /// Whether the observed stream has been answered.
    pub(crate) fn is_answered(&self) -> bool {
        self.is_over() || self.streams.get(&self.stream).is_some_and(|stream| stream.answered)
    }

    /// Whether the WebSocket of the observed stream is open.
    pub(crate) fn is_open(&self) -> bool {
        !self.is_over() && self.streams.get(&self.stream).is_some_and(|stream| stream.open)
    }

    /// Whether the observed stream or the connection has ended.
    pub(crate) fn is_over(&self) -> bool {
        self.ended || self.streams.get(&self.stream).is_some_and(|stream| stream.over)
    }

    /// Whether everything is written that the windows allow.
    pub(crate) fn is_flushed(&self) -> bool {
        self.out.is_empty()
    }

    /// Whether both Closes were exchanged on the observed stream and are written.
    pub(crate) fn is_closed(&self) -> bool {
        let received = self.seen.iter().any(|seen| matches!(seen, Seen::Close(..)));
        received && self.is_flushed()
    }

    /// The code of the peer's Close.
    pub(crate) fn code(&self) -> Option<u16> {
        self.streams.get(&self.stream).and_then(|stream| stream.line.code)
    }

    /// Sends a frame at once.
    pub(crate) fn send(&mut self, frame: &Frame) {
        self.log.note(format!("sent      {}", frame.words()));
        self.out.push_back((frame.encode(), false));
    }

    /// Sends bytes that are not a frame.
    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) {
        self.out.push_back((bytes.to_vec(), false));
    }

    /// Sends a request on the next stream and returns the stream.
    pub(crate) fn ask(&mut self, fields: &Fields, values: &[(&str, &str)]) -> u32 {
        let stream = self.streams.keys().last().map_or(1, |last| last.saturating_add(2));
        let filled = fields.filled(values);
        let of = |name: &str| {
            let all = filled.iter().filter(|(n, _)| n == name).map(|(_, value)| &value[..]);
            all.collect::<Vec<_>>().join(",")
        };
        let offered = (of("sec-websocket-protocol"), of("sec-websocket-extensions"));
        self.add(stream, offered, false);
        for frame in fields.frames(stream, values) {
            self.send(&frame);
        }
        stream
    }

    fn add(&mut self, stream: u32, offered: (String, String), open: bool) {
        let line = Line::new(tokio::io::empty(), self.tested, self.polite);
        let new = Stream {
            line,
            offered,
            answered: open,
            open,
            over: false,
            window: self.initial,
            granted: self.granted_initial,
            pending: VecDeque::new(),
        };
        self.streams.insert(stream, new);
    }

    /// Does something with the WebSocket of a stream, and takes the events and the bytes that result.
    pub(crate) fn with(&mut self, stream: u32, f: impl FnOnce(&mut Line<Empty>)) {
        let Some(found) = self.streams.get_mut(&stream) else { return };
        std::mem::swap(&mut self.log, &mut found.line.log);
        f(&mut found.line);
        std::mem::swap(&mut self.log, &mut found.line.log);
        for (bytes, delivery) in found.line.take_out() {
            let size = match delivery {
                Delivery::Chopped(size) => size.clamp(1, LARGEST),
                Delivery::Alone | Delivery::Joined => LARGEST,
            };
            let slow = matches!(delivery, Delivery::Chopped(_));
            let frames = bytes.chunks(size).map(|piece| (new_frame(DATA, 0, stream, piece), slow));
            found.pending.extend(frames);
        }
        if stream == self.stream {
            found.line.seen.drain(..).for_each(|event| want::keep(&mut self.seen, event));
        }
        self.move_pending();
    }

    /// Sends a frame on a stream after what waits for its window.
    pub(crate) fn send_after(&mut self, frame: Frame) {
        if let Some(stream) = self.streams.get_mut(&frame.stream) {
            stream.pending.push_back((frame, false));
        }
        self.move_pending();
    }

    /// Sends what the windows allow.
    fn move_pending(&mut self) {
        for stream in self.streams.values_mut() {
            while let Some((frame, slow)) = stream.pending.front_mut() {
                let free = usize::try_from(stream.window.min(self.window)).unwrap_or(0);
                let charged = if frame.kind == DATA { frame.payload.len() } else { 0 };
                let now = if charged <= free {
                    let Some((frame, slow)) = stream.pending.pop_front() else { break };
                    (frame, slow)
                } else if free == 0 || frame.has(PADDED) {
                    break;
                } else {
                    let rest = frame.payload.split_off(free);
                    let piece = std::mem::replace(&mut frame.payload, rest);
                    (Frame { payload: piece, flags: 0, ..frame.clone() }, *slow)
                };
                let size = if now.0.kind == DATA { now.0.payload.len() } else { 0 };
                let size = i64::try_from(size).unwrap_or(i64::MAX);
                stream.window = stream.window.saturating_sub(size);
                self.window = self.window.saturating_sub(size);
                // The frames of WebSocket are in the log already.
                self.out.push_back((now.0.encode(), now.1));
            }
        }
    }

    /// Ends the suite's direction of the observed stream.
    pub(crate) fn end_stream(&mut self) {
        self.log.note("sent      END_STREAM");
        let frame = new_frame(DATA, END_STREAM, self.stream, "");
        self.send_after(frame);
    }

    /// Sends a message on another stream.
    pub(crate) fn send_text(&mut self, stream: u32, text: &str) {
        self.with(stream, |line| line.send_frame(&frame::text(text), Delivery::Joined, 1));
    }

    /// The events of another stream.
    pub(crate) fn seen_on(&self, stream: u32) -> &[Seen] {
        self.streams.get(&stream).map(|stream| &stream.line.seen[..]).unwrap_or_default()
    }

    /// Whether another stream has ended.
    pub(crate) fn is_over_on(&self, stream: u32) -> bool {
        self.ended || self.streams.get(&stream).is_none_or(|stream| stream.over)
    }

    /// Writes, and reads unless `deaf`, until `done` returns true or until this time.
    pub(crate) async fn run(&mut self, until: Instant, deaf: bool, done: impl Fn(&Self) -> bool) {
        let mut buffer = vec![0; 64 << 10];
        while !done(self) {
            let reads = !deaf && !self.ended;
            let (bytes, slow) =
                self.out.front().map_or((&[][..], false), |(bytes, slow)| (&bytes[..], *slow));
            let writes = !self.out.is_empty();
            tokio::select! {
                read = self.reader.read(&mut buffer), if reads => match read {
                    Ok(n @ 1..) => self.feed(buffer.get(..n).unwrap_or_default()),
                    Ok(0) => self.gone("the peer ended the connection"),
                    Err(e) => self.gone(&format!("the connection broke: {e}")),
                },
                written = self.writer.write(bytes), if writes => match written {
                    Ok(n) => {
                        if let Some((bytes, _)) = self.out.front_mut() {
                            bytes.drain(..n.min(bytes.len()));
                            if bytes.is_empty() {
                                self.out.pop_front();
                            }
                        }
                        if slow {
                            sleep(self.pause).await;
                        }
                    }
                    // What the peer has sent can still be read.
                    Err(_) => self.out.clear(),
                },
                () = sleep_until(until) => return,
            }
        }
    }

    /// Ends the connection without another frame.
    pub(crate) async fn shut_down(&mut self) {
        // An error means that the connection has already ended.
        let _ = self.writer.shutdown().await;
    }

    fn gone(&mut self, why: &str) {
        self.log.note(why);
        self.ended = true;
        self.seen.push(Seen::Gone);
    }
}
