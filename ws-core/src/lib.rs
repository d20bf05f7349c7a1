//! The WebSocket protocol without I/O.
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

pub mod close;
pub mod close_info;
pub mod config;
pub mod connection;
pub mod decode;
#[cfg(feature = "deflate")]
#[cfg_attr(docsrs, doc(cfg(feature = "deflate")))]
pub mod deflate;
pub mod error;
pub mod event;
pub mod frame;
#[cfg(feature = "handshake")]
#[cfg_attr(docsrs, doc(cfg(feature = "handshake")))]
pub mod handshake;
mod ledger;
pub mod mask;
pub mod message;
mod output;
mod prepared;
mod timers;
#[cfg(feature = "tokio")]
#[cfg_attr(docsrs, doc(cfg(feature = "tokio")))]
pub mod tokio;
pub mod utf8;

pub use close::{CloseCode, CloseFrame};
pub use close_info::{CloseCause, CloseInfo, Deadline, Initiator, TransportEnd};
pub use config::{Config, ConfigError, Keepalive};
pub use connection::{Connection, Output};
pub use error::{ProtocolError, SendError};
pub use event::{Event, Piece};
pub use frame::{FrameHeader, OpCode, Role};
pub use ledger::Ledger;
pub use message::{DataType, Message, Utf8Bytes};
pub use prepared::Prepared;
#[cfg(feature = "tokio")]
pub use tokio::{
    Broadcast, ByteStream, Closer, Error, MessageReader, MessageWriter, Published, Receiver, ReuniteError,
    Sender, Slow, TrySendError, WebSocket,
};
