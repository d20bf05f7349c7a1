//! The sample `chat`: rooms, their messages and members, and members that read too slowly.

use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;
use ws_client::{Backoff, Options, WebSocket};
use ws_topics::{ClientError, ClientSubscription, Event, SUBPROTOCOL, SubscribeRequest, TopicsClient};

use crate::process::{Sample, event, soon};

fn client(sample: &Sample, name: &str) -> TopicsClient {
    let backoff = Backoff::default().initial(Duration::from_millis(1)).max(Duration::from_millis(50));
    let client = Options::default().backoff(backoff).build().unwrap();
    TopicsClient::new(&client, sample.request(&format!("/topics?name={name}"))).unwrap()
}

async fn enter(client: &TopicsClient, room: &str) -> ClientSubscription {
    let request = SubscribeRequest::default().last(50).present("").watch(true);
    soon(client.subscribe(format!("chat/{room}"), request)).await.unwrap()
}

async fn next(room: &mut ClientSubscription) -> Event {
    soon(room.next()).await.unwrap()
}

/// Returns name and text of the next message.
async fn said(room: &mut ClientSubscription) -> (String, String) {
    loop {
        if let Event::Message { message, .. } = next(room).await {
            let said: Value = serde_json::from_str(message.as_text().unwrap()).unwrap();
            assert!(said["at"].as_u64().unwrap() > 1_700_000_000_000);
            let part = |name: &str| said[name].as_str().unwrap().to_owned();
            return (part("name"), part("text"));
        }
    }
}

/// Waits until somebody is reported to have come or gone.
async fn until(room: &mut ClientSubscription, wanted: impl Fn(&[String], &[String]) -> bool) {
    loop {
        if let Event::Presence { joined, left, .. } = next(room).await {
            let names = |members: Vec<ws_topics::Member>| {
                members.into_iter().map(|it| it.identity.to_string()).collect::<Vec<_>>()
            };
            if wanted(&names(joined), &names(left)) {
                return;
            }
        }
    }
}

/// As a client by hand: a WebSocket that has subscribed to a room.
async fn raw(sample: &Sample, name: &str) -> WebSocket {
    let request = sample.request(&format!("/topics?name={name}")).subprotocol(SUBPROTOCOL);
    let mut socket = crate::process::open(request).await.unwrap();
    socket.send(r#"{"type":"subscribe","id":1,"topic":"chat/a","present":""}"#).await.unwrap();
    while event(&mut socket).await["type"] != "subscribed" {}
    socket
}

fn pair(name: &str, text: &str) -> (String, String) {
    (name.into(), text.into())
}

#[tokio::test]
async fn members_get_the_messages_joins_and_leaves_of_their_room_only() {
    let sample = Sample::start("chat", &[]);
    let (ann, bo, cy) = (client(&sample, "Ann"), client(&sample, "Bo+B"), client(&sample, "Cy"));
    let (mut at_ann, mut at_cy) = (enter(&ann, "tea%20%26%20cake").await, enter(&cy, "elsewhere").await);
    soon(ann.publish("chat/tea%20%26%20cake", "  before \n")).await.unwrap();
    assert_eq!(said(&mut at_ann).await, pair("Ann", "before"));

    let mut at_bo = enter(&bo, "tea%20%26%20cake").await;
    assert_eq!(said(&mut at_bo).await, pair("Ann", "before"));
    until(&mut at_ann, |joined, _| joined == ["Bo B"]).await;
    soon(bo.publish("chat/tea%20%26%20cake", "hello")).await.unwrap();
    for room in [&mut at_ann, &mut at_bo] {
        assert_eq!(said(room).await, pair("Bo B", "hello"));
    }
    soon(bo.close()).await;
    until(&mut at_ann, |_, left| left == ["Bo B"]).await;

    // The other room has received no message of this one.
    soon(cy.publish("chat/elsewhere", "alone")).await.unwrap();
    assert_eq!(said(&mut at_cy).await, pair("Cy", "alone"));
}

#[tokio::test]
async fn a_chat_member_whose_connection_is_lost_has_left() {
    let sample = Sample::start("chat", &[]);
    let ann = client(&sample, "Ann");
    let mut room = enter(&ann, "a").await;
    let bo = raw(&sample, "Bo").await;
    until(&mut room, |joined, _| joined.contains(&"Bo".to_owned())).await;
    drop(bo);
    until(&mut room, |_, left| left == ["Bo"]).await;
}

#[tokio::test]
async fn names_in_a_chat_are_readable() {
    let sample = Sample::start("chat", &[]);
    let long = "x".repeat(100);
    for (wanted, given) in
        [("%20Ann%0A", "Ann"), ("", "guest"), ("%00%07", "guest"), (long.as_str(), &long[..24])]
    {
        let client = client(&sample, wanted);
        let _room = enter(&client, "a").await;
        let here = soon(client.presence("chat/a")).await.unwrap();
        assert!(here.iter().any(|member| &*member.identity == given), "{here:?}");
    }
}

#[tokio::test]
async fn a_new_member_of_a_chat_room_gets_its_latest_messages() {
    let sample = Sample::start("chat", &[]);
    let ann = client(&sample, "Ann");
    for number in 0..60 {
        soon(ann.publish("chat/a", number.to_string())).await.unwrap();
    }
    let bo = client(&sample, "Bo");
    let mut room = enter(&bo, "a").await;
    for number in 10..60 {
        assert_eq!(said(&mut room).await, pair("Ann", &number.to_string()));
    }
}

#[tokio::test]
async fn a_chat_takes_texts_that_are_neither_empty_nor_too_long_in_rooms_only() {
    let sample = Sample::start("chat", &[]);
    let ann = client(&sample, "Ann");
    for (topic, text, wanted, why) in [
        ("chat/a", " \n", "content", "write a text"),
        ("chat/a", &"é".repeat(1_001), "content", "the text has 1001 characters, the most is 1000"),
        ("elsewhere", "x", "forbidden", ""),
        ("chat/", "x", "forbidden", ""),
        ("chat/a/b", "x", "forbidden", ""),
    ] {
        let error = soon(ann.publish(topic, text)).await.unwrap_err();
        let ClientError::Refused { code, message, .. } = &error else { panic!("{error}") };
        assert!(code == wanted && message.contains(why), "{topic}: {error}");
    }
    for filter in ["chat/+", "#", "chat/#"] {
        let error = soon(ann.subscribe(filter, SubscribeRequest::default())).await.err().unwrap();
        assert!(
            matches!(&error, ClientError::Refused { code, .. } if code == "forbidden"),
            "{filter}: {error}"
        );
    }
    assert!(soon(ann.publish("chat/a", "é".repeat(1_000))).await.is_ok());
}

#[tokio::test]
async fn a_chat_member_that_does_not_read_leaves_without_a_wait_for_the_others() {
    let sample = Sample::start("chat", &[]);
    let ann = client(&sample, "Ann");
    let mut room = enter(&ann, "a").await;
    // Bo does not read any more.
    let bo = raw(&sample, "Bo").await;
    until(&mut room, |joined, _| joined.contains(&"Bo".to_owned())).await;
    let began = Instant::now();
    let text = "x".repeat(1_000);
    let filled = async {
        // The buffers of the system take some megabytes.
        loop {
            let published =
                tokio::time::timeout(Duration::from_secs(5), ann.publish("chat/a", text.as_str()));
            published.await.expect("Ann waits for Bo").unwrap();
        }
    };
    tokio::select! {
        () = until(&mut room, |_, left| left == ["Bo"]) => {}
        () = filled => {}
        () = tokio::time::sleep(Duration::from_secs(60)) => panic!("Bo is still there"),
    }
    assert!(began.elapsed() < Duration::from_secs(40), "{:?}", began.elapsed());
    drop(bo);
}
