//! Servers' certificates and TLS settings as they are met: each that does not do is one clear line.

use std::sync::Arc;

use super::common::*;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::crypto::ring::{default_provider, sign};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::TlsAcceptor;
use ws_client::{Blame, ConnectError, Options, Tls, rustls};

/// The error of a client that connects to a server with this certificate; it trusts the certificate or only Mozilla's list.
async fn said(
    host: &str,
    certificate: CertificateDer<'static>,
    key: &PrivateKeyDer<'_>,
    trusted: bool,
) -> String {
    let root = trusted.then(|| certificate.clone());
    said_trusting(host, certificate, key, root).await
}

/// The same, where this root is trusted.
async fn said_trusting(
    host: &str,
    certificate: CertificateDer<'static>,
    key: &PrivateKeyDer<'_>,
    root: Option<CertificateDer<'static>>,
) -> String {
    let key = CertifiedKey::new(vec![certificate.clone()], sign::any_supported_type(key).unwrap());
    // By a resolver, as rustls refuses to serve some of these.
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(key)));
    let (address, _serving) =
        server(|stream| async move { TlsAcceptor::from(Arc::new(config)).accept(stream).await }).await;
    let mut options = Options::default();
    if let Some(root) = root {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(root).unwrap();
        options.tls = Tls::from_roots(roots);
    }
    let url = format!("wss://{host}:{}", address.port());
    let error = options.build().unwrap().connect(url).await.map(|_| ()).unwrap_err();
    assert!(matches!(error, ConnectError::Tls(_)) && error.is_fatal(), "{error}");
    assert_eq!(error.blame(), Blame::Server);
    let said = error.to_string();
    assert!(!said.contains('\n') && said.contains(&format!("{host}:{}", address.port())), "{said}");
    said
}

fn made(
    names: &[&str],
    change: impl FnOnce(&mut CertificateParams),
) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let mut parameters = CertificateParams::new(names).unwrap();
    parameters.distinguished_name.push(DnType::CommonName, "localhost");
    (parameters.not_before, parameters.not_after) = (date_time_ymd(2019, 1, 1), date_time_ymd(2090, 1, 1));
    change(&mut parameters);
    let key = KeyPair::generate().unwrap();
    let certificate = parameters.self_signed(&key).unwrap();
    (certificate.der().clone(), PrivatePkcs8KeyDer::from(key.serialize_der()).into())
}

#[tokio::test]
async fn a_certificate_with_a_cn_only_says_to_add_a_subject_alternative_name() {
    for (host, wanted) in
        [("localhost", "subjectAltName=DNS:localhost"), ("127.0.0.1", "subjectAltName=IP:127.0.0.1")]
    {
        let (certificate, key) = made(&[], |_| ());
        let said = said(host, certificate, &key, true).await;
        assert!(said.contains("a CN alone does not count") && said.ends_with(wanted), "{said}");
    }
}

#[tokio::test]
async fn a_certificate_for_other_names_lists_them() {
    let (certificate, key) = made(&["a.example", "192.0.2.1"], |_| ());
    let said = said("localhost", certificate, &key, true).await;
    assert!(said.ends_with(" is for a.example, 192.0.2.1: connect by a name that is in it"), "{said}");
}

#[tokio::test]
async fn a_certificate_made_anew_under_the_same_name_asks_for_its_root() {
    let (certificate, key) = made(&["localhost"], |_| ());
    let (before, _) = made(&["localhost"], |_| ());
    let said = said_trusting("localhost", certificate, &key, Some(before)).await;
    assert!(
        said.contains("if the authority was recreated, give its new root to Tls::from_root_pem"),
        "{said}"
    );
}

#[tokio::test]
async fn an_authoritys_certificate_as_a_servers_says_the_same_whether_it_is_trusted_or_not() {
    let (certificate, key) = made(&["localhost"], |parameters| {
        // As `openssl req -x509` makes them.
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    });
    for trusted in [true, false] {
        let said = said("localhost", certificate.clone(), &key, trusted).await;
        assert!(
            said.contains("(CA:TRUE)") && said.contains("make it with basicConstraints=CA:FALSE"),
            "{said}"
        );
    }
}

#[tokio::test]
async fn a_certificate_of_version_1_says_to_make_one_of_version_3() {
    let certificate = CertificateDer::from_pem_slice(VERSION_1.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(VERSION_1_KEY.as_bytes()).unwrap();
    for trusted in [true, false] {
        let said = said("localhost", certificate.clone(), &key, trusted).await;
        assert!(said.contains("X.509 version 1") && said.contains("version 3 with subjectAltName"), "{said}");
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_for_servers_says_so() {
    let (certificate, key) = made(&["localhost"], |parameters| {
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    });
    let said = said("localhost", certificate, &key, true).await;
    assert!(said.contains("not meant for a server"), "{said}");
}

#[tokio::test]
async fn a_server_that_knows_only_rsa_key_exchange_says_which_cipher_suites_it_needs() {
    // handshake_failure, as OpenSSL answers with `-cipher AES128-SHA` (RFC 5246 section 7.4.1.3).
    let (address, _serving) = server(|mut stream| async move {
        let _ = stream.read(&mut [0; 4096]).await;
        stream.write_all(&[21, 3, 3, 0, 2, 2, 40]).await.unwrap();
        let _ = stream.read(&mut [0; 4096]).await;
    })
    .await;
    let error = ws_client::connect(format!("wss://{address}")).await.unwrap_err();
    let said = error.to_string();
    assert!(
        said.contains("TLS 1.2 with ECDHE") && said.contains("neither RSA key exchange nor CBC"),
        "{said}"
    );
    assert_eq!((error.blame(), error.is_fatal()), (Blame::Server, true));
}

#[test]
fn a_key_given_as_a_root_says_that_it_is_a_key() {
    let error = Tls::from_root_pem(VERSION_1_KEY.as_bytes()).unwrap_err();
    let expected = "tls root = PEM is not possible: it contains a private key and no certificate: use the file of the certificate";
    assert_eq!(error.to_string(), expected);
    // And the two exchanged.
    let error = Tls::webpki().client_certificate(VERSION_1_KEY.as_bytes(), VERSION_1.as_bytes()).unwrap_err();
    assert!(
        error.to_string().contains("tls client certificate = PEM is not possible: it contains a private key"),
        "{error}"
    );
    let error = Tls::webpki().client_certificate(VERSION_1.as_bytes(), VERSION_1.as_bytes()).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("tls client key = PEM is not possible: it contains a certificate and no private key"),
        "{error}"
    );
}

/// `openssl x509 -req -signkey`, which makes version 1 unless given extensions; valid until 2126.
const VERSION_1: &str = "-----BEGIN CERTIFICATE-----
MIIBJTCBywIUd5Ta5+NJ9403xoNGXbILfwuATkUwCgYIKoZIzj0EAwIwFDESMBAG
A1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyODExNDc0OVoYDzIxMjYxMTA0MTE0NzQ5
WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNC
AASQmazfIMq3/bOECvC8fvk5mOqkxCUXtZCk5VMfSB7spVpFkGDkYswKdKMSEq5V
Dqs4WUbUpenigXBtjIRkRl4yMAoGCCqGSM49BAMCA0kAMEYCIQCTPT192zqVAAOB
n1xrA8CcmwMeY6FhrnO9GUsNz4nR7QIhAKd2n+mrQlSp4Z0da/Fnf3sU064oSghN
1m1Oz9lu9xuq
-----END CERTIFICATE-----
";

/// Its key, of use for nothing else.
const VERSION_1_KEY: &str = "-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgbkzZ9vdKFjhsYnUZ
X0Yt6IX+3FFm0lWZmKKZ4sRD1OahRANCAASQmazfIMq3/bOECvC8fvk5mOqkxCUX
tZCk5VMfSB7spVpFkGDkYswKdKMSEq5VDqs4WUbUpenigXBtjIRkRl4y
-----END PRIVATE KEY-----
";
