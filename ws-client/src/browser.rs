//! The client in a browser: the same names, on the browser's own `WebSocket`.
//!
//! ```text
//! reconnect                    one connection after another
//! client, negotiated           from a request to an open WebSocket
//! websocket, halves, stream    WebSocket; Sender and Receiver; Stream and Sink
//! socket, room                 the browser's object and its events; waiting for room to send
//! received, timer              the queue of received messages; setTimeout and the clock
//! options, config, request
//! connect_error, error
//! ```
//!
//! Each line imports only from the lines below it, and from what the crate has for all targets.

mod client;
mod config;
mod connect_error;
mod error;
mod halves;
mod negotiated;
mod options;
mod received;
mod reconnect;
mod request;
mod room;
mod socket;
mod stream;
mod timer;
mod websocket;

pub use client::{Client, connect};
pub use config::{Config, Overflow};
pub use connect_error::ConnectError;
pub use error::{Error, TrySendError};
pub use halves::{Receiver, Sender};
pub use negotiated::{Negotiated, Opened};
pub use options::Options;
pub use reconnect::{Reconnect, Retry};
pub use request::Request;
pub use websocket::WebSocket;
