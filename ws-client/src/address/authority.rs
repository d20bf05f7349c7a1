//! Credentials, host and port: RFC 3986 section 3.2.

use crate::request_error::InvalidUrl;

/// A user name and a password, percent-encoded.
pub(crate) type Credentials<'a> = (&'a str, &'a str);

/// What follows `//` in a URL.
pub(crate) struct Authority<'a> {
    /// `None` if both are empty.
    pub(crate) credentials: Option<Credentials<'a>>,
    /// Empty if there is none.
    pub(crate) host: &'a str,
    pub(crate) port: Option<u16>,
    /// What follows the authority: path, query and fragment.
    pub(crate) rest: &'a str,
}

impl<'a> Authority<'a> {
    pub(crate) fn parse(text: &'a str) -> Result<Self, InvalidUrl> {
        // Browsers remove some of these, and a request must contain none.
        if text.contains(|c: char| c.is_ascii_control()) {
            return Err(InvalidUrl::Control);
        }
        let end = text.find(['/', '?', '#']).unwrap_or(text.len());
        let (authority, rest) = text.split_at(end);
        // Browsers read one as a slash: a host that ends before it must not be taken for a user name.
        if text.split(['?', '#']).next().is_some_and(|before| before.contains('\\')) {
            return Err(InvalidUrl::Backslash);
        }
        // At the last @: a password may contain others.
        let (user_info, host) = authority.rsplit_once('@').unwrap_or(("", authority));
        let credentials = user_info.split_once(':').unwrap_or((user_info, ""));
        let (host, port) = split_port(host);
        Ok(Self {
            credentials: (credentials != ("", "")).then_some(credentials),
            host,
            port: port.map(number).transpose()?.flatten(),
            rest,
        })
    }
}

/// Splits at the colon before the port; those within brackets are an IPv6 address's.
fn split_port(host: &str) -> (&str, Option<&str>) {
    match host.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (host, None),
    }
}

/// RFC 3986 section 3.2.3: digits, or none, which is the scheme's own port.
fn number(port: &str) -> Result<Option<u16>, InvalidUrl> {
    if port.is_empty() {
        return Ok(None);
    }
    // A sign would be parsed, too.
    if !port.bytes().all(|b| b.is_ascii_digit()) {
        return Err(InvalidUrl::Port);
    }
    port.parse().map(Some).map_err(|_| InvalidUrl::Port)
}
