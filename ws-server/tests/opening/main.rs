//! The opening handshake, and who passes it.
#![allow(clippy::unwrap_used)]

mod accept;
mod address_limits;
mod auth;
mod client_addresses;
#[path = "../common/mod.rs"]
mod common;
mod deadline;
mod debug_output;
mod handshake;
mod permits;
mod settings;
