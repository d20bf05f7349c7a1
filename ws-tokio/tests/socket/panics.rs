//! A callback that panics, and whose panic is caught, costs the event that it was given, and no other.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use ws_core::{Config, Connection, DataType, Event, Message};
use ws_tokio::{Broadcast, Sender, SlowPolicy, WebSocket};

/// Short ones, and two that are lent in other ways: large, and read around the buffer.
fn messages() -> [Message; 6] {
    [
        "one".into(),
        vec![2; 20_000].into(),
        "three".into(),
        vec![4; 200_000].into(),
        "five".into(),
        "six".into(),
    ]
}

/// What a client sends for these messages and a Close.
async fn wire(messages: &[Message]) -> Vec<u8> {
    let (near, mut far) = duplex(1 << 20);
    let mut client = WebSocket::new(near, Connection::client(Arc::new(Config::client()), [1; 32]), &[]);
    for message in messages {
        client.send(message.clone()).await.unwrap();
    }
    drop(client);
    let mut bytes = Vec::new();
    far.read_to_end(&mut bytes).await.unwrap();
    bytes
}

/// A server that gets `bytes` in two parts; and the peer, which stays.
async fn server(bytes: &[u8], cut: usize) -> (WebSocket<DuplexStream>, DuplexStream) {
    let (near, mut far) = duplex(1 << 20);
    let (first, rest) = bytes.split_at(cut);
    far.write_all(rest).await.unwrap();
    (WebSocket::new(near, Connection::server(Arc::new(Config::server())), first), far)
}

fn owned(event: Event<'_>) -> Option<Message> {
    match event {
        Event::Text(text) => Some(Message::text(text.into_owned())),
        Event::Binary(bytes) => Some(Message::binary(bytes.to_vec())),
        _ => None,
    }
}

/// Receives with a callback that panics at the message of that number; what it was given, that one included.
async fn panic_at(server: &mut WebSocket<DuplexStream>, number: usize) -> Vec<Message> {
    let mut given = Vec::new();
    let mut each = Box::pin(server.for_each_event(|_, event| {
        given.extend(owned(event));
        if given.len() == number {
            // Without the hook, which would write to the log.
            resume_unwind(Box::new("as asked"));
        }
        Ok(())
    }));
    let panicked = poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| each.as_mut().poll(cx))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(ended)) => Poll::Ready(Ok(ended)),
        Err(panic) => Poll::Ready(Err(panic)),
    })
    .await;
    drop(each);
    assert!(panicked.is_err(), "{number}");
    given
}

#[tokio::test(start_paused = true)]
async fn the_events_behind_one_whose_callback_panicked_come_with_the_next_call_whatever_it_is() {
    let messages = messages();
    let bytes = wire(&messages).await;
    for number in 1..=messages.len() {
        for cut in [0, 7, 30, bytes.len() - 20, bytes.len()] {
            let mut got = Vec::new();
            let (mut socket, _peer) = server(&bytes, cut).await;
            got.extend(panic_at(&mut socket, number).await);
            while let Some(message) = socket.recv().await.unwrap() {
                got.push(message);
            }
            assert_eq!(got, messages, "recv: {number}, {cut}");

            let (mut socket, _peer) = server(&bytes, cut).await;
            let mut got = panic_at(&mut socket, number).await;
            socket
                .for_each_event(|_, event| {
                    got.extend(owned(event));
                    Ok(())
                })
                .await
                .unwrap();
            assert_eq!(got, messages, "for_each_event: {number}, {cut}");

            let (mut socket, _peer) = server(&bytes, cut).await;
            let mut got = panic_at(&mut socket, number).await;
            while let Some(mut reader) = socket.recv_stream().await.unwrap() {
                let data_type = reader.data_type();
                let all = reader.read_to_end(1 << 20).await.unwrap();
                got.push(match data_type {
                    DataType::Text => Message::text(String::from_utf8(all).unwrap()),
                    DataType::Binary => Message::binary(all),
                });
            }
            assert_eq!(got, messages, "recv_stream: {number}, {cut}");

            let (mut socket, _peer) = server(&bytes, cut).await;
            let mut got = panic_at(&mut socket, number).await;
            let (_sender, mut receiver) = socket.split();
            while let Some(message) = receiver.recv().await.unwrap() {
                got.push(message);
            }
            assert_eq!(got, messages, "split: {number}, {cut}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_callback_that_panics_each_time_sees_every_event_once() {
    let messages = messages();
    let bytes = wire(&messages).await;
    let (mut socket, _peer) = server(&bytes, bytes.len()).await;
    for message in messages {
        assert_eq!(panic_at(&mut socket, 1).await, [message]);
    }
    assert_eq!(socket.recv().await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn a_caught_panic_leaves_no_buffer_with_a_connection_that_waits() {
    let bytes = wire(&["only".into()]).await;
    let (mut socket, _peer) = server(&bytes[..bytes.len() - 8], 0).await;
    assert_eq!(panic_at(&mut socket, 1).await, ["only".into()]);
    let waits = poll_fn(|cx| Poll::Ready(pin!(socket.recv()).poll(cx).is_pending())).await;
    assert!(waits);
    assert_eq!(socket.memory_usage().total(), 0);
}

#[cfg(feature = "deflate")]
#[tokio::test(start_paused = true)]
async fn no_compressed_message_behind_a_panic_is_lost() {
    use ws_core::deflate::{self, Agreed, PerMessageDeflate};

    let agreed = Agreed::PLAIN;
    let mut config = deflate::Config::client();
    config.threshold = 0;
    let messages: [Message; 5] =
        std::array::from_fn(|number| Message::text(format!("message number {number}. ").repeat(100)));
    for number in 1..=messages.len() {
        let (near, far) = duplex(1 << 20);
        let codec = PerMessageDeflate::server(agreed, &deflate::Config::server());
        let connection = Connection::server(Arc::new(Config::server())).with_deflate(codec);
        let mut socket = WebSocket::new(near, connection, &[]);
        let client = Connection::client(Arc::new(Config::client()), [1; 32])
            .with_deflate(PerMessageDeflate::client(agreed, &config));
        let mut client = WebSocket::new(far, client, &[]);
        for message in &messages {
            client.feed(message.clone()).await.unwrap();
        }
        client.flush().await.unwrap();
        let mut got = panic_at(&mut socket, number).await;
        while got.len() < messages.len() {
            got.extend(socket.recv().await.unwrap());
        }
        assert_eq!(got, messages, "{number}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_conflating_key_that_panics_leaves_broadcast_and_connections_usable() {
    let mut config = Config::server();
    config.send_high_water = 100;
    let config = Arc::new(config);
    let member = |far: &mut Vec<DuplexStream>| -> (Sender, ws_tokio::Receiver<DuplexStream>) {
        let (near, peer) = duplex(4096);
        far.push(peer);
        WebSocket::new(near, Connection::server(Arc::clone(&config)), &[]).split()
    };
    let mut peers = Vec::new();
    let (slow, _slow_receiver) = member(&mut peers);
    let (fast, _fast_receiver) = member(&mut peers);
    let room = Broadcast::new();
    let key = |message: &Message| if message.len() == 13 { resume_unwind(Box::new("as asked")) } else { 0u8 };
    let _slow = room.join(slow.clone(), SlowPolicy::conflate(key));
    let _fast = room.join(fast, SlowPolicy::DropNewest);
    slow.try_send(vec![0; 8000]).unwrap();
    assert_eq!(room.try_publish("first").delivered, 2);
    assert!(catch_unwind(AssertUnwindSafe(|| room.try_publish("x".repeat(13)))).is_err());
    assert_eq!(room.len(), 2, "a member has left");
    let published = room.try_publish("last");
    assert_eq!((published.delivered, published.dropped), (1, 1), "the second message replaces the first");
    assert!(slow.is_open());
}
