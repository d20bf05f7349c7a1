//! `WebSocket` and `Receiver` as a `Stream`, `WebSocket` as a `Sink`.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;
use futures_sink::Sink;
use tokio::io::{AsyncWriteExt, DuplexStream, duplex};
use tokio::task::JoinHandle;
use tokio::time::timeout;
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

/// Returns everything up to the end of the stream; fails if the stream does not end.
async fn all<T>(stream: &mut (impl Stream<Item = T> + Unpin)) -> Vec<T> {
    let mut items = Vec::new();
    while let Some(item) = next(stream).await {
        items.push(item);
        assert!(items.len() < 9, "the stream does not end");
    }
    items
}

#[tokio::test]
async fn what_goes_into_a_sink_comes_out_of_a_stream_up_to_a_clean_close() {
    let (mut client, mut server) = pair(100);
    let received = tokio::spawn(async move {
        let received: Result<Vec<_>, _> = all(&mut server).await.into_iter().collect();
        assert!(next(&mut server).await.is_none(), "the stream returned an item after its end");
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

/// Polls a WebSocket in a separate task, while other tasks poll it too.
fn polling<T: Send + 'static>(
    websocket: &Arc<Mutex<WebSocket<DuplexStream>>>,
    poll: fn(Pin<&mut WebSocket<DuplexStream>>, &mut Context<'_>) -> Poll<T>,
) -> JoinHandle<T> {
    let websocket = Arc::clone(websocket);
    tokio::spawn(poll_fn(move |cx| poll(Pin::new(&mut *websocket.lock().unwrap()), cx)))
}

#[tokio::test]
async fn a_read_and_a_close_in_two_tasks_both_end_whichever_waits_first() {
    for reader_first in [true, false] {
        let (client, mut server) = pair(100);
        let client = Arc::new(Mutex::new(client));
        let mut tasks = (None, None);
        for reader in [reader_first, !reader_first] {
            if reader {
                tasks.0 = Some(polling(&client, |socket, cx| socket.poll_next(cx)));
            } else {
                tasks.1 = Some(polling(&client, |socket, cx| socket.poll_close(cx)));
            }
            tokio::task::yield_now().await;
        }
        assert!(server.recv().await.unwrap().is_none());
        let (reading, closing) = (tasks.0.unwrap(), tasks.1.unwrap());
        let both = async { (reading.await.unwrap().is_none(), closing.await.unwrap().is_ok()) };
        assert_eq!(timeout(Duration::from_secs(60), both).await, Ok((true, true)), "{reader_first}");
    }
}

#[tokio::test]
async fn a_read_is_woken_by_its_message_although_a_flush_in_another_task_has_read_since() {
    let (client, mut server) = pair(100);
    let client = Arc::new(Mutex::new(client));
    let reading = polling(&client, |socket, cx| socket.poll_next(cx));
    tokio::task::yield_now().await;
    // More than the transport takes while the server does not read.
    Pin::new(&mut *client.lock().unwrap()).start_send(Message::binary(vec![7; 1000])).unwrap();
    let flushing = polling(&client, |socket, cx| socket.poll_flush(cx));
    tokio::task::yield_now().await;
    server.feed("hello").await.unwrap();
    let read = timeout(Duration::from_secs(60), reading);
    let (read, written) = tokio::join!(read, async {
        // The message is on its way before room is made for the flush.
        server.flush().await.unwrap();
        tokio::task::yield_now().await;
        server.recv().await.unwrap().unwrap().as_bytes().len()
    });
    assert_eq!(read.unwrap().unwrap().unwrap().unwrap(), Message::text("hello"));
    assert_eq!(written, 1000);
    timeout(Duration::from_secs(60), flushing).await.unwrap().unwrap().unwrap();
}
