//! A server over HTTP/2 (RFC 8441), with `h2` as the peer, and bytes for what `h2` does not send.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../common/mod.rs"]
mod common;

mod accepting;
mod addresses;
mod bytes;
mod ends;
mod floods;
mod many;
mod memory;
mod opening;
mod peer;
mod points;
mod raw;
mod shutdown;
