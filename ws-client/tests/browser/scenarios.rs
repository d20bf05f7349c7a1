//! What a program does with the names that all targets have.

use std::time::Duration;

use ws_client::ws_core::SendError;
use ws_client::{Client, CloseCode, Config, Error, Message, Options, Request};

/// Where the servers are, and what else the targets do differently.
pub(crate) trait Place {
    /// Sends back what it receives; chooses the subprotocol `echo`.
    fn echo(&self) -> String;
    /// The server of `peer.rs`, without a path.
    fn peer(&self) -> String;
    /// The result of a future; `None` if it takes longer.
    async fn within<T>(&self, time: Duration, future: impl Future<Output = T>) -> Option<T>;
}

pub(crate) async fn messages_come_back(place: &impl Place) {
    let (mut ws, negotiated) = ws_client::connect(place.echo()).await.unwrap();
    assert_eq!(negotiated.subprotocol(), None);
    let large: Vec<u8> = (0..1u32 << 20).map(|i| (i % 251) as u8).collect();
    let messages = [
        Message::text("grüße, 世界 🦀"),
        Message::text(""),
        Message::binary(vec![0, 255, 128]),
        Message::binary(large),
        Message::text("ä".repeat(1 << 19)),
    ];
    for message in &messages {
        ws.send(message.clone()).await.unwrap();
    }
    for message in messages {
        assert!(ws.recv().await.unwrap() == Some(message), "another message came back");
    }
    assert!(ws.is_open() && ws.close_info().is_none());
    ws.flush().await.unwrap();
    assert_eq!(ws.queued(), 0);
    let info = ws.close(CloseCode::NORMAL_CLOSURE, "done").await.unwrap();
    assert!(info.is_clean() && info.is_normal(), "{info}");
    assert_eq!((info.sent, info.received), (Some(CloseCode(1000)), Some(CloseCode(1000))));
    assert_eq!(ws.close_info(), Some(info));
    assert_eq!(ws.recv().await.unwrap(), None);
    assert!(matches!(ws.send("late").await, Err(Error::Closed(_))));
}

pub(crate) async fn a_subprotocol_is_chosen(place: &impl Place) {
    let request = Request::new(&place.echo()).unwrap().subprotocol("token.s3cret").subprotocol("echo");
    assert!(!format!("{request:?}").contains("?"), "there is no query");
    let (ws, negotiated) = ws_client::connect(request).await.unwrap();
    assert_eq!(negotiated.subprotocol(), Some("echo"));
    // Both halves work, and those of the sender's clones.
    let (sender, mut receiver) = ws.split();
    sender.clone().send("from a clone").await.unwrap();
    assert_eq!(receiver.recv().await.unwrap().unwrap().as_text(), Some("from a clone"));
    drop(receiver);
    assert!(sender.close(CloseCode(4001), "").await.unwrap().is_clean());
}

pub(crate) async fn close_codes_arrive_both_ways(place: &impl Place) {
    // The server's.
    let url = format!("{}/close?4321", place.peer());
    let (mut ws, _) = ws_client::connect(url).await.unwrap();
    match ws.recv().await {
        Err(Error::Closed(info)) => {
            assert_eq!((info.received, &*info.reason), (Some(CloseCode(4321)), "as asked"));
            assert!(info.is_clean() && !info.is_normal(), "{info}");
        }
        other => panic!("{other:?}"),
    }
    let (mut ws, _) = ws_client::connect(format!("{}/close?1001", place.peer())).await.unwrap();
    assert_eq!(ws.recv().await.unwrap(), None, "1001 reports no fault");
    assert_eq!(ws.close_info().unwrap().received, Some(CloseCode::GOING_AWAY));
    // The client's.
    let (mut ws, _) = ws_client::connect(format!("{}/echo", place.peer())).await.unwrap();
    assert!(matches!(
        ws.start_close(CloseCode(3000), &"x".repeat(124)),
        Err(Error::Send(SendError::ReasonTooLong(124)))
    ));
    assert!(ws.is_open(), "a wrong reason changes nothing");
    let info = ws.close(CloseCode(3456), "bye").await.unwrap();
    assert_eq!((info.sent, info.received), (Some(CloseCode(3456)), Some(CloseCode(3456))));
    assert_eq!(last_close(place).await, "3456");
}

pub(crate) async fn a_lost_connection_is_reported(place: &impl Place) {
    let (mut ws, _) = ws_client::connect(format!("{}/drop", place.peer())).await.unwrap();
    match ws.recv().await {
        Err(Error::Closed(info)) => {
            assert_eq!(info.code(), CloseCode::ABNORMAL_CLOSURE);
            assert!(!info.is_clean(), "{info}");
        }
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn send_waits_for_a_server_that_does_not_read(place: &impl Place) {
    const CHUNK: usize = 64 << 10;
    // More than all buffers on the way.
    const CHUNKS: usize = 64 << 20 >> 16;
    let config = Config::client();
    let high_water = config.send_high_water;
    let client = Options::default().connection(config).build().unwrap();
    let (mut ws, _) = client.connect(format!("{}/slow", place.peer())).await.unwrap();
    let number = ws.recv().await.unwrap().unwrap().into_text().unwrap();
    let mut sent = 0;
    while place.within(Duration::from_secs(1), ws.send(vec![7; CHUNK])).await.map(Result::unwrap).is_some() {
        sent += 1;
        assert!(sent < CHUNKS, "send does not wait");
        assert!(ws.queued() <= high_water + 2 * CHUNK, "{} bytes are queued", ws.queued());
    }
    // The server reads now.
    let _reading = ws_client::connect(format!("{}/read?{number}", place.peer())).await.unwrap();
    while sent < CHUNKS {
        ws.send(vec![7; CHUNK]).await.unwrap();
        sent += 1;
    }
    ws.send("end").await.unwrap();
    let bytes: usize = ws.recv().await.unwrap().unwrap().as_text().unwrap().parse().unwrap();
    // The message that was waiting natively is queued already when its future is dropped.
    assert!((CHUNKS * CHUNK..=(CHUNKS + 1) * CHUNK).contains(&bytes), "{bytes}");
}

pub(crate) async fn what_cannot_connect_says_so(place: &impl Place) {
    let wrong = ws_client::connect("http://127.0.0.1/").await.unwrap_err();
    assert_eq!(wrong.to_string(), "http:// is not a WebSocket address: write ws:// instead");
    assert!(wrong.is_fatal());
    let refused = ws_client::connect(format!("{}/refuse", place.peer())).await.unwrap_err();
    assert!(refused.to_string().len() > 20, "{refused}");
    let twice = Request::new(&place.echo()).unwrap().subprotocol("a").subprotocol("a");
    let error = ws_client::connect(twice).await.unwrap_err();
    assert!(error.is_fatal() && error.to_string().starts_with("the request cannot be sent"), "{error}");
    let client: Client = Options::default().opening_timeout(Duration::from_millis(300)).build().unwrap();
    let error = client.connect(format!("{}/silent", place.peer())).await.unwrap_err();
    assert!(!error.is_fatal() && error.to_string().contains("opening_timeout = 300ms"), "{error}");
}

/// The code of the last Close that the peer has received.
pub(crate) async fn last_close(place: &impl Place) -> String {
    let (mut ws, _) = ws_client::connect(format!("{}/last", place.peer())).await.unwrap();
    ws.recv().await.unwrap().unwrap().into_text().unwrap().to_string()
}
