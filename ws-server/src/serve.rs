//! The life of a connection that a server has accepted.

pub(crate) mod accepting;
pub(crate) mod builder;
pub(crate) mod connection;
#[cfg(feature = "tls")]
pub(crate) mod encryption;
#[cfg(feature = "http2")]
pub(crate) mod http2;
pub(crate) mod proxied;
pub(crate) mod running;
pub(crate) mod server;
#[cfg(all(unix, feature = "service"))]
pub(crate) mod service;
#[cfg(feature = "signal")]
pub(crate) mod signal;
pub(crate) mod state;
pub(crate) mod visit;
