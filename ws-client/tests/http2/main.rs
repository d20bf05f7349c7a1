//! WebSockets over HTTP/2 (RFC 8441), against servers made with the crate h2 and of bytes.

#[path = "../common/mod.rs"]
mod common;
mod frames;
mod opening;
mod peer;
mod points;
mod proxies;
mod refusal;
mod runtime;
mod settings;
mod sharing;
#[cfg(feature = "ring")]
mod tls;
mod traffic;
