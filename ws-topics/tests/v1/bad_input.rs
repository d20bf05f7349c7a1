//! Requests that are wrong: each is answered, with what is wrong, and the connection lives.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use ws_tokio::{CloseCode, Config, Message, Role, WebSocket};

use crate::endpoint::{Client, open};

#[tokio::test(start_paused = true)]
async fn a_wrong_request_is_answered_with_the_member_and_its_value() {
    let endpoint = open();
    let mut client = Client::new(&endpoint, "");
    client.ask(json!({"type": "subscribe", "id": 0, "topic": "a/+"})).await;
    let long = "l".repeat(300);
    let key = "k".repeat(65);
    for (request, id, code, named) in [
        (r#"no JSON"#, None, "invalid", &["no JSON", "JSON object"][..]),
        (r#"{"type":"ping","id":1"#, None, "invalid", &[r#"{"type":"ping","id":1"#, "column"]),
        (r#"[1,2]"#, None, "invalid", &["[1,2]", "expected an object"]),
        ("\"\u{0}\"", None, "invalid", &["JSON object"]),
        (r#"{"type":"ping","id":1,"id":2}"#, None, "invalid", &["the member id is there twice"]),
        (r#"{"type":"ping"}"#, None, "invalid", &["the member id is missing"]),
        (r#"{"type":"ping","id":"seven"}"#, None, "invalid", &["the member id is \"seven\"", "integer"]),
        (r#"{"type":"ping","id":-1}"#, None, "invalid", &["the member id is -1", "integer"]),
        (r#"{"type":"ping","id":1.5}"#, None, "invalid", &["the member id is 1.5", "integer"]),
        (
            r#"{"type":"ping","id":9007199254740992}"#,
            None,
            "invalid",
            &["the member id is 9007199254740992", "2^53"],
        ),
        (r#"{"id":1}"#, Some(1), "invalid", &["the member type is missing"]),
        (r#"{"type":"fly","id":1}"#, Some(1), "invalid", &["the member type is \"fly\"", "subscribe"]),
        (r#"{"type":7,"id":1}"#, Some(1), "invalid", &["the member type is 7", "a text"]),
        (r#"{"type":"subscribe","id":1}"#, Some(1), "invalid", &["the member topic is missing"]),
        (
            r#"{"type":"subscribe","id":1,"topic":["a"]}"#,
            Some(1),
            "invalid",
            &[r#"the member topic is ["a"]"#],
        ),
        (r#"{"type":"subscribe","id":1,"topic":""}"#, Some(1), "name", &["topic \"\"", "empty"]),
        (r#"{"type":"subscribe","id":1,"topic":"b+"}"#, Some(1), "name", &["\"b+\"", "alone in their level"]),
        (r##"{"type":"subscribe","id":1,"topic":"#/b"}"##, Some(1), "name", &["\"#/b\"", "last level"]),
        (r#"{"type":"subscribe","id":1,"topic":"b\u0000"}"#, Some(1), "name", &["b\\0", "U+0000"]),
        (
            &format!(r#"{{"type":"subscribe","id":1,"topic":"{long}"}}"#),
            Some(1),
            "name",
            &["300 bytes", "max_topic_length = 255"],
        ),
        (r#"{"type":"subscribe","id":1,"topic":"a/b"}"#, Some(1), "subscribed", &["\"a/+\""]),
        (r#"{"type":"subscribe","id":1,"topic":"a/+"}"#, Some(1), "subscribed", &["\"a/+\""]),
        (
            r#"{"type":"subscribe","id":1,"topic":"b","since":"yesterday"}"#,
            Some(1),
            "invalid",
            &["the member since is \"yesterday\"", "EPOCH:OFFSET"],
        ),
        (
            r#"{"type":"subscribe","id":1,"topic":"b","since":"1:99999999999999999999"}"#,
            Some(1),
            "invalid",
            &["the member since is \"1:99999999999999999999\""],
        ),
        (
            r#"{"type":"subscribe","id":1,"topic":"b","since":7}"#,
            Some(1),
            "invalid",
            &["the member since is 7"],
        ),
        (
            r#"{"type":"subscribe","id":1,"topic":"b","last":-1}"#,
            Some(1),
            "invalid",
            &["the member last is -1"],
        ),
        (
            r#"{"type":"subscribe","id":1,"topic":"b","last":18446744073709551616}"#,
            Some(1),
            "invalid",
            &["the member last is 1.8446744073709552e+19", "2^53"],
        ),
        (
            r#"{"type":"subscribe","id":1,"topic":"b","last":1,"since":"1:1"}"#,
            Some(1),
            "invalid",
            &["since and last exclude each other"],
        ),
        (
            r#"{"type":"subscribe","id":1,"topic":"b","watch":"yes"}"#,
            Some(1),
            "invalid",
            &["the member watch is \"yes\"", "true or false"],
        ),
        (
            r#"{"type":"subscribe","id":1,"topic":"b","present":1}"#,
            Some(1),
            "invalid",
            &["the member present is 1"],
        ),
        (r#"{"type":"subscribe","id":1,"topic":"b/#","last":1}"#, Some(1), "filter", &["\"b/#\"", "history"]),
        (
            r#"{"type":"subscribe","id":1,"topic":"b/#","watch":true}"#,
            Some(1),
            "filter",
            &["\"b/#\"", "presence"],
        ),
        (r#"{"type":"unsubscribe","id":1,"topic":"b"}"#, Some(1), "not_subscribed", &["\"b\""]),
        (r#"{"type":"presence","id":1,"topic":"b/#"}"#, Some(1), "filter", &["\"b/#\"", "presence"]),
        (r#"{"type":"presence","id":1,"topic":""}"#, Some(1), "name", &["empty"]),
        (
            r#"{"type":"publish","id":1,"topic":"b/+","text":""}"#,
            Some(1),
            "name",
            &["\"b/+\"", "filters only"],
        ),
        (r#"{"type":"publish","id":1,"topic":"b"}"#, Some(1), "invalid", &["text or base64 is missing"]),
        (
            r#"{"type":"publish","id":1,"topic":"b","text":"","base64":""}"#,
            Some(1),
            "invalid",
            &["text and base64 exclude each other"],
        ),
        (r#"{"type":"publish","id":1,"topic":"b","text":7}"#, Some(1), "invalid", &["the member text is 7"]),
        (
            r#"{"type":"publish","id":1,"topic":"b","base64":"?"}"#,
            Some(1),
            "invalid",
            &["the member base64 is \"?\"", "RFC 4648"],
        ),
        (
            &format!(r#"{{"type":"publish","id":1,"topic":"b","text":"","key":"{key}"}}"#),
            Some(1),
            "invalid",
            &["the member key is \"kkk", "64 bytes", "65"],
        ),
        (
            r#"{"type":"publish","id":1,"topic":"b","text":"","echo":0}"#,
            Some(1),
            "invalid",
            &["the member echo is 0", "true or false"],
        ),
    ] {
        client.socket.send(request).await.unwrap();
        let answer = client.next().await;
        assert_eq!((&answer["type"], &answer["id"]), (&json!("error"), &json!(id)), "{request}: {answer}");
        assert_eq!(answer["code"], code, "{request}: {answer}");
        let message = answer["message"].as_str().unwrap();
        for part in named {
            assert!(message.contains(part), "{request}: {message:?} does not name {part:?}");
        }
        assert!(!message.contains('\n') && message.len() < 400, "{message}");
    }
    client.socket.send(vec![1_u8, 2, 3]).await.unwrap();
    let answer = client.next().await;
    assert_eq!((&answer["code"], &answer["id"]), (&json!("invalid"), &json!(null)));
    assert!(answer["message"].as_str().unwrap().contains("3 bytes"), "{answer}");
    let (answer, _) = client.ask(json!({"type": "ping", "id": 9})).await;
    assert_eq!(answer, json!({"type": "pong", "id": 9}));
}

#[tokio::test(start_paused = true)]
async fn requests_with_the_same_id_are_answered_in_their_order() {
    let endpoint = open();
    let mut client = Client::new(&endpoint, "");
    for request in [
        json!({"type": "ping", "id": 7}),
        json!({"type": "unsubscribe", "id": 7, "topic": "a"}),
        json!({"type": "subscribe", "id": 7, "topic": "a"}),
    ] {
        client.socket.feed(request.to_string()).await.unwrap();
    }
    client.socket.flush().await.unwrap();
    for kind in ["pong", "error", "subscribed"] {
        let answer = client.next().await;
        assert_eq!((&answer["type"], &answer["id"]), (&json!(kind), &json!(7)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_above_the_limit_of_the_server_closes_the_connection_with_1009() {
    let endpoint = open();
    let (near, far) = tokio::io::duplex(1 << 16);
    let socket = WebSocket::from_raw(far, Role::Server, Config::server().max_message_size(100)).unwrap();
    let serving = tokio::spawn(async move { endpoint.run(socket, "").await });
    let mut client = WebSocket::from_raw(near, Role::Client, Config::client()).unwrap();
    client.send("x".repeat(101)).await.unwrap();
    let _ = client.recv().await;
    assert_eq!(client.close_info().and_then(|info| info.received), Some(CloseCode(1009)));
    assert!(serving.await.unwrap().is_err());
}

#[tokio::test(start_paused = true)]
async fn text_that_is_not_utf_8_closes_the_connection_with_1007() {
    let endpoint = open();
    let (mut near, far) = tokio::io::duplex(1 << 16);
    let socket = WebSocket::from_raw(far, Role::Server, Config::server()).unwrap();
    let serving = tokio::spawn(async move { endpoint.run(socket, "").await });
    // RFC 6455 section 5.2: a text of one byte, masked with zeros.
    near.write_all(&[0x81, 0x81, 0, 0, 0, 0, 0xff]).await.unwrap();
    let mut close = [0; 4];
    near.read_exact(&mut close).await.unwrap();
    assert_eq!((close[0], u16::from_be_bytes([close[2], close[3]])), (0x88, 1007));
    drop(near);
    assert!(serving.await.unwrap().is_err());
}

/// A generator of random numbers: xorshift64*.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    /// Somewhere between two characters.
    fn place(&mut self, text: &str) -> usize {
        let wanted = self.below(text.len());
        (0..=wanted).rev().find(|place| text.is_char_boundary(*place)).unwrap()
    }

    fn value(&mut self, depth: usize) -> Value {
        match self.below(if depth == 0 { 9 } else { 11 }) {
            0 => Value::Null,
            1 => json!(self.below(2) == 0),
            2 => json!(self.below(20)),
            3 => json!(self.one_of(&[u64::MAX, 1 << 53, (1 << 53) - 1, 0])),
            4 => json!(self.one_of(&[-1.5, 1e300, -0.0])),
            5 => json!(self.one_of(&["a", "a/b", "+", "a/#", "#", "kept/a", "b+", "", "$SYS/a", "\u{0}"])),
            6 => json!(self.one_of(&[
                "1:1",
                "0:0",
                "1:18446744073709551615",
                "1:99999999999999999999",
                ":",
                "x"
            ])),
            7 => json!(self.one_of(&["AP8=", "?", "\u{1f370}", "é", "\n"])),
            8 => json!("l".repeat(self.below(400))),
            9 => Value::Array((0..self.below(3)).map(|_| self.value(depth - 1)).collect()),
            _ => json!({"a": self.value(depth - 1)}),
        }
    }

    fn request(&mut self) -> Message {
        let kinds = ["subscribe", "unsubscribe", "publish", "presence", "ping", "message", ""];
        let mut request =
            json!({"type": self.one_of(&kinds), "id": self.below(9), "topic": "kept/a", "text": "x"});
        let names = [
            "type", "id", "topic", "text", "base64", "since", "last", "present", "watch", "key", "echo",
            "later",
        ];
        for _ in 0..self.below(5) {
            let name = self.one_of(&names);
            if self.below(4) == 0 {
                request.as_object_mut().unwrap().remove(name);
            } else if self.below(2) == 0 {
                // Something that fits often enough.
                let topic = self.one_of(&["a", "kept/a", "kept/b", "+/a", "b/#"]);
                request[name] = json!(topic);
            } else {
                request[name] = self.value(2);
            }
        }
        let mut text = request.to_string();
        match self.below(12) {
            0 => text.truncate(self.place(&text)),
            1 => text.insert(self.place(&text), self.one_of(&['"', '{', '}', ',', '\u{0}', '9', '['])),
            2 => text.push_str(&text.clone()),
            3 => text = "[".repeat(self.below(5_000)),
            4 => return Message::binary(text.into_bytes()),
            _ => {}
        }
        Message::text(text)
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_a_client_sends_is_answered_once_and_in_order() {
    let endpoint = open();
    let mut kinds = std::collections::BTreeMap::<String, usize>::new();
    for seed in 1..=20_u64 {
        let mut chance = Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut client = Client::new(&endpoint, "somebody");
        for number in 0..1_000 {
            let request = chance.request();
            client.socket.send(request.clone()).await.unwrap();
            // What follows is not begun before this is answered: the next `pong` has this number.
            let ping = json!({"type": "ping", "id": 1_000 + number}).to_string();
            client.socket.send(ping).await.unwrap();
            let mut answers = Vec::new();
            loop {
                let message = client.next().await;
                let kind = message["type"].as_str().unwrap().to_owned();
                *kinds.entry(kind.clone()).or_default() += 1;
                if kind == "pong" && message["id"] == 1_000 + number {
                    break;
                }
                if !["message", "gap", "presence"].contains(&kind.as_str()) {
                    answers.push(message);
                }
            }
            assert_eq!(answers.len(), 1, "seed {seed}, request {number}: {request:?}: {answers:?}");
            let sent = request.as_text().and_then(|text| serde_json::from_str::<Value>(text).ok());
            let id = sent.and_then(|sent| sent["id"].as_u64()).filter(|id| *id < 1 << 53);
            assert_eq!(
                answers[0]["id"].as_u64(),
                id,
                "seed {seed}, request {number}: {request:?}: {answers:?}"
            );
        }
        assert!(!client.serving.is_finished());
    }
    for kind in ["subscribed", "unsubscribed", "published", "members", "pong", "error", "message"] {
        assert!(kinds.get(kind).is_some_and(|count| *count > 100), "{kind}: {kinds:?}");
    }
}
