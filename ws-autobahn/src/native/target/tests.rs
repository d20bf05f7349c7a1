//! Tests of addresses and connections.

use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

#[test]
fn addresses_of_targets_are_parsed() {
    let read = |url: &str| url.parse::<Address>();
    let address = read("ws://example.org:9001/echo?x=1#part").unwrap();
    assert_eq!((&address.authority[..], &address.path[..]), ("example.org:9001", "/echo?x=1"));
    assert_eq!(address.url().unwrap(), "ws://example.org:9001/echo?x=1");
    assert_eq!(read("ws://[::1]:80").unwrap().path, "/");
    assert_eq!(read("ws://localhost").unwrap().authority, "localhost:80");
    assert_eq!(read("ws://localhost:1?a").unwrap().path, "/?a");
    let tls = read("wss://localhost/chat").unwrap();
    assert_eq!((tls.scheme, &tls.authority[..]), (Scheme::Tls, "localhost:443"));
    for (url, path) in [("unix:/run/a.sock", "/"), ("unix:/run/a.sock:/chat?x", "/chat?x")] {
        let address = read(url).unwrap();
        assert_eq!((address.scheme, &address.path[..]), (Scheme::Unix("/run/a.sock".into()), path));
    }
    for wrong in ["http://x", "ws://", "ws:///path", "x", "unix:", "unix::/a"] {
        assert!(read(wrong).unwrap_err().contains("ws://host:port/path"), "{wrong}");
    }
}

#[test]
fn a_file_without_certificates_is_refused_with_its_name() {
    let address: Address = "wss://localhost".parse().unwrap();
    let error = Target::new(address, &Trust::File("/dev/null".into()), Version::Http1).unwrap_err();
    assert!(error.starts_with("--ca /dev/null: "), "{error}");
}

/// Checks that bytes written to a connection come back.
async fn echoes(target: &Target) -> Result<(), String> {
    let mut stream = target.connect(Duration::from_secs(30)).await?;
    stream.write_all(b"hello").await.map_err(|e| e.to_string())?;
    let mut back = [0; 5];
    stream.read_exact(&mut back).await.map_err(|e| e.to_string())?;
    assert_eq!(&back, b"hello");
    Ok(())
}

async fn echo(stream: impl AsyncRead + AsyncWrite) {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let _ = tokio::io::copy(&mut reader, &mut writer).await;
}

/// Listens with TLS and echoes; returns the address and the certificate.
async fn tls_server(protocols: &[&[u8]]) -> (Address, String) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::from_pem_slice(made.signing_key.serialize_pem().as_bytes()).unwrap();
    let mut config =
        rustls::ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("wss://localhost:{}/", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A client that does not trust the certificate ends the handshake.
            if let Ok(stream) = acceptor.accept(stream).await {
                tokio::spawn(echo(stream));
            }
        }
    });
    (address.parse().unwrap(), made.cert.pem())
}

#[tokio::test]
async fn a_server_over_tls_is_reached_when_its_certificate_is_trusted() {
    let (address, certificate) = tls_server(&[]).await;
    let file = std::env::temp_dir().join(format!("ws-autobahn-ca-{}.pem", std::process::id()));
    fs::write(&file, certificate).unwrap();
    for trust in [Trust::File(file.clone()), Trust::Anything] {
        echoes(&Target::new(address.clone(), &trust, Version::Http1).unwrap()).await.unwrap();
    }
    let error = echoes(&Target::new(address, &Trust::Public, Version::Http1).unwrap()).await.unwrap_err();
    assert!(error.starts_with("TLS: "), "{error}");
    fs::remove_file(file).unwrap();
}

#[tokio::test]
async fn http_2_over_tls_needs_a_server_that_chooses_it_by_alpn() {
    let target = |address| Target::new(address, &Trust::Anything, Version::Http2).unwrap();
    let (address, _) = tls_server(&[b"http/1.1", b"h2"]).await;
    echoes(&target(address)).await.unwrap();
    let (address, _) = tls_server(&[]).await;
    let error = echoes(&target(address)).await.unwrap_err();
    assert_eq!(error, "TLS: the server does not choose h2 by ALPN");
}

#[cfg(unix)]
#[tokio::test]
async fn a_server_on_a_unix_socket_is_reached() {
    let file = std::env::temp_dir().join(format!("ws-autobahn-{}.sock", std::process::id()));
    let listener = tokio::net::UnixListener::bind(&file).unwrap();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        echo(stream).await;
    });
    let address = format!("unix:{}:/chat", file.display()).parse().unwrap();
    echoes(&Target::new(address, &Trust::Public, Version::Http1).unwrap()).await.unwrap();
    fs::remove_file(file).unwrap();
}
