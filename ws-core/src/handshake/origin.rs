//! The `Origin` field: RFC 6454 section 7, RFC 6455 section 10.2.

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
        let _ = value;
        None
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
        let _ = host;
        false
    }
}

/// The default policy for `Origin`: a request without the field passes (it comes from no browser), one whose origin
/// is the host it is addressed to passes, any other does not (RFC 6455 section 10.2).
///
/// `null`, a malformed origin and more than one field do not pass.
pub fn is_same_host_or_absent<B>(request: &http::Request<B>) -> bool {
    let _ = request;
    false
}
