//! TLS for a server: rustls, with a provider that is always given (RFC 8446; RFC 6455 section 10.6).

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::crypto::CryptoProvider;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

use crate::config::error::SettingError;
use crate::transport::pem::{certificates, names_a_host, private_key, unusable};

/// The certificate of a server, and whether clients need one: TLS 1.2 and 1.3, ALPN `h2` (unless
/// [`ServerOptions::http2`](crate::ServerOptions) is `None`) and `http/1.1`.
///
/// The crypto provider is *ring* (feature `ring`, on by default) unless [`provider`](Self::provider) gives another;
/// in a build without *ring* it is AWS-LC (feature `aws-lc-rs`). That of the process is never asked for, so it does not
/// matter what other crates install or compile in.
#[derive(Clone)]
pub struct Tls {
    identity: Identity,
    clients: Option<(Vec<u8>, ClientCertificates)>,
    provider: Option<Arc<CryptoProvider>>,
    check_every: Duration,
    offers_http2: bool,
}

/// Whether clients need a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientCertificates {
    /// A client may show one; one that does not verify is refused.
    Optional,
    /// A client without one is refused in the TLS handshake.
    Required,
}

#[derive(Clone)]
enum Identity {
    Files { chain: PathBuf, key: PathBuf },
    Pem { chain: Vec<u8>, key: Vec<u8> },
    Config(Arc<ServerConfig>),
}

impl Tls {
    /// A certificate chain (leaf first) and its key in PEM files. When one of them changes both are read again, for the
    /// connections that come; those that are open are not touched. What cannot be used is logged and tried again, while
    /// the server goes on with what it has.
    pub fn from_pem_files(chain: impl AsRef<Path>, key: impl AsRef<Path>) -> Self {
        let (chain, key) = (chain.as_ref().to_owned(), key.as_ref().to_owned());
        Self::new(Identity::Files { chain, key })
    }

    /// A certificate chain (leaf first) and its key in PEM.
    pub fn from_pem(chain: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        Self::new(Identity::Pem { chain: chain.into(), key: key.into() })
    }

    /// Uses a custom configuration as it is, except for ALPN: where it names nothing, what the server speaks is
    /// set. One that names protocols is asked for HTTP/2 only if it names `h2`.
    pub fn from_rustls(config: Arc<ServerConfig>) -> Self {
        Self::new(Identity::Config(config))
    }

    fn new(identity: Identity) -> Self {
        Self {
            identity,
            clients: None,
            provider: None,
            check_every: Duration::from_secs(10),
            offers_http2: false,
        }
    }

    /// Asks clients for a certificate issued by one of these authorities (PEM). Without effect beside
    /// [`from_rustls`](Self::from_rustls), which has its own verifier.
    #[must_use]
    pub fn client_certificates(mut self, roots: impl Into<Vec<u8>>, need: ClientCertificates) -> Self {
        self.clients = Some((roots.into(), need));
        self
    }

    /// Another crypto provider, from [`rustls::crypto`]. Without effect beside [`from_rustls`](Self::from_rustls), which has its own.
    #[must_use]
    pub fn provider(mut self, provider: Arc<CryptoProvider>) -> Self {
        self.provider = Some(provider);
        self
    }

    /// How often to look whether files have changed. Default 10 s.
    #[must_use]
    pub fn check_every(mut self, interval: Duration) -> Self {
        self.check_every = interval;
        self
    }

    /// Whether clients may choose HTTP/2.
    pub(crate) fn offer_http2(mut self, offers_http2: bool) -> Self {
        self.offers_http2 = offers_http2;
        self
    }

    /// RFC 7301: what is spoken, in our order of preference.
    fn alpn(&self) -> Vec<Vec<u8>> {
        let http2 = self.offers_http2.then(|| HTTP_2.to_vec());
        http2.into_iter().chain([HTTP_1_1.to_vec()]).collect()
    }

    pub(crate) fn check(&self) -> Result<(), SettingError> {
        if self.check_every.is_zero() {
            return Err(SettingError::new("tls check_every", "0ns", "it must be longer than zero"));
        }
        Ok(())
    }

    /// How often the files are to be looked at; `None` when there are none.
    pub(crate) fn polled_every(&self) -> Option<Duration> {
        matches!(self.identity, Identity::Files { .. }).then_some(self.check_every)
    }

    /// The configuration for rustls, from what the files hold now.
    pub(crate) fn config(&self) -> Result<Arc<ServerConfig>, SettingError> {
        let (chain, key, named) = match &self.identity {
            Identity::Config(config) if !config.alpn_protocols.is_empty() => return Ok(config.clone()),
            Identity::Config(config) => {
                let mut config = ServerConfig::clone(config);
                config.alpn_protocols = self.alpn();
                return Ok(Arc::new(config));
            }
            Identity::Pem { chain, key } => (chain.clone(), key.clone(), ("PEM".into(), "PEM".into())),
            Identity::Files { chain, key } => {
                let named = (chain.display().to_string(), key.display().to_string());
                (read("tls certificate", chain)?, read("tls key", key)?, named)
            }
        };
        let fail = |setting, value: &str, error: rustls::Error| {
            SettingError::new(setting, value, format!("rustls says: {error}"))
        };
        let chain = certificates("tls certificate", &named.0, &chain)?;
        let key = private_key(&named.1, &key)?;
        if chain.first().is_some_and(|leaf| !names_a_host(leaf)) {
            tracing::warn!(
                certificate = named.0,
                "the TLS certificate has no subjectAltName, where clients look for the name of the server: they refuse it"
            );
        }
        let provider = self.provider.clone().or_else(default_provider).ok_or_else(|| {
            let must = "enable the feature `ring` or `aws-lc-rs` of ws-server, or give one to Tls::provider";
            SettingError::new("tls provider", "none", must)
        })?;
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|e| fail("tls provider", "given", e))?;
        let builder = match &self.clients {
            None => builder.with_no_client_auth(),
            Some((pem, need)) => {
                let mut roots = RootCertStore::empty();
                for certificate in certificates("tls client roots", "PEM", pem)? {
                    roots.add(certificate).map_err(|e| fail("tls client roots", "PEM", e))?;
                }
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                let verifier = match need {
                    ClientCertificates::Optional => verifier.allow_unauthenticated(),
                    ClientCertificates::Required => verifier,
                };
                let verifier = verifier
                    .build()
                    .map_err(|e| SettingError::new("tls client roots", "PEM", e.to_string()))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        // That chain and key belong together is checked here too.
        let mut config =
            builder.with_single_cert(chain, key).map_err(|error| unusable(&named.0, &named.1, &error))?;
        config.alpn_protocols = self.alpn();
        Ok(Arc::new(config))
    }

    /// Identifies the version of the files; `None` when there are none.
    pub(crate) fn version(&self) -> Option<Version> {
        let Identity::Files { chain, key } = &self.identity else { return None };
        let stamp = |path: &Path| {
            let metadata = fs::metadata(path).ok()?;
            Some((metadata.modified().ok()?, metadata.len()))
        };
        Some([stamp(chain), stamp(key)])
    }
}

/// When chain and key were changed, and how long they are; `None` for one that is not there.
pub(crate) type Version = [Option<(SystemTime, u64)>; 2];

impl fmt::Debug for Tls {
    /// Without keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let identity = match &self.identity {
            Identity::Files { chain, .. } => format!("files {}", chain.display()),
            Identity::Pem { .. } => "PEM".into(),
            Identity::Config(_) => "own configuration".into(),
        };
        let clients = self.clients.as_ref().map(|(_, need)| need);
        f.debug_struct("Tls").field("identity", &identity).field("client_certificates", &clients).finish()
    }
}

/// The provider that this build has; of two, *ring*, so that no other crate's features change what is used.
fn default_provider() -> Option<Arc<CryptoProvider>> {
    #[cfg(feature = "ring")]
    return Some(Arc::new(rustls::crypto::ring::default_provider()));
    #[cfg(all(feature = "aws-lc-rs", not(feature = "ring")))]
    return Some(Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    #[cfg(not(any(feature = "ring", feature = "aws-lc-rs")))]
    None
}

fn read(setting: &'static str, path: &Path) -> Result<Vec<u8>, SettingError> {
    fs::read(path)
        .map_err(|error| SettingError::new(setting, path.display(), format!("it cannot be read: {error}")))
}

const HTTP_1_1: &[u8] = b"http/1.1";
/// RFC 9113 section 3.2.
pub(crate) const HTTP_2: &[u8] = b"h2";

#[cfg(all(test, feature = "ring"))]
mod tests {
    use super::*;

    /// A file of `tests/pem`.
    fn pem(name: &str) -> String {
        fs::read_to_string(format!("{}/tests/pem/{name}.pem", env!("CARGO_MANIFEST_DIR"))).unwrap()
    }

    #[test]
    fn only_files_are_looked_at_again() {
        let second = Duration::from_secs(1);
        assert_eq!(Tls::from_pem_files("chain", "key").check_every(second).polled_every(), Some(second));
        assert_eq!(Tls::from_pem("chain", "key").check_every(second).polled_every(), None);
    }

    #[test]
    fn a_custom_tls_configuration_offers_http_1_1_unless_it_names_protocols() {
        let mut own =
            ServerConfig::clone(&Tls::from_pem(pem("localhost"), pem("localhost.key")).config().unwrap());
        own.alpn_protocols.clear();
        let protocols = |own: &ServerConfig| {
            Tls::from_rustls(Arc::new(own.clone())).config().unwrap().alpn_protocols.clone()
        };
        assert_eq!(protocols(&own), [HTTP_1_1]);
        own.alpn_protocols = vec![b"other".to_vec()];
        assert_eq!(protocols(&own), [b"other"]);
    }

    #[test]
    fn a_certificate_that_names_no_host_is_warned_of() {
        for (name, warned) in [("localhost", false), ("common-name", true)] {
            let (log, _guard) = super::super::logged::logged();
            // Whether the key is that of the certificate makes no difference here.
            drop(Tls::from_pem(pem(name), pem("localhost.key")).config());
            assert_eq!(log.text().contains("no subjectAltName"), warned, "{}", log.text());
        }
    }
}
/// What rustls holds for a connection, in bytes: its state, and a record that has not arrived whole.
pub(crate) const ENCRYPTION_MEMORY: usize = 20 << 10;
