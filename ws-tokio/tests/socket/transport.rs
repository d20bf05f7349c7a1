//! What the transport does: it has no vectored writes, fails to read, or takes so little that reading has to wait.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Buf;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex};
use tokio::time::timeout;
use ws_core::{Config, Connection, Event, Message, Role};
use ws_tokio::{Error, WebSocket};

/// A pipe without vectored writes, as `AsyncWrite` has it by default; it may fail to read. It keeps the lengths of
/// what was written.
struct Plain {
    pipe: DuplexStream,
    fails: bool,
    writes: Vec<usize>,
}

impl AsyncRead for Plain {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.fails {
            return Poll::Ready(Err(ErrorKind::PermissionDenied.into()));
        }
        Pin::new(&mut self.pipe).poll_read(cx, buf)
    }
}

impl AsyncWrite for Plain {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.pipe).poll_write(cx, buf);
        if let Poll::Ready(Ok(length)) = written {
            self.writes.push(length);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_shutdown(cx)
    }
}

fn websocket<S: AsyncRead + AsyncWrite + Unpin>(io: S, role: Role, config: Config) -> WebSocket<S> {
    let connection = match role {
        Role::Server => Connection::server(Arc::new(config)),
        Role::Client => Connection::client(Arc::new(config), [7; 32]),
    };
    WebSocket::new(io, connection, &[])
}

fn numbered(n: u32) -> Message {
    Message::text(format!("{n:<100}"))
}

#[tokio::test]
async fn without_vectored_writes_all_goes_out_in_order() {
    let (a, b) = duplex(1 << 20);
    let mut server =
        websocket(Plain { pipe: a, fails: false, writes: Vec::new() }, Role::Server, Config::server());
    let mut client = websocket(b, Role::Client, Config::client());
    let large = Message::binary((0..70_000u32).map(|n| (n % 251) as u8).collect::<Vec<_>>());
    for message in [numbered(1), large.clone(), numbered(2)] {
        server.feed(message).await.unwrap();
    }
    server.flush().await.unwrap();
    for message in [numbered(1), large, numbered(2)] {
        assert_eq!(client.recv().await.unwrap(), Some(message));
    }
}

#[tokio::test]
async fn answers_to_lent_messages_go_out_in_one_write_or_as_soon_as_the_high_water_mark_is_reached() {
    for (high_water, writes) in
        [(64 << 10, &[120][..]), (121, &[120]), (24, &[24; 5]), (25, &[36, 36, 36, 12])]
    {
        let (pipe, _peer) = duplex(1 << 10);
        let mut config = Config::server();
        config.send_high_water = high_water;
        let mut client = Connection::client(Arc::new(Config::client()), [7; 32]);
        for _ in 0..10 {
            client.send_text("ten bytes.").unwrap();
        }
        let mut output = client.output();
        let received = output.copy_to_bytes(output.remaining());
        let plain = Plain { pipe, fails: false, writes: Vec::new() };
        let mut server = WebSocket::new(plain, Connection::server(Arc::new(config)), &received);
        let echo = server.for_each_event(|connection, event| match event {
            Event::Text(text) => connection.send_text(&text),
            _ => Ok(()),
        });
        assert!(timeout(Duration::ZERO, echo).await.is_err(), "the reader did not wait for more");
        assert_eq!(server.get_ref().writes, writes, "{high_water}");
    }
}

#[tokio::test]
async fn a_failed_read_is_reported_with_its_cause() {
    let (pipe, _peer) = duplex(64);
    let mut server =
        websocket(Plain { pipe, fails: true, writes: Vec::new() }, Role::Server, Config::server());
    match server.recv().await {
        Err(Error::Io(error)) => assert_eq!(error.kind(), ErrorKind::PermissionDenied),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_is_read_ahead_while_a_message_goes_out_is_received_in_order() {
    let (pipe, mut peer) = duplex(1 << 20);
    let mut server = websocket(pipe, Role::Server, Config::server());
    let mut client = Connection::client(Arc::new(Config::client()), [7; 32]);
    let mut frames = Vec::new();
    for n in 0..2000 {
        client.send(numbered(n)).unwrap();
        let mut output = client.output();
        frames.extend(output.copy_to_bytes(output.remaining()));
    }
    peer.write_all(&frames).await.unwrap();
    // The first leaves the buffer full and used at its front; sending 2 MiB then takes longer than the pipe is wide.
    assert_eq!(server.recv().await.unwrap(), Some(numbered(0)));
    let sent = Message::binary(vec![7; 2 << 20]);
    let (result, read) = tokio::join!(server.send(sent), async {
        tokio::task::yield_now().await;
        let mut bytes = vec![0; (2 << 20) + 10];
        peer.read_exact(&mut bytes).await
    });
    result.unwrap();
    read.unwrap();
    for n in 1..2000 {
        assert_eq!(server.recv().await.unwrap(), Some(numbered(n)));
    }
}

#[tokio::test(start_paused = true)]
async fn while_more_than_the_memory_limit_waits_to_be_written_nothing_is_read() {
    let mut config = Config::server();
    config.max_memory = Some(100_000);
    config.keepalive = None;
    let (pipe, peer) = duplex(1000);
    let (sender, mut receiver) = websocket(pipe, Role::Server, config).split();
    let mut client = websocket(peer, Role::Client, Config::client());
    sender.feed(Message::binary(vec![7; 150_000])).await.unwrap();
    client.send("hello").await.unwrap();
    let second = Duration::from_secs(1);
    assert!(timeout(second, receiver.recv()).await.is_err(), "it is read");
    assert!(timeout(second, sender.flush()).await.is_err(), "all is written");
    let receiving = tokio::spawn(async move { receiver.recv().await });
    let (flushed, received) = tokio::join!(sender.flush(), client.recv());
    flushed.unwrap();
    assert_eq!(received.unwrap().unwrap().len(), 150_000);
    assert_eq!(receiving.await.unwrap().unwrap(), Some("hello".into()));
}
