//! What the server agreed to when a WebSocket was opened.

use http::{HeaderMap, Response};
#[cfg(feature = "deflate")]
use ws_core::deflate;
use ws_core::handshake::{Established, Extension};
use ws_tokio::WebSocket;

use crate::stream::Stream;

/// An open WebSocket, and what the server agreed to.
pub type Opened<S = Stream> = (WebSocket<S>, Negotiated);

/// What the server agreed to in the opening handshake, and the head of its response.
///
/// ```no_run
/// # async fn f() -> Result<(), ws_client::ConnectError> {
/// let request = ws_client::Request::new("wss://example.com/chat")?.subprotocol("chat.v2").subprotocol("chat.v1");
/// let (socket, negotiated) = ws_client::connect(request).await?;
/// match negotiated.subprotocol() {
///     Some("chat.v2") => println!("version 2"),
///     _ => println!("version 1"),
/// }
/// println!("{:?}", negotiated.headers().get("server"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Negotiated {
    established: Established,
    #[cfg(feature = "deflate")]
    deflate: Option<deflate::Agreed>,
}

impl Negotiated {
    pub(crate) fn new(
        established: Established,
        #[cfg(feature = "deflate")] deflate: Option<deflate::Agreed>,
    ) -> Self {
        Self {
            established,
            #[cfg(feature = "deflate")]
            deflate,
        }
    }

    /// Returns the subprotocol that the server chose, one of those the request offered; `None` if it chose none.
    #[doc(alias = "protocol")]
    pub fn subprotocol(&self) -> Option<&str> {
        self.established.subprotocol.as_deref()
    }

    /// Returns the extensions that the server agreed to, with their parameters as they were sent.
    pub fn extensions(&self) -> &[Extension] {
        &self.established.extensions
    }

    /// Returns the parameters of permessage-deflate (RFC 7692); `None` if messages are not compressed, because it
    /// was not offered or the server declined it.
    #[cfg(feature = "deflate")]
    #[cfg_attr(docsrs, doc(cfg(feature = "deflate")))]
    #[doc(alias("compression", "permessage_deflate"))]
    pub fn deflate(&self) -> Option<&deflate::Agreed> {
        self.deflate.as_ref()
    }

    /// Returns the version of HTTP in which the WebSocket was opened: HTTP/1.1 or, if `Options::http_version` (feature
    /// `http2`) allows it, HTTP/2.
    pub fn http_version(&self) -> http::Version {
        self.established.response.version()
    }

    /// Returns the head of the server's response: its status, 101 (Switching Protocols) or over HTTP/2 a 2xx, and its
    /// header fields.
    pub fn response(&self) -> &Response<()> {
        &self.established.response
    }

    /// Returns the header fields of the response.
    pub fn headers(&self) -> &HeaderMap {
        self.established.response.headers()
    }

    /// Returns the head of the response by value.
    pub fn into_response(self) -> Response<()> {
        self.established.response
    }
}
