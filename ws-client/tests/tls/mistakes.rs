//! Mistakes with TLS: each error is one line that says what to do.

use std::sync::Arc;

use super::common::*;
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::TlsAcceptor;
use ws_client::{Blame, ConnectError, Options, Tls, rustls};

#[track_caller]
fn check(error: &ConnectError, blame: Blame, what: &str) {
    let said = error.to_string();
    assert!(said.contains(what) && !said.contains('\n'), "{said}");
    assert_eq!(error.blame(), blame, "{said}");
}

#[tokio::test]
async fn wss_to_a_plain_port_says_to_write_ws() {
    let (address, _serving) = server(|mut stream| async move {
        let mut hello = [0; 2048];
        let _ = stream.read(&mut hello).await;
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await
    })
    .await;
    check(
        &ws_client::connect(format!("wss://{address}")).await.map(|_| ()).unwrap_err(),
        Blame::Server,
        "does not answer in TLS: write ws://",
    );
}

#[tokio::test]
async fn an_invalid_certificate_says_why_and_what_to_do() {
    for (name, from, until, authority, trusted, what) in [
        (
            "localhost",
            2019,
            2040,
            false,
            false,
            "unknown authority: if it is to be trusted, give its root to",
        ),
        ("localhost", 2019, 2020, false, true, "has expired: it is the server's to renew"),
        ("localhost", 2040, 2041, false, true, "not valid yet: is this machine's clock wrong?"),
        ("other.example", 2019, 2040, false, true, "is for other.example: connect by a name that is in it"),
        ("localhost", 2019, 2040, true, true, "make it with basicConstraints=CA:FALSE"),
    ] {
        let mut parameters = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (parameters.not_before, parameters.not_after) =
            (date_time_ymd(from, 1, 1), date_time_ymd(until, 1, 1));
        if authority {
            // As `openssl req -x509` makes them.
            parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.self_signed(&key).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                rustls::pki_types::PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            )
            .unwrap();
        let (address, _serving) =
            server(|stream| async move { TlsAcceptor::from(Arc::new(config)).accept(stream).await }).await;
        let mut options = Options::default();
        if trusted {
            options.tls = Tls::from_root_pem(certificate.pem().as_bytes()).unwrap();
        }
        let url = format!("wss://localhost:{}", address.port());
        let error = options.build().unwrap().connect(url).await.map(|_| ()).unwrap_err();
        check(&error, Blame::Server, what);
        assert!(error.is_fatal() && error.to_string().contains("localhost"), "{error}");
    }
}
