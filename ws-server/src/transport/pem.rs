//! Certificates and keys in PEM, and what is wrong with those that cannot be used.

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::config::error::SettingError;

/// The certificates in `pem`; `name` says where that comes from.
pub(crate) fn certificates(
    setting: &'static str,
    name: &str,
    pem: &[u8],
) -> Result<Vec<CertificateDer<'static>>, SettingError> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let must = match chain {
        Ok(chain) if !chain.is_empty() => return Ok(chain),
        _ if PrivateKeyDer::from_pem_slice(pem).is_ok() => {
            "it must hold at least one certificate in PEM, and holds a private key; are the two exchanged?"
        }
        _ if is_der(pem) => "it must be in PEM, and is in DER; convert it with openssl x509 -inform der",
        _ => "it must hold at least one certificate in PEM",
    };
    Err(SettingError::new(setting, name, must))
}

/// Whether a certificate says for which hosts it is: clients look at its subjectAltName, and at nothing else (RFC 9525
/// section 2).
pub(crate) fn names_a_host(certificate: &CertificateDer<'_>) -> bool {
    // RFC 5280 §4.2.1.6: the object identifier 2.5.29.17, in DER.
    certificate.windows(5).any(|bytes| bytes == [0x06, 0x03, 0x55, 0x1d, 0x11])
}

/// Whether this is a DER sequence, as certificates and keys are, and no text.
fn is_der(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x30, 0x82]) || bytes.starts_with(&[0x30, 0x81])
}

/// The private key in `pem`; `name` says where that comes from.
pub(crate) fn private_key(name: &str, pem: &[u8]) -> Result<PrivateKeyDer<'static>, SettingError> {
    let has = |text: &[u8]| pem.windows(text.len()).any(|window| window == text);
    // RFC 5958 and RFC 1421: the two forms of a key behind a password.
    let is_encrypted = has(b"BEGIN ENCRYPTED PRIVATE KEY") || has(b"Proc-Type: 4,ENCRYPTED");
    let must = match PrivateKeyDer::from_pem_slice(pem) {
        Ok(key) if !is_encrypted => return Ok(key),
        _ if is_encrypted => ENCRYPTED,
        _ if CertificateDer::from_pem_slice(pem).is_ok() => {
            "it must hold a private key in PEM, and holds a certificate; are the two exchanged?"
        }
        _ if is_der(pem) => "it must be in PEM, and is in DER; convert it with openssl pkey -inform der",
        _ => "it must hold a private key in PEM (PKCS#8, PKCS#1 or SEC1)",
    };
    Err(SettingError::new("tls key", name, must))
}

/// What to do about a chain and a key that rustls does not take, in one line.
pub(crate) fn unusable(chain: &str, key: &str, error: &rustls::Error) -> SettingError {
    match error {
        rustls::Error::InconsistentKeys(_) => {
            let must = format!("it must be the key of the first certificate in {chain}, the server's own");
            SettingError::new("tls key", key, must)
        }
        rustls::Error::InvalidCertificate(_) => {
            let must = format!("the first certificate must be X.509 version 3 (rustls says: {error})");
            SettingError::new("tls certificate", chain, must)
        }
        // The crypto provider's refusals of a key have no distinct kind.
        rustls::Error::General(_) => {
            let must = format!(
                "it must be RSA with at least 2048 bits, ECDSA on P-256 or P-384, or Ed25519 (rustls says: {error})"
            );
            SettingError::new("tls key", key, must)
        }
        _ => SettingError::new("tls certificate", chain, format!("rustls says: {error}")),
    }
}

const ENCRYPTED: &str = "it is encrypted, and passwords are not supported; decrypt it with openssl pkey";

#[cfg(all(test, feature = "ring"))]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_with_a_common_name_alone_names_no_host() {
        let certificate = |name: &str| {
            let path = format!("{}/tests/pem/{name}.pem", env!("CARGO_MANIFEST_DIR"));
            CertificateDer::from_pem_file(path).unwrap()
        };
        assert!(names_a_host(&certificate("localhost")));
        assert!(names_a_host(&certificate("address")));
        assert!(!names_a_host(&certificate("common-name")));
    }
}
