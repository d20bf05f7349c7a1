//! The version of HTTP in which a WebSocket is opened.

/// Which version of HTTP a WebSocket is opened with ([`Options::http_version`](crate::Options::http_version)).
///
/// Over HTTP/2 (RFC 8441) the WebSockets of a [`Client`](crate::Client) to one server share a connection, so that all but
/// the first open without a TCP and a TLS handshake. [`Negotiated::http_version`](crate::Negotiated::http_version) is the version
/// that was used.
///
/// hypercorn 0.18 does not end the stream of a closed WebSocket itself, and ends the whole connection (with a `KeyError` in its log) when
/// the client does, as RFC 8441 section 5 has it: with that server each WebSocket needs HTTP/1.1, or a connection to itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum HttpVersion {
    /// HTTP/1.1: one connection for each WebSocket.
    #[default]
    Http1,
    /// HTTP/2 and no other version. Under `wss` it is offered by ALPN; under `ws` the server must be known to speak
    /// it on this port (RFC 9113 section 3.3). A server that does not speak HTTP/2, or does not allow WebSockets over it,
    /// is an error.
    Http2,
    /// HTTP/2 where the server chooses it by ALPN and allows WebSockets over it (RFC 8441 section 3), else
    /// HTTP/1.1. A client remembers which servers it uses HTTP/1.1 with, so that it asks each of them once. Under `ws`
    /// there is no ALPN: it is HTTP/1.1.
    Http2IfOffered,
}
