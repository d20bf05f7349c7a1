//! Custom ways to reach the server.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use crate::request::Request;
use crate::stream::Stream;

/// Reaches the server instead of TCP and proxies: a tunnel, an in-memory pipe, a bound source address.
///
/// TLS (for `wss`) and the opening handshake follow within the same deadline. Over HTTP/2 it is called for each connection, which
/// WebSockets to the same scheme, host and port share.
///
/// ```
/// use std::io;
/// use ws_client::{Connecting, Connector, Request, Stream};
///
/// #[derive(Debug)]
/// struct Local;
///
/// impl Connector for Local {
///     fn connect<'a>(&'a self, _request: &'a Request) -> Connecting<'a> {
///         Box::pin(async { Ok(Stream::from(tokio::net::TcpStream::connect("127.0.0.1:9001").await?)) })
///     }
/// }
/// ```
#[doc(alias("tunnel", "bind", "local_addr", "transport"))]
pub trait Connector: fmt::Debug + Send + Sync {
    /// Opens a byte stream to [`Request::authority`].
    ///
    /// # Errors
    /// Any error; the caller gets it as [`ConnectError::Io`](crate::ConnectError::Io).
    fn connect<'a>(&'a self, request: &'a Request) -> Connecting<'a>;
}

impl<C: Connector + ?Sized> Connector for Arc<C> {
    fn connect<'a>(&'a self, request: &'a Request) -> Connecting<'a> {
        C::connect(self, request)
    }
}

/// What [`Connector::connect`] returns: a boxed future, so that connectors can be chosen at run time.
pub type Connecting<'a> = Pin<Box<dyn Future<Output = io::Result<Stream>> + Send + 'a>>;
