//! Plain HTTP on the port of a WebSocket server.
#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;
mod hosts;
mod plain;
mod refusal;
mod request_facts;
#[cfg(unix)]
mod unix;
