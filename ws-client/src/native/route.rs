//! The way to a server.

#[cfg(unix)]
use std::path::PathBuf;

use crate::proxy::Proxy;

/// How a stream to the server of a request is made.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Route {
    /// Over TCP.
    Direct,
    /// Through a proxy.
    Proxy(Proxy),
    /// By the [`Connector`](crate::Connector) of the options.
    Connector,
    /// Over a Unix socket.
    #[cfg(unix)]
    Unix(PathBuf),
}
