//! The client against a server that does not keep to the protocol, or sends more than is taken.

use std::future::Future;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;
use ws_client::Client;
use ws_server::{Endpoint, Server};
use ws_topics::{Event, SUBPROTOCOL, SubscribeRequest, TopicsClient};

/// A client of a server that does with each connection what `serve` does.
async fn client_of<F: Future<Output = ()> + Send + 'static>(
    serve: impl Fn(ws_server::WebSocket) -> F + Send + Sync + 'static,
) -> TopicsClient {
    let endpoint = Endpoint::new(move |socket, _| serve(socket)).subprotocols([SUBPROTOCOL]);
    let server = Server::builder().endpoint("/", endpoint).bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", server.local_addr().unwrap());
    tokio::spawn(async move { server.serve().await });
    TopicsClient::new(&Client::new().unwrap(), url.as_str()).unwrap()
}

#[tokio::test]
async fn an_answer_to_something_else_than_was_asked_is_ignored() {
    let client = client_of(|mut socket| async move {
        while let Ok(Some(request)) = socket.recv().await {
            let request: Value = serde_json::from_str(request.as_text().unwrap()).unwrap();
            let (id, asked) = (&request["id"], request["type"].as_str().unwrap());
            let answer = |kind: &str, topic: &Value| json!({"type": kind, "id": id, "topic": topic, "position": "1:7", "members": []});
            let all = ["subscribed", "unsubscribed", "published", "members", "pong"];
            let (right, wrong): (Vec<_>, Vec<_>) = all
                .into_iter()
                .partition(|kind| kind.starts_with(asked) || (*kind, asked) == ("members", "presence"));
            for kind in wrong {
                socket.send(answer(kind, &request["topic"]).to_string()).await.unwrap();
            }
            // What it was about is known by the number.
            socket.send(answer(right[0], &json!("elsewhere")).to_string()).await.unwrap();
        }
    })
    .await;
    let asked = async {
        let one = client.subscribe("a", SubscribeRequest::default()).await.unwrap();
        assert_eq!(client.publish("a", "x").await.unwrap(), Some("1:7".parse().unwrap()));
        assert_eq!(client.presence("a").await.unwrap(), []);
        drop(one);
        client.subscribe("a", SubscribeRequest::default()).await.map(drop).unwrap();
    };
    timeout(Duration::from_secs(60), asked).await.expect("each request gets its answer");
}

/// How many messages the history of `flood` has, and how long each is.
const KEPT: u64 = 24;
const LONG: usize = 4 << 10;

/// A server that sends whatever its history has at once, and answers other requests after that.
async fn flood(mut socket: ws_server::WebSocket) {
    while let Ok(Some(request)) = socket.recv().await {
        let request: Value = serde_json::from_str(request.as_text().unwrap()).unwrap();
        let (id, asked) = (&request["id"], request["type"].as_str().unwrap());
        let seen = request["since"].as_str().map_or(0, |since| since[2..].parse().unwrap());
        let kind = if asked == "presence" { "members".into() } else { format!("{asked}d") };
        let answer = json!({"type": kind, "id": id, "topic": "a", "position": "1:0", "missed": KEPT - seen, "members": []});
        socket.send(answer.to_string()).await.unwrap();
        for number in seen + 1..=KEPT {
            let position = format!("1:{number}");
            let message =
                json!({"type": "message", "topic": "a", "position": position, "text": "x".repeat(LONG)});
            if asked == "subscribe" {
                socket.send(message.to_string()).await.unwrap();
            }
        }
    }
}

/// Takes all messages, each after all that may wait does, and returns how many there were between resumptions.
async fn taken_between_resumptions(client: &TopicsClient, request: SubscribeRequest) -> Vec<u64> {
    let mut slow = client.subscribe("a", request).await.unwrap();
    let (mut expected, mut taken) = (1, vec![0]);
    while expected <= KEPT {
        client.presence("a").await.unwrap();
        match slow.next().await.unwrap() {
            Event::Message { position, .. } => {
                assert_eq!(position.offset, expected);
                expected += 1;
                *taken.last_mut().unwrap() += 1;
            }
            Event::Resumed { .. } => taken.push(0),
            other => panic!("{other:?}"),
        }
        assert!(taken.len() < 100, "it does not come further: {taken:?}");
    }
    taken
}

#[tokio::test]
async fn what_waits_for_a_subscription_is_bounded_in_bytes_and_what_is_beyond_comes_when_that_is_taken() {
    let client = client_of(flood).await;
    let four = SubscribeRequest::default().max_waiting_bytes(4 * (LONG + 1));
    assert_eq!(taken_between_resumptions(&client, four).await, [4; 6]);
    // One message may wait, however long it is.
    let one = SubscribeRequest::default().max_waiting_bytes(1);
    assert_eq!(taken_between_resumptions(&client, one).await, [1; 24]);
    let all = SubscribeRequest::default();
    assert_eq!(taken_between_resumptions(&client, all).await, [KEPT]);
}

#[tokio::test]
async fn a_subscription_with_the_least_bound_on_events_comes_further_with_each_resumption() {
    let client = client_of(flood).await;
    let taken = taken_between_resumptions(&client, SubscribeRequest::default().max_waiting(1)).await;
    assert!(!taken.contains(&0), "{taken:?}");
    let unbounded = SubscribeRequest::default().max_waiting(usize::MAX).max_waiting_bytes(usize::MAX);
    assert_eq!(taken_between_resumptions(&client, unbounded).await, [KEPT]);
}
