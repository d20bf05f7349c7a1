//! A stream of an HTTP/2 connection as a transport, with `h2` itself as the peer.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::cast_possible_truncation)]

mod ends;
mod flow;
mod held;
mod left;
mod pair;
mod slow;
mod turns;
mod websocket;
