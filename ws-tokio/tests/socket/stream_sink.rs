//! `WebSocket` and `Receiver` as a `Stream`, `WebSocket` as a `Sink`.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;

use futures_core::Stream;
use futures_sink::Sink;
use tokio::io::{AsyncWriteExt, DuplexStream, duplex};
use ws_core::{CloseCode, Config, Connection, Message};
use ws_tokio::{Error, WebSocket};

fn server(stream: DuplexStream) -> WebSocket<DuplexStream> {
    WebSocket::new(stream, Connection::server(Arc::new(Config::server())), &[])
}

fn pair(room: usize) -> (WebSocket<DuplexStream>, WebSocket<DuplexStream>) {
    let (a, b) = duplex(room);
    (WebSocket::new(a, Connection::client(Arc::new(Config::client()), [7; 32]), &[]), server(b))
}

async fn next<T>(stream: &mut (impl Stream<Item = T> + Unpin)) -> Option<T> {
    poll_fn(|cx| Pin::new(&mut *stream).poll_next(cx)).await
}

/// Everything up to the end of the stream, which is not to go on for ever.
async fn all<T>(stream: &mut (impl Stream<Item = T> + Unpin)) -> Vec<T> {
    let mut items = Vec::new();
    while let Some(item) = next(stream).await {
        items.push(item);
        assert!(items.len() < 9, "it ends");
    }
    items
}

#[tokio::test]
async fn what_goes_into_a_sink_comes_out_of_a_stream_up_to_a_clean_close() {
    let (mut client, mut server) = pair(100);
    let received = tokio::spawn(async move {
        let received: Result<Vec<_>, _> = all(&mut server).await.into_iter().collect();
        assert!(next(&mut server).await.is_none(), "it stays at its end");
        (received.unwrap(), server.close_info().unwrap())
    });
    let messages = [Message::text("a"), Message::binary(vec![1; 1000]), Message::text("")];
    for message in messages.clone() {
        poll_fn(|cx| Pin::new(&mut client).poll_ready(cx)).await.unwrap();
        Pin::new(&mut client).start_send(message).unwrap();
    }
    poll_fn(|cx| Pin::new(&mut client).poll_flush(cx)).await.unwrap();
    poll_fn(|cx| Pin::new(&mut client).poll_close(cx)).await.unwrap();
    let (received, info) = received.await.unwrap();
    assert_eq!(received, messages);
    assert_eq!((info.is_clean(), info.code()), (true, CloseCode::NORMAL_CLOSURE));
    poll_fn(|cx| Pin::new(&mut client).poll_close(cx)).await.unwrap();
    assert!(Pin::new(&mut client).start_send(Message::text("late")).is_err());
}

#[tokio::test]
async fn an_error_is_the_last_item_of_a_stream() {
    for split in [false, true] {
        let (mut peer, near) = duplex(100);
        // The second frame is not masked.
        peer.write_all(&[0x81, 0x81, 0, 0, 0, 0, b'x', 0x81, 0x01, b'y']).await.unwrap();
        drop(peer);
        let items = if split {
            let (_sender, mut receiver) = server(near).split();
            let items = all(&mut receiver).await;
            assert!(next(&mut receiver).await.is_none());
            items
        } else {
            all(&mut server(near)).await
        };
        let [first, last] = items.try_into().unwrap();
        assert_eq!(first.unwrap(), Message::text("x"));
        assert!(last.is_err());
    }
}

#[tokio::test]
async fn the_receiving_half_is_a_stream_that_ends_with_the_connection() {
    let (mut client, server) = pair(100);
    let (_sender, mut receiver) = server.split();
    let sending = tokio::spawn(async move {
        client.send("one").await.unwrap();
        client.send(vec![2; 500]).await.unwrap();
        client.close(CloseCode::GOING_AWAY, "").await.unwrap();
    });
    let items: Result<Vec<_>, Error> = all(&mut receiver).await.into_iter().collect();
    assert_eq!(items.unwrap(), [Message::text("one"), Message::binary(vec![2; 500])]);
    sending.await.unwrap();
}
