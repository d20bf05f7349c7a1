//! A WebSocket server on tokio.
//!
//! An echo server, with a health check on the same port:
//!
//! ```no_run
//! use ws_server::{Server, WebSocket};
//!
//! async fn echo(mut socket: WebSocket) -> Result<(), ws_server::Error> {
//!     while let Some(message) = socket.recv().await? {
//!         // Queued, since the next `recv` writes it; `send` would write at once.
//!         socket.feed(message).await?;
//!     }
//!     Ok(())
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let server = Server::builder()
//!         .route("/", echo)
//!         .health("/healthz")
//!         .bind("127.0.0.1:9001")
//!         .await?;
//!     println!("listening on ws://{}", server.local_addr()?);
//!     server.serve_until(ws_server::shutdown_signal()).await;
//!     Ok(())
//! }
//! ```
//!
//! # How do I …?
//!
//! | to | look at |
//! |---|---|
//! | authenticate | `Endpoint::new(handler).guard(check)`, [`auth`]: [how to](how_to::authenticate) |
//! | send text, binary, JSON | `socket.send("text")`, `socket.send(vec![1, 2, 3])`, `socket.send(json.to_string())`: [how to](how_to#send-text-binary-and-json) |
//! | broadcast, with rooms | [`Broadcast`]: [how to](how_to#broadcast-to-many) |
//! | send from another task | `let (sender, receiver) = socket.split()`: [`Sender`] |
//! | close with a code | `socket.close(CloseCode::POLICY_VIOLATION, "why")`: [how to](how_to#close-with-a-code) |
//! | limit what one client may use | [`AddressLimits`]: [how to](how_to#set-limits) |
//! | limit memory | [`Config::max_message_size`], [`Config::max_memory`]; of all connections [`ServerOptions::max_memory`], [`ServerOptions::max_connections`]: [how to](how_to#set-limits) |
//! | use TLS, run behind nginx | [`Tls`], [how to](how_to#use-tls); [nginx](how_to#run-behind-nginx) |
//! | know clients behind a proxy | [`ProxyOptions`]: [how to](how_to#find-the-addresses-of-clients-behind-a-proxy) |
//! | list open connections, close one | [`Connections`]: [how to](how_to#list-open-connections-and-close-one) |
//! | use HTTP/2 | nothing to do: [how to](how_to::http2) |
//! | metrics, Prometheus, OpenTelemetry, the log | [`Stats`], [`ServerOptions::connection_span`]: [how to](how_to::observe) |
//! | shut down | [`Server::serve_until`]: [how to](how_to#shut-down-gracefully) |
//! | run it under systemd, in a container; restart it | `Server::serve_as_service`: [how to](how_to::service) |
//! | use axum, tower, hyper | `WebSocketHub`, `WebSocketUpgrade`: [how to](how_to#embed-it-in-axum-tower-or-hyper) |
//! | come from tokio-tungstenite, axum's `ws`, fastwebsockets | [their lines, our lines](how_to::migrate) |
//!
//! The methods of an open connection are those of [`ws_tokio::WebSocket`].
//!
//! # From a connection to a message
//!
//! 1. The connection is accepted and gets one of [`ServerOptions::max_handshakes`] seats; which newcomer waits, and
//!    which handshake gives way when all are taken, is said there.
//! 2. A header of the PROXY protocol is read if the peer is a proxy that sends one ([`ProxyOptions`]). Within
//!    [`HandshakeOptions::timeout`] the request's head arrives and is judged
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
//! Over HTTP/2 each request is a stream with a task of its connection's: steps 3 to 5 are the same, with status 200 in place of
//! 101. [`Request::version`] is what a handler can ask. A connection holds a seat until its first request.
//!
//! On streams other than a listener's, [`accept`] and [`Acceptor`] do steps 2 to 5.
//!
//! # Where to read on
//!
//! - [`how_to`]: an example for each common task. [`how_to::migrate`]: from other libraries to this one.
//! - [`Config`]: what a connection may cost and how long it may take. [`ServerOptions`]: the same for the server.
//! - [`ws_core`]: the layers below, and the path of a byte through them.
//! - [`Stats`]: the numbers of a running server. Events go to `tracing`, never to standard output.
//!
//! # Platforms
//!
//! Linux is what it is measured on. Elsewhere these differ:
//!
//! | | Linux, Android | macOS, BSD | Windows |
//! |---|---|---|---|
//! | Unix sockets (`UnixListener` as a [`Listener`]) | yes | yes | do not compile |
//! | `shutdown_signal` | Ctrl-C, SIGTERM | Ctrl-C, SIGTERM | Ctrl-C, Ctrl-Break, the console closes, the system shuts down; there is no SIGTERM, and `taskkill` without `/F` does not reach a console program |
//! | `serve_as_service`, `bind_or_inherit`, `Listener::inherited` (feature `service`) | yes | yes | do not exist |
//! | default limits of WebSockets and handshakes | by the limit of open files | by the limit of open files | 10,000 and 4,096: there is no such limit |
//! | a port whose old connections are still known | is taken (`SO_REUSEADDR`) | is taken | needs no option |
//! | what the system takes to send ahead | 32 KiB unsent (`TCP_NOTSENT_LOWAT`); on a fast link 768 KiB of a large write, all but its end | its send buffer | its send buffer |
//!
//! The last row means that deadlines for a peer that does not read begin somewhat later where the system takes more. What it has
//! taken on a fast link it has to send before it takes more, and [`Config::write_timeout`] runs: a link that becomes slow then needs
//! 210 kbit/s with the default of 30 s, and 1.3 Mbit/s with 5 s.
//!
//! # Features
//! - `ring` (default): `wss://` and `https://`, by rustls with *ring*. The process-wide provider is never taken.
//! - `aws-lc-rs`: the same with AWS-LC, given to `Tls::provider`, or by itself in a build without `ring`. It needs a C
//!   compiler.
//! - `tls`: rustls without either, for your own provider.
//! - `deflate` (default): permessage-deflate (RFC 7692), once an endpoint turns it on.
//! - `http2` (default): WebSockets and pages over HTTP/2 (RFC 8441), on the same port: `Http2Options`.
//! - `signal` (default): `shutdown_signal`, with tokio's feature of that name.
//! - `service`: sockets that systemd passes, readiness and watchdog, and restarts that refuse no connection; on Unix.
//! - `metrics`: counts, gauges and histograms by the facade of the crate `metrics`: [how to](how_to::observe).
//! - `hyper`: `WebSocketHub` and `Acceptor::upgrade`, for a server whose HTTP is hyper's.
//! - `tower`: the same as a `tower::Service`. `axum`: and as an extractor, `WebSocketUpgrade`.
//!
//! Routes, limits and draining need none of them: with `default-features = false` a server behind a proxy that does TLS builds in
//! less than two thirds of the time.
#![cfg_attr(docsrs, feature(doc_cfg))]

// The folders of the source, of which each imports only from those listed before it (tests/layers.rs):
//
// observe     metrics: their names, and what counts them
// config      options and the errors of invalid settings
// transport   listeners, streams, TLS
// web         HTTP without WebSockets: requests, responses, handlers, and their exchange on a stream
// hub         the open connections and their limits: registry, admission, statistics
// opening     from a request to a decision: routes, endpoints, origins, the opening handshake
// serve       the life of a connection that a server has accepted
// embed       the same in an application whose HTTP server is hyper, tower or axum
mod config;
#[cfg(feature = "hyper")]
mod embed;
mod hub;
mod observe;
mod opening;
mod serve;
mod transport;
mod web;

pub use config::address_limits::{AddressLimits, Excess};
pub use config::error::{AcceptError, BuildError, SettingError};
pub use config::handshake::HandshakeOptions;
pub use config::host_policy::HostPolicy;
#[cfg(feature = "http2")]
#[cfg_attr(docsrs, doc(cfg(feature = "http2")))]
pub use config::http2::Http2Options;
pub use config::networks::Networks;
pub use config::options::ServerOptions;
pub use config::proxies::{ForwardedFields, ProxyOptions};
pub use config::tcp::TcpOptions;
#[cfg(feature = "axum")]
#[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
pub use embed::axum::WebSocketUpgrade;
#[cfg(feature = "hyper")]
#[cfg_attr(docsrs, doc(cfg(feature = "hyper")))]
pub use embed::upgrade::Upgrading;
#[cfg(feature = "hyper")]
#[cfg_attr(docsrs, doc(cfg(feature = "hyper")))]
pub use embed::websocket_hub::{EndpointService, Stopped, WebSocketHub};
pub use hub::connections::{ConnectionInfo, Connections};
pub use hub::registry::Drained;
pub use hub::stats::{Stats, StatsSnapshot};
pub use opening::accept::{Acceptor, AcceptorBuilder, accept};
pub use opening::endpoint::Endpoint;
pub use opening::options::EndpointOptions;
pub use opening::origin::{OriginPolicy, OriginPredicate};
/// For custom configurations and crypto providers ([`Tls`]).
#[cfg(feature = "tls")]
pub use rustls;
pub use serve::builder::ServerBuilder;
pub use serve::server::Server;
#[cfg(feature = "signal")]
#[cfg_attr(docsrs, doc(cfg(feature = "signal")))]
pub use serve::signal::shutdown_signal;
pub use transport::listener::Listener;
pub use transport::stream::{Receiver, Stream, WebSocket};
#[cfg(feature = "tls")]
pub use transport::tls::{ClientCertificates, Tls};
pub use web::auth;
pub use web::handler::{Handler, HandlerFuture, Outcome};
pub use web::request::Request;
pub use web::response::{self, Response};

pub use http;
pub use ws_core;
#[cfg(feature = "deflate")]
pub use ws_core::deflate;
pub use ws_core::handshake::HeadLimits;
pub use ws_core::{CloseCode, CloseInfo, Config, DataType, Message, PreparedMessage};
pub use ws_tokio;
pub use ws_tokio::{
    Broadcast, ByteStream, ConnectionId, Error, Member, PublishReport, Sender, SlowPolicy, TrySendError,
};

/// How to do the usual things.
// Its examples need the client, and so are tested by the package `ws-samples`.
#[cfg(all(doc, not(doctest)))]
#[doc = include_str!("../docs/how-to.md")]
#[cfg_attr(feature = "axum", doc = include_str!("../docs/embed.md"))]
pub mod how_to {
    /// How to authenticate clients.
    #[doc = include_str!("../docs/authenticate.md")]
    pub mod authenticate {}
    /// How to serve WebSockets over HTTP/2.
    #[cfg(feature = "http2")]
    #[doc = include_str!("../docs/http2.md")]
    pub mod http2 {}
    /// How to run a server as a service: systemd, restarts, containers.
    #[cfg(all(unix, feature = "service"))]
    #[doc = include_str!("../docs/service.md")]
    pub mod service {}
    /// How to observe a server: the log, metrics, Prometheus, OpenTelemetry.
    #[doc = include_str!("../docs/observe.md")]
    pub mod observe {}
    /// How to migrate from tokio-tungstenite, axum's `ws` or fastwebsockets.
    #[doc = include_str!("../docs/migrate.md")]
    pub mod migrate {}
}
