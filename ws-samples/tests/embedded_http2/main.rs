//! Endpoints over HTTP/2 (RFC 8441) in other HTTP servers: hyper, a tower service, axum's routes, and its extractor. The peers
//! are ws-client, and `h2` without a driver.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../../../ws-server/tests/common/mod.rs"]
mod common;
#[path = "../../../ws-server/tests/http2/peer.rs"]
#[allow(dead_code, reason = "the tests of ws-server use the rest")]
mod peer;

mod addresses;
mod clients;
mod ends;
mod hosts;
mod opening;
