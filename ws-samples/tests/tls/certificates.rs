//! Certificates and their files.

use std::fs;
use std::time::Duration;

use rcgen::{CertifiedKey, KeyPair};
use rustls::pki_types::CertificateDer;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use ws_server::{ClientCertificates, Request, Server, Tls, WebSocket};

use super::common::{Running, echo, frame, opening, reply, run, soon};
use super::{certificate, client, connect, exchange, tls};

#[tokio::test]
async fn changed_files_serve_new_connections_and_leave_open_ones_alone() {
    let folder = std::env::temp_dir().join(format!("ws-server-tls-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let (chain, key) = (folder.join("chain.pem"), folder.join("key.pem"));
    let write = |certificate: &CertifiedKey<KeyPair>| {
        fs::write(&key, certificate.signing_key.serialize_pem()).unwrap();
        fs::write(&chain, certificate.cert.pem()).unwrap();
    };
    let (old, new) = (certificate(), certificate());
    write(&old);
    let tls = Tls::from_pem_files(&chain, &key).check_every(Duration::from_millis(20));
    let server = run(Server::builder().route("/", echo).tls(tls)).await;
    let mut before = connect(&server, client(&old, None)).await.unwrap();
    exchange(&mut before, opening("/", ""), b"\r\n\r\n").await.unwrap();

    // An invalid file changes nothing.
    tokio::time::sleep(Duration::from_millis(60)).await;
    fs::write(&chain, "not a certificate").unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    connect(&server, client(&old, None)).await.unwrap();

    write(&new);
    soon(async {
        while connect(&server, client(&new, None)).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    assert!(
        connect(&server, client(&old, None)).await.is_err(),
        "the old certificate is not served any more"
    );
    let answer = exchange(&mut before, frame(0x81, b"x"), &reply(0x81, b"x")).await.unwrap();
    assert_eq!(answer.len(), 3, "an open connection stays open");
    fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test]
async fn a_renewed_certificate_for_the_same_key_is_served() {
    let folder = folder("renewed");
    let (chain, key) = (folder.join("chain.pem"), folder.join("key.pem"));
    let old = certificate();
    fs::write(&chain, old.cert.pem()).unwrap();
    fs::write(&key, old.signing_key.serialize_pem()).unwrap();
    let tls = Tls::from_pem_files(&chain, &key).check_every(Duration::from_millis(20));
    let server = run(Server::builder().route("/", echo).tls(tls)).await;
    connect(&server, client(&old, None)).await.unwrap();

    let params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
    let renewed =
        CertifiedKey { cert: params.self_signed(&old.signing_key).unwrap(), signing_key: old.signing_key };
    // The comment changes the length, in case the time of the file system has a coarse resolution.
    fs::write(&chain, format!("renewed\n{}", renewed.cert.pem())).unwrap();
    served(&server, &renewed).await;
    fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test]
async fn files_that_changed_between_build_and_serve_are_read() {
    let folder = folder("built");
    let (chain, key) = (folder.join("chain.pem"), folder.join("key.pem"));
    let write = |certificate: &CertifiedKey<KeyPair>, comment: &str| {
        fs::write(&key, format!("{comment}{}", certificate.signing_key.serialize_pem())).unwrap();
        fs::write(&chain, format!("{comment}{}", certificate.cert.pem())).unwrap();
    };
    let (old, new) = (certificate(), certificate());
    write(&old, "");
    // Long, so that only the first check can find the change.
    let tls = Tls::from_pem_files(&chain, &key).check_every(Duration::from_secs(3600));
    let built = Server::builder().route("/", echo).tls(tls).bind("127.0.0.1:0").await.unwrap();
    write(&new, "new\n");
    let server = Running::start(built);
    served(&server, &new).await;
    fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test]
async fn a_required_client_certificate_is_verified_and_shown_to_the_handler() {
    let (certificate, friend, stranger) = (certificate(), certificate(), certificate());
    let expected = friend.cert.der().clone();
    let handler = move |mut socket: WebSocket, request: Request| {
        let known = request.peer_certificates() == [CertificateDer::from(expected.to_vec())];
        async move { socket.send(if known { "friend" } else { "?" }).await }
    };
    let tls = tls(&certificate).client_certificates(friend.cert.pem(), ClientCertificates::Required);
    let server = run(Server::builder().route("/", handler).tls(tls)).await;
    let mut stream = connect(&server, client(&certificate, Some(&friend))).await.unwrap();
    exchange(&mut stream, opening("/", ""), &reply(0x81, b"friend")).await.unwrap();
    for shown in [None, Some(&stranger)] {
        // With TLS 1.3 a client receives the refusal only when it reads.
        let refused = match connect(&server, client(&certificate, shown)).await {
            Ok(mut stream) => exchange(&mut stream, opening("/", ""), b"\r\n\r\n").await.is_err(),
            Err(_) => true,
        };
        assert!(refused);
    }
    server.until(|stats| stats.failed_handshakes() == 2).await;
}

#[tokio::test]
async fn certificates_that_cannot_be_used_are_named() {
    let (one, other) = (certificate(), certificate());
    let key = one.signing_key.serialize_pem();
    for (tls, named) in [
        (Tls::from_pem_files("/nonexistent/chain.pem", "/nonexistent/key.pem"), "/nonexistent/chain.pem"),
        (Tls::from_pem("garbage", key.clone()), "at least one certificate"),
        (Tls::from_pem(one.cert.pem(), "garbage"), "a private key in PEM"),
        (Tls::from_pem(other.cert.pem(), key.clone()), "it must be the key of the first certificate in PEM"),
        (Tls::from_pem(key.clone(), one.cert.pem()), "holds a private key; are the two exchanged?"),
        (Tls::from_pem(one.cert.pem(), one.cert.pem()), "holds a certificate; are the two exchanged?"),
        (Tls::from_pem(one.cert.der().to_vec(), key.clone()), "openssl x509 -inform der"),
        (Tls::from_pem(one.cert.pem(), one.signing_key.serialize_der()), "openssl pkey -inform der"),
        (Tls::from_pem(one.cert.pem(), ENCRYPTED), "it is encrypted"),
        (Tls::from_pem(RSA_1024, RSA_1024), "RSA with at least 2048 bits"),
        (Tls::from_pem(X509_V1, X509_V1), "X.509 version 3"),
        (tls(&one).client_certificates("garbage", ClientCertificates::Required), "tls client roots"),
        (tls(&one).check_every(Duration::ZERO), "check_every"),
    ] {
        let error = Server::builder().route("/", echo).tls(tls).bind("127.0.0.1:0").await.unwrap_err();
        assert!(error.to_string().contains(named), "{error}");
        assert!(!error.to_string().contains("BEGIN"), "{error}");
        assert_eq!(error.to_string().lines().count(), 1, "{error}");
    }
}

/// Creates a folder for the files of one test.
fn folder(test: &str) -> std::path::PathBuf {
    let folder = std::env::temp_dir().join(format!("ws-server-{test}-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// Waits until new connections are served with this certificate.
async fn served(server: &Running, certificate: &CertifiedKey<KeyPair>) {
    let is_shown = |stream: &TlsStream<TcpStream>| {
        stream.get_ref().1.peer_certificates() == Some(&[certificate.cert.der().clone()][..])
    };
    soon(async {
        while !connect(server, client(certificate, None)).await.is_ok_and(|stream| is_shown(&stream)) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

const RSA_1024: &str = include_str!("../pem/rsa-1024.pem");
const X509_V1: &str = include_str!("../pem/x509-v1.pem");
const ENCRYPTED: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n";
