//! A WebSocket server on tokio.
//!
//! An echo server, with a health check on the same port:
//!
//! ```no_run
//! use ws_server::{Server, WebSocket};
//!
//! async fn echo(mut socket: WebSocket) -> Result<(), ws_server::Error> {
//!     while let Some(message) = socket.recv().await? {
//!         socket.send(message).await?;
//!     }
//!     Ok(())
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let server = Server::builder().route("/", echo).health("/healthz").bind("127.0.0.1:9001").await?;
//!     println!("listening on ws://{}", server.local_addr()?);
//!     server.serve_until(ws_server::shutdown_signal()).await;
//!     Ok(())
//! }
//! ```
//!
//! # From a connection to a message
//!
//! 1. The connection is accepted and gets one of [`ServerOptions::max_handshakes`] seats; which newcomer waits, and
//!    which handshake gives way when all are taken, is said there.
//! 2. Within [`HandshakeOptions::timeout`] the request's head arrives and is judged
//!    ([`ws_core::handshake`]). One that is malformed, or addressed to a host that
//!    the [`HostPolicy`] does not allow, is answered with an error status, as is an opening handshake of which a proxy has
//!    lost a part.
//! 3. One that asks for no WebSocket is answered as plain HTTP: a [page](ServerBuilder::page), a
//!    [function](ServerBuilder::get), 404 — or 426 where there is an endpoint.
//! 4. One that does goes to the [`Endpoint`] of its path: the [`OriginPolicy`], then the
//!    [guards](Endpoint::guard), each of which may refuse it with any response, then one of
//!    [`ServerOptions::max_connections`] permits. When none is free, 503 is answered before the guards are asked.
//! 5. The 101 is written, the handshake's memory is freed, and the [handler](Handler) gets the
//!    [`WebSocket`].
//!
//! Each connection is one task. When its handler returns, the WebSocket is closed with 1000 if it is still open; with 1011
//! and a warning in the log if the handler returned an error. A handler that panics costs its own connection, which is
//! closed with 1011.
//!
//! On streams other than a listener's, [`accept`] and [`Acceptor`] do steps 2 to 5.
//!
//! # Where to read on
//!
//! - [`how_to`]: authenticate, keep alive, broadcast, back-pressure, limits, TLS,
//!   nginx, axum.
//! - [`Config`]: what a connection may cost and how long it may take. [`ServerOptions`]: the same for the server.
//! - [`ws_core`]: the layers below, and the path of a byte through them.
//! - [`Stats`]: the numbers of a running server. What happens is told to `tracing`, never to standard output.
//!
//! # Features
//! - `ring` (default): `wss://` and `https://`, by rustls with *ring*. The process-wide provider is never taken.
//! - `aws-lc-rs`: the same with AWS-LC, given to `Tls::provider`, or by itself in a build without `ring`. It needs a C
//!   compiler.
//! - `tls`: rustls without either, for your own provider.
//! - `deflate` (default): permessage-deflate (RFC 7692), once an endpoint turns it on.
//! - `signal` (default): `shutdown_signal`, with tokio's feature of that name.
//! - `hyper`: `Sockets` and `Acceptor::upgrade`, for a server whose HTTP is hyper's.
//! - `tower`: the same as a `tower::Service`. `axum`: and as an extractor, `Upgrade`.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod accept;
mod admission;
#[cfg(feature = "axum")]
mod axum;
mod client;
mod connection;
#[cfg(feature = "tls")]
mod current_tls;
mod date;
mod decision;
#[cfg(feature = "tls")]
mod encryption;
mod endpoint;
mod error;
mod exchange;
mod handler;
mod handshakes;
mod host_pattern;
mod host_policy;
mod listener;
mod open_files;
mod opening;
mod options;
mod origin;
mod origin_pattern;
mod panic;
#[cfg(feature = "axum")]
mod params;
#[cfg(feature = "tls")]
mod pem;
mod rates;
mod registry;
mod request;
pub mod response;
mod rest;
mod routes;
mod running;
mod server;
mod shared;
#[cfg(feature = "signal")]
mod signal;
#[cfg(feature = "hyper")]
mod sockets;
mod source;
mod stats;
mod stream;
#[cfg(feature = "tls")]
mod tls;
#[cfg(feature = "tower")]
mod tower;
#[cfg(feature = "hyper")]
mod upgrade;
mod watched;

#[cfg(feature = "axum")]
#[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
pub use crate::axum::Upgrade;
pub use accept::{Acceptor, AcceptorBuilder, accept};
pub use endpoint::Endpoint;
pub use error::{AcceptError, BuildError, SettingError};
pub use handler::{Handler, HandlerFuture, Outcome};
pub use host_policy::HostPolicy;
pub use listener::Listener;
pub use options::{EndpointOptions, HandshakeOptions, ServerOptions};
pub use origin::{OriginPolicy, OriginPredicate};
pub use rates::{Meter, Rates};
pub use registry::Drained;
pub use request::Request;
pub use response::Response;
/// For custom configurations and crypto providers ([`Tls`]).
#[cfg(feature = "tls")]
pub use rustls;
pub use server::{Server, ServerBuilder};
#[cfg(feature = "signal")]
#[cfg_attr(docsrs, doc(cfg(feature = "signal")))]
pub use signal::shutdown_signal;
#[cfg(feature = "hyper")]
#[cfg_attr(docsrs, doc(cfg(feature = "hyper")))]
pub use sockets::{EndpointService, Sockets, Stopped};
pub use stats::Stats;
pub use stream::Stream;
#[cfg(feature = "tls")]
pub use tls::{ClientCertificates, Tls};
#[cfg(feature = "hyper")]
#[cfg_attr(docsrs, doc(cfg(feature = "hyper")))]
pub use upgrade::Upgrading;

pub use http;
pub use ws_core;
#[cfg(feature = "deflate")]
pub use ws_core::deflate;
pub use ws_core::handshake::HeadLimits;
pub use ws_core::{CloseCode, CloseInfo, Config, DataType, Message, Prepared};
pub use ws_tokio;
pub use ws_tokio::{Broadcast, ByteStream, Error, Member, Published, Sender, Slow, TrySendError};

/// An open WebSocket. Those that a [`Server`] hands out are `WebSocket`, on its own [`Stream`];
/// [`accept`] gives `WebSocket<S>` on a stream of any type.
pub type WebSocket<S = Stream> = ws_tokio::WebSocket<S>;

/// The receiving half of a [`WebSocket`].
pub type Receiver<S = Stream> = ws_tokio::Receiver<S>;

/// How to do the usual things.
// Its examples need the client, and so are tested by the package `ws-samples`.
#[cfg(all(doc, not(doctest)))]
#[doc = include_str!("../docs/how-to.md")]
#[cfg_attr(feature = "axum", doc = include_str!("../docs/embed.md"))]
pub mod how_to {}
