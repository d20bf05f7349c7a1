//! Answers that wait for the backplane.

use std::time::Duration;

use serde_json::{Value, json};
use ws_topics::{EndpointOptions, History, TopicsEndpoint, TopicsOptions};

use crate::endpoint::Client;
use crate::fake::{Health, Net};

/// A server that is connected to a backplane.
async fn server(net: &Net) -> TopicsEndpoint {
    let topics = TopicsOptions::default().history("log/#", History::default().durable(true));
    let options = EndpointOptions::default().publish(true);
    let (endpoint, cluster) = TopicsEndpoint::clustered(topics, options, net.server(0)).unwrap();
    let mut events = endpoint.topics().events();
    tokio::spawn(cluster.run());
    assert_eq!(events.next().await, Some(ws_topics::ClusterEvent::Up));
    endpoint
}

fn publish(id: u64, text: &str) -> Value {
    json!({"type": "publish", "id": id, "topic": "log/a", "text": text, "key": text, "echo": true})
}

#[tokio::test(start_paused = true)]
async fn publish_is_answered_when_the_message_is_stored_and_other_requests_before() {
    let net = Net::new(1);
    let endpoint = server(&net).await;
    let mut client = Client::new(&endpoint, "");
    net.health(0, Health::Stalled);
    client.send(publish(1, "a")).await;
    let (pong, before) = client.ask(json!({"type": "ping", "id": 2})).await;
    assert_eq!((&pong["type"], before.len()), (&json!("pong"), 0));
    assert!(client.is_quiet().await);
    assert_eq!(net.log("log/a").1, 0);
    net.health(0, Health::Well);
    let published = client.next().await;
    let (epoch, head, _) = net.log("log/a");
    let position = json!(format!("{epoch}:{head}"));
    assert_eq!(head, 1);
    let expected = json!({"type": "published", "id": 1, "topic": "log/a", "position": position});
    assert_eq!(published, expected);
    // The same key again: the same answer, and one message.
    let (again, _) = client.ask(publish(3, "a")).await;
    assert_eq!((&again["position"], net.log("log/a").1), (&position, 1));
}

#[tokio::test(start_paused = true)]
async fn publish_is_answered_with_the_error_when_the_backplane_refuses_or_does_not_confirm_it() {
    let net = Net::new(1);
    let endpoint = server(&net).await;
    let mut client = Client::new(&endpoint, "");
    net.refuse("long");
    let (answer, _) = client.ask(publish(1, "long")).await;
    let message = "the message to \"log/a\" is not stored: a payload is over the limit";
    assert_eq!(answer, json!({"type": "error", "id": 1, "code": "limit", "message": message}));
    net.lose_next_answer(0);
    client.send(publish(2, "b")).await;
    tokio::time::sleep(Duration::from_millis(1)).await;
    net.health(0, Health::Dead);
    // That lasts as long as it may be sent again.
    let answer = client.next().await;
    assert_eq!((&answer["type"], &answer["code"]), (&json!("error"), &json!("unconfirmed")));
}

#[tokio::test(start_paused = true)]
async fn subscribe_is_answered_when_the_log_was_read_and_the_messages_come_first() {
    let net = Net::new(1);
    let endpoint = server(&net).await;
    let mut client = Client::new(&endpoint, "");
    let (first, _) = client.ask(publish(1, "a")).await;
    for (id, text) in [(2, "b"), (3, "c")] {
        client.ask(publish(id, text)).await;
    }
    net.health(0, Health::Stalled);
    let subscribe = json!({"type": "subscribe", "id": 4, "topic": "log/a", "since": first["position"]});
    client.send(subscribe).await;
    assert!(client.is_quiet().await);
    net.health(0, Health::Well);
    let mut texts = Vec::new();
    let answer = loop {
        let message = client.next().await;
        if message["type"] != "message" {
            break message;
        }
        texts.push(message["text"].clone());
    };
    assert_eq!(texts, ["b", "c"]);
    let position = json!(format!("{}:3", net.log("log/a").0));
    let expected =
        json!({"type": "subscribed", "id": 4, "topic": "log/a", "position": position, "missed": 2});
    assert_eq!(answer, expected);
}
