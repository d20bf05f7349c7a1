//! A stream of an HTTP/2 connection as the transport of a WebSocket (RFC 8441), on the crate `h2`.
//!
//! For ws-server and ws-client, which put it under their own stream types: types of `h2`, whose version is below 1.0, are
//! in the signatures here and so in no API to keep.
//!
//! The task that drives a connection polls `h2`'s connection and then [`Inboxes::poll_fill`], every time that it is
//! woken:
//!
//! ```text
//! socket ──▶ Paced ──▶ h2's connection ──▶ Inboxes::poll_fill ──▶ an inbox for each stream ──▶ Http2Stream: AsyncRead
//! socket ◀──────────── h2's connection ◀───────────────────────── SendStream, with capacity ◀─ Http2Stream: AsyncWrite
//! ```
//!
//! `h2` keeps each DATA frame that nobody has taken, with some 150 bytes of its own, and ends the *connection* with
//! ENHANCE_YOUR_CALM when too many small ones wait, whichever stream they are of. A browser sends a DATA frame for each
//! message, so a busy handler would cost all WebSockets of its connection. Here what has arrived is copied out of `h2`
//! before more is read, whether or not the reader of the stream has time for it. An inbox is bounded by the window of its
//! stream, because bytes are acknowledged only as they leave it.
//!
//! What is sent is written by the task of the connection, after the task of the WebSocket. A WebSocket that was given the stream's
//! [`Held`] does not wait for that while it receives and at most 4 KiB are held, as one over TCP does not wait for what is in the
//! buffer of the socket: an echo would otherwise be polled twice for each message, and set its timer twice. So `write_timeout`
//! begins when more is held, when something is flushed, or when a keepalive ping waits for its answer.
//!
//! The `data_frame_budget` of `h2`'s builders has nothing left to protect in the inboxes, and it is to be `usize::MAX`: `h2` 0.4.20 charges
//! frames on streams that this end has reset, too, and never gives that back, so that any budget is used up by honest peers.

mod inboxes;
mod outgoing;
mod paced;
mod stream;

pub use inboxes::{Inboxes, Opener, Receiving};
pub use outgoing::Held;
pub use paced::Paced;
pub use stream::Http2Stream;
