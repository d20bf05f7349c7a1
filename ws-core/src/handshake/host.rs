//! The `Host` field and the authority of a target: RFC 9110 section 7.2, RFC 9112 section 3.2.

use std::net::Ipv6Addr;

/// Returns the host (and port, if one was given) that a request is addressed to.
///
/// It is the target's authority if the target is in absolute form, and the `Host` field otherwise
/// (RFC 9112 section 3.2.2: an origin server ignores `Host` when the target is absolute).
pub fn effective_host<B>(request: &http::Request<B>) -> Option<&str> {
    match request.uri().authority() {
        Some(authority) => Some(authority.as_str()),
        None => request.headers().get(http::header::HOST)?.to_str().ok(),
    }
}

/// A host with an optional port, as in a `Host` field: `uri-host [ ":" port ]` (RFC 9110 section 7.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Authority<'a> {
    /// A registered name, an IPv4 address, or an IPv6 address in its brackets; never empty.
    pub host: &'a str,
    /// `None` for no port and for an empty one (RFC 3986 section 3.2.3 makes them the same).
    pub port: Option<u16>,
}

impl<'a> Authority<'a> {
    /// Reads the value of a `Host` field; `None` for anything malformed, user information included.
    pub fn parse(authority: &'a str) -> Option<Self> {
        let colon = match authority.strip_prefix('[') {
            // RFC 3986 §3.2.2: an IPv6 address stands in brackets.
            Some(rest) => {
                let (address, _) = rest.split_once(']')?;
                address.parse::<Ipv6Addr>().ok()?;
                address.len().checked_add(2)?
            }
            None => authority.find(':').unwrap_or(authority.len()),
        };
        let (host, port) = authority.split_at_checked(colon)?;
        // RFC 9110 §4.2.1: a recipient MUST reject an empty host.
        if host.is_empty() || !(host.starts_with('[') || is_registered_name(host.as_bytes())) {
            return None;
        }
        let port = match port.strip_prefix(':') {
            None if port.is_empty() => None,
            Some("") => None,
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => Some(digits.parse().ok()?),
            _ => return None,
        };
        Some(Self { host, port })
    }

    /// Returns the host in the one spelling that compares equal: lower case, an IPv6 address in its shortest form.
    pub fn normal_host(&self) -> String {
        let address = self.host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        match address.and_then(|address| address.parse::<Ipv6Addr>().ok()) {
            Some(address) => format!("[{address}]"),
            None => self.host.to_ascii_lowercase(),
        }
    }
}

/// Whether `host` is a `reg-name` (RFC 3986 section 3.2.2), as an IPv4 address is too.
fn is_registered_name(host: &[u8]) -> bool {
    let mut bytes = host.iter();
    while let Some(&byte) = bytes.next() {
        let legal = match byte {
            b'%' => [bytes.next(), bytes.next()].iter().all(|digit| digit.is_some_and(u8::is_ascii_hexdigit)),
            b'-' | b'.' | b'_' | b'~' => true,
            b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=' => true,
            _ => byte.is_ascii_alphanumeric(),
        };
        if !legal {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_names_and_addresses_with_an_optional_port() {
        for (authority, host, port) in [
            ("example.com", "example.com", None),
            ("Example.COM:80", "Example.COM", Some(80)),
            ("127.0.0.1:", "127.0.0.1", None),
            ("[::1]", "[::1]", None),
            ("[2001:db8::1]:9001", "[2001:db8::1]", Some(9001)),
            ("a%20b:65535", "a%20b", Some(65535)),
            ("-._~!$&'()*+,;=:1", "-._~!$&'()*+,;=", Some(1)),
        ] {
            assert_eq!(Authority::parse(authority), Some(Authority { host, port }), "{authority}");
        }
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for authority in [
            "",
            ":80",
            "a b",
            "u@h",
            "h:+1",
            "h:65536",
            "h:1:2",
            "h/",
            "[::1",
            "[::1]x",
            "[1.2.3.4]",
            "::1",
            "h%2",
            "h%zz",
            "é",
            "h:é",
            "[é]",
        ] {
            assert_eq!(Authority::parse(authority), None, "{authority}");
        }
    }

    #[test]
    fn one_ipv6_address_has_one_normal_spelling() {
        let normal = |authority| Authority::parse(authority).unwrap().normal_host();
        assert_eq!(normal("[0:0::0:1]"), "[::1]");
        assert_eq!(normal("[2001:DB8::A]"), "[2001:db8::a]");
        assert_eq!(normal("WWW.Example.com"), "www.example.com");
    }
}
