//! The shutdown of a server over HTTP/2.

use std::time::Duration;

use ws_server::{CloseCode, Server, WebSocket};

use crate::common::{echo, options, run, soon};
use crate::peer::{Client, connect};

#[tokio::test]
async fn websockets_get_1001_and_then_the_connection_goaway() {
    let options = options(|options| options.drain_spread = Duration::from_millis(100));
    let mut server = run(Server::builder().route("/", echo).options(options)).await;
    let client = Client::connect(&server).await;
    let mut sockets = Vec::new();
    for _ in 0..10 {
        sockets.push(client.open("/").await);
    }
    server.stop();
    for socket in &mut sockets {
        let close = socket.event().await.unwrap().unwrap_err().unwrap();
        assert_eq!(close.code, CloseCode::GOING_AWAY);
    }
    // A new stream is refused, or not begun at all: the client has been told to go.
    assert!(client.ask(connect("/")).await.is_err());
    for socket in &mut sockets {
        socket.flush().await;
        assert!(socket.peer.data().await.is_none(), "END_STREAM");
        socket.peer.end();
    }
    soon(client.task).await.unwrap().unwrap();
    let stats = server.stats.clone();
    let drained = server.drained().await;
    // The WebSockets, and their connection.
    assert_eq!((drained.closed, drained.aborted), (11, 0));
    assert_eq!((stats.open(), stats.connections()), (0, 0));
}

#[tokio::test]
async fn deaf_handlers_are_cut_off_at_the_deadline() {
    let deaf = async |socket: WebSocket| {
        std::future::pending::<()>().await;
        drop(socket);
    };
    let options = options(|options| {
        options.drain_timeout = Duration::from_millis(700);
        options.drain_spread = Duration::from_millis(100);
    });
    let mut server = run(Server::builder().route("/", deaf).options(options)).await;
    let client = Client::connect(&server).await;
    let _socket = client.open("/").await;
    server.stop();
    let stats = server.stats.clone();
    let drained = server.drained().await;
    assert_eq!((drained.closed, drained.aborted), (0, 2));
    assert_eq!((stats.open(), stats.connections()), (0, 0));
    let _ = soon(client.task).await;
}

#[tokio::test]
async fn an_idle_connection_does_not_hold_up_a_shutdown() {
    let mut server = run(Server::builder().route("/", echo).page("/page", "text/plain", "p")).await;
    let client = Client::connect(&server).await;
    client.get(http::Request::get("http://localhost/page")).await;
    let begin = std::time::Instant::now();
    server.stop();
    soon(client.task).await.unwrap().unwrap();
    let drained = server.drained().await;
    assert_eq!((drained.closed, drained.aborted), (1, 0));
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
}
