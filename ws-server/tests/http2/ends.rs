//! How a WebSocket over HTTP/2 ends.

use std::time::Duration;

use h2::Reason;
use tokio::sync::mpsc;
use ws_server::ws_core::{CloseCause, TransportEnd};
use ws_server::{CloseCode, CloseInfo, Server, WebSocket};

use crate::common::{Running, echo, options, run, soon};
use crate::peer::Client;

/// A server that reports how each WebSocket ended.
async fn reporting() -> (Running, mpsc::UnboundedReceiver<CloseInfo>) {
    let (sender, ends) = mpsc::unbounded_channel();
    let handler = move |mut socket: WebSocket| {
        let sender = sender.clone();
        async move {
            while let Ok(Some(message)) = socket.recv().await {
                let _ = socket.send(message).await;
            }
            let _ = sender.send(socket.close_info().unwrap());
        }
    };
    let options = options(|options| {
        options.max_connections = Some(1);
        options.overload_wait = Duration::from_secs(5);
    });
    (run(Server::builder().route("/", handler).options(options)).await, ends)
}

#[tokio::test]
async fn an_end_or_a_reset_without_close_is_1006_with_its_cause_and_releases_the_permit() {
    let (server, mut ends) = reporting().await;
    let client = Client::connect(&server).await;
    let mut socket = client.open("/").await;
    socket.echo("one").await;
    socket.peer.end();
    let info = soon(ends.recv()).await.unwrap();
    assert_eq!(info.cause, CloseCause::Transport(TransportEnd::Eof));
    assert!(!info.is_clean());

    // There is one permit: it is there again.
    let mut socket = client.open("/").await;
    socket.echo("two").await;
    socket.peer.send.send_reset(Reason::CANCEL);
    let info = soon(ends.recv()).await.unwrap();
    assert_eq!(info.cause, CloseCause::Transport(TransportEnd::Reset));

    let mut socket = client.open("/").await;
    socket.echo("three").await;
    client.task.abort();
    let info = soon(ends.recv()).await.unwrap();
    assert!(!info.is_clean(), "{info:?}");
    server.until(|stats| (stats.open(), stats.connections()) == (0, 0)).await;
}

#[tokio::test]
async fn after_the_closing_handshake_the_server_ends_the_stream() {
    let (server, mut ends) = reporting().await;
    let client = Client::connect(&server).await;
    let mut socket = client.open("/").await;
    socket.connection.close(CloseCode::NORMAL_CLOSURE, "bye").unwrap();
    socket.flush().await;
    let close = socket.event().await.unwrap().unwrap_err().unwrap();
    assert_eq!(close.code, CloseCode::NORMAL_CLOSURE);
    assert!(socket.peer.data().await.is_none(), "END_STREAM, and no reset");
    socket.peer.end();
    assert!(soon(ends.recv()).await.unwrap().is_clean());
    // The connection goes on.
    client.open("/").await.echo("next").await;
}

#[tokio::test]
async fn a_stream_that_the_peer_keeps_open_past_the_linger_is_reset() {
    let options = options(|options| options.handshake.linger_timeout = Duration::from_millis(100));
    let server = run(Server::builder().route("/", echo).options(options)).await;
    let client = Client::connect(&server).await;
    let mut socket = client.open("/").await;
    socket.connection.close(CloseCode::NORMAL_CLOSURE, "").unwrap();
    socket.flush().await;
    socket.event().await.unwrap().unwrap_err();
    assert!(socket.peer.data().await.is_none());
    let reason = soon(std::future::poll_fn(|cx| socket.peer.send.poll_reset(cx))).await;
    assert!(reason.is_ok(), "{reason:?}");
    server.until(|stats| stats.open() == 0).await;
    client.open("/").await.echo("next").await;
}

#[tokio::test]
async fn a_fault_on_one_websocket_ends_its_stream_alone() {
    let server = run(Server::builder().route("/", echo)).await;
    let client = Client::connect(&server).await;
    let (mut faulty, mut other) = (client.open("/").await, client.open("/").await);
    // Not masked.
    faulty.peer.write(b"\x81\x01x").await;
    let close = faulty.event().await.unwrap().unwrap_err().unwrap();
    assert_eq!(close.code, CloseCode::PROTOCOL_ERROR);
    assert!(faulty.peer.data().await.is_none());
    other.echo("nothing noticed").await;
}

#[tokio::test]
async fn a_panic_of_a_handler_ends_its_stream_alone() {
    let panics = async |mut socket: WebSocket| {
        let message = socket.recv().await.unwrap();
        assert!(message.is_none(), "as the test asks");
    };
    let server = run(Server::builder().route("/", echo).route("/panics", panics)).await;
    let client = Client::connect(&server).await;
    let (mut faulty, mut other) = (client.open("/panics").await, client.open("/").await);
    faulty.send("now").await;
    let close = faulty.event().await.unwrap().unwrap_err().unwrap();
    assert_eq!(close.code, CloseCode::INTERNAL_ERROR);
    other.echo("nothing noticed").await;
    server.until(|stats| (stats.panicked(), stats.open()) == (1, 1)).await;
}

#[tokio::test]
async fn a_connection_without_a_stream_is_closed_with_goaway_when_it_is_idle() {
    let options = options(|options| {
        options.http2.as_mut().unwrap().idle_timeout = Duration::from_millis(200);
    });
    let server = run(Server::builder().route("/", echo).options(options)).await;
    let client = Client::connect(&server).await;
    let mut socket = client.open("/").await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    socket.echo("an idle WebSocket keeps it").await;
    socket.peer.send.send_reset(Reason::CANCEL);
    drop(socket);
    soon(client.task).await.unwrap().unwrap();
    server.until(|stats| stats.connections() == 0).await;
}
