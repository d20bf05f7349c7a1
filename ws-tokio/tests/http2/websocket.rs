//! WebSockets on streams of one connection.

use std::sync::Arc;

use bytes::{Buf, Bytes};
use ws_core::{CloseCause, CloseCode, Config, Connection, Event, Message, TransportEnd};
use ws_tokio::http2::Http2Stream;
use ws_tokio::{Error, WebSocket};

use crate::pair::{Peer, pair, settle, soon};

fn websocket(stream: Http2Stream) -> WebSocket<Http2Stream> {
    WebSocket::new(stream, Connection::server(Arc::new(Config::server())), &[])
}

/// The client's side, without a driver.
struct Client {
    connection: Connection,
    peer: Peer,
    input: Vec<u8>,
}

impl Client {
    fn new(peer: Peer) -> Self {
        let connection = Connection::client(Arc::new(Config::client()), [7; 32]);
        Self { connection, peer, input: Vec::new() }
    }

    async fn flush(&mut self) {
        while self.connection.output().has_remaining() {
            let mut output = self.connection.output();
            let chunk = output.chunk().to_vec();
            output.advance(chunk.len());
            self.peer.write(&chunk).await;
        }
    }

    async fn send(&mut self, text: &str) {
        self.connection.send_text(text).unwrap();
        self.flush().await;
    }

    async fn recv(&mut self) -> String {
        loop {
            let mut input = self.input.as_mut_slice();
            let before = input.len();
            let event = self.connection.receive(&mut input).unwrap();
            let event = match event {
                Some(Event::Text(text)) => Some(text.to_string()),
                Some(other) => panic!("{other:?}"),
                None => None,
            };
            let used = before - input.len();
            self.input.drain(..used);
            match event {
                Some(text) => return text,
                None => self.input.extend_from_slice(&self.peer.data().await.expect("it ended")),
            }
        }
    }
}

async fn echo(mut socket: WebSocket<Http2Stream>) -> Result<Option<ws_core::CloseInfo>, Error> {
    while let Some(message) = socket.recv().await? {
        socket.send(message).await?;
    }
    Ok(socket.close_info())
}

#[tokio::test]
async fn a_hundred_websockets_share_a_connection() {
    let mut pair = pair().await;
    let mut clients = Vec::new();
    for _ in 0..100 {
        let (stream, peer) = pair.stream().await;
        clients.push((Client::new(peer), tokio::spawn(echo(websocket(stream)))));
    }
    let large = "x".repeat(70_000);
    for round in 0..3 {
        for (n, (client, _)) in clients.iter_mut().enumerate() {
            client.send(&format!("{round} {n}")).await;
        }
        for (n, (client, _)) in clients.iter_mut().enumerate() {
            assert_eq!(soon(client.recv()).await, format!("{round} {n}"));
        }
    }
    for (mut client, server) in clients {
        client.send(&large).await;
        assert_eq!(soon(client.recv()).await, large);
        client.connection.close(CloseCode::NORMAL_CLOSURE, "").unwrap();
        client.flush().await;
        client.peer.send.send_data(Bytes::new(), true).unwrap();
        let info = soon(server).await.unwrap().unwrap().unwrap();
        assert!(info.is_clean(), "{info:?}");
    }
}

#[tokio::test]
async fn an_end_without_close_is_1006_with_its_cause() {
    let mut pair = pair().await;
    let (stream, mut peer) = pair.stream().await;
    let mut socket = websocket(stream);
    peer.send.send_data(Bytes::new(), true).unwrap();
    assert!(soon(socket.recv()).await.is_err());
    assert_eq!(socket.close_info().unwrap().cause, CloseCause::Transport(TransportEnd::Eof));

    let (stream, mut peer) = pair.stream().await;
    let mut socket = websocket(stream);
    settle().await;
    peer.send.send_reset(h2::Reason::CANCEL);
    assert!(soon(socket.recv()).await.is_err());
    let info = socket.close_info().unwrap();
    assert_eq!(info.cause, CloseCause::Transport(TransportEnd::Reset));
    assert!(!info.is_clean());
}

#[tokio::test]
async fn both_halves_of_a_split_websocket_are_woken() {
    let mut pair = pair().await;
    let (stream, peer) = pair.stream().await;
    let (sender, mut receiver) = websocket(stream).split();
    let mut client = Client::new(peer);
    let receiving = tokio::spawn(async move { receiver.recv().await.unwrap() });
    // More than the window of the client: the sender waits while the receiver does.
    let text = "y".repeat(200_000);
    let sent = text.clone();
    let sending = tokio::spawn(async move { sender.send(sent).await });
    settle().await;
    assert_eq!(soon(client.recv()).await, text);
    soon(sending).await.unwrap().unwrap();
    client.send("woken").await;
    assert_eq!(soon(receiving).await.unwrap(), Some(Message::text("woken")));
}
