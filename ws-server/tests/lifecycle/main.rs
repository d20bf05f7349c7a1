//! The life of a connection: handlers, their outcome, shutting down, and what is logged and counted.
#![allow(clippy::unwrap_used, clippy::panic)]

mod ahead;
#[path = "../common/mod.rs"]
mod common;
mod connections;
mod log;
mod memory;
mod outcome;
mod panic;
mod shutdown;
mod slow_peers;
mod stats;
