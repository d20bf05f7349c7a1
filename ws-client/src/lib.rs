//! A WebSocket client on tokio: RFC 6455, over TCP, TLS, Unix sockets, proxies and custom streams; and in a browser, on the
//! browser's own `WebSocket` ([`in_a_browser`]).
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
//! | use HTTP/2 | `Options::http_version`: [how to](how_to#use-http2) |
//! | run in a browser | the same names for `wasm32-unknown-unknown`: [how to](in_a_browser) |
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
//! # Platforms
//!
//! Linux is what it is measured on. On Windows there are no Unix sockets (`connect_unix`, and a [`Stream`] from a
//! `UnixStream`, do not compile); `Tls::platform` trusts the system's certificate store; [`ProxyChoice::Environment`]
//! reads environment variables as elsewhere, not the proxy of the system's settings. On Linux and Android the system
//! takes 32 KiB ahead that it has not sent (`TCP_NOTSENT_LOWAT`), and 768 KiB of a large write, all but its end, while the link is
//! fast, which then has to be sent within `write_timeout` before it takes more; elsewhere it takes its send buffer, so that
//! deadlines for a server that does not read begin somewhat later. For browsers see [`in_a_browser`].
//!
//! # Features
//! - `ring` (default): `wss://`, by rustls with *ring*. The process-wide provider is never used.
//! - `aws-lc-rs`: the same with AWS-LC, given to `Tls::provider`, or by itself in a build without `ring`. It needs a C
//!   compiler.
//! - `tls`: rustls without either, for your own provider.
//! - `native-roots`: the operating system's certificates, by `Tls::platform`.
//! - `deflate` (default): permessage-deflate (RFC 7692).
//! - `http2`: WebSockets over HTTP/2 (RFC 8441), by `Options::http_version`.
//! - `url`: international host names, and requests from a `url::Url`. Not a default: the tables for such names are 28 crates and an
//!   eighth of the time that a program with TLS takes to build, and Punycode is accepted without them. A browser has tables itself.
//! - `hyper`: the opening handshake through an HTTP client of hyper, by `Client::upgrade`.
#![cfg_attr(docsrs, feature(doc_cfg))]
// A browser has the same names: `in_a_browser` lists what it lacks.
#![cfg_attr(docsrs, doc(auto_cfg(hide(target_arch = "wasm32"))))]
// This page is that of all targets, and names what is not in a browser.
#![cfg_attr(target_arch = "wasm32", allow(rustdoc::broken_intra_doc_links))]

mod address;
mod backoff;
mod debug;
mod reconnect;
mod request_error;
mod request_from;

// Both have the same names, as far as a browser can.
#[cfg(target_arch = "wasm32")]
mod browser;
#[cfg(not(target_arch = "wasm32"))]
mod native;

#[cfg(target_arch = "wasm32")]
pub use browser::*;
#[cfg(not(target_arch = "wasm32"))]
pub use native::*;

pub use backoff::Backoff;
pub use reconnect::{Reconnect, Retry};
pub use request_error::{InvalidUrl, UrlError};
/// For requests from a `Url`.
#[cfg(feature = "url")]
pub use url;
pub use ws_core;
pub use ws_core::SettingError;
pub use ws_core::{CloseCode, CloseInfo, DataType, Message};

/// How to do common things with a client.
#[cfg(all(any(doc, doctest), not(target_arch = "wasm32")))]
#[doc = include_str!("../docs/how-to.md")]
pub mod how_to {}

/// How to use this crate in a browser.
#[cfg(any(doc, doctest))]
#[doc = include_str!("../docs/in-a-browser.md")]
pub mod in_a_browser {}
