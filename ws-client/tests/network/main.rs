//! Ways to the server, proxies, and connecting again.

mod backoff;
#[path = "../common/mod.rs"]
mod common;
mod proxy;
mod reach;
mod reconnect;
mod reconnect_example;
mod slow_server;
mod streams;
