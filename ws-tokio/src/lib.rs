//! The async WebSocket on tokio, over anything that is `AsyncRead + AsyncWrite`.
//!
//! Most programs want `ws-server` or `ws-client`, which open the connection and return this crate's [`WebSocket`]. Use it
//! directly to put WebSockets on custom streams, or to write another server or client.
//!
//! ```
//! use ws_tokio::{CloseCode, Config, Message, Role, WebSocket};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Any transport will do, once the opening handshake is done on it.
//! let (near, far) = tokio::io::duplex(4096);
//! let mut client = WebSocket::from_raw(near, Role::Client, Config::client())?;
//! let mut server = WebSocket::from_raw(far, Role::Server, Config::server())?;
//!
//! let echo = tokio::spawn(async move {
//!     while let Some(message) = server.recv().await? {
//!         server.feed(message).await?; // queued: the next `recv` writes it
//!     }
//!     Ok::<(), ws_tokio::Error>(())
//! });
//!
//! client.send("hello").await?;
//! assert_eq!(client.recv().await?, Some(Message::text("hello")));
//! client.close(CloseCode::NORMAL_CLOSURE, "done").await?;
//! echo.await??;
//! # Ok(()) }
//! ```
//!
//! # How to …
//!
//! - send binary: pass bytes, such as `vec![1, 2, 3]`, to [`send`](WebSocket::send), or a [`Message::binary`];
//! - close with a code: [`close`](WebSocket::close) waits for the peer, [`start_close`](WebSocket::start_close) does not, and a
//!   [`Closer`] closes from another task;
//! - send to many connections: [`Broadcast::publish`], with a [`SlowPolicy`] for peers that read too slowly;
//! - send from many tasks: [`split`](WebSocket::split), and clone the [`Sender`];
//! - keep another queue in front of a connection, with other rules for slow peers: an [`Outbox`], attached by [`Sender::attach`], and a
//!   [`WeakSender`], which does not keep the connection alive;
//! - limit memory: [`Config::max_message_size`] for each message, [`Config::max_memory`] for the whole connection;
//!   [`memory_usage`](WebSocket::memory_usage) returns what is in use, and an [`Observer`] receives it, to limit what all connections hold;
//! - send or receive messages larger than memory: [`send_stream`](WebSocket::send_stream) and
//!   [`recv_stream`](WebSocket::recv_stream);
//! - use a WebSocket as a stream of bytes: [`ByteStream`].
//!
//! # Who does the work
//!
//! [`WebSocket`] has one owner and takes no lock. It needs a runtime with time enabled, because its deadlines (keepalive,
//! stalled writes, closing) are tokio timers. It spawns no task: pings are answered and deadlines are checked while one of its
//! futures is polled, so keep [`recv`](WebSocket::recv) going. A handler that only sends needs no `recv`: each
//! [`send`](WebSocket::send) answers the pings that have arrived, and fails once the peer has closed.
//!
//! Methods that do not wait ([`Sender::try_send`], [`Sender::start_close`], [`Closer::start_close`], [`Broadcast::try_publish`]), and
//! dropping any of these types, may be called anywhere, also outside of a runtime.
//!
//! The protocol itself is [`ws_core`]'s. This crate drives its [`Connection`] through the public API only, so that another
//! driver (another runtime, blocking sockets, an event loop) can be as fast.
//!
//! # The layers
//!
//! ```text
//! byte_stream, sink, split          a WebSocket as a stream of bytes, as Sink and Stream, as two halves
//! take_over                         a WebSocket that is dropped and continues
//! websocket, broadcast              WebSocket, with one owner; one message to many connections
//! weak_sender                       a sender that keeps nothing alive
//! sender                            the half that many tasks send with
//! writer                            a message sent in pieces
//! waits                             the places of futures that wait
//! shared                            a driver behind a lock, and which task is woken
//! driver, turn, waiting             a connection and its transport; the turns of senders; the wakers
//! publish_report, reader, closer    reports of a broadcast, a message received in pieces, closing from elsewhere
//! backlog, outbox, piece            what waits for a slow peer, here or elsewhere; pieces of a message
//! buffer, try_send_error            buffers of a thread; why a message was not queued
//! error, exclusive, send_ahead, halves, budget, http2, connection_id, traffic
//! ```
//!
//! Each line imports only from the lines below it: `tests/layers.rs` checks that.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod backlog;
mod broadcast;
mod budget;
mod buffer;
mod byte_stream;
mod closer;
mod connection_id;
mod driver;
mod error;
mod exclusive;
mod halves;
// As `Exclusive`.
#[cfg(feature = "http2")]
#[doc(hidden)]
pub mod http2;
mod outbox;
mod piece;
mod publish_report;
mod reader;
mod send_ahead;
mod sender;
mod shared;
mod sink;
mod split;
mod take_over;
mod traffic;
mod try_send_error;
mod turn;
mod waiting;
mod waits;
mod weak_sender;
mod websocket;
mod writer;

pub use backlog::{ConflateKey, SlowPolicy};
pub use broadcast::{Broadcast, Member};
pub use byte_stream::ByteStream;
pub use closer::{Closer, Observer, Report, TrafficReport};
pub use connection_id::ConnectionId;
pub use error::Error;
// Has nothing to do with WebSockets: ws-server and ws-client need it to make streams of custom types `Sync`.
#[doc(hidden)]
pub use exclusive::Exclusive;
pub use outbox::{Outbox, OutboxRow};
pub use publish_report::PublishReport;
pub use reader::MessageReader;
// As `Exclusive`: to let the system take little of a socket ahead.
#[doc(hidden)]
pub use send_ahead::SendAhead;
pub use sender::Sender;
pub use split::{Receiver, ReuniteError};
pub use take_over::TakeOver;
pub use traffic::{CloseRecord, Traffic};
pub use try_send_error::TrySendError;
pub use weak_sender::WeakSender;
pub use websocket::WebSocket;
pub use writer::MessageWriter;

pub use ws_core;
#[doc(no_inline)]
pub use ws_core::{
    CloseCause, CloseCode, CloseFrame, CloseInfo, Config, Connection, DataType, Event, Keepalive, Message,
    Piece, PreparedFrames, PreparedMessage, ProtocolError, Role, SendError,
};
