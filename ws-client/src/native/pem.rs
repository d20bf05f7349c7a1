//! Certificates and keys in PEM (RFC 7468).

use rustls::RootCertStore;
use rustls::pki_types::pem::{Error, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use ws_core::SettingError;

/// Returns the certificates in the bytes of a PEM file; `setting` names them in the error.
pub(crate) fn certificates(
    pem: &[u8],
    setting: &'static str,
) -> Result<Vec<CertificateDer<'static>>, SettingError> {
    match CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>() {
        Ok(list) if list.is_empty() => Err(unusable(setting, &instead_of_certificate(pem))),
        Ok(list) => Ok(list),
        Err(error) => Err(unusable(setting, &fault(&error))),
    }
}

/// Returns the certificates in the bytes of a PEM file, as roots.
pub(crate) fn roots(pem: &[u8]) -> Result<RootCertStore, SettingError> {
    let mut roots = RootCertStore::empty();
    for (index, certificate) in certificates(pem, "tls root")?.into_iter().enumerate() {
        let number = index.saturating_add(1);
        roots.add(certificate).map_err(|_| {
            unusable(
                "tls root",
                &format!("certificate {number} in it is not an X.509 certificate: export it again"),
            )
        })?;
    }
    Ok(roots)
}

/// Returns the first private key in the bytes of a PEM file.
pub(crate) fn key(pem: &[u8], setting: &'static str) -> Result<PrivateKeyDer<'static>, SettingError> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| match error {
        Error::NoItemsFound => unusable(setting, &instead_of_key(pem)),
        error => unusable(setting, &fault(&error)),
    })
}

fn unusable(setting: &'static str, why: &str) -> SettingError {
    SettingError::new(setting, "PEM", why)
}

fn fault(error: &Error) -> String {
    match error {
        Error::MissingSectionEnd { .. } => "it is cut off before its -----END line".into(),
        Error::IllegalSectionStart { .. } => "it has a malformed -----BEGIN line".into(),
        Error::Base64Decode(_) => "it has data that is not base64".into(),
        error => error.to_string(),
    }
}

fn instead_of_certificate(pem: &[u8]) -> String {
    match label(pem) {
        Some(label) if label.ends_with("PRIVATE KEY") => {
            "it contains a private key and no certificate: use the file of the certificate".into()
        }
        Some(label) if label.ends_with("CERTIFICATE REQUEST") => {
            "it contains a request for a certificate: use the certificate that the authority made of it"
                .into()
        }
        Some(label) => format!("it contains a section {label:?} and no certificate"),
        None => format!("it contains no certificate{}", if_der(pem, "openssl x509 -inform der")),
    }
}

fn instead_of_key(pem: &[u8]) -> String {
    match label(pem) {
        Some(label) if label.ends_with("CERTIFICATE") => {
            "it contains a certificate and no private key: use the file of the key".into()
        }
        Some(label) if label.ends_with("ENCRYPTED PRIVATE KEY") => {
            "the key is encrypted with a passphrase: decrypt it with openssl pkey".into()
        }
        Some(label) => format!("it contains a section {label:?} and no private key"),
        None => format!("it contains no private key{}", if_der(pem, "openssl pkey -inform der")),
    }
}

/// Returns the label of the first section, short enough for a line.
fn label(pem: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(pem);
    let (label, _) =
        text.lines().find_map(|line| line.trim().strip_prefix("-----BEGIN ")?.split_once("-----"))?;
    Some(label.chars().take(LONGEST_LABEL).collect())
}

/// Returns the hint for a DER file, which begins with a SEQUENCE whose length has two bytes.
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
    fn check<T>(result: Result<T, SettingError>, expected: &str) {
        let error = result.map(|_| ()).unwrap_err().to_string();
        assert_eq!(error, expected);
    }

    #[test]
    fn a_file_without_a_root_is_an_error_that_says_what_it_contains() {
        for (pem, expected) in [
            (
                section("PRIVATE KEY"),
                "tls root = PEM is not possible: it contains a private key and no certificate: use the file of the certificate",
            ),
            (
                section("EC PRIVATE KEY"),
                "tls root = PEM is not possible: it contains a private key and no certificate: use the file of the certificate",
            ),
            (
                section("CERTIFICATE REQUEST"),
                "tls root = PEM is not possible: it contains a request for a certificate: use the certificate that the authority made of it",
            ),
            (
                section("PUBLIC KEY"),
                "tls root = PEM is not possible: it contains a section \"PUBLIC KEY\" and no certificate",
            ),
            (b"nothing".to_vec(), "tls root = PEM is not possible: it contains no certificate"),
            (
                vec![0x30, 0x82, 1, 2],
                "tls root = PEM is not possible: it contains no certificate, it looks like DER: convert it with openssl x509 -inform der",
            ),
            (
                section("CERTIFICATE"),
                "tls root = PEM is not possible: certificate 1 in it is not an X.509 certificate: export it again",
            ),
            (
                b"-----BEGIN CERTIFICATE-----\nAAAA\n".to_vec(),
                "tls root = PEM is not possible: it is cut off before its -----END line",
            ),
            (
                b"-----BEGIN CERTIFICATE-----\n?\n-----END CERTIFICATE-----\n".to_vec(),
                "tls root = PEM is not possible: it has data that is not base64",
            ),
        ] {
            check(roots(&pem), expected);
        }
    }

    #[test]
    fn a_file_without_a_key_is_an_error_that_says_what_it_contains() {
        for (pem, expected) in [
            (
                section("CERTIFICATE"),
                "tls key = PEM is not possible: it contains a certificate and no private key: use the file of the key",
            ),
            (
                section("ENCRYPTED PRIVATE KEY"),
                "tls key = PEM is not possible: the key is encrypted with a passphrase: decrypt it with openssl pkey",
            ),
            (
                section("PUBLIC KEY"),
                "tls key = PEM is not possible: it contains a section \"PUBLIC KEY\" and no private key",
            ),
            (b"".to_vec(), "tls key = PEM is not possible: it contains no private key"),
        ] {
            check(key(&pem, "tls key"), expected);
        }
    }
}
