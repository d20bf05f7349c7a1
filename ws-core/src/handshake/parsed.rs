//! Requests that another HTTP library has read, and answers that it is to write.

use http::{Method, StatusCode, Version, header};

use super::head::HeadLimits;
use super::head_error::HeadError;
use super::host::{Authority, effective_host};
use super::opening::Opening;
use super::proof::Proof;
use super::refusal::Refusal;
use super::request_head::RequestHead;
use super::request_line::{check_method, check_target};
use super::server::{check_host, check_name, check_value};
use super::upgrade::UpgradeRequest;

impl Opening {
    /// Judges the head of a request that another HTTP library has read, such as hyper.
    ///
    /// It is the judgement of [`RequestReader`](super::RequestReader), but for what cannot be seen any more: how the
    /// head was written. The library must have refused what is not HTTP. A request of HTTP/2 or HTTP/3 is judged as by
    /// [`from_connect`](Self::from_connect) without a `:protocol`, and so never for a WebSocket.
    ///
    /// # Errors
    /// A [`Refusal`] to send.
    pub fn from_request(request: http::Request<()>, limits: HeadLimits) -> Result<Self, Refusal> {
        if request.version() >= Version::HTTP_2 {
            return Self::from_connect(request, None, limits);
        }
        check(&request, limits).map_err(|refusal| refusal.without_body(request.method() == Method::HEAD))?;
        Self::new(request.into())
    }

    /// Judges the head of a request that a library for HTTP/2 or HTTP/3 has read, where a WebSocket is opened by extended
    /// CONNECT (RFC 8441, RFC 9220). `protocol` is the value of the pseudo-header field `:protocol`, if it was sent;
    /// `:scheme`, `:authority` and `:path` are the request's URI. GET and HEAD without `protocol` are
    /// [`Plain`](Self::Plain).
    ///
    /// It is the judgement of [`from_request`](Self::from_request), except that `Sec-WebSocket-Key` is ignored, and that
    /// the fields `Upgrade` and `Connection` make a request malformed. [`UpgradeRequest::response`] returns the answer.
    ///
    /// The library must have sent the setting `SETTINGS_ENABLE_CONNECT_PROTOCOL`. One that resets a stream whose request
    /// is malformed, as RFC 9113 section 8.1.1 asks, may do so instead of sending a refusal with status 400.
    ///
    /// ```
    /// use ws_core::handshake::{Acceptance, HeadLimits, Opening};
    ///
    /// // What the library has read; `:protocol` is often among the request's extensions.
    /// let request = http::Request::connect("https://example.com/chat")
    ///     .version(http::Version::HTTP_2)
    ///     .header("sec-websocket-version", "13")
    ///     .body(())?;
    /// let Ok(Opening::Upgrade(upgrade)) = Opening::from_connect(request, Some("websocket"), HeadLimits::server())
    /// else {
    ///     return Ok(()); // A page, or a refusal.
    /// };
    /// // To be sent without END_STREAM: the frames of the WebSocket follow in DATA, in both directions.
    /// assert_eq!(upgrade.response(Acceptance::default())?.status(), 200);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// A [`Refusal`] to send: 400 with `Sec-WebSocket-Version: 13` for another version, 405 for CONNECT without a
    /// `protocol`, 501 for an unknown one, 400 for one with another method, and those of
    /// [`from_request`](Self::from_request).
    pub fn from_connect(
        request: http::Request<()>,
        protocol: Option<&str>,
        limits: HeadLimits,
    ) -> Result<Self, Refusal> {
        let kind = check_connect(&request, protocol, limits)
            .map_err(|refusal| refusal.without_body(request.method() == Method::HEAD))?;
        match kind {
            Kind::Plain => Ok(Self::Plain(request.into())),
            Kind::WebSocket => {
                let head = RequestHead::from(request);
                let proof = Proof::connect(&head)?;
                UpgradeRequest::new(head, proof).map(Self::Upgrade)
            }
        }
    }
}

/// What a request of HTTP/2 asks for.
enum Kind {
    Plain,
    WebSocket,
}

/// Checks a request of HTTP/2 or later as far as it does not matter whether it is for a WebSocket.
fn check_connect(
    request: &http::Request<()>,
    protocol: Option<&str>,
    limits: HeadLimits,
) -> Result<Kind, Refusal> {
    let kind = match protocol {
        // RFC 8441 §4: :protocol is allowed with CONNECT only.
        Some(_) if request.method() != Method::CONNECT => {
            return Err(Refusal::bad_request(":protocol is sent with a method other than CONNECT"));
        }
        // RFC 9110 §7.8: names of protocols are compared without case.
        Some(protocol) if protocol.eq_ignore_ascii_case("websocket") => Kind::WebSocket,
        // RFC 9220 §3: an unknown :protocol SHOULD get 501.
        Some(_) => {
            return Err(Refusal::new(StatusCode::NOT_IMPLEMENTED, "only :protocol websocket is known here"));
        }
        // Not a proxy: RFC 9110 §9.3.6.
        None => check_method(request.method().as_str().as_bytes()).map(|_| Kind::Plain)?,
    };
    let path = request.uri().path_and_query().map_or(0, |path| path.as_str().len());
    if path > limits.target {
        return Err(HeadError::TargetTooLong { limit: limits.target }.into());
    }
    // RFC 9113 §8.3.1: a target has a scheme that is known here, an authority without user information, and a path.
    check_target(request.uri())?;
    if !request.uri().path().starts_with('/') {
        return Err(Refusal::bad_request("the target has no path"));
    }
    check_fields(request, path, limits)?;
    let headers = request.headers();
    for name in CONNECTION_SPECIFIC {
        // RFC 9113 §8.2.2: connection-specific fields make a request malformed.
        if headers.contains_key(name) {
            return Err(Refusal::bad_request(&format!("the field {name} does not exist in HTTP/2")));
        }
    }
    // RFC 9113 §8.2.2: TE may be there with `trailers` and nothing else.
    if headers.get_all(header::TE).iter().any(|te| !te.as_bytes().eq_ignore_ascii_case(b"trailers")) {
        return Err(Refusal::bad_request("the field te has a value other than trailers"));
    }
    check_authority(request)?;
    Ok(kind)
}

/// Checks that a request of HTTP/2 names one host.
fn check_authority(request: &http::Request<()>) -> Result<(), Refusal> {
    // RFC 9113 §8.3.1: an http or https URI has an authority, in :authority or in Host ...
    let Some(host) = effective_host(request) else {
        return Err(Refusal::bad_request("there is neither :authority nor a Host field"));
    };
    // RFC 9110 §4.2.3: the default port may be written or left out.
    let default = match request.uri().scheme_str() {
        Some(scheme) if scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("wss") => 443,
        _ => 80,
    };
    let normal =
        |host: &str| Authority::parse(host).map(|host| (host.normal_host(), host.port.unwrap_or(default)));
    // ... and where both are sent, they MUST NOT differ.
    match request.headers().get(header::HOST) {
        Some(field) if field.to_str().ok().and_then(normal) != normal(host) => {
            Err(Refusal::bad_request("the Host field is not the host in :authority"))
        }
        _ => Ok(()),
    }
}

/// Checks a request of HTTP/1.1, in the order in which a reader comes to it.
fn check(request: &http::Request<()>, limits: HeadLimits) -> Result<(), Refusal> {
    check_method(request.method().as_str().as_bytes())?;
    let target = target_length(request.uri());
    if target > limits.target {
        return Err(HeadError::TargetTooLong { limit: limits.target }.into());
    }
    check_target(request.uri())?;
    check_version(request.version())?;
    check_fields(request, target, limits)?;
    check_host(request.version(), request.headers().contains_key(header::HOST))
}

/// Checks the fields and the length of the head; `target` is how long the target is.
fn check_fields(request: &http::Request<()>, target: usize, limits: HeadLimits) -> Result<(), Refusal> {
    let headers = request.headers();
    if headers.len() > limits.fields {
        return Err(HeadError::TooManyFields { limit: limits.fields }.into());
    }
    // As HTTP/1.1 usually writes it: a space on both sides of the target, one behind each colon.
    let mut length =
        request.method().as_str().len().saturating_add(target).saturating_add("  HTTP/1.1\r\n\r\n".len());
    for name in headers.keys() {
        for (index, value) in headers.get_all(name).iter().enumerate() {
            check_name(name.as_str().as_bytes(), |field| index > 0 && field == name)?;
            check_value(name.as_str().as_bytes(), value.as_bytes())?;
            length = length
                .saturating_add(name.as_str().len())
                .saturating_add(value.len())
                .saturating_add(": \r\n".len());
        }
    }
    if length > limits.bytes {
        return Err(HeadError::TooLong { limit: limits.bytes }.into());
    }
    Ok(())
}

fn target_length(uri: &http::Uri) -> usize {
    let scheme = uri.scheme_str().map_or(0, |scheme| scheme.len().saturating_add("://".len()));
    let authority = uri.authority().map_or(0, |authority| authority.as_str().len());
    let path = uri.path_and_query().map_or(0, |path| path.as_str().len());
    scheme.saturating_add(authority).saturating_add(path)
}

fn check_version(version: Version) -> Result<(), HeadError> {
    match version {
        // RFC 9112 §2.3: 1.0 too, for which no WebSocket is opened.
        Version::HTTP_10 | Version::HTTP_11 => Ok(()),
        _ => Err(HeadError::Version { major: 0, minor: 9 }),
    }
}

/// RFC 9113 section 8.2.2; Transfer-Encoding is refused for the body that it announces.
const CONNECTION_SPECIFIC: [&str; 4] = ["connection", "proxy-connection", "keep-alive", "upgrade"];
