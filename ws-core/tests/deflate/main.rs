//! permessage-deflate: RFC 7692.

#![cfg(feature = "deflate")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::cast_possible_truncation)]

mod data;
#[path = "../support/mod.rs"]
mod support;

mod alternating;
mod compressing;
mod connection;
mod faults;
mod negotiation;
mod neighbours;
mod pieces;
mod receive_ahead;
mod rfc_examples;
mod roundtrip;
mod split;
mod steps;
mod strangers;
