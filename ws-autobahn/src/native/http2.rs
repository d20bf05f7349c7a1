//! HTTP/2 as the suite speaks it: its frames as bytes, and WebSockets as streams of a connection (RFC 8441).

pub(crate) mod frames;
pub(crate) mod hpack;
pub(crate) mod message;
pub(crate) mod mux;
pub(crate) mod tunnel;
