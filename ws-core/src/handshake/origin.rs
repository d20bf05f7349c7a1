//! The `Origin` field: RFC 6454 section 7, RFC 6455 section 10.2.

use super::host::{Authority, effective_host};

/// A web origin: scheme, host and port. The opaque origin `null` is not one of these.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    scheme: String,
    host: String,
    port: Option<u16>,
}

impl Origin {
    /// Reads the value of an `Origin` field; `None` for `null`, for a list, and for anything malformed.
    pub fn parse(value: &[u8]) -> Option<Self> {
        // RFC 6454 §7.1: origin = scheme "://" host [ ":" port ], and nothing behind it.
        let (scheme, authority) = std::str::from_utf8(value).ok()?.split_once("://")?;
        if !is_scheme(scheme.as_bytes()) {
            return None;
        }
        let scheme = scheme.to_ascii_lowercase();
        let authority = Authority::parse(authority)?;
        let port = authority.port.filter(|&port| default_port(&scheme) != Some(port));
        Some(Self { host: authority.normal_host(), scheme, port })
    }

    /// The scheme in lower case, such as `https`.
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// The host in lower case; an IPv6 address with its brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, unless it is the scheme's default.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// Whether `host`, the value of a `Host` field, names the same host and port.
    ///
    /// A port left out stands for the default of the *origin's* scheme: behind a proxy that ends TLS, a server does
    /// not know the scheme it is reached by. Schemes are therefore not compared.
    pub fn is_same_host(&self, host: &str) -> bool {
        Authority::parse(host).is_some_and(|authority| {
            let port = authority.port.filter(|&port| default_port(&self.scheme) != Some(port));
            authority.normal_host() == self.host && port == self.port
        })
    }
}

/// The default policy for `Origin`: a request without the field passes (it comes from no browser), one whose origin
/// is the host it is addressed to passes, any other does not (RFC 6455 section 10.2).
///
/// `null`, a malformed origin and more than one field do not pass.
pub fn is_same_host_or_absent<B>(request: &http::Request<B>) -> bool {
    let mut origins = request.headers().get_all(http::header::ORIGIN).iter();
    match (origins.next(), origins.next()) {
        (None, _) => true,
        (Some(origin), None) => Origin::parse(origin.as_bytes())
            .zip(effective_host(request))
            .is_some_and(|(origin, host)| origin.is_same_host(host)),
        (Some(_), Some(_)) => false,
    }
}

/// Whether `scheme` is one by RFC 3986 section 3.1.
fn is_scheme(scheme: &[u8]) -> bool {
    scheme.first().is_some_and(u8::is_ascii_alphabetic)
        && scheme.iter().all(|&byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
}

/// The port that a scheme stands for when none is written.
pub(super) fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        // RFC 6455 §3: the default ports are those of http and https.
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(target: &str, fields: &[(&str, &str)]) -> http::Request<()> {
        let builder = http::Request::get(target);
        fields.iter().fold(builder, |builder, (name, value)| builder.header(*name, *value)).body(()).unwrap()
    }

    #[test]
    fn an_origin_is_compared_by_host_and_port() {
        for (origin, host, same) in [
            ("http://example.com", "example.com", true),
            ("https://example.com", "example.com", true),
            ("https://EXAMPLE.com", "example.COM", true),
            ("http://example.com:80", "example.com", true),
            ("http://example.com", "example.com:80", true),
            ("https://example.com", "example.com:443", true),
            ("https://example.com:443", "example.com", true),
            ("http://localhost:9001", "localhost:9001", true),
            ("http://[::1]:9001", "[0:0::1]:9001", true),
            ("http://example.com:8080", "example.com", false),
            ("http://example.com", "example.com:8080", false),
            ("https://example.com", "example.com:80", false),
            ("https://evil.example", "example.com", false),
            ("https://example.com.evil.example", "example.com", false),
            ("https://notexample.com", "example.com", false),
        ] {
            let parsed = Origin::parse(origin.as_bytes()).unwrap();
            assert_eq!(parsed.is_same_host(host), same, "{origin} at {host}");
        }
    }

    #[test]
    fn what_is_no_single_origin_is_none() {
        for value in [
            "",
            "null",
            "example.com",
            "://h",
            "1http://h",
            "ht_tp://h",
            "http://",
            "http://h/",
            "http://h/path",
            "http://u@h",
            "http://a http://b",
            "http://a, http://b",
            "http:/h",
            "http://h:70000",
            "http://h?q",
        ] {
            assert_eq!(Origin::parse(value.as_bytes()), None, "{value}");
        }
        assert_eq!(Origin::parse(b"http://\xff"), None);
    }

    #[test]
    fn the_default_policy_lets_pass_the_absent_and_the_same() {
        let host = ("host", "example.com");
        assert!(is_same_host_or_absent(&request("/", &[host])));
        assert!(is_same_host_or_absent(&request("/", &[host, ("origin", "https://example.com")])));
        assert!(!is_same_host_or_absent(&request("/", &[host, ("origin", "https://evil.example")])));
        assert!(!is_same_host_or_absent(&request("/", &[host, ("origin", "null")])));
        assert!(!is_same_host_or_absent(&request("/", &[host, ("origin", "")])));
        let twice = [host, ("origin", "https://example.com"), ("origin", "https://example.com")];
        assert!(!is_same_host_or_absent(&request("/", &twice)));
    }

    #[test]
    fn an_absolute_target_takes_the_place_of_host() {
        let fields = [("host", "evil.example"), ("origin", "https://example.com")];
        assert!(is_same_host_or_absent(&request("http://example.com/", &fields)));
        let fields = [("host", "example.com"), ("origin", "https://example.com")];
        assert!(!is_same_host_or_absent(&request("http://evil.example/", &fields)));
    }

    #[test]
    fn the_parts_of_an_origin_are_normal() {
        let origin = Origin::parse(b"HTTPS://Example.Com:8443").unwrap();
        assert_eq!((origin.scheme(), origin.host(), origin.port()), ("https", "example.com", Some(8443)));
    }
}
