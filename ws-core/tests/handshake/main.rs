//! The opening handshake, both roles: RFC 6455 section 4.

#![cfg(feature = "handshake")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::cast_possible_truncation)]

#[path = "../support/mod.rs"]
mod support;

mod body;
mod client;
mod client_connect;
mod client_request;
mod client_rows;
mod connect;
mod oracle;
mod parsed;
mod refusal_texts;
mod server;
mod server_answers;
mod server_limits;
mod table;
