//! The client against a server that does not keep to the protocol.

use serde_json::{Value, json};
use ws_client::Client;
use ws_server::{Endpoint, Server};
use ws_topics::{SUBPROTOCOL, SubscribeRequest, TopicsClient};

#[tokio::test]
async fn an_answer_to_something_else_than_was_asked_is_ignored() {
    let answers = |mut socket: ws_server::WebSocket, _| async move {
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
    };
    let endpoint = Endpoint::new(answers).subprotocols([SUBPROTOCOL]);
    let server = Server::builder().endpoint("/", endpoint).bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", server.local_addr().unwrap());
    let _server = tokio::spawn(async move { server.serve().await });
    let client = TopicsClient::new(&Client::new().unwrap(), url.as_str()).unwrap();
    let one = client.subscribe("a", SubscribeRequest::default()).await.unwrap();
    assert_eq!(client.publish("a", "x").await.unwrap(), Some("1:7".parse().unwrap()));
    assert_eq!(client.presence("a").await.unwrap(), []);
    drop(one);
    client.subscribe("a", SubscribeRequest::default()).await.map(drop).unwrap();
}
