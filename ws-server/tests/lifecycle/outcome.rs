//! How a connection is closed when its handler returns.

use std::io;
use std::time::Duration;

use crate::common::log::logged;
use crate::common::{Peer, frame, options, reply, run, soon};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};
use ws_server::{Error, Receiver, Sender, Server, WebSocket};

const NORMAL: [u8; 2] = [0x03, 0xe8];
const AWAY: [u8; 2] = [0x03, 0xe9];
const INTERNAL: [u8; 2] = [0x03, 0xf3];

/// Reads a Close with this code, answers it, and reads to the end.
async fn closed(peer: &mut Peer, code: [u8; 2]) {
    assert_eq!(peer.bytes(4).await, reply(0x88, &code));
    peer.send(frame(0x88, &code)).await;
    assert_eq!(peer.rest().await, b"");
}

#[tokio::test]
async fn a_handler_that_returns_closes_with_1000_and_one_that_fails_with_1011_and_a_warning() {
    let (log, _guard) = logged();
    let builder = Server::builder()
        .route("/", async |_: WebSocket| {})
        .route("/ok", async |_: WebSocket| Ok::<(), io::Error>(()))
        .route("/error", async |_: WebSocket| Err::<(), _>(io::Error::other("no such room")));
    let server = run(builder).await;
    for (path, code) in [("/", NORMAL), ("/ok", NORMAL), ("/error", INTERNAL)] {
        let mut peer = server.open(path).await;
        // It has more to say than anybody will look at.
        peer.send(frame(0x82, &[7; 100]).repeat(1000)).await;
        closed(&mut peer, code).await;
        server.until(|stats| stats.connections() == 0).await;
        let line = log.closed().1;
        assert!(line.contains("initiator=Local") && line.contains("sent=1000 received=1000"), "{line}");
    }
    let text = log.text();
    let warnings: Vec<&str> = text.lines().filter(|line| line.contains(" WARN ")).collect();
    assert!(
        matches!(&*warnings, [one] if one.contains("handler failed") && one.contains("error=no such room")),
        "{warnings:?}"
    );
    assert_eq!(text.matches("sent=1011 received=1011").count(), 1);
}

#[tokio::test]
async fn what_a_handler_has_queued_arrives_before_the_close() {
    let handler = async |mut socket: WebSocket| {
        for _ in 0..200 {
            socket.feed(vec![7; 60_000]).await?;
        }
        // Not flushed, and more than the sockets between hold: it waits when the handler returns.
        Ok::<(), Error>(())
    };
    let server = run(Server::builder().route("/", handler)).await;
    let mut peer = server.open("/").await;
    for _ in 0..200 {
        assert_eq!(peer.bytes(4).await, [0x82, 126, 0xea, 0x60]);
        assert_eq!(peer.bytes(60_000).await, vec![7; 60_000]);
    }
    closed(&mut peer, NORMAL).await;
}

#[tokio::test]
async fn a_peer_that_does_not_answer_the_close_is_waited_for_no_longer_than_close_timeout() {
    let mut config = ws_server::Config::server();
    config.close_timeout = Duration::from_millis(300);
    let endpoint = ws_server::Endpoint::new(async |_: WebSocket| {}).connection(config);
    let server = run(Server::builder().endpoint("/", endpoint)).await;
    let mut peer = server.open("/").await;
    assert_eq!(peer.rest().await, reply(0x88, &NORMAL));
    server.until(|stats| stats.open() == 0 && stats.connections() == 0).await;
}

#[tokio::test]
async fn a_peer_that_has_gone_makes_no_warning_of_the_error_that_recv_returned() {
    let (log, _guard) = logged();
    let server = run(Server::builder().route("/", crate::common::echo)).await;
    let peer = server.open("/").await;
    drop(peer);
    server.until(|stats| stats.opened() == 1 && stats.connections() == 0).await;
    let text = log.text();
    assert!(text.contains("handler ended with the error of its connection"), "{text}");
    assert!(!text.contains(" WARN "), "{text}");
}

#[tokio::test]
async fn a_websocket_that_its_handler_has_moved_to_another_task_stays_open() {
    let (give, mut given) = mpsc::unbounded_channel::<WebSocket>();
    let server = run(Server::builder().route("/", move |socket: WebSocket| {
        let given = give.send(socket).map_err(|_| io::Error::other("nobody takes it"));
        async { given }
    }))
    .await;
    let mut peer = server.open("/").await;
    let mut socket = given.recv().await.unwrap();
    server.until(|stats| stats.connections() == 0).await;
    peer.send(frame(0x81, b"still here")).await;
    let message = soon(socket.recv()).await.unwrap().unwrap();
    soon(socket.send(message)).await.unwrap();
    assert_eq!(peer.bytes(12).await, reply(0x81, b"still here"));
    drop(socket);
    assert_eq!(peer.rest().await, reply(0x88, &AWAY));
}

#[tokio::test]
async fn halves_in_other_tasks_outlive_the_handler_that_split_them() {
    let (give, mut given) = mpsc::unbounded_channel::<(Sender, Receiver)>();
    let handler = move |socket: WebSocket| {
        let give = give.clone();
        async move {
            let (sender, receiver) = socket.split();
            give.send((sender, receiver)).map_err(|_| io::Error::other("nobody takes them"))
        }
    };
    let server = run(Server::builder().route("/", handler)).await;
    let mut peer = server.open("/").await;
    let (sender, mut receiver) = given.recv().await.unwrap();
    server.until(|stats| stats.connections() == 0).await;
    peer.send(frame(0x81, b"x")).await;
    let message = soon(receiver.recv()).await.unwrap().unwrap();
    soon(sender.send(message)).await.unwrap();
    assert_eq!(peer.bytes(3).await, reply(0x81, b"x"));
    drop(receiver);
    drop(sender);
    assert_eq!(peer.rest().await, reply(0x88, &AWAY));
}

#[tokio::test]
async fn halves_that_end_with_the_handler_are_closed_as_its_outcome_says() {
    let handler = async |socket: WebSocket| {
        let (sender, _receiver) = socket.split();
        sender.send("hello").await?;
        Err::<(), Error>(Error::Io(io::ErrorKind::Other.into()))
    };
    let server = run(Server::builder().route("/", handler)).await;
    let mut peer = server.open("/").await;
    assert_eq!(peer.bytes(7).await, reply(0x81, b"hello"));
    closed(&mut peer, INTERNAL).await;
}

#[tokio::test]
async fn a_websocket_that_is_dropped_before_the_handler_ends_is_closed_at_once() {
    let (end, ended) = oneshot::channel::<()>();
    let ended = std::sync::Mutex::new(Some(ended));
    let handler = move |socket: WebSocket| {
        let ended = ended.lock().unwrap().take().unwrap();
        async move {
            drop(socket);
            ended.await.unwrap();
        }
    };
    let server = run(Server::builder().route("/", handler)).await;
    let mut peer = server.open("/").await;
    assert_eq!(peer.bytes(4).await, reply(0x88, &AWAY));
    assert_eq!(soon(peer.0.read(&mut [0])).await.unwrap(), 0);
    end.send(()).unwrap();
    server.until(|stats| stats.connections() == 0).await;
}

#[tokio::test]
async fn a_handler_that_goes_on_without_its_websocket_keeps_no_socket() {
    let (done, ended) = oneshot::channel::<()>();
    let ended = std::sync::Mutex::new(Some(ended));
    let handler = move |socket: WebSocket| {
        let ended = ended.lock().unwrap().take();
        async move {
            drop(socket);
            ended.unwrap().await.unwrap();
        }
    };
    let options = options(|options| options.handshake.linger_timeout = Duration::from_millis(50));
    let server = run(Server::builder().route("/", handler).options(options)).await;
    let mut peer = server.open("/").await;
    assert_eq!(peer.bytes(4).await, reply(0x88, &AWAY));
    assert_eq!(peer.rest().await, b"");
    // To bytes for a socket that is closed the system answers with a reset.
    let refused = async {
        while peer.0.write_all(b"x").await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    soon(refused).await;
    assert_eq!(server.stats.connections(), 1, "the handler still runs");
    done.send(()).unwrap();
}

#[tokio::test]
async fn a_websocket_that_another_task_drops_while_its_handler_runs_is_closed_at_once() {
    let (give, mut given) = mpsc::unbounded_channel::<WebSocket>();
    let handler = move |socket: WebSocket| {
        give.send(socket).unwrap();
        std::future::pending::<()>()
    };
    let server = run(Server::builder().route("/", handler)).await;
    let mut peer = server.open("/").await;
    drop(given.recv().await.unwrap());
    assert_eq!(peer.bytes(4).await, reply(0x88, &AWAY));
}
