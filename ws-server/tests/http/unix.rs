//! A server on a Unix socket.

use crate::common::{echo, frame, opening, reply, soon};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use ws_server::{Request, Server, WebSocket};

#[tokio::test]
async fn a_unix_socket_serves_as_well_as_a_port() {
    let path = std::env::temp_dir().join(format!("ws-server-{}.sock", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let handler = async |socket: WebSocket, request: Request| {
        assert_eq!(request.peer_addr(), None);
        echo(socket).await
    };
    let listener = UnixListener::bind(&path).unwrap();
    let server = Server::builder().route("/", handler).listener(listener).build().unwrap();
    assert!(server.local_addr().is_err());
    let serving = tokio::spawn(server.serve());
    let mut peer = UnixStream::connect(&path).await.unwrap();
    let mut bytes = opening("/", "").into_bytes();
    bytes.extend(frame(0x81, b"Hello"));
    peer.write_all(&bytes).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(&reply(0x81, b"Hello")) {
        answer.push(soon(peer.read_u8()).await.unwrap());
    }
    assert!(answer.starts_with(b"HTTP/1.1 101 "));
    serving.abort();
    std::fs::remove_file(&path).unwrap();
}
