//! Messages that are fed to a broadcast: they go out together.
#![cfg(feature = "tokio")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use ws_core::{Broadcast, Config, Connection, Message, Published, Receiver, Slow, WebSocket};

/// A transport that takes up to `room` bytes, and keeps each write; nothing comes from it.
#[derive(Clone, Default)]
struct Transport(Arc<Mutex<Taken>>);

#[derive(Default)]
struct Taken {
    writes: Vec<Vec<u8>>,
    room: usize,
}

impl Transport {
    fn with_room(room: usize) -> Self {
        Self(Arc::new(Mutex::new(Taken { writes: Vec::new(), room })))
    }

    fn writes(&self) -> Vec<Vec<u8>> {
        self.0.lock().unwrap().writes.clone()
    }
}

impl AsyncRead for Transport {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

impl AsyncWrite for Transport {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut taken = self.0.lock().unwrap();
        let length = bytes.len().min(taken.room);
        if length == 0 {
            return Poll::Pending;
        }
        taken.room -= length;
        taken.writes.push(bytes[..length].to_vec());
        Poll::Ready(Ok(length))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// At most 1,000 bytes wait for each member.
fn member(room: &Broadcast, slow: Slow, transport: &Transport) -> (impl Sized, Receiver<Transport>) {
    let mut config = Config::server();
    config.outbound_high_water = 1000;
    config.keepalive = None;
    let websocket = WebSocket::new(transport.clone(), Connection::server(Arc::new(config)), &[]);
    let (sender, receiver) = websocket.split();
    (room.join(sender, slow), receiver)
}

/// 100 bytes, framed in 102, that begin with a number.
fn numbered(n: u32) -> Message {
    Message::text(format!("{n:<100}"))
}

/// The numbers of the messages in these bytes.
fn numbers(bytes: &[u8]) -> Vec<u32> {
    let frames = bytes.chunks(102);
    frames.map(|frame| std::str::from_utf8(&frame[2..]).unwrap().trim().parse().unwrap()).collect()
}

#[tokio::test]
async fn what_is_fed_goes_out_in_one_write_for_each_member_with_the_next_flush() {
    let room = Broadcast::new();
    let transports = [Transport::with_room(10_000), Transport::with_room(10_000)];
    let _members = transports.each_ref().map(|transport| member(&room, Slow::DropNewest, transport));
    for n in 0..9 {
        let published = room.feed(numbered(n)).await;
        assert_eq!(published, Published { delivered: 2, ..Published::default() });
    }
    assert!(transports.iter().all(|transport| transport.writes().is_empty()), "written before the flush");
    room.flush();
    for transport in &transports {
        let writes = transport.writes();
        assert_eq!(writes.len(), 1, "writes");
        assert_eq!(numbers(&writes[0]), (0..9).collect::<Vec<_>>());
    }
    room.flush();
    assert_eq!(transports[0].writes().len(), 1, "there was nothing left to write");
    assert_eq!(room.total().delivered, 18);
}

#[tokio::test]
async fn a_batch_beyond_the_high_water_mark_makes_nobody_slow_who_is_not() {
    let room = Broadcast::new();
    let (quick, slow) = (Transport::with_room(1_000_000), Transport::with_room(0));
    let _members = [
        member(&room, Slow::DropNewest, &quick),
        member(&room, Slow::DropNewest, &slow),
        member(&room, Slow::Close, &slow),
    ];
    for n in 0..100 {
        room.feed(numbered(n)).await;
    }
    room.flush();
    assert_eq!(numbers(&quick.writes().concat()), (0..100).collect::<Vec<_>>());
    assert_eq!(quick.writes().len(), 10, "each ten messages pass the mark");
    assert!(slow.writes().is_empty());
    assert_eq!(room.total(), Published { delivered: 120, dropped: 90, closed: 1, gone: 0 });
    assert_eq!(room.len(), 2, "who is closed has left");
}

#[tokio::test]
async fn what_was_fed_goes_out_ahead_of_what_is_published_then() {
    let room = Broadcast::new();
    let transport = Transport::with_room(10_000);
    let _member = member(&room, Slow::DropNewest, &transport);
    room.feed(numbered(0)).await;
    room.publish(numbered(1)).await;
    assert_eq!(transport.writes().len(), 1);
    assert_eq!(numbers(&transport.writes()[0]), [0, 1]);
}
