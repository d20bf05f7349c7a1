//! Requests that another HTTP library has read, and answers that it is to write.

use http::{HeaderValue, Method, StatusCode, Version};

use super::head::{HeadError, HeadLimits};
use super::opening::Opening;
use super::refusal::{Refusal, ResponseError};
use super::request_line::{check_method, check_target};
use super::server::{check_host, check_name, check_value};
use super::upgrade::{Acceptance, UpgradeRequest};

impl Opening {
    /// Judges the head of a request that another HTTP library has read, such as hyper.
    ///
    /// It is the judgement of [`RequestReader`](super::RequestReader), but for what cannot be seen any more: how the
    /// head was written. The library must have refused what is not HTTP. A request of HTTP/2 or 3 is refused with
    /// 505: there a WebSocket is opened in another way (RFC 8441), which this module does not support.
    ///
    /// # Errors
    /// A [`Refusal`] to send.
    pub fn from_request(request: http::Request<()>, limits: HeadLimits) -> Result<Self, Refusal> {
        check(&request, limits).map_err(|refusal| refusal.without_body(request.method() == Method::HEAD))?;
        Self::new(request)
    }
}

impl UpgradeRequest {
    /// Returns the 101 for another HTTP library to write: what [`accept`](Self::accept) returns as bytes.
    ///
    /// # Errors
    /// As there.
    pub fn response(&self, acceptance: Acceptance<'_>) -> Result<http::Response<()>, ResponseError> {
        let mut response = http::Response::new(());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        for (name, _, value) in self.fields(&acceptance)? {
            // They have been found to be tokens and lists of tokens.
            let invalid = |_| ResponseError::InvalidExtensions(value.into());
            response.headers_mut().insert(name, HeaderValue::from_str(value).map_err(invalid)?);
        }
        response.headers_mut().extend(acceptance.headers);
        Ok(response)
    }
}

/// In the order in which a reader comes to it.
fn check(request: &http::Request<()>, limits: HeadLimits) -> Result<(), Refusal> {
    check_method(request.method().as_str().as_bytes())?;
    let target = target_length(request.uri());
    if target > limits.target {
        return Err(HeadError::TargetTooLong { limit: limits.target }.into());
    }
    check_target(request.uri())?;
    check_version(request.version())?;
    let headers = request.headers();
    if headers.len() > limits.fields {
        return Err(HeadError::TooManyFields { limit: limits.fields }.into());
    }
    // As it is usually written: a space on both sides of the target, one behind each colon.
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
    check_host(request)
}

fn target_length(uri: &http::Uri) -> usize {
    let scheme = uri.scheme_str().map_or(0, |scheme| scheme.len().saturating_add("://".len()));
    let authority = uri.authority().map_or(0, |authority| authority.as_str().len());
    let path = uri.path_and_query().map_or(0, |path| path.as_str().len());
    scheme.saturating_add(authority).saturating_add(path)
}

fn check_version(version: Version) -> Result<(), HeadError> {
    let (major, minor) = match version {
        // RFC 9112 §2.3: 1.0 too, for which no WebSocket is opened.
        Version::HTTP_10 | Version::HTTP_11 => return Ok(()),
        Version::HTTP_09 => (0, 9),
        Version::HTTP_2 => (2, 0),
        _ => (3, 0),
    };
    Err(HeadError::Version { major, minor })
}
