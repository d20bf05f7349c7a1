//! Credentials in the form of HTTP.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use percent_encoding::percent_decode_str;

use crate::request_error::UrlError;

/// Returns `Basic` credentials from the percent-encoded user information of a URL (RFC 7617).
pub(crate) fn basic(username: &str, password: &str) -> Result<HeaderValue, UrlError> {
    let username: Vec<u8> = percent_decode_str(username).collect();
    let password: Vec<u8> = percent_decode_str(password).collect();
    let control = |b: &u8| b.is_ascii_control();
    // RFC 7617 §2: no colon in the user-id, no control characters in either.
    if username.contains(&b':') || username.iter().any(control) || password.iter().any(control) {
        return Err(UrlError::Credentials);
    }
    let pair = [username.as_slice(), b":", password.as_slice()].concat();
    let mut value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair)))
        .map_err(|_| UrlError::Credentials)?;
    value.set_sensitive(true);
    Ok(value)
}
