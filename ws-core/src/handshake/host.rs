//! The `Host` field and the authority of a target: RFC 9110 section 7.2, RFC 9112 section 3.2.

/// The host (and port, if one was given) that a request is addressed to.
///
/// It is the target's authority if the target is in absolute form, and the `Host` field otherwise
/// (RFC 9112 section 3.2.2: an origin server ignores `Host` when the target is absolute).
pub fn effective_host<B>(request: &http::Request<B>) -> Option<&str> {
    match request.uri().authority() {
        Some(authority) => Some(authority.as_str()),
        None => request.headers().get(http::header::HOST)?.to_str().ok(),
    }
}
