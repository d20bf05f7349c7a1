//! How long it takes to resume after 10,000 missed messages, over TCP on loopback: `cargo bench -p ws-topics --bench resume`.
//!
//! The time is that of a client that comes back: opening handshake, subscription, and the last of the messages taken.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::{Duration, Instant};

use ws_client::{Client, Message, Request};
use ws_server::{Endpoint, Server};
use ws_topics::{
    EndpointOptions, Event, History, Position, SUBPROTOCOL, SubscribeRequest, TopicsClient, TopicsEndpoint,
    TopicsOptions,
};

const MISSED: usize = 10_000;
const ROUNDS: usize = 15;

#[tokio::main]
async fn main() {
    let history = History::default().max_messages(MISSED).max_bytes(64 << 20);
    let topics = TopicsEndpoint::new(
        TopicsOptions::default().history("kept", history).max_history_bytes(128 << 20),
        EndpointOptions::default(),
    )
    .unwrap();
    let endpoint = Endpoint::new(topics.handler(|_: &ws_server::Request| "")).subprotocols([SUBPROTOCOL]);
    let server = Server::builder().endpoint("/", endpoint).bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", server.local_addr().unwrap());
    tokio::spawn(server.serve());
    topics.topics().publish("kept", "seen").unwrap();
    println!("| size | `TopicsClient` | a plain WebSocket |\n|---|---|---|");
    for size in [64, 1_024] {
        let seen = topics.topics().head("kept").unwrap();
        let text = "x".repeat(size);
        topics.topics().publish_all((0..MISSED).map(|_| ("kept", text.as_str()))).unwrap();
        let (mut clients, mut plain) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            clients.push(with_client(&url, seen).await);
            plain.push(without_client(&url, seen).await);
        }
        println!("| {size} | {:.1} ms | {:.1} ms |", median(clients), median(plain));
    }
}

async fn with_client(url: &str, seen: Position) -> Duration {
    let begun = Instant::now();
    let client = TopicsClient::new(&Client::new().unwrap(), url).unwrap();
    let mut kept = client.subscribe("kept", SubscribeRequest::default().since(seen)).await.unwrap();
    let mut expected = seen.offset + 1;
    while expected <= seen.offset + MISSED as u64 {
        match kept.next().await.unwrap() {
            Event::Message { position, .. } => assert_eq!(position.offset, expected),
            // The client was faster than this function, and has resumed.
            Event::Resumed { .. } => continue,
            other => panic!("{other:?}"),
        }
        expected += 1;
    }
    let time = begun.elapsed();
    client.close().await;
    time
}

async fn without_client(url: &str, seen: Position) -> Duration {
    let begun = Instant::now();
    let request = Request::new(url).unwrap().subprotocol(SUBPROTOCOL);
    let (mut socket, _) = Client::new().unwrap().connect(request).await.unwrap();
    let subscribe = format!(r#"{{"type":"subscribe","id":1,"topic":"kept","since":"{seen}"}}"#);
    socket.send(Message::text(subscribe)).await.unwrap();
    let mut messages = 0;
    while messages < MISSED {
        let message = socket.recv().await.unwrap().unwrap();
        messages += usize::from(message.as_text().unwrap().contains(r#""type":"message""#));
    }
    begun.elapsed()
}

/// In milliseconds.
fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64() * 1e3
}
