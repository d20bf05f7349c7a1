//! Connections over TLS, also to and through proxies.
#![cfg(feature = "ring")]

mod certificates;
#[path = "../common/mod.rs"]
mod common;
mod handshake;
mod mistakes;
mod tls_proxy;
