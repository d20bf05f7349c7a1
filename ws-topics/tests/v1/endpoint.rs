//! What a client sends, and what it gets.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{DuplexStream, duplex};
use tokio::task::JoinHandle;
use ws_tokio::{Config, Error, Message, Role, WebSocket};
use ws_topics::{Action, EndpointOptions, History, TopicsEndpoint, TopicsOptions};

pub struct Client {
    pub socket: WebSocket<DuplexStream>,
    pub serving: JoinHandle<Result<(), Error>>,
}

impl Client {
    pub fn new(endpoint: &TopicsEndpoint, identity: &'static str) -> Self {
        Self::over(1 << 20, Config::server(), endpoint, identity)
    }

    fn over(pipe: usize, config: Config, endpoint: &TopicsEndpoint, identity: &'static str) -> Self {
        let (near, far) = duplex(pipe);
        let socket = WebSocket::from_raw(far, Role::Server, config).unwrap();
        let endpoint = endpoint.clone();
        let serving = tokio::spawn(async move { endpoint.run(socket, identity).await });
        Self { socket: WebSocket::from_raw(near, Role::Client, Config::client()).unwrap(), serving }
    }

    pub async fn send(&mut self, request: Value) {
        self.socket.send(request.to_string()).await.unwrap();
    }

    pub async fn next(&mut self) -> Value {
        let message = self.socket.recv().await.unwrap().unwrap();
        serde_json::from_str(message.as_text().unwrap()).unwrap()
    }

    /// Sends a request; returns its answer, and what came before it.
    pub async fn ask(&mut self, request: Value) -> (Value, Vec<Value>) {
        let id = request["id"].clone();
        self.send(request).await;
        let mut before = Vec::new();
        loop {
            let message = self.next().await;
            if message.get("id") == Some(&id) {
                return (message, before);
            }
            before.push(message);
        }
    }

    /// Whether nothing arrives; the clock is stopped, so that this takes no time.
    pub async fn is_quiet(&mut self) -> bool {
        tokio::time::timeout(Duration::from_secs(1), self.socket.recv()).await.is_err()
    }
}

fn endpoint(options: EndpointOptions) -> TopicsEndpoint {
    let topics = TopicsOptions::default().history("kept/#", History::default().max_messages(3));
    TopicsEndpoint::new(topics, options).unwrap()
}

pub fn open() -> TopicsEndpoint {
    endpoint(EndpointOptions::default().publish(true))
}

fn texts(messages: &[Value]) -> Vec<&str> {
    messages.iter().map(|message| message["text"].as_str().unwrap_or("gap")).collect()
}

#[tokio::test(start_paused = true)]
async fn a_subscriber_gets_messages_with_their_topic_and_position() {
    let endpoint = open();
    let mut client = Client::new(&endpoint, "");
    let (answer, _) = client.ask(json!({"type": "subscribe", "id": 1, "topic": "a/b"})).await;
    assert_eq!((&answer["type"], &answer["topic"]), (&json!("subscribed"), &json!("a/b")));
    let (epoch, offset) = answer["position"].as_str().unwrap().split_once(':').unwrap();
    assert_eq!((offset, answer.get("missed")), ("0", None));
    endpoint.topics().publish("a/b", "hi \"you\"").unwrap();
    endpoint.topics().publish("a/b", Message::binary(vec![0_u8, 255])).unwrap();
    let position = |offset| json!(format!("{epoch}:{offset}"));
    let text = json!({"type": "message", "topic": "a/b", "position": position(1), "text": "hi \"you\""});
    assert_eq!(client.next().await, text);
    let binary = json!({"type": "message", "topic": "a/b", "position": position(2), "base64": "AP8="});
    assert_eq!(client.next().await, binary);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_comes_back_with_its_position_gets_what_it_missed() {
    let endpoint = open();
    let mut client = Client::new(&endpoint, "");
    client.ask(json!({"type": "subscribe", "id": 1, "topic": "kept/a"})).await;
    endpoint.topics().publish("kept/a", "1").unwrap();
    let seen = client.next().await["position"].clone();
    drop(client);
    endpoint.topics().publish_all([("kept/a", "2"), ("kept/a", "3")]).unwrap();
    let mut client = Client::new(&endpoint, "");
    let again = json!({"type": "subscribe", "id": 1, "topic": "kept/a", "since": seen});
    let (answer, before) = client.ask(again.clone()).await;
    assert_eq!((texts(&before), &answer["missed"]), (vec!["2", "3"], &json!(2)));
    drop(client);
    // More than the history keeps.
    for text in ["4", "5", "6"] {
        endpoint.topics().publish("kept/a", text).unwrap();
    }
    let mut client = Client::new(&endpoint, "");
    let (answer, before) = client.ask(again).await;
    assert_eq!((texts(&before), answer.get("missed")), (vec!["gap", "4", "5", "6"], Some(&json!(null))));
    assert_eq!((&before[0]["type"], &before[0]["lost"]), (&json!("gap"), &json!(2)));
}

#[tokio::test(start_paused = true)]
async fn last_begins_with_the_latest_messages_of_the_history() {
    let endpoint = open();
    endpoint.topics().publish_all([("kept/a", "1"), ("kept/a", "2")]).unwrap();
    let mut client = Client::new(&endpoint, "");
    let (answer, before) =
        client.ask(json!({"type": "subscribe", "id": 1, "topic": "kept/a", "last": 1})).await;
    assert_eq!((texts(&before), answer.get("missed")), (vec!["2"], None));
}

#[tokio::test(start_paused = true)]
async fn a_publication_reaches_all_subscribers_and_its_own_client_unless_it_asks_otherwise() {
    let endpoint = open();
    let (mut ada, mut bob) = (Client::new(&endpoint, "ada"), Client::new(&endpoint, "bob"));
    for client in [&mut ada, &mut bob] {
        client.ask(json!({"type": "subscribe", "id": 1, "topic": "a"})).await;
    }
    let (answer, before) = ada.ask(json!({"type": "publish", "id": 2, "topic": "a", "text": "one"})).await;
    assert_eq!((texts(&before), &answer["type"]), (vec!["one"], &json!("published")));
    let (answer, before) =
        ada.ask(json!({"type": "publish", "id": 3, "topic": "a", "text": "two", "echo": false})).await;
    assert_eq!((before.len(), answer["position"].as_str().unwrap().ends_with(":2")), (0, true));
    assert_eq!([bob.next().await["text"].clone(), bob.next().await["text"].clone()], ["one", "two"]);
    let (answer, _) = ada.ask(json!({"type": "publish", "id": 4, "topic": "nobody", "text": "x"})).await;
    assert_eq!(answer["position"], json!(null));
}

#[tokio::test(start_paused = true)]
async fn a_publication_that_is_repeated_with_its_key_is_published_once() {
    let endpoint = open();
    let mut reader = Client::new(&endpoint, "");
    reader.ask(json!({"type": "subscribe", "id": 1, "topic": "a"})).await;
    let publish = json!({"type": "publish", "id": 2, "topic": "a", "text": "once", "key": "k1"});
    let (first, _) = Client::new(&endpoint, "ada").ask(publish.clone()).await;
    let (second, _) = Client::new(&endpoint, "ada").ask(publish.clone()).await;
    assert_eq!(first, second);
    assert_eq!(reader.next().await["text"], "once");
    assert!(reader.is_quiet().await);
    // The same key of somebody else is another one.
    let (third, _) = Client::new(&endpoint, "bob").ask(publish).await;
    assert_ne!(first, third);
}

#[tokio::test(start_paused = true)]
async fn a_publication_that_is_repeated_after_its_key_is_forgotten_is_published_again() {
    let open = || EndpointOptions::default().publish(true);
    for (options, seconds) in [(open(), 120), (open().publish_key_age(Duration::from_secs(3_600)), 3_600)] {
        let endpoint = endpoint(options);
        let publish = json!({"type": "publish", "id": 1, "topic": "kept/a", "text": "x", "key": "k1"});
        let mut positions = Vec::new();
        for wait in [0, seconds - 1, 2] {
            tokio::time::advance(Duration::from_secs(wait)).await;
            let (answer, _) = Client::new(&endpoint, "ada").ask(publish.clone()).await;
            let position = answer["position"].as_str().unwrap();
            positions.push(position.split_once(':').unwrap().1.to_owned());
        }
        assert_eq!(positions, ["1", "1", "2"], "after {seconds} seconds");
    }
}

#[tokio::test(start_paused = true)]
async fn clients_may_not_publish_unless_the_server_allows_it() {
    let endpoint = endpoint(EndpointOptions::default());
    let mut client = Client::new(&endpoint, "");
    let (answer, _) = client.ask(json!({"type": "publish", "id": 1, "topic": "a", "text": "x"})).await;
    assert_eq!((&answer["type"], &answer["code"]), (&json!("error"), &json!("forbidden")));
}

#[tokio::test(start_paused = true)]
async fn the_hook_decides_for_each_identity_topic_and_action() {
    let endpoint =
        endpoint(EndpointOptions::default().publish(true).authorize(|access| match access.action {
            Action::Subscribe => access.topic == "room",
            Action::Publish => access.identity == "ada",
            _ => access.identity == "bob",
        }));
    let mut clients = [Client::new(&endpoint, "ada"), Client::new(&endpoint, "bob")];
    let (ada, bob) = (0, 1);
    let subscribe = |topic| json!({"type": "subscribe", "id": 1, "topic": topic});
    let publish = json!({"type": "publish", "id": 2, "topic": "room", "text": "x"});
    let presence = json!({"type": "presence", "id": 3, "topic": "room"});
    let watch = json!({"type": "subscribe", "id": 4, "topic": "room", "watch": true});
    let present = json!({"type": "subscribe", "id": 5, "topic": "room", "present": "Ada"});
    for (client, request, kind) in [
        (ada, subscribe("#"), "error"),
        (ada, publish.clone(), "published"),
        (ada, presence.clone(), "error"),
        (ada, watch.clone(), "error"),
        (ada, present.clone(), "error"),
        (ada, subscribe("room"), "subscribed"),
        (bob, publish, "error"),
        (bob, presence, "members"),
        (bob, watch, "subscribed"),
    ] {
        let (answer, _) = clients[client].ask(request.clone()).await;
        assert_eq!(answer["type"], kind, "{request}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_watcher_gets_who_is_present_and_who_comes_and_goes() {
    let endpoint = open();
    let mut ada = Client::new(&endpoint, "ada");
    ada.ask(json!({"type": "subscribe", "id": 1, "topic": "room", "present": "Ada"})).await;
    let mut bob = Client::new(&endpoint, "bob");
    let watch = json!({"type": "subscribe", "id": 1, "topic": "room", "present": "Bob", "watch": true});
    bob.ask(watch).await;
    let first = bob.next().await;
    assert_eq!((&first["type"], first["joined"].as_array().unwrap().len()), (&json!("presence"), 2));
    assert_eq!(first["all"], json!(true));
    let (members, _) = bob.ask(json!({"type": "presence", "id": 2, "topic": "room"})).await;
    assert_eq!(members["members"].as_array().unwrap().len(), 2);
    let Client { socket, serving } = ada;
    drop(socket);
    let _ = serving.await.unwrap();
    let gone = json!({"type": "presence", "topic": "room", "joined": [], "updated": [], "left": [{"identity": "ada", "value": "Ada"}]});
    assert_eq!(bob.next().await, gone);
}

#[tokio::test(start_paused = true)]
async fn somebody_who_comes_and_goes_quickly_costs_a_watcher_one_message_a_second() {
    let endpoint = open();
    let mut bob = Client::new(&endpoint, "bob");
    bob.ask(json!({"type": "subscribe", "id": 1, "topic": "room", "watch": true})).await;
    let begin = tokio::time::Instant::now();
    let mut ada = Client::new(&endpoint, "ada");
    for id in 0..100 {
        ada.ask(json!({"type": "subscribe", "id": id, "topic": "room", "present": id.to_string()})).await;
        ada.ask(json!({"type": "unsubscribe", "id": id, "topic": "room"})).await;
    }
    ada.ask(json!({"type": "subscribe", "id": 100, "topic": "room", "present": "last"})).await;
    let mut messages = 0;
    loop {
        let presence = bob.next().await;
        messages += 1;
        let values =
            presence["joined"].as_array().unwrap().iter().chain(presence["updated"].as_array().unwrap());
        if values.into_iter().any(|member| member["value"] == "last") {
            break;
        }
    }
    assert!(
        messages <= 2 && begin.elapsed() <= Duration::from_secs(1),
        "{messages} in {:?}",
        begin.elapsed()
    );
    assert!(bob.is_quiet().await);
}

#[tokio::test(start_paused = true)]
async fn what_is_unsubscribed_sends_nothing_more() {
    let endpoint = open();
    let mut client = Client::new(&endpoint, "");
    client.ask(json!({"type": "subscribe", "id": 1, "topic": "a", "watch": true})).await;
    let (answer, _) = client.ask(json!({"type": "unsubscribe", "id": 2, "topic": "a"})).await;
    assert_eq!(answer, json!({"type": "unsubscribed", "id": 2, "topic": "a"}));
    endpoint.topics().publish("a", "x").unwrap();
    assert!(client.is_quiet().await);
    let (answer, _) = client.ask(json!({"type": "unsubscribe", "id": 3, "topic": "a"})).await;
    assert_eq!(answer["code"], "not_subscribed");
}

#[tokio::test(start_paused = true)]
async fn a_request_that_cannot_be_granted_is_answered_with_its_reason_and_the_connection_lives() {
    let endpoint = open();
    let mut client = Client::new(&endpoint, "");
    client.ask(json!({"type": "subscribe", "id": 0, "topic": "a/+"})).await;
    for (request, code) in [
        (json!({"type": "subscribe", "id": 1, "topic": "a/b"}), "subscribed"),
        (json!({"type": "subscribe", "id": 1, "topic": "#"}), "subscribed"),
        (json!({"type": "subscribe", "id": 1, "topic": "b/#", "last": 3}), "filter"),
        (json!({"type": "subscribe", "id": 1, "topic": "b/#", "watch": true}), "filter"),
        (json!({"type": "subscribe", "id": 1, "topic": "b+"}), "name"),
        (json!({"type": "subscribe", "id": 1, "topic": "b", "since": "yesterday"}), "invalid"),
        (json!({"type": "subscribe", "id": 1, "topic": "b", "since": "1:1", "last": 1}), "invalid"),
        (json!({"type": "subscribe", "id": 1, "topic": "b", "present": "x".repeat(2_000)}), "limit"),
        (json!({"type": "publish", "id": 1, "topic": "+", "text": ""}), "name"),
        (json!({"type": "publish", "id": 1, "topic": "b", "base64": "?"}), "invalid"),
        (json!({"type": "publish", "id": 1, "topic": "b", "text": "", "key": "k".repeat(65)}), "invalid"),
        (json!({"type": "publish", "id": 1, "topic": "b"}), "invalid"),
        (json!({"type": "fly", "id": 1}), "invalid"),
    ] {
        let (answer, _) = client.ask(request.clone()).await;
        assert_eq!(answer["code"], code, "{request} {answer}");
    }
    client.socket.send("no JSON").await.unwrap();
    assert_eq!(client.next().await["id"], json!(null));
    client.socket.send(vec![1_u8]).await.unwrap();
    assert_eq!(client.next().await["code"], "invalid");
    let (answer, _) = client.ask(json!({"type": "ping", "id": 9})).await;
    assert_eq!(answer, json!({"type": "pong", "id": 9}));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_got_nothing_resumes_from_the_position_of_its_subscription() {
    let endpoint = open();
    for before in 0..3 {
        let mut client = Client::new(&endpoint, "");
        let (answer, _) = client.ask(json!({"type": "subscribe", "id": 1, "topic": "kept/a"})).await;
        drop(client);
        let missed = format!("missed {before}");
        endpoint.topics().publish("kept/a", missed.as_str()).unwrap();
        let mut client = Client::new(&endpoint, "");
        let again = json!({"type": "subscribe", "id": 1, "topic": "kept/a", "since": answer["position"]});
        let (answer, before) = client.ask(again).await;
        assert_eq!((texts(&before), &answer["missed"]), (vec![missed.as_str()], &json!(1)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_client_gets_a_gap_at_its_place_and_resumes_behind_it() {
    let endpoint = open();
    let config = Config::server().send_high_water(900).keepalive(None);
    let mut client = Client::over(10, config, &endpoint, "");
    client.ask(json!({"type": "subscribe", "id": 1, "topic": "kept/a"})).await;
    let text = |number: usize| format!("{number:<900}");
    // More than may wait for it.
    for number in 1..=1_500 {
        endpoint.topics().publish("kept/a", text(number)).unwrap();
    }
    let (mut expected, mut gap) = (1, None);
    while expected <= 1_500 {
        let message = client.next().await;
        if message["type"] == "gap" {
            let offset = |name: &str| {
                let position = message[name].as_str().unwrap();
                position.split_once(':').unwrap().1.parse::<u64>().unwrap()
            };
            assert_eq!(
                (offset("first"), message["lost"].as_u64().unwrap()),
                (expected, offset("last") - expected + 1)
            );
            expected = offset("last") + 1;
            assert!(gap.replace(message["last"].clone()).is_none(), "one gap at one place");
        } else {
            assert_eq!(message["text"], text(expected as usize));
            expected += 1;
        }
    }
    // The history has the latest three: of what follows the gap most is missing, and nothing before is reported again.
    let gap = gap.expect("a gap");
    let again = json!({"type": "subscribe", "id": 1, "topic": "kept/a", "since": gap});
    let (answer, before) = Client::new(&endpoint, "").ask(again).await;
    assert_eq!((before.len(), answer.get("missed")), (4, Some(&json!(null))));
    let last: u64 = gap.as_str().unwrap().split_once(':').unwrap().1.parse().unwrap();
    assert!(before[0]["first"].as_str().unwrap().ends_with(&format!(":{}", last + 1)), "{}", before[0]);
}

#[tokio::test(start_paused = true)]
async fn what_clients_publish_is_prepared_once_for_each_key_or_refused() {
    let prepared = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = std::sync::Arc::clone(&prepared);
    let endpoint = endpoint(EndpointOptions::default().publish(true).prepare(move |access, message| {
        let text = message.as_text().filter(|text| !text.is_empty()).ok_or("an empty text")?;
        let number = count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        Ok(format!("{number} {} to {}: {text}", access.identity, access.topic).into())
    }));
    let mut ada = Client::new(&endpoint, "ada");
    ada.ask(json!({"type": "subscribe", "id": 1, "topic": "a"})).await;
    let publish = |text: &str| json!({"type": "publish", "id": 2, "topic": "a", "text": text, "key": text});
    let (first, before) = ada.ask(publish("hello")).await;
    assert_eq!(texts(&before), ["0 ada to a: hello"]);
    let (second, before) = ada.ask(publish("hello")).await;
    assert_eq!((&first, before.len()), (&second, 0));
    assert_eq!(prepared.load(std::sync::atomic::Ordering::SeqCst), 1);
    let (refused, before) = ada.ask(publish("")).await;
    assert_eq!((&refused["code"], &refused["message"]), (&json!("content"), &json!("an empty text")));
    assert_eq!(before.len(), 0);
    // The server's own messages are published as they are.
    endpoint.topics().publish("a", "").unwrap();
    assert_eq!(ada.next().await["text"], "");
}
