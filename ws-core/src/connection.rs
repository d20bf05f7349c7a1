//! An open connection: RFC 6455 sections 5 to 7, without I/O, clock or random source.
//!
//! One type, a file for each kind of its methods: what is received (large payloads apart) and which frames are legal where,
//! what is sent and how it is written, how it closes, what it waits for, and what it does with compressed messages. The docs of
//! [`Connection`] have the state diagram; `enter` in `closing.rs` is the only place where the state changes.

mod admit;
mod ahead;
mod closing;
mod compressing;
#[cfg(feature = "deflate")]
mod compression;
mod control;
mod end;
mod giving_way;
mod large;
mod memory;
mod output;
mod receive;
mod send;
mod transport;
mod waiting;

use alloc::boxed::Box;
use alloc::sync::Arc;

use crate::close_info::TransportEnd;
use crate::config::Config;
use crate::decode::FrameDecoder;
use crate::frame::{OpCode, Role};
use crate::mask::MaskKeys;
use crate::message::Assembly;
use crate::send_queue::SendQueue;
use crate::timers::{Time, Timers};

use closing::Ending;
pub use compressing::{CompressingMessage, Work};
#[cfg(feature = "deflate")]
pub(crate) use compression::TURN;
use control::ControlFrames;
use end::{Client, End};
pub use large::LargeMessage;
pub use output::Output;
pub use receive::Received;
use send::Outgoing;
pub(crate) use send::{BY_REFERENCE, whole_header};

/// One end of an open WebSocket connection.
///
/// It has no socket, clock or random source: a driver lends it the bytes that were read, writes the bytes that it has queued,
/// and reports the time and the end of the transport. It runs on any runtime, on a blocking socket, and in a simulation that
/// replays a seed.
///
/// # The order of calls
///
/// A driver repeats five steps:
///
/// 1. [`receive`](Self::receive) until it returns `None`, with the bytes that were read; act on each event.
/// 2. Write what [`output`](Self::output) has, and [advance](bytes::Buf::advance) it by what was written.
/// 3. If [`wants_shutdown`](Self::wants_shutdown): shut the write side of the transport down, then call
///    [`shutdown_done`](Self::shutdown_done).
/// 4. If [`is_ended`](Self::is_ended): drop the transport; [`close_info`](Self::close_info) has the record of the end.
/// 5. Read, at most until [`next_timeout`](Self::next_timeout). When that has come call
///    [`handle_timeout`](Self::handle_timeout), at the end of the stream [`transport_ended`](Self::transport_ended); after a
///    failed write [`write_failed`](Self::write_failed).
///
/// Commands may come at any time, also while an event is held; step 2 writes what they queue.
///
/// # The methods by kind
///
/// | kind | methods |
/// |---|---|
/// | input | [`receive`](Self::receive), or [`receive_piece`](Self::receive_piece) for messages of any size; [`receive_ahead`](Self::receive_ahead) while the user only sends |
/// | output | [`output`](Self::output), [`queued`](Self::queued), [`has_room`](Self::has_room) |
/// | time | [`next_timeout`](Self::next_timeout), [`handle_timeout`](Self::handle_timeout), [`timeout_changed`](Self::timeout_changed), [`heard_from_peer`](Self::heard_from_peer), [`awaits_answer`](Self::awaits_answer), [`shared_transport_moved`](Self::shared_transport_moved) |
/// | the transport | [`wants_shutdown`](Self::wants_shutdown), [`shutdown_done`](Self::shutdown_done), [`transport_ended`](Self::transport_ended), [`write_failed`](Self::write_failed), [`set_unflushed`](Self::set_unflushed), [`is_unflushed`](Self::is_unflushed), [`set_held`](Self::set_held), [`held`](Self::held) |
/// | commands | [`send`](Self::send), [`send_text`](Self::send_text), [`send_binary`](Self::send_binary), [`send_uncompressed`](Self::send_uncompressed), [`send_prepared`](Self::send_prepared), [`send_piece`](Self::send_piece), [`ping`](Self::ping), [`pong`](Self::pong), [`close`](Self::close), [`close_without_code`](Self::close_without_code), [`reply_to_close`](Self::reply_to_close), [`give_way`](Self::give_way), [`give_way_with_output`](Self::give_way_with_output), [`fail_over_rate`](Self::fail_over_rate), [`abort`](Self::abort) |
/// | state | [`is_open`](Self::is_open), [`is_ended`](Self::is_ended), [`close_info`](Self::close_info), [`write_failure`](Self::write_failure), [`owes_close_reply`](Self::owes_close_reply), [`in_piecewise_message`](Self::in_piecewise_message), [`rtt`](Self::rtt), [`round_trips`](Self::round_trips), [`messages_sent`](Self::messages_sent), [`messages_received`](Self::messages_received), [`memory_usage`](Self::memory_usage), [`holds_nothing`](Self::holds_nothing), [`unfinished`](Self::unfinished), [`role`](Self::role), [`config`](Self::config) |
/// | for drivers that serve many connections | [`receive_next`](Self::receive_next), [`renew_turn`](Self::renew_turn), [`is_unfinished`](Self::is_unfinished), [`start_compressing`](Self::start_compressing), [`send_compressing`](Self::send_compressing), [`prepare`](Self::prepare), [`is_prepared`](Self::is_prepared), [`prepared_row`](Self::prepared_row) |
/// | for drivers that pool buffers | [`receive_next`](Self::receive_next), [`read_large_payload`](Self::read_large_payload), [`place_long_text`](Self::place_long_text), [`wants_buffer`](Self::wants_buffer), [`lend_buffer`](Self::lend_buffer), [`reclaim_buffer`](Self::reclaim_buffer) |
///
/// The last two kinds change nothing of what is sent and received. With the one a large compressed message is worked on in steps of 64
/// KiB, between which a driver lets other connections have their turn. The other makes a driver faster: with it a connection that
/// waits owns no buffer, and large payloads are not copied.
///
/// # States
///
/// ```text
///            close                     the peer's Close
///   Open ────────────────▶ CloseSent ───────────────────▶ Closed ───────▶ Ended
///    │ │                                                    ▲
///    │ └── the peer's Close ─────────┬──────────────────────┤
///    │                               ▼ (delay_close_reply)  │ reply_to_close, close, the close deadline
///    │                          CloseReceived ──────────────┘
///    │
///    ├── the peer breaks a rule ──▶ Failed ──▶ Ended        from CloseSent too
///    └── write_failed ────────────▶ ReadOnly ─▶ Ended       from CloseSent too
/// ```
///
/// | | Open | CloseSent | CloseReceived | ReadOnly | Closed | Failed |
/// |---|---|---|---|---|---|---|
/// | messages can be sent | yes | no | yes | no | no | no |
/// | input counts | yes | yes | no | yes | no | no |
/// | `close` | CloseSent | error | Closed | error | error | error |
/// | the peer's Close | Closed, or CloseReceived | Closed | – | Ended | – | – |
/// | the peer breaks a rule | Failed | Failed | – | Ended | – | – |
/// | `give_way`, `fail_over_rate` | Failed | Failed | – | Ended | – | – |
/// | `give_way_with_output` | Failed, or Ended | Ended | Ended | Ended | Ended | Ended |
/// | `write_failed` | ReadOnly | ReadOnly | Ended | – | Ended | Ended |
/// | `shutdown_done` | – | – | – | – | Closed, lingering | Failed, lingering |
/// | the close deadline | – | Failed | Closed | Ended | Ended; a client that has not shut down: Failed | Ended |
/// | the keepalive deadline | Ended | – | – | – | – | – |
/// | the message deadline | Failed | – | – | – | – | – |
/// | the write deadline | Ended | Ended | Ended | – | Ended | Ended |
/// | `transport_ended`, `abort` | Ended | Ended | Ended | Ended | Ended | Ended |
///
/// In Closed a Close each way is queued or written; in Failed ours alone, with the code of the fault. A server in Closed, and
/// either side in Failed, shuts its write side down once that is written, and then reads and throws away for
/// `linger_timeout`, so that the peer sees our Close rather than a reset. A client in Closed waits for the server to end the
/// transport (RFC 6455 section 7.1.1), unless it is made by [`shutting_down_first`](Self::shutting_down_first).
///
/// # Time
///
/// A peer is alive while bytes move. What waits for the peer, a keepalive ping or our Close, has its deadline from
/// when it has been written, not from when it was queued; until then `write_timeout` runs, which ends what stands still.
/// Bytes that are received begin the deadlines anew, and so do bytes that the transport takes after it had refused
/// some: it has passed others on. What a transport has taken may be on its way for as long as it took to take it, so the
/// deadlines wait for that too. A driver asks for [`next_timeout`](Self::next_timeout) when it is about to wait, and one
/// over a transport that buffers reports that by [`set_unflushed`](Self::set_unflushed).
///
/// A message once begun has `message_timeout` without a byte of its payload; frames between its fragments do not count. While
/// something waits to be written, `write_timeout` runs in its place, since a driver may then read nothing.
#[derive(Debug)]
pub struct Connection {
    config: Arc<Config>,
    end: End,
    state: State,
    decoder: FrameDecoder,
    /// What the frame being received is.
    frame: Frame,
    /// What is kept of control frames received: rarely anything.
    control: Option<Box<ControlFrames>>,
    /// The message being received, unless it lies whole in one input.
    incoming: Option<Box<Incoming>>,
    /// The message being sent in pieces.
    outgoing: Option<Outgoing>,
    queue: SendQueue,
    timers: Timers,
    /// Something came from the peer since the last keepalive ping.
    heard: bool,
    /// The last keepalive ping has been answered; the time of it is for the next `next_timeout`.
    pong_arrived: bool,
    /// Bytes that the transport has taken and holds in memory.
    held: u32,
    /// Counts keepalive pings: their payload.
    pings: u32,
    /// Counts those of them that were answered.
    round_trips: u8,
    /// Counts messages that were queued whole, and messages that were received.
    messages_sent: u64,
    messages_received: u64,
    /// How it closes, once it does.
    ending: Option<Box<Ending>>,
    /// permessage-deflate, where it has been agreed.
    #[cfg(feature = "deflate")]
    compression: Option<Box<compression::Compression>>,
}

// What takes data, and what sends, stand side by side, so that one comparison decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The transport takes nothing any more. What it still brings counts: a Close may be among it.
    ReadOnly(TransportEnd),
    /// Our Close is queued; the peer's is awaited.
    CloseSent,
    /// Messages both ways.
    Open,
    /// The peer's Close has been received; by configuration the reply to it is held back, and messages can still be sent.
    CloseReceived,
    /// A Close each way is queued or written; the transport must be closed.
    Closed { shut_down: bool },
    /// The peer broke a rule, or did not close in time: our Close is queued, all further input is thrown away.
    Failed { shut_down: bool },
    /// Nothing is read or written any more.
    Ended,
}

impl State {
    /// The table of transitions. A state may also be entered again.
    fn may_become(self, next: Self) -> bool {
        match self {
            Self::Open => !matches!(next, Self::Closed { .. }),
            Self::CloseSent => !matches!(next, Self::Open | Self::CloseReceived),
            Self::CloseReceived => {
                matches!(next, Self::CloseReceived | Self::Closed { shut_down: false } | Self::Ended)
            }
            Self::ReadOnly(_) => next == self || next == Self::Ended,
            // A client whose server does not close shuts down itself.
            Self::Closed { shut_down: false } => {
                matches!(next, Self::Closed { .. } | Self::Failed { shut_down: false } | Self::Ended)
            }
            Self::Failed { shut_down: false } => matches!(next, Self::Failed { .. } | Self::Ended),
            Self::Closed { shut_down: true } | Self::Failed { shut_down: true } | Self::Ended => {
                next == self || next == Self::Ended
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Frame {
    Data,
    Control(OpCode),
}

/// A message of which the first frame's header has been read, and not the last byte.
#[derive(Debug)]
struct Incoming {
    assembly: Assembly,
    /// The current frame is the message's last.
    fin: bool,
    /// It is compressed: RSV1 was set on its first frame.
    compressed: bool,
    /// Pieces of it have been returned.
    handed: bool,
    /// Frames so far.
    fragments: u64,
    /// Payload bytes on the wire, by the frame headers so far.
    wire: u64,
    /// The payload of the current frame is being read around the shared buffer.
    around: bool,
    /// How much of its payload had arrived when the deadline was looked at last; `None` before the first time.
    seen: Option<u64>,
    /// When it has stood still for too long.
    deadline: Time,
}

/// # New connections
impl Connection {
    /// Returns the server's end, right after the opening handshake.
    pub fn server(config: Arc<Config>) -> Self {
        Self::new(config, End::Server)
    }

    /// Returns the client's end, right after the opening handshake.
    ///
    /// Its masking keys follow from `seed`: 32 bytes from the system's random generator, since
    /// RFC 6455 section 5.3 requires keys that nobody can predict.
    pub fn client(config: Arc<Config>, seed: [u8; 32]) -> Self {
        let client = Client { keys: MaskKeys::from_seed(seed), shuts_down_first: false };
        Self::new(config, End::Client(Box::new(client)))
    }

    /// Returns the connection for a transport that is a stream of HTTP/2 or HTTP/3: once the closing handshake is done, a client
    /// shuts the write side down, too, as a server does. A client over TCP waits for the server, so that the port stays
    /// reserved on the client's side (RFC 6455 section 7.1.1); the end of a stream (END_STREAM, RFC 8441 section 5) reserves
    /// nothing, and a client that waited would wait `close_timeout` for a server that waits for it.
    #[must_use]
    pub fn shutting_down_first(mut self) -> Self {
        if let End::Client(client) = &mut self.end {
            client.shuts_down_first = true;
        }
        self
    }

    fn new(config: Arc<Config>, end: End) -> Self {
        Self {
            config,
            state: State::Open,
            decoder: FrameDecoder::new(end.role()),
            end,
            frame: Frame::Data,
            control: None,
            incoming: None,
            outgoing: None,
            queue: SendQueue::new(),
            timers: Timers::new(),
            heard: false,
            pong_arrived: false,
            held: 0,
            pings: 0,
            round_trips: 0,
            messages_sent: 0,
            messages_received: 0,
            ending: None,
            #[cfg(feature = "deflate")]
            compression: None,
        }
    }
}

/// # State
impl Connection {
    /// Returns which end this is.
    pub const fn role(&self) -> Role {
        self.end.role()
    }

    /// Returns the limits and deadlines that apply to it.
    pub const fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// Returns how many messages have been queued; one that is sent in pieces counts once its last piece is.
    pub const fn messages_sent(&self) -> u64 {
        self.messages_sent
    }

    /// Returns how many messages have been received; one whose rest is skipped counts, too.
    pub const fn messages_received(&self) -> u64 {
        self.messages_received
    }

    /// Whether a message is being taken in pieces: some have been returned, and the last one has not.
    pub fn in_piecewise_message(&self) -> bool {
        self.incoming.as_ref().is_some_and(|incoming| incoming.handed)
    }

    /// Whether permessage-deflate has been agreed.
    pub const fn is_compressing(&self) -> bool {
        #[cfg(feature = "deflate")]
        return self.compression.is_some();
        #[cfg(not(feature = "deflate"))]
        return false;
    }
}
