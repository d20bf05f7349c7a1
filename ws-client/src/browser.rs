//! The client in a browser: the same names, on the browser's own `WebSocket`.
//!
//! ```text
//! client, negotiated           from a request to an open WebSocket
//! stream, websocket            Stream and Sink; WebSocket
//! halves, operations           Sender and Receiver; what they and WebSocket do alike
//! room, socket                 waiting for room to send; the connection, and what has arrived by it
//! event_socket, stream_socket  the browser's WebSocket and its events; its WebSocketStream
//! received, timer              the queue of received messages; setTimeout and the clock
//! options, request
//! connect_error, error
//! config
//! ```
//!
//! Each line imports only from the lines below it, and from what the crate has for all targets.

mod client;
mod config;
mod connect_error;
mod error;
mod event_socket;
mod halves;
mod negotiated;
mod operations;
mod options;
mod received;
mod request;
mod room;
mod socket;
mod stream;
mod stream_socket;
pub(crate) mod timer;
mod websocket;

pub use client::{Client, connect};
pub use config::{Config, Overflow};
pub use connect_error::ConnectError;
pub use error::{Error, TrySendError};
pub use halves::{Receiver, Sender};
pub use negotiated::{Negotiated, Opened};
pub use options::Options;
pub use request::Request;
/// For the client of `ws-topics`.
#[doc(hidden)]
pub use timer::Sleep;
pub use websocket::WebSocket;
