//! What the system takes ahead of a peer on a fast link, which then stops reading: nothing is lost, twice or out of order, and the
//! deadlines are those of any other connection.

use std::time::{Duration, Instant};

use tokio::io::AsyncReadExt;
use tokio::net::TcpSocket;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;
use ws_server::ws_core::{CloseCause, Deadline};
use ws_server::{Config, Endpoint, Error, Server, WebSocket};

use crate::common::{Peer, Running, frame, opening, run, soon};

const MEBIBYTE: usize = 1 << 20;
const WRITE_TIMEOUT: Duration = Duration::from_secs(3);

/// A message that says where each of its bytes is.
fn message(number: u32) -> Vec<u8> {
    (0..MEBIBYTE as u32 / 4).flat_map(|word| (word ^ number << 24).to_le_bytes()).collect()
}

/// What a handler reports: the number of a message that has been sent, or what ended the connection.
#[derive(Debug)]
enum Did {
    Sent(u32),
    Failed(Option<CloseCause>),
}

impl Did {
    fn of(number: u32, sent: &Result<(), Error>) -> Self {
        match sent {
            Ok(()) => Self::Sent(number),
            Err(Error::Closed(info)) => Self::Failed(Some(info.cause)),
            Err(_) => Self::Failed(None),
        }
    }
}

/// A server that sends a message for each that it receives, which has its number; with two halves at `/split`.
async fn server(write_timeout: Duration) -> (Running, UnboundedReceiver<Did>) {
    let (report, reports) = unbounded_channel();
    let split = report.clone();
    let whole = move |socket: WebSocket| send_whole(socket, report.clone());
    let split = move |socket: WebSocket| send_split(socket, split.clone());
    // A slow machine would have a keepalive ping in between.
    let config = || Config::server().write_timeout(write_timeout).keepalive(None);
    let builder = Server::builder()
        .endpoint("/whole", Endpoint::new(whole).connection(config()))
        .endpoint("/split", Endpoint::new(split).connection(config()));
    (run(builder).await, reports)
}

async fn send_whole(mut socket: WebSocket, report: UnboundedSender<Did>) -> Result<(), Error> {
    while let Some(asked) = socket.recv().await? {
        let number = u32::from(asked.as_bytes()[0]);
        let sent = socket.send(message(number)).await;
        report.send(Did::of(number, &sent)).unwrap();
        sent?;
    }
    Ok(())
}

async fn send_split(socket: WebSocket, report: UnboundedSender<Did>) -> Result<(), Error> {
    let (sender, mut receiver) = socket.split();
    while let Some(asked) = receiver.recv().await? {
        let number = u32::from(asked.as_bytes()[0]);
        let sent = sender.send(message(number)).await;
        report.send(Did::of(number, &sent)).unwrap();
        sent?;
    }
    Ok(())
}

/// Reads a binary message, which has several frames, and compares each byte; returns its number, or `None` for a text.
async fn read_any(peer: &mut Peer) -> Option<u32> {
    let mut payload = Vec::new();
    loop {
        let first = soon(peer.0.read_u8()).await.unwrap();
        let length = match soon(peer.0.read_u8()).await.unwrap() {
            127 => soon(peer.0.read_u64()).await.unwrap() as usize,
            126 => soon(peer.0.read_u16()).await.unwrap().into(),
            length => length.into(),
        };
        let is_text = first & 0x0f == 1;
        assert_eq!(
            first & 0x0f,
            if is_text {
                1
            } else if payload.is_empty() {
                2
            } else {
                0
            }
        );
        payload.extend(peer.bytes(length).await);
        if is_text {
            return None;
        }
        if first & 0x80 != 0 {
            let number = u32::from(payload[3]);
            assert!(payload == message(number), "message {number} has other bytes");
            return Some(number);
        }
    }
}

async fn read(peer: &mut Peer, number: u32) {
    assert_eq!(read_any(peer).await, Some(number));
}

/// A peer that has room for 64 KiB, after the link has proved to be fast.
async fn fast_peer(server: &Running, reports: &mut UnboundedReceiver<Did>, target: &str) -> Peer {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(64 << 10).unwrap();
    let mut peer = Peer(socket.connect(server.address).await.unwrap());
    peer.send(opening(target, "")).await;
    peer.head().await;
    for number in 0..8 {
        peer.send(frame(0x82, &[number])).await;
        read(&mut peer, number.into()).await;
        assert!(matches!(soon(reports.recv()).await, Some(Did::Sent(sent)) if sent == number.into()));
    }
    peer
}

#[tokio::test]
async fn a_peer_that_stops_reading_in_the_middle_of_a_message_and_goes_on_gets_each_byte_once_and_in_order() {
    for target in ["/whole", "/split"] {
        let (server, mut reports) = server(Duration::from_secs(30)).await;
        let mut peer = fast_peer(&server, &mut reports, target).await;
        for number in 20..24 {
            peer.send(frame(0x82, &[number])).await;
            // Something of it has come, and for longer than the link stays fast nothing more is read.
            soon(peer.0.peek(&mut [0])).await.unwrap();
            let sent = timeout(Duration::from_millis(400), reports.recv()).await;
            assert!(sent.is_err(), "{target}: {sent:?}, and its end has not been taken");
            read(&mut peer, number.into()).await;
            assert!(matches!(soon(reports.recv()).await, Some(Did::Sent(_))), "{target}");
        }
        peer.send(frame(0x88, b"\x03\xe8")).await;
        assert_eq!(peer.rest().await, b"\x88\x02\x03\xe8", "{target}");
    }
}

#[tokio::test]
async fn a_peer_that_never_reads_on_is_dropped_after_the_write_timeout_whatever_was_taken_ahead() {
    for target in ["/whole", "/split"] {
        let (server, mut reports) = server(WRITE_TIMEOUT).await;
        let mut peer = fast_peer(&server, &mut reports, target).await;
        let begun = Instant::now();
        peer.send(frame(0x82, &[20])).await;
        server.until(|stats| stats.memory() > 4096).await;
        assert!(server.stats.memory() < 3 * MEBIBYTE as u64, "{target}: {} bytes", server.stats.memory());
        let Some(Did::Failed(cause)) = soon(reports.recv()).await else { panic!("it was sent") };
        assert_eq!(cause, Some(CloseCause::Timeout(Deadline::Write)), "{target}");
        assert!(begun.elapsed() >= WRITE_TIMEOUT, "{target}: before its time");
        server.until(|stats| stats.open() == 0 && stats.memory() == 0).await;
        drop(peer);
    }
}

#[tokio::test]
async fn a_reset_while_bytes_are_taken_ahead_ends_the_send_and_the_connection() {
    for target in ["/whole", "/split"] {
        let (server, mut reports) = server(Duration::from_secs(30)).await;
        let mut peer = fast_peer(&server, &mut reports, target).await;
        peer.send(frame(0x82, &[20])).await;
        soon(peer.0.peek(&mut [0])).await.unwrap();
        // Dropped with unread bytes: the system resets the connection.
        drop(peer);
        let Some(Did::Failed(cause)) = soon(reports.recv()).await else { panic!("it was sent") };
        assert!(matches!(cause, Some(CloseCause::Transport(_))), "{target}: {cause:?}");
        server.until(|stats| stats.open() == 0 && stats.memory() == 0).await;
    }
}

#[tokio::test]
async fn a_send_that_is_dropped_at_any_time_leaves_a_whole_message_or_none_on_the_wire() {
    let handler = async |mut socket: WebSocket| {
        let mut number = 0;
        while socket.recv().await?.is_some() {
            for pause in [0, 1, 3, 10] {
                let _ = timeout(Duration::from_millis(pause), socket.send(message(number))).await;
                number += 1;
            }
            socket.send("end").await?;
        }
        Ok::<_, Error>(())
    };
    let server = run(Server::builder().route("/", handler)).await;
    let mut peer = server.open("/").await;
    let (mut next, mut received) = (0, 0);
    for _ in 0..20 {
        peer.send(frame(0x82, b"more")).await;
        while let Some(number) = read_any(&mut peer).await {
            assert!(number >= next, "{number} comes behind {next}");
            next = number + 1;
            received += 1;
        }
    }
    assert!(received > 0, "no message has arrived");
    peer.send(frame(0x88, b"\x03\xe8")).await;
    assert_eq!(peer.rest().await, b"\x88\x02\x03\xe8");
}
