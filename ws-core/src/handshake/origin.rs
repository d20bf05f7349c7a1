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
        // RFC 6454 §4: what a file or an app has for an origin is left to the browser; some send a scheme alone.
        if authority.is_empty() && default_port(&scheme).is_none() {
            return Some(Self { scheme, host: String::new(), port: None });
        }
        let authority = Authority::parse(authority)?;
        let port = authority.port.filter(|&port| default_port(&scheme) != Some(port));
        Some(Self { host: authority.normal_host(), scheme, port })
    }

    /// Returns the scheme in lower case, such as `https`.
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// Returns the host in lower case; an IPv6 address with its brackets. Empty for an origin such as `file://`.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the port, unless it is the scheme's default.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// Whether this is a page of the web (`http` or `https`) and `host`, the value of a `Host` field, names the same
    /// host and port.
    ///
    /// A port left out stands for the default of the *origin's* scheme: behind a proxy that ends TLS, a server does
    /// not know the scheme it is reached by. The two schemes are therefore not distinguished here.
    pub fn is_same_host(&self, host: &str) -> bool {
        // RFC 6454 §5: two origins with different schemes are different; a server is reached by these two only.
        let is_web = matches!(self.scheme.as_str(), "http" | "https");
        is_web
            && Authority::parse(host).is_some_and(|authority| {
                let port = authority.port.filter(|&port| default_port(&self.scheme) != Some(port));
                authority.normal_host() == self.host && port == self.port
            })
    }
}

/// Returns the default policy for `Origin`: a request without the field passes (it comes from no browser), one whose origin
/// is the host it is addressed to passes, any other does not (RFC 6455 section 10.2).
///
/// `secure` is whether the connection itself is encrypted: pages of the same host are then reached by `https`, and one
/// that was loaded by `http` may have been changed on the way. Otherwise both schemes pass, because a proxy may have
/// ended TLS. `null`, other schemes, a malformed origin and more than one field do not pass.
pub fn is_same_host_or_absent<B>(request: &http::Request<B>, secure: bool) -> bool {
    let origins = request.headers().get_all(http::header::ORIGIN).iter();
    is_same_origin_or_absent(origins.map(http::HeaderValue::as_bytes), || effective_host(request), secure)
}

/// See [`is_same_host_or_absent`].
pub(super) fn is_same_origin_or_absent<'a>(
    mut origins: impl Iterator<Item = &'a [u8]>,
    host: impl FnOnce() -> Option<&'a str>,
    secure: bool,
) -> bool {
    match (origins.next(), origins.next()) {
        (None, _) => true,
        (Some(origin), None) => Origin::parse(origin)
            .zip(host())
            .is_some_and(|(origin, host)| origin.is_same_host(host) && (!secure || origin.scheme == "https")),
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
            ("ftp://example.com", "example.com", false),
            ("ws://example.com", "example.com", false),
            ("foo://example.com", "example.com", false),
            ("file://", "example.com", false),
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
            "https://",
            "ws://",
            "file:///",
            "file://?",
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
    fn the_default_policy_allows_no_origin_and_the_same_origin() {
        let host = ("host", "example.com");
        let passes = |fields: &[(&str, &str)], secure| is_same_host_or_absent(&request("/", fields), secure);
        for secure in [false, true] {
            assert!(passes(&[host], secure));
            assert!(passes(&[host, ("origin", "https://example.com")], secure));
            assert!(!passes(&[host, ("origin", "https://evil.example")], secure));
            assert!(!passes(&[host, ("origin", "null")], secure));
            assert!(!passes(&[host, ("origin", "")], secure));
            let twice = [host, ("origin", "https://example.com"), ("origin", "https://example.com")];
            assert!(!passes(&twice, secure));
        }
    }

    #[test]
    fn where_the_server_ends_tls_only_https_is_the_same_host() {
        for (origin, host, plain, secure) in [
            ("http://example.com", "example.com", true, false),
            ("http://example.com", "example.com:80", true, false),
            ("https://example.com", "example.com", true, true),
            ("https://example.com", "example.com:443", true, true),
            ("https://example.com:443", "example.com", true, true),
            ("http://example.com:443", "example.com:443", true, false),
            ("https://example.com:9001", "example.com:9001", true, true),
            ("http://example.com:9001", "example.com:9001", true, false),
            ("https://example.com:80", "example.com", false, false),
            ("wss://example.com", "example.com", false, false),
            ("ftp://example.com", "example.com", false, false),
            ("foo://example.com", "example.com", false, false),
        ] {
            let request = request("/", &[("host", host), ("origin", origin)]);
            assert_eq!(is_same_host_or_absent(&request, false), plain, "{origin} at ws://{host}");
            assert_eq!(is_same_host_or_absent(&request, true), secure, "{origin} at wss://{host}");
        }
    }

    #[test]
    fn an_absolute_target_takes_the_place_of_host() {
        let fields = [("host", "evil.example"), ("origin", "https://example.com")];
        assert!(is_same_host_or_absent(&request("http://example.com/", &fields), false));
        let fields = [("host", "example.com"), ("origin", "https://example.com")];
        assert!(!is_same_host_or_absent(&request("http://evil.example/", &fields), false));
    }

    #[test]
    fn the_parts_of_an_origin_are_normal() {
        let origin = Origin::parse(b"HTTPS://Example.Com:8443").unwrap();
        assert_eq!((origin.scheme(), origin.host(), origin.port()), ("https", "example.com", Some(8443)));
    }

    #[test]
    fn a_file_or_an_app_may_have_a_scheme_and_no_host() {
        let origin = Origin::parse(b"file://").unwrap();
        assert_eq!((origin.scheme(), origin.host(), origin.port()), ("file", "", None));
        assert_ne!(Origin::parse(b"content://"), Some(origin));
    }
}
