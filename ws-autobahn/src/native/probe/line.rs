//! The suite's end of a connection in cases beyond Autobahn: it writes any bytes and records what it receives.

mod input;

use std::{collections::VecDeque, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split},
    time::{Instant, sleep, sleep_until},
};

pub(crate) use input::agreed;

use super::want::{self, Seen};
use crate::{
    native::{
        deflate::{Agreed, Deflater, Inflater},
        frame::{CLOSE, Frame, frame},
        log::Log,
        script::Delivery,
        session::KEY,
        target::Wire,
    },
    role::Role,
};

/// The suite's end of a connection.
pub(crate) struct Line<S> {
    reader: ReadHalf<S>,
    writer: WriteHalf<S>,
    tested: Role,
    /// The observed events, in order.
    pub(crate) seen: Vec<Seen>,
    /// The wire log, for the report.
    pub(crate) log: Log,
    /// The head of the server's answer.
    pub(crate) answer: String,
    /// The code of the peer's Close.
    pub(crate) code: Option<u16>,
    /// Whether the peer has ended its half of the connection.
    pub(crate) ended: bool,
    /// Whether the suite answers a Close.
    pub(crate) polite: bool,
    /// The pause between the pieces of a delivery in pieces.
    pub(crate) pause: Duration,
    /// Compresses messages, if the extension was agreed.
    pub(crate) deflater: Option<Deflater>,
    inflater: Option<Inflater>,
    state: State,
    out: VecDeque<(Vec<u8>, usize, Delivery)>,
    input: Vec<u8>,
    message: Option<(u8, bool, Vec<u8>)>,
    /// The size of the messages in `seen`.
    kept: usize,
    close_sent: bool,
    /// The code of the suite's Close.
    sent_code: Option<u16>,
}

/// What is expected of the peer's bytes.
#[derive(Debug)]
enum State {
    /// The head of an answer to this key and these offers.
    Head { key: String, subprotocols: String, extensions: String },
    /// Frames.
    Frames,
    /// Nothing: bytes after an invalid answer or a protocol error are ignored.
    Nothing,
}

/// The maximum number of Pongs that wait to be written.
const PONGS: usize = 10_000;
/// The maximum size of all accepted messages together; the largest that a case expects has 32 MiB.
const LONGEST: usize = 40 << 20;

impl<S: Wire> Line<S> {
    /// Creates the suite's end for a client whose request was read, or for a server that will be sent a request.
    pub(crate) fn new(stream: S, tested: Role, polite: bool) -> Self {
        let (reader, writer) = split(stream);
        Self {
            reader,
            writer,
            tested,
            seen: Vec::new(),
            log: Log::new(),
            answer: String::new(),
            code: None,
            ended: false,
            polite,
            pause: SHORT,
            deflater: None,
            inflater: None,
            state: match tested {
                Role::Server => State::Nothing,
                Role::Client => State::Frames,
            },
            out: VecDeque::new(),
            input: Vec::new(),
            message: None,
            kept: 0,
            close_sent: false,
            sent_code: None,
        }
    }

    /// Expects an answer to a request with this key and these offers.
    pub(crate) fn expect_answer(&mut self, key: &str, subprotocols: String, extensions: String) {
        self.state = State::Head { key: key.to_owned(), subprotocols, extensions };
    }

    /// Uses permessage-deflate with these parameters.
    pub(crate) fn agree(&mut self, agreed: Agreed) {
        let (ours, theirs) = match self.tested {
            Role::Server => (agreed.client, agreed.server),
            Role::Client => (agreed.server, agreed.client),
        };
        self.deflater = Some(Deflater::new(ours));
        self.inflater = Some(Inflater::new(theirs));
    }

    /// Whether the head of the answer has been received, or the connection has ended.
    pub(crate) fn is_answered(&self) -> bool {
        self.ended || !matches!(self.state, State::Head { .. })
    }

    /// Whether the connection is known to be open.
    pub(crate) fn is_open(&self) -> bool {
        !self.ended && matches!(self.state, State::Frames)
    }

    /// Whether both Closes were exchanged and everything is written.
    pub(crate) fn is_closed(&self) -> bool {
        let received = self.seen.iter().any(|seen| matches!(seen, Seen::Close(..)));
        received && self.close_sent && self.is_flushed()
    }

    /// Whether everything is written.
    pub(crate) fn is_flushed(&self) -> bool {
        self.out.is_empty()
    }

    /// Expects frames from now on, without a head before them: the head was that of an HTTP/2 stream.
    pub(crate) fn expect_frames(&mut self) {
        self.state = State::Frames;
    }

    /// Takes the bytes to write, each with its delivery.
    pub(crate) fn take_out(&mut self) -> Vec<(Vec<u8>, Delivery)> {
        self.out.drain(..).map(|(bytes, _, delivery)| (bytes, delivery)).collect()
    }

    /// Sends bytes.
    pub(crate) fn send(&mut self, bytes: Vec<u8>, delivery: Delivery) {
        self.out.push_back((bytes, 0, delivery));
    }

    /// Sends a frame `count` times.
    pub(crate) fn send_frame(&mut self, frame: &Frame, delivery: Delivery, count: usize) {
        let bytes = frame.encode((self.tested == Role::Server).then_some(KEY));
        self.log.sent(&bytes);
        if frame.opcode == CLOSE && !self.close_sent {
            self.close_sent = true;
            self.sent_code = code_of(&frame.payload.bytes());
        }
        if count > 1 {
            self.log.note(format!("the suite sends that frame {count} times"));
            self.send(bytes.repeat(count), delivery);
        } else {
            self.send(bytes, delivery);
        }
    }

    /// Begins the closing handshake, if the suite has not sent a Close.
    pub(crate) fn close(&mut self, body: Vec<u8>) {
        if !self.close_sent {
            self.send_frame(&frame(CLOSE, body), Delivery::Joined, 1);
        }
    }

    /// Writes, and reads unless `deaf`, until `done` returns true or until this time.
    pub(crate) async fn run(&mut self, until: Instant, deaf: bool, done: impl Fn(&Self) -> bool) {
        let mut buffer = vec![0; 64 << 10];
        while !done(self) {
            let reads = !deaf && !self.ended;
            let (piece, pause) = match self.out.front() {
                Some((bytes, at, Delivery::Chopped(size))) => {
                    let rest = bytes.get(*at..).unwrap_or_default();
                    (rest.get(..*size).unwrap_or(rest), true)
                }
                Some((bytes, at, _)) => (bytes.get(*at..).unwrap_or_default(), false),
                None => (&[][..], false),
            };
            let writes = !self.out.is_empty();
            tokio::select! {
                read = self.reader.read(&mut buffer), if reads => match read {
                    Ok(0) => self.end(Seen::Fin, "the peer ended its half of the connection"),
                    Ok(n) => self.feed(buffer.get(..n).unwrap_or_default()),
                    Err(e) => self.end(Seen::Reset, &format!("the connection broke: {e}")),
                },
                written = self.writer.write(piece), if writes => match written {
                    Ok(n) => {
                        if let Some((bytes, at, _)) = self.out.front_mut() {
                            *at = at.saturating_add(n);
                            if *at >= bytes.len() {
                                self.out.pop_front();
                            }
                        }
                        if pause {
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

    /// Ends the suite's half of the connection.
    pub(crate) async fn half_close(&mut self) {
        self.log.note("the suite ends its half of the connection");
        // An error means that the connection has already ended.
        let _ = self.writer.shutdown().await;
    }

    /// Resets the connection and returns the observed events and the log.
    pub(crate) fn reset(self) -> (Vec<Seen>, Log) {
        let (seen, mut log) = (self.seen, self.log);
        log.note("the suite resets the connection");
        self.reader.unsplit(self.writer).arm_reset();
        (seen, log)
    }

    fn end(&mut self, how: Seen, words: &str) {
        self.log.note(words);
        self.ended = true;
        self.see(how);
    }

    fn see(&mut self, seen: Seen) {
        want::keep(&mut self.seen, seen);
    }

    fn wrong(&mut self, why: String) {
        self.log.note(format!("the peer sent {why}"));
        self.see(Seen::Wrong(why));
        self.state = State::Nothing;
    }
}

/// Returns the code in the body of a Close.
fn code_of(body: &[u8]) -> Option<u16> {
    body.first_chunk::<2>().map(|code| u16::from_be_bytes(*code))
}

/// The default pause between the pieces of a delivery, so that the peer can read each on its own.
const SHORT: Duration = Duration::from_millis(1);
