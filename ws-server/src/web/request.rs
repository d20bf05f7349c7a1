//! The request that opened a connection, or asked for a page.

use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;

use http::header::{AsHeaderName, SEC_WEBSOCKET_PROTOCOL};
use http::{Extensions, HeaderMap, HeaderValue, Method, Uri};

use crate::transport::peer::Peer;
use ws_core::handshake::RequestHead;
use ws_tokio::ConnectionId;

/// A request: what the client sent, and what is known about the client.
///
/// It lives in one allocation that is freed when it is dropped; a handler of a long-lived connection
/// that needs none of it should not take it as an argument, or drop it early.
pub struct Request(Box<Parts>);

struct Parts {
    head: RequestHead,
    params: Vec<(String, String)>,
    peer: Peer,
    offered: Vec<String>,
    subprotocol: Option<String>,
    answer: HeaderMap,
}

impl Request {
    pub(crate) fn new(head: impl Into<RequestHead>, peer: Peer) -> Self {
        Self(Box::new(Parts {
            head: head.into(),
            params: Vec::new(),
            peer,
            offered: Vec::new(),
            subprotocol: None,
            answer: HeaderMap::new(),
        }))
    }

    /// Returns the number of the connection: the field `id` in the log.
    pub fn id(&self) -> ConnectionId {
        self.0.peer.id
    }

    /// Returns the version of HTTP that the request came by: HTTP/1.0 for some pages, HTTP/1.1, HTTP/2.
    pub fn version(&self) -> http::Version {
        self.0.head.version()
    }

    /// Returns the method; an opening handshake's is GET over HTTP/1.1 (RFC 6455 section 4.1) and CONNECT over HTTP/2 (RFC
    /// 8441 section 4).
    pub fn method(&self) -> &Method {
        self.0.head.method()
    }

    /// The target as it was sent: path and query, or a whole URI.
    pub fn uri(&self) -> &Uri {
        self.0.head.uri()
    }

    /// The path, as it was sent: percent-encoding is kept.
    pub fn path(&self) -> &str {
        self.0.head.uri().path()
    }

    /// What followed the `?`, as it was sent: percent-encoding is kept.
    pub fn query(&self) -> Option<&str> {
        self.0.head.uri().query()
    }

    /// The first parameter of that name in the query, decoded as forms and a browser's `URLSearchParams` write it:
    /// `ann lee` of `?name=ann+lee`. A browser cannot add header fields to a WebSocket request; the query is where
    /// a page passes what the server must know before it answers.
    pub fn query_param(&self, name: &str) -> Option<Cow<'_, str>> {
        let mut pairs = form_urlencoded::parse(self.query()?.as_bytes());
        pairs.find_map(|(key, value)| (key == name).then_some(value))
    }

    /// The path parameter of that name, percent-decoded: `id` of a route `/rooms/{id}`.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.0.params.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// The header fields. The first call makes the map of them.
    pub fn headers(&self) -> &HeaderMap {
        self.0.head.headers()
    }

    /// The first field of that name, if it is visible ASCII.
    pub fn header(&self, name: impl AsHeaderName) -> Option<&str> {
        self.0.head.headers().get(name).and_then(|value| value.to_str().ok())
    }

    /// Returns the address of the client: that of the peer, or behind a trusted proxy the one that the proxy has named
    /// ([`ProxyOptions`](crate::ProxyOptions)), with port 0 where the proxy has named none. Limits of addresses count by
    /// it, and the log has it. `None` where [`peer_addr`](Self::peer_addr) is and no trusted proxy has named another.
    #[doc(alias = "x-forwarded-for")]
    #[doc(alias = "real_ip")]
    pub fn client_addr(&self) -> Option<SocketAddr> {
        self.0.peer.client
    }

    /// Whether the client's connection is encrypted: to this server, or behind a trusted proxy that says so
    /// ([`ForwardedFields`](crate::ForwardedFields)) to the proxy.
    #[doc(alias = "x-forwarded-proto")]
    pub fn is_client_secure(&self) -> bool {
        self.0.peer.is_client_secure()
    }

    /// Returns the host that the client has addressed, if a trusted proxy names it
    /// ([`ForwardedFields`](crate::ForwardedFields)); otherwise it is that of the request.
    #[doc(alias = "x-forwarded-host")]
    pub fn forwarded_host(&self) -> Option<&str> {
        self.0.peer.forwarded.as_ref()?.host.as_deref()
    }

    /// Returns the address of the other end of the connection; behind a reverse proxy, the proxy's. `None` for streams
    /// that have none, such as Unix sockets.
    #[doc(alias = "remote_address")]
    #[doc(alias = "remote_addr")]
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.0.peer.addr
    }

    /// Whether the connection to this server is encrypted.
    pub fn is_secure(&self) -> bool {
        self.0.peer.secure
    }

    /// The certificates the client has shown, leaf first; they have been verified. Empty without TLS, and when
    /// none was [asked for](crate::Tls::client_certificates).
    #[cfg(feature = "tls")]
    #[cfg_attr(docsrs, doc(cfg(feature = "tls")))]
    pub fn peer_certificates(&self) -> &[rustls::pki_types::CertificateDer<'static>] {
        &self.0.peer.certificates
    }

    /// The subprotocols the client offered, in its order of preference (RFC 6455 section 4.1).
    pub fn offered_subprotocols(&self) -> &[String] {
        &self.0.offered
    }

    /// The subprotocol that was chosen, if any.
    pub fn subprotocol(&self) -> Option<&str> {
        self.0.subprotocol.as_deref()
    }

    /// For a guard: chooses the subprotocol, in place of the endpoint's list. One that the client did
    /// not offer makes the opening handshake fail with status 500 (RFC 6455 section 4.2.2).
    #[doc(alias = "select_subprotocol")]
    pub fn choose_subprotocol(&mut self, name: Option<&str>) {
        self.0.subprotocol = name.map(str::to_owned);
    }

    /// For a guard: header fields to send with the 101 response, such as `Set-Cookie`.
    #[doc(alias = "process_response")]
    #[doc(alias = "extra_headers")]
    pub fn response_headers_mut(&mut self) -> &mut HeaderMap {
        &mut self.0.answer
    }

    /// What guards left for the handler: a user, a session.
    pub fn extensions(&self) -> &Extensions {
        self.0.head.extensions()
    }

    /// Room for a guard to leave something for the handler.
    pub fn extensions_mut(&mut self) -> &mut Extensions {
        self.0.head.extensions_mut()
    }

    /// Returns the head as the crate `http` has it, with the extensions that guards have left; what is known of the
    /// connection is dropped.
    pub fn into_http(self) -> http::Request<()> {
        self.0.head.into_request()
    }

    pub(crate) fn set_params(&mut self, params: Vec<(String, String)>) {
        self.0.params = params;
    }

    pub(crate) fn set_offered(&mut self, offered: &[String], chosen: Option<&str>) {
        self.0.offered = offered.to_vec();
        self.choose_subprotocol(chosen);
    }

    /// Forgets the subprotocols that are not to be kept, as if the client had not offered them.
    pub(crate) fn retain_offered(&mut self, mut keep: impl FnMut(&str) -> bool) {
        let Parts { head, offered, subprotocol, .. } = &mut *self.0;
        offered.retain(|entry| keep(entry));
        *subprotocol = subprotocol.take().filter(|chosen| keep(chosen));
        let mut headers = head.take_headers();
        // Of what was offered, so each is a token (RFC 6455 section 4.1).
        match HeaderValue::try_from(offered.join(", ")) {
            Ok(value) if !value.is_empty() => drop(headers.insert(SEC_WEBSOCKET_PROTOCOL, value)),
            _ => drop(headers.remove(SEC_WEBSOCKET_PROTOCOL)),
        }
        head.set_headers(headers);
    }

    /// The client, if it is not the peer.
    pub(crate) fn behind(&self) -> Option<SocketAddr> {
        self.0.peer.behind()
    }

    pub(crate) fn head(&self) -> &RequestHead {
        &self.0.head
    }

    pub(crate) fn take_response_headers(&mut self) -> HeaderMap {
        std::mem::take(&mut self.0.answer)
    }
}

impl fmt::Debug for Request {
    /// Without header values and query: they hold cookies and tokens, and a `{:?}` ends in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("id", &self.id())
            .field("method", self.method())
            .field("path", &self.path())
            .field("peer_addr", &self.0.peer.addr)
            .field("client_addr", &self.0.peer.client)
            .field("subprotocol", &self.0.subprotocol)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn into_http_keeps_target_fields_and_extensions() {
        let head = http::Request::get("/a?b").header("x-one", "1").body(()).unwrap();
        let mut request = Request::new(head, Peer::new(None));
        request.extensions_mut().insert(7_u8);
        let http = request.into_http();
        assert_eq!(
            (http.uri().to_string().as_str(), &http.headers()["x-one"]),
            ("/a?b", &"1".parse().unwrap())
        );
        assert_eq!(http.extensions().get(), Some(&7_u8));
    }

    #[test]
    fn a_parameter_of_the_query_is_decoded_and_the_first_counts() {
        let asked = |query: &str, name| {
            let head = http::Request::get(format!("/a{query}")).body(()).unwrap();
            Request::new(head, Peer::new(None)).query_param(name).map(Cow::into_owned)
        };
        let query = "?a=1&name=ann+lee%2B%C3%A9&name=other&empty&bad=%ff";
        assert_eq!(asked(query, "name").as_deref(), Some("ann lee+é"));
        assert_eq!(asked(query, "empty").as_deref(), Some(""));
        assert_eq!(asked(query, "bad").as_deref(), Some("\u{fffd}"));
        assert_eq!((asked(query, "nam"), asked("", "name")), (None, None));
    }

    #[test]
    fn debug_output_shows_no_secret() {
        let head = http::Request::get("/a?token=secret").header("cookie", "secret").body(()).unwrap();
        let text = format!("{:?}", Request::new(head, Peer::new(None)));
        assert!(text.contains("/a") && !text.contains("secret"), "{text}");
    }
}
