//! The async WebSocket on tokio, over anything that is `AsyncRead + AsyncWrite`.
//!
//! Most programs want `ws-server` or `ws-client`, which open the connection and return this crate's [`WebSocket`]. Use it
//! directly to put WebSockets on custom streams, or to write another server or client.
//!
//! ```
//! use ws_tokio::{CloseCode, Config, Role, WebSocket};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Any stream on which the opening handshake is done; here two ends in one program.
//! let (near, far) = tokio::io::duplex(4096);
//! let mut server = WebSocket::from_raw(near, Role::Server, Config::server())?;
//! let mut client = WebSocket::from_raw(far, Role::Client, Config::client())?;
//!
//! client.send("hello").await?;
//! client.send(vec![1, 2, 3]).await?; // binary
//! assert_eq!(server.recv().await?, Some("hello".into()));
//!
//! client.start_close(CloseCode::POLICY_VIOLATION, "why")?;
//! # Ok(())
//! # }
//! ```
//!
//! | to | look at |
//! |---|---|
//! | send from another task | [`WebSocket::split`], [`Sender`] |
//! | broadcast to many connections | [`Broadcast`], [`SlowPolicy`] |
//! | close with a code | [`WebSocket::close`]; from another task: [`Closer`] |
//! | limit memory | [`Config::max_message_size`], [`Config::max_memory`] |
//! | pass messages of any size in constant memory | [`WebSocket::recv_stream`], [`WebSocket::send_stream`] |
//! | receive without a copy | [`WebSocket::for_each_event`] |
//! | carry another protocol | [`ByteStream`] |
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
#![cfg_attr(docsrs, feature(doc_cfg))]

mod backlog;
mod broadcast;
mod buffer;
mod byte_stream;
mod closer;
mod driver;
mod error;
mod exclusive;
mod heir;
mod line;
mod piece;
mod publish_report;
mod reader;
mod sender;
mod shared;
mod sink;
mod split;
mod waiting;
mod waits;
mod websocket;
mod writer;

pub use backlog::{ConflateKey, SlowPolicy};
pub use broadcast::{Broadcast, Member};
pub use byte_stream::ByteStream;
pub use closer::Closer;
pub use error::Error;
pub use exclusive::Exclusive;
pub use heir::Heir;
pub use publish_report::PublishReport;
pub use reader::MessageReader;
pub use sender::{Sender, TrySendError};
pub use split::{Receiver, ReuniteError};
pub use websocket::WebSocket;
pub use writer::MessageWriter;

pub use ws_core;
#[doc(no_inline)]
pub use ws_core::{
    CloseCause, CloseCode, CloseFrame, CloseInfo, Config, Connection, DataType, Event, Keepalive, Message,
    Piece, PreparedMessage, ProtocolError, Role, SendError,
};
