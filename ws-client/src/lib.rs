//! A WebSocket client on tokio: RFC 6455, over TCP, TLS, Unix sockets, proxies and custom streams.
//!
//! ```no_run
//! use ws_client::Message;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (mut ws, _negotiated) = ws_client::connect("ws://127.0.0.1:9001").await?;
//! ws.send("hello").await?;
//! while let Some(message) = ws.recv().await? {
//!     match message {
//!         Message::Text(text) => println!("{text}"),
//!         Message::Binary(bytes) => println!("{} bytes", bytes.len()),
//!     }
//! }
//! // Closed without a fault: a Close with 1009 or 1011, say, makes `recv` an error.
//! println!("closed: {:?}", ws.close_info());
//! # Ok(())
//! # }
//! ```
//!
//! # How do I …?
//!
//! | to | look at |
//! |---|---|
//! | authenticate | `Request::new(url)?.header("Authorization", "Bearer …")?`: [how to](how_to#authenticate) |
//! | send text, binary, JSON | `ws.send("text")`, `ws.send(vec![1, 2, 3])`, `ws.send(json.to_string())`: [how to](how_to#send-text-binary-and-json) |
//! | send from many tasks | `let (sender, receiver) = ws.split()`: [how to](how_to#send-from-many-tasks) |
//! | broadcast to many connections | [`Broadcast`] |
//! | close with a code | `ws.close(CloseCode::NORMAL_CLOSURE, "done")`: [how to](how_to#close-with-a-code) |
//! | limit memory and time | [`Config::max_message_size`], [`Config::max_memory`], [`Options::opening_timeout`]: [how to](how_to#limit-memory-and-time) |
//! | reconnect | [`Client::reconnect`]: [how to](how_to#reconnect) |
//! | trust a certificate | [`Tls::from_root_pem`]: [how to](how_to#trust-a-servers-certificate) |
//! | use a proxy | [`Proxy`]: [how to](how_to#go-through-a-proxy) |
//! | come from tokio-tungstenite, fastwebsockets | `ws_server::how_to::migrate` has their lines and ours, for clients too |
//!
//! The methods of an open connection are those of [`ws_tokio::WebSocket`].
//!
//! # In short
//!
//! - Header fields and subprotocols belong to a [`Request`]; limits, deadlines, TLS and proxies to the [`Options`] of
//!   a [`Client`].
//! - [`ConnectError`] names the party to blame and what to do; a refusal carries the server's whole answer.
//! - [`Client::reconnect`] opens one connection after another, with back-off, and returns only errors that another attempt
//!   cannot fix.
//! - [`Negotiated`], beside the open WebSocket, has the subprotocol, the extensions and the response.
//! - A URL that begins with `http://` or `https://` is an error that names the scheme to write, because such an address is
//!   usually that of something else. In a redirect both are read as `ws` and `wss`.
//! - [`how_to`] answers the common questions: authentication, reconnecting, certificates, proxies, Unix sockets, many tasks.
//!
//! # From a URL to an open connection
//! 1. Look up the name, with the system or a [`Resolver`].
//! 2. Dial every address, IPv6 first (RFC 8305); or connect through a [`Proxy`]; or call a [`Connector`].
//! 3. Encrypt, for `wss`.
//! 4. Perform the opening handshake (RFC 6455 section 4.1), and follow redirects if that is enabled.
//!
//! One [`opening_timeout`](Options::opening_timeout) applies to all of it, and its error names the [`Stage`].
//!
//! # Features
//! - `ring` (default): `wss://`, by rustls with *ring*. The process-wide provider is never used.
//! - `aws-lc-rs`: the same with AWS-LC, given to `Tls::provider`, or by itself in a build without `ring`. It needs a C
//!   compiler.
//! - `tls`: rustls without either, for your own provider.
//! - `native-roots`: the operating system's certificates, by `Tls::platform`.
//! - `deflate` (default): permessage-deflate (RFC 7692).
//! - `hyper`: the opening handshake through an HTTP client of hyper, by `Client::upgrade`.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod address;
mod attempt;
mod backoff;
mod challenge;
mod chance;
mod client;
mod connector;
mod credentials;
mod deadline;
mod debug;
mod dial;
mod error;
mod negotiated;
mod opening;
mod options;
#[cfg(feature = "tls")]
mod pem;
mod proxy;
mod proxy_choice;
mod proxy_error;
mod reconnect;
mod request;
mod request_error;
mod resolver;
mod retry_after;
mod setup;
mod shared;
mod stream;
#[cfg(feature = "tls")]
mod tls;
#[cfg(feature = "tls")]
mod tls_error;
#[cfg(feature = "hyper")]
mod upgrade;

pub use backoff::Backoff;
pub use client::Client;
pub use connector::{Connecting, Connector};
pub use dial::DialError;
pub use error::{Blame, ConnectError, Stage};
pub use negotiated::{Negotiated, Opened};
pub use options::Options;
pub use proxy::Proxy;
pub use proxy_choice::ProxyChoice;
pub use proxy_error::{ProxyError, ProxyUrlError};
pub use reconnect::{Reconnect, Retry};
pub use request::Request;
pub use request_error::{HeaderError, UrlError};
pub use resolver::{Resolver, Resolving};
pub use shared::{connect, handshake};
pub use stream::{Stream, Transport};
#[cfg(feature = "tls")]
pub use tls::Tls;
#[cfg(feature = "tls")]
pub use tls_error::TlsError;
pub use ws_core::SettingError;

pub use http;
/// For custom roots, configurations and crypto providers ([`Tls`]).
#[cfg(feature = "tls")]
pub use rustls;
pub use url;
pub use ws_core;
/// For the offer of permessage-deflate ([`Options::deflate`]).
#[cfg(feature = "deflate")]
pub use ws_core::deflate;
pub use ws_core::handshake::{
    Extension, ExtensionParameter, HandshakeError, HeadLimits, Refused, RequestError,
};
pub use ws_core::{CloseCode, CloseInfo, Config, DataType, Message, PreparedMessage};
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

/// How to do common things with a client.
#[cfg(any(doc, doctest))]
#[doc = include_str!("../docs/how-to.md")]
pub mod how_to {}
