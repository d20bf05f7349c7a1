//! Many WebSockets on one connection.

use bytes::Bytes;
use h2::client;
use tokio::sync::watch;
use ws_server::{Config, Endpoint, Error, Server, WebSocket};

use crate::common::{echo, options, run, soon};
use crate::peer::{Client, connect};

#[tokio::test]
async fn a_hundred_websockets_on_one_connection_echo() {
    let server = run(Server::builder().route("/", echo)).await;
    let client = Client::connect(&server).await;
    let mut sockets = Vec::new();
    for _ in 0..100 {
        sockets.push(client.open("/").await);
    }
    assert_eq!((server.stats.open(), server.stats.connections()), (100, 1));
    for round in 0..3 {
        for (n, socket) in sockets.iter_mut().enumerate() {
            socket.send(&format!("{round} {n}")).await;
        }
        for (n, socket) in sockets.iter_mut().enumerate() {
            assert_eq!(socket.recv().await, format!("{round} {n}"));
        }
    }
    drop(sockets);
    server.until(|stats| stats.open() == 0).await;
}

#[tokio::test]
async fn permits_are_for_websockets_and_each_has_one() {
    let options = options(|options| {
        options.max_connections = Some(2);
        options.overload_wait = std::time::Duration::ZERO;
    });
    let server = run(Server::builder().route("/", echo).options(options)).await;
    let client = Client::connect(&server).await;
    let (first, _second) = (client.open("/").await, client.open("/").await);
    let third = client.ask(connect("/")).await.unwrap();
    assert_eq!(
        (third.head.status().as_u16(), &third.head.headers()["retry-after"]),
        (503, &"5".parse().unwrap())
    );
    // The pool is the same over HTTP/1.1.
    let answer = crate::common::ask(&server, crate::common::opening("/", "")).await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    drop(first);
    server.until(|stats| stats.open() == 1).await;
    client.open("/").await.echo("there is room").await;
}

#[tokio::test]
async fn a_mebibyte_goes_each_way() {
    let endpoint = Endpoint::new(echo).connection(Config::server().max_message_size(2 << 20));
    let server = run(Server::builder().endpoint("/", endpoint)).await;
    let client = Client::connect(&server).await;
    let mut socket = client.open("/").await;
    socket.echo(&"m".repeat(1 << 20)).await;
}

#[tokio::test]
async fn a_websocket_that_is_not_read_holds_up_no_other_in_either_direction() {
    // The handler sends to a client that does not read, and reads nothing that the client sends.
    let (release, released) = watch::channel(false);
    let deaf = move |mut socket: WebSocket| {
        let mut released = released.clone();
        async move {
            let sending = async {
                loop {
                    socket.send("x".repeat(10_000)).await?;
                }
            };
            tokio::select! {
                _ = released.wait_for(|released| *released) => Ok::<(), Error>(()),
                sent = sending => sent,
            }
        }
    };
    let server = run(Server::builder().route("/", echo).route("/deaf", deaf)).await;
    let mut builder = client::Builder::new();
    // For one slow stream, and some more.
    builder.initial_window_size(64 << 10).initial_connection_window_size(1 << 20);
    let client = Client::with(&server, &builder).await;
    let mut slow = Vec::new();
    for _ in 0..4 {
        slow.push(client.open("/deaf").await);
    }
    let mut other = client.open("/").await;
    for _ in 0..20 {
        soon(other.echo(&"y".repeat(50_000))).await;
    }
    release.send(true).unwrap();
    drop(slow);
}

#[tokio::test]
async fn thousands_of_tiny_messages_to_a_busy_handler_end_nothing() {
    let (release, released) = watch::channel(false);
    let busy = move |mut socket: WebSocket| {
        let mut released = released.clone();
        async move {
            let _ = released.wait_for(|released| *released).await;
            let mut count = 0;
            while let Some(message) = socket.recv().await? {
                if message.as_text() == Some("end") {
                    socket.send(count.to_string()).await?;
                }
                count += 1;
            }
            Ok::<(), Error>(())
        }
    };
    let server = run(Server::builder().route("/", echo).route("/busy", busy)).await;
    let client = Client::connect(&server).await;
    let (mut busy, mut other) = (client.open("/busy").await, client.open("/").await);
    // A DATA frame for each, as a browser sends them: masked with zeros, one byte each, up to the window.
    for _ in 0..9_000 {
        busy.peer.send.send_data(Bytes::from_static(b"\x81\x81\0\0\0\0x"), false).unwrap();
    }
    for n in 0..50 {
        other.echo(&format!("{n}")).await;
    }
    release.send(true).unwrap();
    busy.peer.write(b"\x81\x83\0\0\0\0end").await;
    assert_eq!(busy.recv().await, "9000");
    assert!(!client.task.is_finished());
}
