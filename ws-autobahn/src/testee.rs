//! The tested implementations ws-server and ws-client, each in one file. No other module of this crate uses them.

pub(crate) mod client;
pub(crate) mod server;
