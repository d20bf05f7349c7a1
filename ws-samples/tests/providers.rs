//! Two crypto providers in one build: each is used where it is passed, and no default is installed for the process.
#![cfg(feature = "aws-lc-rs")]
#![allow(clippy::unwrap_used)]

#[path = "../../ws-server/tests/common/mod.rs"]
mod common;

use std::sync::Arc;

use common::{echo, opening, run, soon};
use rcgen::generate_simple_self_signed;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use ws_server::rustls::crypto::{CryptoProvider, aws_lc_rs, ring};
use ws_server::rustls::{ClientConfig, RootCertStore};
use ws_server::{Server, Tls};

#[tokio::test]
async fn ring_and_aws_lc_work_in_one_build() {
    let certificate = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate.cert.der().clone()).unwrap();
    for serves in [None, Some(ring::default_provider()), Some(aws_lc_rs::default_provider())] {
        let mut tls = Tls::from_pem(certificate.cert.pem(), certificate.signing_key.serialize_pem());
        if let Some(provider) = serves {
            tls = tls.provider(Arc::new(provider));
        }
        let server = run(Server::builder().route("/", echo).tls(tls)).await;
        for connects in [ring::default_provider(), aws_lc_rs::default_provider()] {
            let config = ClientConfig::builder_with_provider(Arc::new(connects))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_root_certificates(roots.clone())
                .with_no_client_auth();
            let stream = TcpStream::connect(server.address).await.unwrap();
            let connector = TlsConnector::from(Arc::new(config));
            let mut stream = soon(connector.connect("localhost".try_into().unwrap(), stream)).await.unwrap();
            stream.write_all(opening("/", "").as_bytes()).await.unwrap();
            let mut head = [0; 13];
            soon(stream.read_exact(&mut head)).await.unwrap();
            assert_eq!(&head, b"HTTP/1.1 101 ");
        }
    }
    assert!(CryptoProvider::get_default().is_none(), "no default was installed");
}

#[tokio::test]
async fn the_provider_that_is_passed_is_the_one_used() {
    let certificate = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    // A provider without any algorithm: if it is used, no server can be built.
    let useless = CryptoProvider { cipher_suites: Vec::new(), ..aws_lc_rs::default_provider() };
    let tls = Tls::from_pem(certificate.cert.pem(), certificate.signing_key.serialize_pem());
    let server = Server::builder().route("/", echo).tls(tls.provider(Arc::new(useless)));
    let error = server.bind("127.0.0.1:0").await.unwrap_err();
    assert!(error.to_string().starts_with("tls "), "{error}");
}
