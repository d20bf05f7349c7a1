//! The sample `chat`: members, messages, and members that read too slowly.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use ws_client::{CloseCode, WebSocket};

use crate::process::{Sample, event, soon};

/// Receives an event and removes its time.
async fn next(socket: &mut WebSocket) -> Value {
    let mut event = event(socket).await;
    event.as_object_mut().unwrap().remove("at");
    event
}

/// Opens a WebSocket as a member of a room and returns the welcome message.
async fn enter(sample: &Sample, room: &str, name: &str) -> (WebSocket, Value) {
    let mut socket = sample.open(&format!("/chat/{room}?name={name}")).await;
    let welcome = event(&mut socket).await;
    assert_eq!(welcome["type"], "welcome");
    (socket, welcome)
}

#[tokio::test]
async fn members_receive_the_messages_joins_and_leaves_of_their_room_only() {
    let sample = Sample::start("chat", &[]);
    let (mut ann, welcome) = enter(&sample, "tea%20%26%20cake", "Ann").await;
    assert_eq!((&welcome["name"], &welcome["here"]), (&json!("Ann"), &json!(["Ann"])));
    let (mut other, _) = enter(&sample, "elsewhere", "Cy").await;

    ann.send("  before \n").await.unwrap();
    let said = json!({ "type": "said", "name": "Ann", "text": "before" });
    assert_eq!(next(&mut ann).await, said);

    let (mut bo, welcome) = enter(&sample, "tea%20%26%20cake", "Bo+B").await;
    assert_eq!(welcome["here"], json!(["Ann", "Bo B"]));
    assert_eq!(welcome["history"][0]["text"], "before");
    assert_eq!(next(&mut ann).await, json!({ "type": "joined", "name": "Bo B" }));
    bo.send("hello").await.unwrap();
    for socket in [&mut ann, &mut bo] {
        assert_eq!(next(socket).await, json!({ "type": "said", "name": "Bo B", "text": "hello" }));
    }
    soon(bo.close(CloseCode::NORMAL_CLOSURE, "")).await.unwrap();
    assert_eq!(next(&mut ann).await, json!({ "type": "left", "name": "Bo B" }));

    // The other room has received no event of this one.
    other.send("alone").await.unwrap();
    assert_eq!(next(&mut other).await, json!({ "type": "said", "name": "Cy", "text": "alone" }));
}

#[tokio::test]
async fn a_member_whose_connection_is_lost_has_left() {
    let sample = Sample::start("chat", &[]);
    let (mut ann, _) = enter(&sample, "a", "Ann").await;
    let (bo, _) = enter(&sample, "a", "Bo").await;
    assert_eq!(next(&mut ann).await["type"], "joined");
    drop(bo);
    assert_eq!(next(&mut ann).await, json!({ "type": "left", "name": "Bo" }));
}

#[tokio::test]
async fn names_are_unique_and_readable() {
    let sample = Sample::start("chat", &[]);
    let mut here = Vec::new();
    for (wanted, given) in [
        ("Ann", "Ann"),
        ("Ann", "Ann 2"),
        ("%20Ann%0A", "Ann 3"),
        ("", "guest"),
        ("%00%07", "guest 2"),
        (&"x".repeat(100), &"x".repeat(24)),
    ] {
        let (socket, welcome) = enter(&sample, "a", wanted).await;
        assert_eq!(welcome["name"], given);
        here.push(socket);
    }
}

#[tokio::test]
async fn a_new_member_of_a_chat_room_gets_the_last_fifty_messages_unless_the_room_was_empty() {
    let sample = Sample::start("chat", &[]);
    let (mut ann, _) = enter(&sample, "a", "Ann").await;
    for number in 0..60 {
        ann.send(format!("{number}")).await.unwrap();
        assert_eq!(next(&mut ann).await["text"], format!("{number}"));
    }
    let (mut bo, welcome) = enter(&sample, "a", "Bo").await;
    let history = welcome["history"].as_array().unwrap();
    assert_eq!((history.len(), &history[0]["text"], &history[49]["text"]), (50, &json!("10"), &json!("59")));
    assert!(history.is_sorted_by_key(|said| said["at"].as_u64()), "times are ascending");
    soon(ann.close(CloseCode::NORMAL_CLOSURE, "")).await.unwrap();
    assert_eq!(next(&mut bo).await["type"], "left");
    soon(bo.close(CloseCode::NORMAL_CLOSURE, "")).await.unwrap();
    // A member's Close is answered before the server has ended its task.
    let emptied = async {
        while enter(&sample, "a", "Cy").await.1["history"] != json!([]) {
            sleep(Duration::from_millis(10)).await;
        }
    };
    soon(emptied).await;
}

#[tokio::test]
async fn a_message_that_is_too_long_closes_its_sender_only() {
    let sample = Sample::start("chat", &[]);
    let (mut ann, _) = enter(&sample, "a", "Ann").await;
    let (mut bo, _) = enter(&sample, "a", "Bo").await;
    assert_eq!(next(&mut ann).await["type"], "joined");
    bo.send("x".repeat(5000)).await.unwrap();
    assert_eq!(next(&mut ann).await, json!({ "type": "left", "name": "Bo" }));
    let _ = soon(bo.recv()).await;
    assert_eq!(bo.close_info().and_then(|info| info.received).map(u16::from), Some(1009));
}

#[tokio::test]
async fn a_member_that_does_not_read_is_closed_without_a_wait_for_the_others() {
    let sample = Sample::start("chat", &[]);
    let (mut ann, _) = enter(&sample, "a", "Ann").await;
    // Bo does not read any more.
    let (bo, _) = enter(&sample, "a", "Bo").await;
    assert_eq!(next(&mut ann).await["type"], "joined");
    let text = "x".repeat(4000);
    let began = Instant::now();
    let left = async {
        loop {
            ann.send(text.as_str()).await.unwrap();
            let event = next(&mut ann).await;
            if event["type"] == "left" {
                return event;
            }
            assert_eq!(event["text"], text);
        }
    };
    assert_eq!(soon(left).await, json!({ "type": "left", "name": "Bo" }));
    assert!(began.elapsed() < Duration::from_secs(25));
    drop(bo);
}
