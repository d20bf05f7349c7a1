//! The WebSocket protocol without I/O: RFC 6455 and RFC 7692.
//!
//! Most programs want `ws-server` or `ws-client`, which add the network, or `ws-tokio`, which drives this crate over any
//! `AsyncRead + AsyncWrite`. This crate is for programs that bring their own: another
//! runtime, blocking sockets, an event loop, a simulator. It opens no socket, looks at no clock and draws no random number: bytes,
//! time and chance are arguments.
//!
//! # The layers
//!
//! ```text
//! prepared_row                      prepared messages that are queued together
//! prepared_message                  one message for many connections
//! connection                        Connection: RFC 6455 sections 5.4, 5.5 and 7
//! send_queue, timers, memory_usage  what a connection consists of
//! deflate, handshake                RFC 7692; the opening handshake: section 4
//! message, decode                   bytes to headers and unmasked chunks: section 5.2
//! event, frame, config, close_info
//! binary, close, mask, utf8         sections 5.3, 5.5.1 and 8.1
//! setting_error                     SettingError
//! error                             ProtocolError, SendError
//! close_code, copy, setters         section 7.4; long copies
//! ```
//!
//! Each line imports only from the lines below it, and the files of a folder have no circles among them: `tests/layers.rs` checks
//! that. The state of a connection changes in one place, `connection`.
//!
//! # The path of a byte
//!
//! ```text
//! in   socket ──read──▶ a lent buffer ──▶ header parsed, limits checked ──▶ unmasked in place
//!                                          │                                   │
//!                                          └─ a control frame:                 ▼
//!                                             its answer is queued        (inflated)
//!                                                                              │
//!                                                                              ▼
//!      Event: borrowed from the buffer if the message lay whole in ◀──── UTF-8 checked
//!      it, else assembled and owned; a large one takes its part of
//!      the buffer along
//!
//! out  Message ──▶ (deflated) ──▶ header ──▶ small: masked, copied behind what waits ──┐
//!                                        └─▶ large: queued by reference; a client      │
//!                                            masks a copy, 64 KiB at a time, or in     │
//!                                            place what nobody else holds              │
//!                                                                                      ▼
//!                                              socket ◀────────── one vectored write a batch
//! ```
//!
//! A connection that waits holds no buffer: the driver lends one when the socket is readable and gets it back when it is
//! drained. Memory follows what was received, never what a header announced; [`Config`] has the limits.
//!
//! # Both ends, without a socket
//!
//! ```
//! use std::sync::Arc;
//! use bytes::Buf;
//! use ws_core::{Config, Connection, Event};
//!
//! // The seed of the masks: must be random.
//! let mut client = Connection::client(Arc::new(Config::client()), [7; 32]);
//! let mut server = Connection::server(Arc::new(Config::server()));
//!
//! client.send_text("hello")?;
//! let mut wire = Vec::new();
//! while client.output().has_remaining() {
//!     let mut output = client.output();
//!     let chunk = output.chunk().to_vec(); // a driver would write this to its socket
//!     output.advance(chunk.len());
//!     wire.extend(chunk);
//! }
//!
//! let mut input = wire.as_mut_slice(); // and read this from it
//! assert_eq!(server.receive(&mut input)?, Some(Event::Text("hello".into())));
//! assert_eq!(server.receive(&mut input)?, None); // all used: read on
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # How to use it with blocking sockets
//!
//! A loop of five steps is a whole driver; `examples/blocking.rs` is one on `std::net`, with the opening handshake, in 165 lines
//! (`cargo run -p ws-core --example blocking`). `examples/event_loop.rs` serves many connections on one thread, on mio, and shows the
//! methods for drivers that pool buffers; it costs what ws-tokio does. The steps:
//!
//! 1. pass what was read to [`Connection::receive`] until it returns `None`, and act on each event;
//! 2. write what [`Connection::output`] has;
//! 3. shut down the socket's writing side when [`Connection::wants_shutdown`] returns `true`, and report that
//!    ([`shutdown_done`](Connection::shutdown_done));
//! 4. when [`Connection::is_ended`], drop the socket: [`close_info`](Connection::close_info) returns how it ended;
//! 5. read, at most until [`Connection::next_timeout`]; when that has come call
//!    [`handle_timeout`](Connection::handle_timeout), at the end of the stream
//!    [`transport_ended`](Connection::transport_ended).
//!
//! # Errors blame one party
//!
//! [`ProtocolError`]: the peer broke a rule or a limit; the Close that says so has the code of RFC 6455 section 7.4.1.
//! [`SendError`]: the caller tried to send what may not be sent; nothing was queued. `HandshakeError`: the connection never
//! opened. A closing handshake is no error, unless the peer's Close reports a fault ([`CloseInfo::is_normal`]); [`CloseInfo`] says
//! which side began it, and why. `Debug` of an error is its message, and [`source`](core::error::Error::source) never repeats what that
//! includes.
//!
//! # Features
//! - `handshake` (default): both sides of the opening handshake. Needs `std`.
//! - `deflate`: permessage-deflate, on zlib-rs. Needs `std`.
//! - `std`: implied by the others. Without it the crate is `no_std` + `alloc`, up to and including [`Connection`].
#![cfg_attr(not(feature = "std"), no_std)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unreachable,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation
)]

extern crate alloc;

mod binary;
mod close;
mod close_code;
mod close_info;
mod config;
mod connection;
pub mod copy;
// Public for the fuzz targets, the tests and the benchmarks of this workspace: a part of the engine, and no API to keep.
#[doc(hidden)]
pub mod decode;
#[cfg(feature = "deflate")]
#[cfg_attr(docsrs, doc(cfg(feature = "deflate")))]
pub mod deflate;
mod error;
mod event;
mod frame;
#[cfg(feature = "handshake")]
#[cfg_attr(docsrs, doc(cfg(feature = "handshake")))]
pub mod handshake;
mod memory_usage;
// As `decode`.
#[doc(hidden)]
pub mod mask;
mod message;
mod prepared_message;
mod prepared_row;
mod send_queue;
mod setters;
mod setting_error;
mod timers;
// As `decode`.
#[doc(hidden)]
pub mod utf8;

pub use binary::Binary;
pub use close::CloseFrame;
pub use close_code::CloseCode;
pub use close_info::{CloseCause, CloseInfo, Deadline, Initiator, TransportEnd};
pub use config::{Config, Keepalive};
pub use connection::{CompressingMessage, Connection, LargeMessage, Output, Received, Work};
pub use error::{ProtocolError, SendError};
pub use event::{Event, Piece};
pub use frame::{EncodedHeader, FrameHeader, HeaderPrefix, OpCode, Role};
pub use mask::MaskKey;
pub use memory_usage::MemoryUsage;
pub use message::{DataType, Message, Utf8Bytes};
pub use prepared_message::PreparedMessage;
pub use prepared_row::{PreparedFrames, PreparedRow};
pub use setting_error::SettingError;
