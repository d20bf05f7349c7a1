//! Certificates and keys in PEM (RFC 7468).

use rustls::RootCertStore;
use rustls::pki_types::pem::{Error, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::options_error::OptionsError;

/// The certificates in a PEM file's bytes; `what` they are for stands in the error.
pub(crate) fn certificates(pem: &[u8], what: &str) -> Result<Vec<CertificateDer<'static>>, OptionsError> {
    match CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>() {
        Ok(list) if list.is_empty() => Err(unusable(what, &instead_of_certificate(pem))),
        Ok(list) => Ok(list),
        Err(error) => Err(unusable(what, &fault(&error))),
    }
}

/// The certificates in a PEM file's bytes, as roots.
pub(crate) fn roots(pem: &[u8]) -> Result<RootCertStore, OptionsError> {
    let mut roots = RootCertStore::empty();
    for (index, certificate) in certificates(pem, "root")?.into_iter().enumerate() {
        let number = index.saturating_add(1);
        roots.add(certificate).map_err(|_| {
            unusable(
                "root",
                &format!("certificate {number} in the PEM is not an X.509 certificate: export it again"),
            )
        })?;
    }
    Ok(roots)
}

/// The first private key in a PEM file's bytes.
pub(crate) fn key(pem: &[u8], what: &str) -> Result<PrivateKeyDer<'static>, OptionsError> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| match error {
        Error::NoItemsFound => unusable(what, &instead_of_key(pem)),
        error => unusable(what, &fault(&error)),
    })
}

fn unusable(what: &str, why: &str) -> OptionsError {
    OptionsError::Certificate(format!("{what}: {why}"))
}

fn fault(error: &Error) -> String {
    match error {
        Error::MissingSectionEnd { .. } => "the PEM is cut off before its -----END line".into(),
        Error::IllegalSectionStart { .. } => "the PEM has a malformed -----BEGIN line".into(),
        Error::Base64Decode(_) => "the PEM has data that is not base64".into(),
        error => error.to_string(),
    }
}

fn instead_of_certificate(pem: &[u8]) -> String {
    match label(pem) {
        Some(label) if label.ends_with("PRIVATE KEY") => {
            "the PEM holds a private key and no certificate: give the certificate's file".into()
        }
        Some(label) if label.ends_with("CERTIFICATE REQUEST") => {
            "the PEM holds a request for a certificate: give the certificate that the authority made of it"
                .into()
        }
        Some(label) => format!("the PEM holds a section {label:?} and no certificate"),
        None => format!("no certificate in the PEM{}", if_der(pem, "openssl x509 -inform der")),
    }
}

fn instead_of_key(pem: &[u8]) -> String {
    match label(pem) {
        Some(label) if label.ends_with("CERTIFICATE") => {
            "the PEM holds a certificate and no private key: give the key's file".into()
        }
        Some(label) if label.ends_with("ENCRYPTED PRIVATE KEY") => {
            "the key is encrypted with a passphrase: decrypt it with openssl pkey".into()
        }
        Some(label) => format!("the PEM holds a section {label:?} and no private key"),
        None => format!("no private key in the PEM{}", if_der(pem, "openssl pkey -inform der")),
    }
}

/// What the first section is said to hold, short enough for a line.
fn label(pem: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(pem);
    let (label, _) =
        text.lines().find_map(|line| line.trim().strip_prefix("-----BEGIN ")?.split_once("-----"))?;
    Some(label.chars().take(LONGEST_LABEL).collect())
}

/// A DER file begins with a SEQUENCE whose length has two bytes.
fn if_der(bytes: &[u8], command: &str) -> String {
    if bytes.starts_with(&[0x30, 0x82]) {
        format!(", it looks like DER: convert it with {command}")
    } else {
        String::new()
    }
}

const LONGEST_LABEL: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    fn section(label: &str) -> Vec<u8> {
        format!("-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n").into_bytes()
    }

    #[track_caller]
    fn check<T>(result: Result<T, OptionsError>, expected: &str) {
        let error = result.map(|_| ()).unwrap_err().to_string();
        assert_eq!(error, format!("tls: {expected}"));
    }

    #[test]
    fn a_file_that_is_no_root_says_what_it_is_instead() {
        for (pem, expected) in [
            (
                section("PRIVATE KEY"),
                "root: the PEM holds a private key and no certificate: give the certificate's file",
            ),
            (
                section("EC PRIVATE KEY"),
                "root: the PEM holds a private key and no certificate: give the certificate's file",
            ),
            (
                section("CERTIFICATE REQUEST"),
                "root: the PEM holds a request for a certificate: give the certificate that the authority made of it",
            ),
            (section("PUBLIC KEY"), "root: the PEM holds a section \"PUBLIC KEY\" and no certificate"),
            (b"nothing".to_vec(), "root: no certificate in the PEM"),
            (
                vec![0x30, 0x82, 1, 2],
                "root: no certificate in the PEM, it looks like DER: convert it with openssl x509 -inform der",
            ),
            (
                section("CERTIFICATE"),
                "root: certificate 1 in the PEM is not an X.509 certificate: export it again",
            ),
            (
                b"-----BEGIN CERTIFICATE-----\nAAAA\n".to_vec(),
                "root: the PEM is cut off before its -----END line",
            ),
            (
                b"-----BEGIN CERTIFICATE-----\n?\n-----END CERTIFICATE-----\n".to_vec(),
                "root: the PEM has data that is not base64",
            ),
        ] {
            check(roots(&pem), expected);
        }
    }

    #[test]
    fn a_file_that_is_no_key_says_what_it_is_instead() {
        for (pem, expected) in [
            (
                section("CERTIFICATE"),
                "key: the PEM holds a certificate and no private key: give the key's file",
            ),
            (
                section("ENCRYPTED PRIVATE KEY"),
                "key: the key is encrypted with a passphrase: decrypt it with openssl pkey",
            ),
            (section("PUBLIC KEY"), "key: the PEM holds a section \"PUBLIC KEY\" and no private key"),
            (b"".to_vec(), "key: no private key in the PEM"),
        ] {
            check(key(&pem, "key"), expected);
        }
    }
}
