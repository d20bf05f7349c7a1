//! The errors of a TLS handshake.

use std::error::Error as _;
use std::fmt;
use std::io;

use rustls::pki_types::ServerName;
use rustls::{AlertDescription as Alert, CertificateError as Certificate, Error, PeerIncompatible};

use crate::debug::debug_as_display;

/// The TLS handshake with a server failed.
#[non_exhaustive]
pub struct TlsError {
    /// The server's host and port.
    pub authority: String,
    /// The error of rustls, or of the stream under it.
    pub source: io::Error,
}

impl TlsError {
    /// Returns the error of rustls; `None` if it was the stream's.
    pub fn rustls(&self) -> Option<&rustls::Error> {
        self.source.get_ref()?.downcast_ref()
    }

    /// Another attempt may succeed after a broken stream, but not with an invalid certificate or without TLS.
    pub(crate) fn is_fatal(&self) -> bool {
        self.rustls().is_some()
    }

    /// Whether the server speaks none of the protocols that were offered.
    #[cfg(feature = "http2")]
    pub(crate) fn is_about_alpn(&self) -> bool {
        matches!(self.rustls(), Some(Error::AlertReceived(Alert::NoApplicationProtocol)))
    }

    /// Recognises the alert of a server that refuses the client's certificate, which with TLS 1.3 arrives only after the
    /// handshake (RFC 8446 section 4.4.2.4); other errors are returned unchanged.
    pub(crate) fn late(authority: &str, source: io::Error) -> Result<Self, io::Error> {
        let error = Self { authority: authority.to_owned(), source };
        match error.rustls() {
            Some(Error::AlertReceived(alert)) if is_about_certificate(*alert) => Ok(error),
            _ => Err(error.source),
        }
    }
}

debug_as_display!(TlsError);

// `source` returns none: the message includes the cause.
impl std::error::Error for TlsError {}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { authority, source } = self;
        match self.rustls() {
            Some(Error::InvalidMessage(_)) => {
                write!(
                    f,
                    "{authority} does not answer in TLS: write ws:// if it is a plain server, or use its TLS port"
                )
            }
            Some(Error::InvalidCertificate(error)) => write_certificate(f, authority, error),
            Some(
                Error::AlertReceived(Alert::ProtocolVersion)
                | Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13),
            ) => {
                write!(
                    f,
                    "{authority} speaks no version of TLS that it was offered (TLS 1.2 and 1.3): it is the server's to update"
                )
            }
            // RFC 5246 §7.2.2: handshake_failure is the alert for "no acceptable set of security parameters".
            Some(
                Error::AlertReceived(Alert::HandshakeFailure | Alert::InsufficientSecurity)
                | Error::PeerIncompatible(
                    PeerIncompatible::NoCipherSuitesInCommon
                    | PeerIncompatible::NoKxGroupsInCommon
                    | PeerIncompatible::NoSignatureSchemesInCommon,
                ),
            ) => {
                write!(
                    f,
                    "{authority} has no cipher suite in common with this client, which speaks TLS 1.3, and TLS 1.2 with ECDHE and AES-GCM or ChaCha20-Poly1305, but neither RSA key exchange nor CBC: it is the server's to update (or it requires a client certificate)"
                )
            }
            Some(Error::AlertReceived(Alert::CertificateRequired | Alert::NoCertificate)) => {
                write!(f, "{authority} requires a client certificate: pass one to Tls::client_certificate")
            }
            Some(Error::AlertReceived(alert)) if is_about_certificate(*alert) => {
                write!(
                    f,
                    "{authority} does not accept the client certificate, or requires one (alert {alert:?}): pass one that it trusts to Tls::client_certificate"
                )
            }
            Some(Error::AlertReceived(Alert::UnrecognisedName)) => {
                write!(f, "{authority} serves no host of this name over TLS: check the address")
            }
            Some(Error::AlertReceived(Alert::NoApplicationProtocol)) => {
                write!(f, "{authority} does not speak HTTP/1.1 at this port (ALPN): use the port that does")
            }
            Some(Error::AlertReceived(alert)) => {
                write!(f, "{authority} ended the TLS handshake with the alert {alert:?}: its log may say why")
            }
            Some(error) => write!(f, "the TLS handshake with {authority} failed: {error}"),
            None if source.kind() == io::ErrorKind::UnexpectedEof => {
                write!(
                    f,
                    "{authority} ended the connection during the TLS handshake: does it speak TLS at this port?"
                )
            }
            None => write!(f, "the connection to {authority} broke during the TLS handshake: {source}"),
        }
    }
}

/// Writes what is wrong with the server's certificate, and what to do.
fn write_certificate(f: &mut fmt::Formatter<'_>, authority: &str, error: &Certificate) -> fmt::Result {
    write!(f, "the certificate of {authority} ")?;
    match error {
        Certificate::UnknownIssuer => f.write_str(
            "comes from an unknown authority: if it is to be trusted, give its root to Tls::from_root_pem",
        ),
        Certificate::Expired | Certificate::ExpiredContext { .. } => {
            f.write_str("has expired: it is the server's to renew; or is this machine's clock wrong?")
        }
        Certificate::NotValidYet | Certificate::NotValidYetContext { .. } => {
            f.write_str("is not valid yet: is this machine's clock wrong?")
        }
        Certificate::NotValidForNameContext { expected, presented } => {
            match hosts(presented) {
                hosts if !hosts.is_empty() => {
                    write!(f, "is for {hosts}: connect by a name that is in it")
                }
                // RFC 9525 §2: the common name of the subject is not a name of the server.
                _ => write!(
                    f,
                    "names no host in subjectAltName, and a CN alone does not count: make it with subjectAltName={}",
                    alternative_name(expected)
                ),
            }
        }
        Certificate::NotValidForName => f.write_str("is not for this host: connect by a name that is in it"),
        Certificate::BadEncoding => f.write_str("is malformed: it is the server's to replace"),
        // RFC 5280 §6.1.3: issuers are found by name, and only then is the signature verified.
        Certificate::BadSignature => f.write_str(
            "is signed with another key than that of the trusted authority of this name: if the authority was recreated, give its new root to Tls::from_root_pem (RSA keys need 2048 bits)",
        ),
        Certificate::Revoked => f.write_str("has been revoked: it is the server's to replace"),
        error if is(error, "UnsupportedCertVersion") => f.write_str(
            "is of X.509 version 1, which can name no host: make one of version 3 with subjectAltName",
        ),
        // `openssl req -x509` makes these by default (RFC 5280 section 4.2.1.9).
        error if is(error, "CaUsedAsEndEntity") => f.write_str(
            "is an authority's (CA:TRUE) and cannot be a server's as well, trusted or not: make it with basicConstraints=CA:FALSE and trust that one, or one that this authority has signed",
        ),
        error if is(error, "UnsupportedSignatureAlgorithm") => f.write_str(
            "is signed with an algorithm that is not accepted, such as SHA-1: it is the server's to replace",
        ),
        error if is(error, "InvalidPurpose") => {
            f.write_str("is not meant for a server (extendedKeyUsage without serverAuth): it is the server's to replace")
        }
        error => write!(f, "is invalid: {error}"),
    }
}

/// Returns whether webpki or rustls has this name for the error: some variants are newer than the oldest rustls that is
/// allowed, and some are wrapped.
fn is(error: &Certificate, name: &str) -> bool {
    let (error, source) = match error {
        Certificate::Other(other) => (format!("{:?}", other.0), other.source().map(|e| format!("{e:?}"))),
        error => (format!("{error:?}"), None),
    };
    error.starts_with(name) || source.is_some_and(|source| source.starts_with(name))
}

fn is_about_certificate(alert: Alert) -> bool {
    matches!(
        alert,
        Alert::CertificateRequired
            | Alert::NoCertificate
            | Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateExpired
            | Alert::CertificateUnknown
            | Alert::UnknownCA
            | Alert::AccessDenied
    )
}

/// Returns the host names and addresses among the names of a certificate, which webpki reports as `DnsName("…")`,
/// `IpAddress(…)` and others.
fn hosts(presented: &[String]) -> String {
    let hosts: Vec<String> = presented
        .iter()
        .filter_map(|name| name.strip_prefix("DnsName(").or_else(|| name.strip_prefix("IpAddress(")))
        .map(|name| name.trim_end_matches(')').trim_matches('"').escape_debug().take(LONGEST_NAME).collect())
        .collect();
    let shown = hosts.iter().take(MOST_NAMES).map(String::as_str).collect::<Vec<_>>().join(", ");
    match hosts.len().saturating_sub(MOST_NAMES) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// Returns what to write into the certificate so that it is for this host.
fn alternative_name(host: &ServerName<'_>) -> String {
    let kind = if matches!(host, ServerName::IpAddress(_)) { "IP" } else { "DNS" };
    format!("{kind}:{}", host.to_str())
}

/// How many names of a certificate are shown: enough to recognise it in one line.
const MOST_NAMES: usize = 5;
/// The longest host name (RFC 1035 section 3.1).
const LONGEST_NAME: usize = 253;

#[cfg(test)]
mod tests {
    use super::*;

    fn text(error: Error) -> String {
        let source = io::Error::new(io::ErrorKind::InvalidData, error);
        TlsError { authority: "h:443".into(), source }.to_string()
    }

    #[test]
    fn an_alert_says_in_one_line_what_the_server_wants() {
        for (alert, what) in [
            (Alert::HandshakeFailure, "no cipher suite in common"),
            (Alert::InsufficientSecurity, "neither RSA key exchange nor CBC"),
            (Alert::CertificateRequired, "requires a client certificate: pass one to"),
            (Alert::UnknownCA, "does not accept the client certificate"),
            (Alert::UnrecognisedName, "no host of this name"),
            (Alert::NoApplicationProtocol, "does not speak HTTP/1.1"),
            (Alert::ProtocolVersion, "TLS 1.2 and 1.3"),
            (Alert::InternalError, "with the alert InternalError"),
        ] {
            let said = text(Error::AlertReceived(alert));
            assert!(said.contains(what) && said.starts_with("h:443 ") && !said.contains('\n'), "{said}");
        }
        let said = text(PeerIncompatible::NoCipherSuitesInCommon.into());
        assert!(said.contains("no cipher suite in common"), "{said}");
    }

    #[test]
    fn a_fault_of_the_certificate_says_what_is_wrong_with_it() {
        #[derive(Debug)]
        struct UnsupportedSignatureAlgorithm;
        impl fmt::Display for UnsupportedSignatureAlgorithm {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("unsupported")
            }
        }
        impl std::error::Error for UnsupportedSignatureAlgorithm {}
        let other = rustls::OtherError(std::sync::Arc::new(UnsupportedSignatureAlgorithm));
        for (error, what) in [
            (Certificate::Other(other), "signed with an algorithm that is not accepted"),
            (Certificate::InvalidPurpose, "not meant for a server"),
            (Certificate::ApplicationVerificationFailure, "is invalid: "),
        ] {
            let said = text(Error::InvalidCertificate(error));
            assert!(said.contains(what) && !said.contains('\n'), "{said}");
        }
    }

    #[test]
    fn an_end_of_the_stream_is_distinguished_from_its_other_errors() {
        for (kind, what) in [
            (io::ErrorKind::UnexpectedEof, "does it speak TLS at this port?"),
            (io::ErrorKind::ConnectionReset, "broke during the TLS handshake: "),
        ] {
            let error = TlsError { authority: "h:443".into(), source: kind.into() };
            assert!(error.to_string().contains(what), "{error}");
            assert!(!error.is_fatal(), "a broken stream may heal");
        }
    }

    #[test]
    fn only_an_alert_about_the_certificate_is_a_late_verdict() {
        let late = |alert| {
            let source = io::Error::new(io::ErrorKind::InvalidData, Error::AlertReceived(alert));
            TlsError::late("h:443", source)
        };
        assert!(late(Alert::CertificateRequired).is_ok() && late(Alert::UnknownCA).is_ok());
        assert!(late(Alert::InternalError).is_err() && late(Alert::CloseNotify).is_err());
        assert!(TlsError::late("h:443", io::ErrorKind::ConnectionReset.into()).is_err());
    }

    #[test]
    fn names_of_a_certificate_are_listed_without_what_surrounds_them() {
        let names = |list: &[&str]| hosts(&list.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(names(&["DnsName(\"a.example\")", "IpAddress(::1)"]), "a.example, ::1");
        assert_eq!(names(&["DnsName(\"a\u{1b}[2J\")"]), "a\\u{1b}[2J");
        assert_eq!(names(&["Unsupported(0x81)", "DirectoryName"]), "");
        let many: Vec<String> = (0..9).map(|i| format!("DnsName(\"{i}\")")).collect();
        assert_eq!(hosts(&many), "0, 1, 2, 3, 4 and 4 more");
    }
}
