//! Hosts: RFC 3986 section 3.2.2.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::request_error::InvalidUrl;

/// The host of a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Host<S> {
    /// A name, in lower case and as the DNS has it.
    Domain(S),
    Ipv4(Ipv4Addr),
    Ipv6(Ipv6Addr),
}

impl Host<String> {
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidUrl> {
        if let Some(literal) = text.strip_prefix('[') {
            let literal = literal.strip_suffix(']').ok_or(InvalidUrl::Ipv6)?;
            return literal.parse().map(Self::Ipv6).map_err(|_| InvalidUrl::Ipv6);
        }
        if let Some(other) = text.chars().find(|c| c.is_ascii() && !is_of_name(*c)) {
            return Err(InvalidUrl::HostCharacter(other));
        }
        if !text.is_ascii() {
            return international(text);
        }
        // A final dot marks a name as complete. In a browser it is no part of an IPv4 address.
        let complete = text.strip_suffix('.').unwrap_or(text);
        if is_number(complete.rsplit('.').next().unwrap_or_default()) {
            return complete.parse().map(Self::Ipv4).map_err(|_| InvalidUrl::Ipv4);
        }
        Ok(Self::Domain(text.to_ascii_lowercase()))
    }

    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn borrowed(&self) -> Host<&str> {
        match self {
            Self::Domain(name) => Host::Domain(name),
            Self::Ipv4(ip) => Host::Ipv4(*ip),
            Self::Ipv6(ip) => Host::Ipv6(*ip),
        }
    }
}

impl<S: fmt::Display> fmt::Display for Host<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Domain(name) => name.fmt(f),
            Self::Ipv4(ip) => ip.fmt(f),
            // As in a browser: without the dots that std writes.
            Self::Ipv6(ip) => match (ip.to_ipv4_mapped(), ip.segments()) {
                (Some(_), [.., a, b]) => write!(f, "[::ffff:{a:x}:{b:x}]"),
                _ => write!(f, "[{ip}]"),
            },
        }
    }
}

/// Whether a host name may contain this: unreserved and sub-delims of RFC 3986 section 2. A `%` could encode anything, and no name in
/// the DNS needs it.
fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-._~!$&'()*+,;=".contains(c)
}

/// Whether browsers take a host with this last label for an IPv4 address: decimal or hexadecimal, which may be a shorter form of one.
fn is_number(label: &str) -> bool {
    match label.strip_prefix("0x").or_else(|| label.strip_prefix("0X")) {
        Some(digits) => digits.bytes().all(|b| b.is_ascii_hexdigit()),
        None => !label.is_empty() && label.bytes().all(|b| b.is_ascii_digit()),
    }
}

/// Returns the host that an international name stands for in the DNS (UTS 46).
#[cfg(all(feature = "url", not(target_arch = "wasm32")))]
fn international(name: &str) -> Result<Host<String>, InvalidUrl> {
    match url::Host::parse(name) {
        Ok(url::Host::Domain(name)) => Ok(Host::Domain(name)),
        Ok(url::Host::Ipv4(ip)) => Ok(Host::Ipv4(ip)),
        Ok(url::Host::Ipv6(ip)) => Ok(Host::Ipv6(ip)),
        Err(_) => Err(InvalidUrl::Domain),
    }
}

#[cfg(not(any(feature = "url", target_arch = "wasm32")))]
fn international(_name: &str) -> Result<Host<String>, InvalidUrl> {
    Err(InvalidUrl::International)
}

/// The browser has the tables.
#[cfg(target_arch = "wasm32")]
fn international(name: &str) -> Result<Host<String>, InvalidUrl> {
    let url = web_sys::Url::new(&format!("ws://{name}/")).map_err(|_| InvalidUrl::Domain)?;
    let name = url.hostname();
    if name.is_ascii() && !name.is_empty() { Host::parse(&name) } else { Err(InvalidUrl::Domain) }
}
