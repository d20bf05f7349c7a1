//! WebSockets on a connection whose socket passes a few kilobytes a second: deadlines begin when a ping or a Close has been
//! written, and while bytes move none of them ends anything. The clock is paused.

use std::time::Duration;

use bytes::Buf;
use h2::client;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, duplex, split};
use tokio::time::{Instant, sleep, timeout};
use ws_core::{CloseCause, CloseCode, Config, Connection, Deadline, Event, Message, Role};
use ws_tokio::http2::Http2Stream;
use ws_tokio::{Error, WebSocket};

use crate::pair::{Pair, Peer, connect};

const ROLES: [Role; 2] = [Role::Server, Role::Client];

/// Fast enough to be no limit.
const FAST: usize = 1 << 20;

/// A connection whose socket passes this many bytes a second away from the server, and towards it; with windows of this size.
async fn pair(away: usize, towards: usize, window: u32) -> Pair {
    let ((server, near), (far, client)) = (duplex(1 << 10), duplex(1 << 10));
    let ((near_read, near_write), (far_read, far_write)) = (split(near), split(far));
    tokio::spawn(pass(near_read, far_write, away));
    tokio::spawn(pass(far_read, near_write, towards));
    let mut builder = client::Builder::new();
    builder.initial_window_size(window).initial_connection_window_size(1 << 20);
    connect(client, server, &builder).await
}

async fn pass<S: AsyncReadExt, T: AsyncWriteExt>(mut from: ReadHalf<S>, mut to: WriteHalf<T>, rate: usize) {
    let mut buffer = vec![0; (rate / 4).min(1 << 10)];
    while let Ok(n @ 1..) = from.read(&mut buffer).await {
        sleep(Duration::from_secs(1) * n as u32 / rate as u32).await;
        if to.write_all(&buffer[..n]).await.is_err() {
            break;
        }
    }
}

fn websocket(stream: Http2Stream, role: Role) -> WebSocket<Http2Stream> {
    let connection = match role {
        Role::Server => Connection::server(Config::server().into()),
        Role::Client => Connection::client(Config::client().into(), [7; 32]),
    };
    let held = stream.held();
    let mut websocket = WebSocket::new(stream, connection, &[]);
    websocket.count_held(held);
    websocket
}

/// The other end of a WebSocket, without a driver and without deadlines.
struct Far {
    connection: Connection,
    peer: Peer,
}

impl Far {
    fn new(peer: Peer, other: Role) -> Self {
        let connection = match other {
            Role::Server => Connection::client(Config::client().into(), [7; 32]),
            Role::Client => Connection::server(Config::server().into()),
        };
        Self { connection, peer }
    }

    /// Gives what is queued to `h2`.
    fn flush(&mut self) {
        let mut output = self.connection.output();
        let length = output.remaining();
        if length > 0 {
            self.peer.send.send_data(output.copy_to_bytes(length), false).unwrap();
        }
    }

    fn send(&mut self, text: &str) {
        self.connection.send_text(text).unwrap();
        self.flush();
    }

    /// Answers pings, and a Close, until `bytes` have come in messages, or the end.
    async fn take(&mut self, bytes: usize) {
        let (mut taken, mut input) = (0, Vec::new());
        while taken < bytes {
            let Some(Ok(data)) = self.peer.recv.data().await else { break };
            self.peer.recv.flow_control().release_capacity(data.len()).unwrap();
            input.extend_from_slice(&data);
            let mut unread = input.as_mut_slice();
            let before = unread.len();
            while let Some(event) = self.connection.receive(&mut unread).unwrap() {
                if let Event::Text(text) = &event {
                    taken += text.len();
                } else if let Event::Binary(bytes) = &event {
                    taken += bytes.len();
                }
            }
            let used = before - unread.len();
            input.drain(..used);
            self.flush();
        }
    }
}

/// What other WebSockets have to send, on streams of their own.
async fn others_send(pair: &mut Pair, count: usize) -> Vec<(Http2Stream, Peer)> {
    let mut others = Vec::new();
    for _ in 0..count {
        others.push(pair.stream().await);
    }
    for (stream, _) in &mut others {
        stream.write_all(&[1; 60_000]).await.unwrap();
    }
    others
}

/// The same in the other direction.
async fn others_receive(pair: &mut Pair, count: usize) -> Vec<(Http2Stream, Peer)> {
    let mut others = Vec::new();
    for _ in 0..count {
        others.push(pair.stream().await);
    }
    for (_, peer) in &mut others {
        peer.send.send_data(vec![1; 60_000].into(), false).unwrap();
    }
    others
}

fn cause(error: &Error) -> Option<CloseCause> {
    match error {
        Error::Closed(info) => Some(info.cause),
        _ => None,
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_waits_two_minutes_inside_of_h2_is_no_stalled_write() {
    for role in ROLES {
        let mut pair = pair(500, FAST, 1 << 20).await;
        let (stream, peer) = pair.stream().await;
        let (mut socket, mut far) = (websocket(stream, role), Far::new(peer, role));
        let begun = Instant::now();
        let far = tokio::spawn(async move {
            far.take(60_000).await;
            far.send("all of it");
            far
        });
        socket.send(vec![7; 60_000]).await.unwrap();
        assert_eq!(socket.recv().await.unwrap(), Some(Message::text("all of it")), "{role:?}");
        assert!(begun.elapsed() > Duration::from_secs(110), "{:?}", begun.elapsed());
        far.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_ping_behind_the_bytes_of_other_websockets_has_time_while_the_socket_takes_them() {
    for role in ROLES {
        let mut pair = pair(2000, FAST, 1 << 20).await;
        let (stream, peer) = pair.stream().await;
        let (mut socket, mut far) = (websocket(stream, role), Far::new(peer, role));
        let _others = others_send(&mut pair, 5).await;
        let far = tokio::spawn(async move {
            // Nothing but pings comes.
            let _ = timeout(Duration::from_secs(200), far.take(1)).await;
            far.send("still there");
            far
        });
        assert_eq!(socket.recv().await.unwrap(), Some(Message::text("still there")), "{role:?}");
        assert!(socket.rtt().is_some(), "a ping was answered");
        far.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_pong_behind_the_bytes_of_other_websockets_has_time_while_the_socket_brings_them() {
    for role in ROLES {
        let mut pair = pair(FAST, 2000, 1 << 20).await;
        let (stream, peer) = pair.stream().await;
        let (mut socket, mut far) = (websocket(stream, role), Far::new(peer, role));
        let _others = others_receive(&mut pair, 4).await;
        let far = tokio::spawn(async move {
            let _ = timeout(Duration::from_secs(110), far.take(1)).await;
            far.send("still there");
            far
        });
        assert_eq!(socket.recv().await.unwrap(), Some(Message::text("still there")), "{role:?}");
        far.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_close_whose_answer_is_behind_the_bytes_of_other_websockets_is_clean() {
    for role in ROLES {
        let mut pair = pair(FAST, 2000, 1 << 20).await;
        let (stream, peer) = pair.stream().await;
        let (mut socket, mut far) = (websocket(stream, role), Far::new(peer, role));
        let _others = others_receive(&mut pair, 4).await;
        let far = tokio::spawn(async move {
            far.take(1).await;
            far.peer.send.send_data(bytes::Bytes::new(), true).unwrap();
            far
        });
        let begun = Instant::now();
        let info = socket.close(CloseCode::NORMAL_CLOSURE, "").await.unwrap();
        assert!(info.is_clean(), "{role:?} after {:?}: {info:?}", begun.elapsed());
        assert!(begun.elapsed() > Duration::from_secs(10), "{:?}", begun.elapsed());
        drop(far.await.unwrap());
    }
}

#[tokio::test(start_paused = true)]
async fn a_websocket_whose_peer_answers_no_ping_is_found_although_others_of_its_connection_are_busy() {
    for role in ROLES {
        let mut pair = pair(FAST, FAST, 1 << 20).await;
        // As behind a proxy whose client is gone.
        let (stream, _peer) = pair.stream().await;
        let mut socket = websocket(stream, role);
        let (_other, mut busy) = pair.stream().await;
        let busy = tokio::spawn(async move {
            loop {
                busy.send.send_data("x".into(), false).unwrap();
                sleep(Duration::from_secs(1)).await;
            }
        });
        let begun = Instant::now();
        let error = socket.recv().await.unwrap_err();
        assert_eq!(cause(&error), Some(CloseCause::Timeout(Deadline::Keepalive)), "{role:?}");
        assert!(begun.elapsed() < Duration::from_secs(170), "{:?}", begun.elapsed());
        busy.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn a_websocket_whose_peer_opens_no_window_is_stalled_although_others_of_its_connection_are_busy() {
    for role in ROLES {
        let mut pair = pair(FAST, FAST, 1_000).await;
        let (stream, _peer) = pair.stream().await;
        let mut socket = websocket(stream, role);
        let (_other, mut busy) = pair.stream().await;
        let busy = tokio::spawn(async move {
            loop {
                busy.send.send_data("x".into(), false).unwrap();
                sleep(Duration::from_secs(1)).await;
            }
        });
        let begun = Instant::now();
        let error = socket.send(vec![7; 5_000]).await.unwrap_err();
        assert_eq!(cause(&error), Some(CloseCause::Timeout(Deadline::Write)), "{role:?}");
        assert!(begun.elapsed() < Duration::from_secs(70), "{:?}", begun.elapsed());
        busy.abort();
    }
}
