//! TLS for `wss://`: rustls with an explicit provider (RFC 6455 section 4.1, RFC 8446).

use std::fmt;
use std::io;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

use crate::address::Host;
#[cfg(feature = "http2")]
use crate::http_version::HttpVersion;
use crate::pem;
use crate::stream::Stream;
use crate::tls_error::TlsError;
use ws_core::SettingError;

/// Which certificates to trust under `wss://`, and which one to present. TLS 1.2 and 1.3, ALPN `http/1.1`, or
/// `h2` where HTTP/2 is to be used.
///
/// There is no switch that turns verification off.
///
/// The crypto provider is *ring* (feature `ring`, on by default) unless [`provider`](Self::provider) sets another; in
/// a build without *ring* it is AWS-LC (feature `aws-lc-rs`). It is never the process-wide one: other crates do not influence
/// the choice.
///
/// The types in these signatures are those of [`rustls`](crate::rustls): a new major version of it is one of this crate.
#[doc(alias("native_tls", "root_certificates", "danger_accept_invalid_certs", "insecure"))]
#[derive(Clone)]
pub struct Tls {
    trust: Trust,
    identity: Option<Arc<Identity>>,
    provider: Option<Arc<CryptoProvider>>,
}

#[derive(Clone)]
enum Trust {
    WebPki,
    #[cfg(feature = "native-roots")]
    Platform,
    Roots(Arc<RootCertStore>),
    Config(Arc<ClientConfig>),
}

struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Default for Tls {
    /// [`Tls::webpki`].
    fn default() -> Self {
        Self::webpki()
    }
}

impl Tls {
    /// Trusts Mozilla's list of authorities, which is compiled in.
    pub fn webpki() -> Self {
        Self::new(Trust::WebPki)
    }

    /// Trusts what the operating system trusts; it is read when the client is built.
    #[cfg(feature = "native-roots")]
    pub fn platform() -> Self {
        Self::new(Trust::Platform)
    }

    /// Trusts these authorities and no others.
    pub fn from_roots(roots: RootCertStore) -> Self {
        Self::new(Trust::Roots(Arc::new(roots)))
    }

    /// Trusts the certificates in `pem`, the bytes of a PEM file, and no others.
    ///
    /// # Errors
    /// [`SettingError`] if there is none, or one that cannot be read.
    pub fn from_root_pem(pem: &[u8]) -> Result<Self, SettingError> {
        Ok(Self::from_roots(pem::roots(pem)?))
    }

    /// Uses a custom configuration of rustls unchanged, except that `http/1.1`, or `h2` where HTTP/2 is to be used, is
    /// offered by ALPN if it offers nothing. One that offers protocols must have `h2` among them for HTTP/2.
    pub fn from_rustls(config: Arc<ClientConfig>) -> Self {
        Self::new(Trust::Config(config))
    }

    fn new(trust: Trust) -> Self {
        Self { trust, identity: None, provider: None }
    }

    /// Sets the crypto provider, from [`rustls::crypto`]. It has no effect after [`from_rustls`](Self::from_rustls): that
    /// configuration has one.
    #[must_use]
    pub fn provider(mut self, provider: Arc<CryptoProvider>) -> Self {
        self.provider = Some(provider);
        self
    }

    /// Presents a certificate to servers that ask for one: the chain, leaf first, and its key, both in PEM. It has no effect
    /// after [`from_rustls`](Self::from_rustls).
    ///
    /// # Errors
    /// [`SettingError`] if either cannot be read; whether they belong together is checked when the client is built.
    pub fn client_certificate(mut self, chain_pem: &[u8], key_pem: &[u8]) -> Result<Self, SettingError> {
        let chain = pem::certificates(chain_pem, "tls client certificate")?;
        let key = pem::key(key_pem, "tls client key")?;
        self.identity = Some(Arc::new(Identity { chain, key }));
        Ok(self)
    }

    /// Returns the configuration for rustls.
    pub(crate) fn build(&self) -> Result<Arc<ClientConfig>, SettingError> {
        let roots = match &self.trust {
            Trust::Config(config) if !config.alpn_protocols.is_empty() => return Ok(config.clone()),
            Trust::Config(config) => {
                let mut config = ClientConfig::clone(config);
                config.alpn_protocols = vec![HTTP_1_1.to_vec()];
                return Ok(Arc::new(config));
            }
            Trust::WebPki => Arc::new(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() }),
            #[cfg(feature = "native-roots")]
            Trust::Platform => Arc::new(platform_roots()?),
            Trust::Roots(roots) => roots.clone(),
        };
        let provider = self.provider.clone().or_else(default_provider).ok_or_else(|| {
            let must = "enable the feature `ring` or `aws-lc-rs` of ws-client, or give one to Tls::provider";
            SettingError::new("tls provider", "none", must)
        })?;
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| SettingError::new("tls provider", "custom", error.to_string()))?
            .with_root_certificates(roots);
        let mut config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some(identity) => builder
                .with_client_auth_cert(identity.chain.clone(), identity.key.clone_key())
                .map_err(|error| match error {
                    rustls::Error::InconsistentKeys(_) => {
                        let must =
                            "it is not the key of the client certificate: give the two that belong together";
                        SettingError::new("tls client key", "PEM", must)
                    }
                    error => SettingError::new(
                        "tls client certificate",
                        "PEM",
                        format!("it cannot be used: {error}"),
                    ),
                })?,
        };
        config.alpn_protocols = vec![HTTP_1_1.to_vec()];
        Ok(Arc::new(config))
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let trust = match &self.trust {
            Trust::WebPki => "webpki roots",
            #[cfg(feature = "native-roots")]
            Trust::Platform => "platform roots",
            Trust::Roots(_) => "custom roots",
            Trust::Config(_) => "custom configuration",
        };
        f.debug_struct("Tls")
            .field("trust", &trust)
            .field("client_certificate", &self.identity.is_some())
            .finish()
    }
}

/// Encrypts a stream to `host`.
pub(crate) async fn encrypt(
    config: &Arc<ClientConfig>,
    host: Host<&str>,
    authority: &str,
    stream: Stream,
) -> Result<Stream, TlsError> {
    let fail = |source| TlsError { authority: authority.to_owned(), source };
    let name = match host {
        Host::Ipv4(ip) => ServerName::from(std::net::IpAddr::from(ip)),
        Host::Ipv6(ip) => ServerName::from(std::net::IpAddr::from(ip)),
        // A final dot marks a name as complete; it is neither part of the name in a certificate nor of SNI
        // (RFC 6066 section 3). Newer versions of rustls remove it themselves.
        Host::Domain(name) => ServerName::try_from(name.strip_suffix('.').unwrap_or(name).to_owned())
            .map_err(|e| fail(io::Error::new(io::ErrorKind::InvalidInput, e)))?,
    };
    let stream = TlsConnector::from(config.clone()).connect(name, stream).await.map_err(fail)?;
    Ok(Stream::encrypted(stream))
}

/// Returns the configurations for HTTP/1.1 and for HTTP/2; `built` is that of [`Tls::build`]. They differ in what they offer
/// by ALPN (RFC 7301), and share the sessions that can be resumed.
#[cfg(feature = "http2")]
pub(crate) fn for_version(
    built: Arc<ClientConfig>,
    version: HttpVersion,
) -> Result<(Arc<ClientConfig>, Arc<ClientConfig>), SettingError> {
    let offering = |protocols: &[&[u8]]| {
        let mut config = ClientConfig::clone(&built);
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        Arc::new(config)
    };
    let http2 = match version {
        HttpVersion::Http1 => return Ok((built.clone(), built)),
        // RFC 9113 §3.2: the identifier of HTTP/2 over TLS is "h2".
        HttpVersion::Http2 => offering(&[HTTP_2]),
        HttpVersion::Http2IfOffered => offering(&[HTTP_2, HTTP_1_1]),
    };
    // A custom configuration that names protocols is used unchanged.
    let names_others = built.alpn_protocols != [HTTP_1_1];
    if names_others && !built.alpn_protocols.iter().any(|protocol| protocol == HTTP_2) {
        let must = "the configuration of Tls::from_rustls offers other protocols by ALPN: add `h2`, or leave the list empty";
        return Err(SettingError::new("http_version", format!("{version:?}"), must));
    }
    let http2 = if names_others { built.clone() } else { http2 };
    Ok((offering(&[HTTP_1_1]), http2))
}

/// What is offered by ALPN (RFC 7301) for a WebSocket that is opened over HTTP/1.1.
const HTTP_1_1: &[u8] = b"http/1.1";
#[cfg(feature = "http2")]
const HTTP_2: &[u8] = b"h2";

/// Returns the provider that this build has; of two, *ring*, so that the features of other crates do not change it.
fn default_provider() -> Option<Arc<CryptoProvider>> {
    #[cfg(feature = "ring")]
    return Some(Arc::new(rustls::crypto::ring::default_provider()));
    #[cfg(all(feature = "aws-lc-rs", not(feature = "ring")))]
    return Some(Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    #[cfg(not(any(feature = "ring", feature = "aws-lc-rs")))]
    None
}

#[cfg(feature = "native-roots")]
fn platform_roots() -> Result<RootCertStore, SettingError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // Some systems have certificates that no verifier accepts; the others are used.
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let why = found.errors.first().map_or_else(|| "none found".to_owned(), ToString::to_string);
        let must = format!("{why}: install the system's CA certificates, or use Tls::webpki");
        return Err(SettingError::new("tls platform roots", "none", must));
    }
    Ok(roots)
}

#[cfg(all(test, feature = "ring"))]
mod tests {
    use super::*;

    #[test]
    fn a_custom_tls_configuration_offers_http_1_1_unless_it_names_protocols() {
        let mut own = ClientConfig::clone(&Tls::default().build().unwrap());
        own.alpn_protocols.clear();
        let protocols = |own: &ClientConfig| {
            Tls::from_rustls(Arc::new(own.clone())).build().unwrap().alpn_protocols.clone()
        };
        assert_eq!(protocols(&own), [HTTP_1_1]);
        own.alpn_protocols = vec![b"other".to_vec()];
        assert_eq!(protocols(&own), [b"other"]);
    }

    #[test]
    fn debug_output_shows_what_is_trusted() {
        let text = format!("{:?}", Tls::default());
        assert_eq!(text, "Tls { trust: \"webpki roots\", client_certificate: false }");
    }
}
