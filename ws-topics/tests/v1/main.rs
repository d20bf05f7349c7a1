//! The subprotocol `topics.v1`: the endpoint by its messages, the client against it over TCP.

#![allow(unreachable_pub, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod bad_input;
mod client;
mod durable;
mod endpoint;
#[path = "../servers/fake.rs"]
#[allow(dead_code, clippy::cast_possible_truncation)]
mod fake;
mod hostile_server;
