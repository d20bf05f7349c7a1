//! The examples `tunnel` and `tls`.

#[allow(dead_code, unreachable_pub, reason = "its main is not run here")]
#[path = "../examples/tls.rs"]
mod tls;
#[allow(dead_code, unreachable_pub, reason = "its main is not run here")]
#[path = "../examples/tunnel.rs"]
mod tunnel;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use ws_server::Server;

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(20), future).await.expect("timed out")
}

/// Starts an exit to `target` and an entry, and returns the address of the entry.
async fn tunnel_to(target: SocketAddr) -> SocketAddr {
    let target: Arc<str> = target.to_string().into();
    let server = Server::builder().route("/", move |socket| tunnel::leave(socket, target.clone()));
    let server = server.bind("127.0.0.1:0").await.unwrap();
    let url: Arc<str> = format!("ws://{}/", server.local_addr().unwrap()).into();
    tokio::spawn(server.serve());
    let (listener, entry) = listen().await;
    tokio::spawn(tunnel::enter(listener, url));
    entry
}

#[tokio::test]
async fn a_tunnel_carries_megabytes_both_ways_at_once_and_the_end_of_both() {
    const COUNT: usize = 3_000_000;
    let (listener, address) = listen().await;
    let target = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let (mut reader, mut writer) = stream.split();
        let mut received = vec![0; COUNT];
        let (read, written) = tokio::join!(reader.read_exact(&mut received), writer.write_all(&[2; COUNT]));
        assert!(read.is_ok() && written.is_ok());
        assert!(received.iter().all(|&byte| byte == 1));
        // The client ends its half, which passes through the tunnel.
        reader.read(&mut [0]).await.unwrap()
    });
    let mut client = TcpStream::connect(tunnel_to(address).await).await.unwrap();
    let (mut reader, mut writer) = client.split();
    let mut received = vec![0; COUNT];
    let both = async { tokio::join!(reader.read_exact(&mut received), writer.write_all(&[1; COUNT])) };
    let (read, written) = soon(both).await;
    assert!(read.is_ok() && written.is_ok());
    assert!(received.iter().all(|&byte| byte == 2));
    drop(client);
    assert_eq!(soon(target).await.unwrap(), 0);
}

#[tokio::test]
async fn an_end_at_the_target_comes_out_of_the_tunnel() {
    let (listener, address) = listen().await;
    let target = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"goodbye").await.unwrap();
    });
    let mut client = TcpStream::connect(tunnel_to(address).await).await.unwrap();
    let mut received = Vec::new();
    soon(client.read_to_end(&mut received)).await.unwrap();
    assert_eq!(received, b"goodbye");
    target.await.unwrap();
}

#[tokio::test]
async fn a_tunnel_to_a_target_that_refuses_connections_ends_the_connection() {
    let (listener, address) = listen().await;
    drop(listener);
    let mut client = TcpStream::connect(tunnel_to(address).await).await.unwrap();
    assert!(!matches!(soon(client.read(&mut [0])).await, Ok(1..)), "no byte arrives");
}

#[tokio::test]
async fn the_tls_client_connects_only_to_the_certificate_that_it_trusts() {
    let certificate = || rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (own, other) = (certificate(), certificate());
    let tls = ws_server::Tls::from_pem(own.cert.pem(), own.signing_key.serialize_pem());
    let url = tls::serve(tls).await.unwrap();
    let trust = |pem: String| ws_client::Tls::from_root_pem(pem.as_bytes()).unwrap();
    let (echo, info) = soon(tls::talk(&url, trust(own.cert.pem()))).await.unwrap();
    assert_eq!(echo.unwrap().as_text(), Some("this message is encrypted"));
    assert!(info.is_clean());
    let error = soon(tls::talk(&url, trust(other.cert.pem()))).await.unwrap_err().to_string();
    assert!(error.contains("certificate"), "{error}");
}
