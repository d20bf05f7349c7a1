//! Large binary payloads on tokio: read past the buffer, to where they are to stay.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex};
use ws_core::{Binary, CloseCode, Config, Connection, DataType, Event, Message, SendError};
use ws_tokio::{Error, WebSocket};

/// A pipe that holds any message of these tests at once.
fn pair() -> (WebSocket<DuplexStream>, WebSocket<DuplexStream>) {
    let (a, b) = duplex(1 << 20);
    let client = Connection::client(Arc::new(Config::client()), [7; 32]);
    (WebSocket::new(a, client, &[]), server(b))
}

fn server(stream: DuplexStream) -> WebSocket<DuplexStream> {
    WebSocket::new(stream, Connection::server(Arc::new(Config::server())), &[])
}

/// Sizes of one frame, close enough that some end with a read past the buffer and some with one into it.
fn sizes() -> impl Iterator<Item = usize> {
    (66_000..256 << 10).step_by(9_001)
}

fn payload(size: usize) -> Vec<u8> {
    (0..size).map(|n| (n % 251) as u8).collect()
}

#[tokio::test]
async fn large_messages_one_after_the_other_arrive_whole() {
    let (mut client, mut server) = pair();
    for size in sizes() {
        client.feed(payload(size)).await.unwrap();
        client.send("between").await.unwrap();
        assert_eq!(server.recv().await.unwrap(), Some(Message::binary(payload(size))));
        assert_eq!(server.recv().await.unwrap(), Some("between".into()));
    }
}

#[tokio::test]
async fn large_messages_are_lent_whole() {
    let (mut client, mut server) = pair();
    let sending = async {
        for size in sizes() {
            client.feed(payload(size)).await.unwrap();
            client.send("between").await.unwrap();
            assert_eq!(client.recv().await.unwrap(), Some("seen".into()));
        }
        client.close(CloseCode::NORMAL_CLOSURE, "").await.unwrap();
    };
    let mut seen = Vec::new();
    let receiving = server.for_each_event(|connection, event| match event {
        Event::Binary(bytes) => {
            seen.push(bytes.len());
            assert_eq!(*bytes, payload(bytes.len()));
            Ok(())
        }
        Event::Text(text) => {
            assert_eq!(text, "between");
            connection.send_text("seen")
        }
        _ => Ok(()),
    });
    let ((), ended) = tokio::join!(sending, receiving);
    ended.unwrap();
    assert!(seen.into_iter().eq(sizes()));
}

#[tokio::test]
async fn messages_of_a_batch_are_lent_and_taken_in_order_whatever_their_sizes() {
    let sizes = [20, 16_384, 1, 16_383, 30_000, 20_000, 0, 100, 64_000, 3, 17_000];
    let (mut client, mut server) = pair();
    for size in sizes.repeat(3) {
        client.feed(payload(size)).await.unwrap();
    }
    client.flush().await.unwrap();
    let mut seen = Vec::new();
    let receiving = server.for_each_event(|connection, event| match event {
        Event::Binary(bytes) => {
            assert_eq!(*bytes, payload(bytes.len()));
            seen.push(bytes.len());
            connection.send(bytes.into())
        }
        _ => Ok(()),
    });
    let sending = async {
        for size in sizes.repeat(3) {
            assert_eq!(client.recv().await.unwrap(), Some(Message::binary(payload(size))));
        }
        client.close(CloseCode::NORMAL_CLOSURE, "").await.unwrap();
    };
    let (ended, ()) = tokio::join!(receiving, sending);
    ended.unwrap();
    assert_eq!(seen, sizes.repeat(3));
}

#[tokio::test]
async fn messages_that_are_kept_stay_as_they_are_while_others_come() {
    let (mut client, mut server) = pair();
    let mut kept = Vec::new();
    for round in 0..40 {
        for size in [100, 16_384 + round, 40_000 + round, 65_000, 66_000 + round, 200_000 + round] {
            client.send(vec![round as u8; size]).await.unwrap();
            let message = server.recv().await.unwrap().unwrap();
            assert_eq!(message.len(), size);
            // Some are kept, some go at once: their memory is used again.
            if round % 3 > 0 {
                kept.push((round as u8, message));
            }
        }
    }
    for (byte, message) in kept {
        assert!(message.as_bytes().iter().all(|&each| each == byte), "a message of round {byte} has changed");
    }
}

/// A transport that returns a thousand bytes at a time, and records the smallest buffer that it was given.
struct Slowly {
    bytes: Vec<u8>,
    at: usize,
    least: usize,
}

impl AsyncRead for Slowly {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let rest = self.bytes.len() - self.at;
        self.least = self.least.min(buffer.remaining().max(4096 * usize::from(rest < 4096)));
        let n = rest.min(1000).min(buffer.remaining());
        buffer.put_slice(&self.bytes[self.at..self.at + n]);
        self.at += n;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Slowly {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn memory_of_more_than_a_mebibyte_goes_with_its_message() {
    let (mut raw, stream) = duplex(1 << 20);
    let mut client = WebSocket::new(stream, Connection::client(Arc::new(Config::client()), [7; 32]), &[]);
    for (size, goes) in [(1 << 20, false), (3 << 20, true), (1 << 20, false)] {
        let frame = ws_wire::frame(0x82, &payload(size), None);
        let (written, message) = tokio::join!(raw.write_all(&frame), client.recv());
        written.unwrap();
        let bytes = message.unwrap().unwrap().into_bytes();
        assert!(bytes == payload(size));
        assert_eq!(
            bytes.is_unique(),
            goes,
            "{size} bytes: whether the message is the only owner of its bytes"
        );
    }
}

#[tokio::test]
async fn no_read_of_a_large_message_is_of_less_than_4_kib_although_its_room_follows_what_has_come() {
    let size = 900_000;
    let bytes = ws_wire::frame(0x82, &payload(size), Some([0; 4]));
    let slowly = Slowly { bytes, at: 0, least: usize::MAX };
    let mut server = WebSocket::new(slowly, Connection::server(Arc::new(Config::server())), &[]);
    loop {
        let received = poll_fn(|cx| Poll::Ready(pin!(server.recv()).poll(cx))).await;
        let (come, held) = (server.get_ref().at, server.memory_usage().assembled);
        assert!(held <= 2 * come + (64 << 10), "{held} bytes are in use for {come} received");
        if let Poll::Ready(message) = received {
            assert_eq!(message.unwrap(), Some(Message::binary(payload(size))));
            break;
        }
    }
    assert!(server.get_ref().least >= 4096, "{} bytes of room", server.get_ref().least);
}

#[tokio::test]
async fn a_large_message_whose_recv_was_dropped_can_be_taken_in_pieces() {
    for size in sizes() {
        let (mut peer, near) = duplex(1 << 20);
        let mut server = server(near);
        let frame = ws_wire::frame(0x82, &payload(size), Some([0; 4]));
        let (first, rest) = frame.split_at(frame.len() - 65_600);
        peer.write_all(first).await.unwrap();
        let unfinished = poll_fn(|cx| Poll::Ready(pin!(server.recv()).poll(cx).is_pending()));
        assert!(unfinished.await);
        peer.write_all(rest).await.unwrap();
        peer.write_all(&[0x81, 0x80, 0, 0, 0, 0]).await.unwrap();
        let mut reader = server.recv_stream().await.unwrap().unwrap();
        assert_eq!(reader.data_type(), DataType::Binary);
        assert!(reader.read_to_end(size).await.unwrap() == payload(size), "{size}");
        assert_eq!(server.recv().await.unwrap(), Some("".into()));
    }
}

const SIZE: usize = 300_000;

#[tokio::test]
async fn reading_to_the_end_stops_at_its_limit() {
    let (mut client, mut server) = pair();
    client.send(payload(SIZE)).await.unwrap();
    client.send("after").await.unwrap();
    let mut reader = server.recv_stream().await.unwrap().unwrap();
    let error = reader.read_to_end(SIZE - 1).await.unwrap_err();
    assert!(matches!(error, Error::OverLimit { limit } if limit == SIZE - 1), "{error:?}");
    drop(reader);
    assert_eq!(
        server.recv().await.unwrap(),
        Some("after".into()),
        "the rest of the first message was not skipped"
    );
}

#[tokio::test]
async fn an_empty_piece_is_no_frame() {
    let (mut peer, near) = duplex(1000);
    let mut server = server(near);
    let mut writer = server.send_stream(DataType::Text);
    for piece in ["", "a", "", "b", ""] {
        writer.write(piece.as_bytes()).await.unwrap();
    }
    writer.finish().await.unwrap();
    let mut sent = [0; 8];
    peer.read_exact(&mut sent).await.unwrap();
    assert_eq!(sent, [0x01, 1, b'a', 0x00, 1, b'b', 0x80, 0]);
}

#[tokio::test]
async fn a_websocket_dropped_by_a_panic_sends_1011_and_any_other_dropped_websocket_1001() {
    for (panics, code) in [(true, CloseCode::INTERNAL_ERROR), (false, CloseCode::GOING_AWAY)] {
        let (mut client, server) = pair();
        let handler = tokio::spawn(async move {
            let _server = server;
            assert!(!panics, "the callback was to panic");
        });
        assert_eq!(handler.await.is_err(), panics);
        assert_eq!(matches!(client.recv().await, Err(Error::Closed(_))), panics, "{code}");
        assert_eq!(client.close_info().unwrap().code(), code);
    }
}

#[tokio::test]
async fn a_refused_answer_to_a_large_lent_message_ends_the_loop() {
    for size in sizes() {
        let (mut client, mut server) = pair();
        client.send(payload(size)).await.unwrap();
        let refused = server.for_each_event(|connection, _| connection.ping(&[0; 126])).await;
        assert!(matches!(refused, Err(Error::Send(SendError::ControlTooLong(126)))), "{size}");
    }
}

#[tokio::test]
async fn a_large_message_behind_others_in_the_buffer_is_lent_as_its_own_bytes() {
    let (mut client, mut server) = pair();
    let sent: [Message; 4] =
        ["short".into(), payload(20_000).into(), vec![b'x'].into(), payload(30_000).into()];
    for message in &sent {
        client.feed(message.clone()).await.unwrap();
    }
    client.flush().await.unwrap();
    let mut owned = Vec::new();
    let each = server.for_each_event(|_, event| {
        owned.push(matches!(event, Event::Binary(Binary::Owned(_))));
        Ok(())
    });
    let waits = tokio::time::timeout(std::time::Duration::from_millis(1), each).await;
    assert!(waits.is_err(), "the reader did not wait for more");
    assert_eq!(owned, [false, true, false, true]);
}
