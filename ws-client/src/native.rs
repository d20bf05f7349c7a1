//! The client on tokio: everything that is not in a browser. Its modules are found as `crate::client` and so on.

pub(crate) mod attempt;
pub(crate) mod challenge;
pub(crate) mod chance;
pub(crate) mod client;
pub(crate) mod connector;
pub(crate) mod credentials;
pub(crate) mod deadline;
pub(crate) mod dial;
pub(crate) mod error;
#[cfg(feature = "http2")]
pub(crate) mod http2;
#[cfg(feature = "http2")]
pub(crate) mod http2_config;
#[cfg(feature = "http2")]
pub(crate) mod http2_error;
#[cfg(feature = "http2")]
pub(crate) mod http_version;
pub(crate) mod negotiated;
pub(crate) mod opening;
pub(crate) mod options;
#[cfg(feature = "tls")]
pub(crate) mod pem;
pub(crate) mod proxy;
pub(crate) mod proxy_choice;
pub(crate) mod proxy_error;
pub(crate) mod request;
pub(crate) mod resolver;
pub(crate) mod retry_after;
pub(crate) mod route;
pub(crate) mod setup;
pub(crate) mod shared;
pub(crate) mod stream;
#[cfg(feature = "tls")]
pub(crate) mod tls;
#[cfg(feature = "tls")]
pub(crate) mod tls_error;
#[cfg(feature = "hyper")]
pub(crate) mod upgrade;

pub use self::client::Client;
pub use self::connector::{Connecting, Connector};
pub use self::dial::DialError;
pub use self::error::{Blame, ConnectError, Stage};
#[cfg(feature = "http2")]
pub use self::http_version::HttpVersion;
#[cfg(feature = "http2")]
pub use self::http2_config::Http2Config;
#[cfg(feature = "http2")]
pub use self::http2_error::Http2Error;
pub use self::negotiated::{Negotiated, Opened};
pub use self::options::Options;
pub use self::proxy::Proxy;
pub use self::proxy_choice::ProxyChoice;
pub use self::proxy_error::{ProxyError, ProxyUrlError};
pub use self::request::Request;
pub use self::resolver::{Resolver, Resolving};
pub use self::shared::{connect, handshake};
pub use self::stream::{Stream, Transport};
#[cfg(feature = "tls")]
pub use self::tls::Tls;
#[cfg(feature = "tls")]
pub use self::tls_error::TlsError;
pub use crate::request_error::HeaderError;
pub use http;
/// For custom roots, configurations and crypto providers ([`Tls`]).
#[cfg(feature = "tls")]
pub use rustls;
/// For the offer of permessage-deflate ([`Options::deflate`]).
#[cfg(feature = "deflate")]
pub use ws_core::deflate;
pub use ws_core::handshake::{
    Extension, ExtensionParameter, HandshakeError, HeadLimits, Refused, RequestError,
};
pub use ws_core::{Config, PreparedMessage};
pub use ws_tokio;
pub use ws_tokio::{Broadcast, ByteStream, Error, Member, PublishReport, Sender, SlowPolicy, TrySendError};

/// An open WebSocket. [`connect`] returns a `WebSocket`, on a [`Stream`]; [`handshake`] returns a `WebSocket<S>`, on a
/// stream of any type.
///
/// Its methods are those of [`ws_tokio::WebSocket`]: [`recv`](ws_tokio::WebSocket::recv), [`send`](ws_tokio::WebSocket::send),
/// [`close`](ws_tokio::WebSocket::close), [`split`](ws_tokio::WebSocket::split) and more.
pub type WebSocket<S = Stream> = ws_tokio::WebSocket<S>;

/// The receiving half of a [`WebSocket`].
///
/// Its methods are those of [`ws_tokio::Receiver`].
pub type Receiver<S = Stream> = ws_tokio::Receiver<S>;
