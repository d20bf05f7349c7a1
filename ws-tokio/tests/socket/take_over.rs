//! A WebSocket that is dropped before its end is taken over by its transport.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use ws_core::{CloseCode, Config, Connection, Message, PreparedMessage};
use ws_tokio::{Outbox, TakeOver, WebSocket};

/// A pipe that sends the WebSocket it takes over to the test.
struct Pipe {
    pipe: Option<DuplexStream>,
    taken: UnboundedSender<WebSocket<Pipe>>,
}

impl Pipe {
    fn pipe(self: Pin<&mut Self>) -> Pin<&mut DuplexStream> {
        Pin::new(self.get_mut().pipe.as_mut().unwrap())
    }
}

impl AsyncRead for Pipe {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.pipe().poll_read(cx, buffer)
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.pipe().poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.pipe().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.pipe().poll_shutdown(cx)
    }
}

impl TakeOver for Pipe {
    fn take(&mut self) -> Option<Self> {
        Some(Self { pipe: Some(self.pipe.take()?), taken: self.taken.clone() })
    }

    fn take_over(websocket: WebSocket<Self>) {
        let taken = websocket.get_ref().taken.clone();
        taken.send(websocket).unwrap();
    }
}

fn open() -> (WebSocket<Pipe>, UnboundedReceiver<WebSocket<Pipe>>, DuplexStream) {
    let (ours, peer) = duplex(64);
    let (taken, taken_over) = unbounded_channel();
    let pipe = Pipe { pipe: Some(ours), taken };
    let mut websocket = WebSocket::new(pipe, Connection::server(Arc::new(Config::server())), &[]);
    websocket.take_over_on_drop();
    (websocket, taken_over, peer)
}

#[tokio::test]
async fn a_websocket_that_is_taken_over_keeps_what_was_read_and_queued() {
    for halves in [false, true] {
        let (mut websocket, mut taken_over, mut peer) = open();
        let closer = websocket.closer();
        // Two messages and half a third, masked with zeros; more to write than the pipe holds.
        peer.write_all(b"\x81\x81\0\0\0\0a\x81\x81\0\0\0\0b\x81\x82\0\0\0\0c").await.unwrap();
        assert_eq!(websocket.recv().await.unwrap(), Some(Message::text("a")));
        websocket.feed(vec![7; 100]).await.unwrap();
        if halves {
            drop(websocket.split())
        } else {
            drop(websocket)
        }
        let mut websocket = taken_over.recv().await.unwrap();
        assert_eq!(closer.close_info(), None);
        assert_eq!(websocket.recv().await.unwrap(), Some(Message::text("b")));
        peer.write_all(b"d").await.unwrap();
        assert_eq!(websocket.recv().await.unwrap(), Some(Message::text("cd")));
        let closing = tokio::spawn(async move {
            let info = websocket.close(CloseCode::INTERNAL_ERROR, "").await.unwrap();
            // The connection has ended, so that it is not taken over again.
            drop(websocket);
            info
        });
        let mut frames = vec![0; 102 + 4];
        peer.read_exact(&mut frames).await.unwrap();
        assert_eq!((&frames[..2], &frames[102..]), (&[0x82, 100][..], &[0x88, 2, 3, 0xf3][..]));
        peer.write_all(&[0x88, 0x82, 0, 0, 0, 0, 3, 0xf3]).await.unwrap();
        assert!(closing.await.unwrap().is_clean());
        assert!(closer.close_info().unwrap().is_clean());
        assert!(taken_over.recv().await.is_none());
    }
}

#[tokio::test]
async fn a_websocket_that_is_dropped_again_after_being_taken_over_sends_a_close() {
    let (websocket, mut taken_over, mut peer) = open();
    drop(websocket);
    drop(taken_over.recv().await.unwrap());
    let mut rest = Vec::new();
    peer.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest, [0x88, 2, 3, 0xe9]);
    assert!(taken_over.recv().await.is_none());
}

#[tokio::test]
async fn a_websocket_taken_over_after_a_panic_writes_what_was_queued_and_a_close_with_1011() {
    let (mut websocket, mut taken_over, mut peer) = open();
    let panicked = tokio::spawn(async move {
        // More than the pipe holds.
        websocket.feed(vec![7; 100]).await.unwrap();
        panic!("the handler fails");
    });
    assert!(panicked.await.unwrap_err().is_panic());
    let mut websocket = taken_over.recv().await.unwrap();
    assert!(!websocket.connection().is_open());
    let writing = tokio::spawn(async move { websocket.flush().await });
    let mut written = Vec::new();
    peer.read_to_end(&mut written).await.unwrap();
    let (message, close) = written.split_at(102);
    assert_eq!((&message[..2], close), (&[0x82, 100][..], &[0x88, 2, 3, 0xf3][..]));
    writing.await.unwrap().unwrap();
    assert!(taken_over.recv().await.is_none());
}

/// Counts how often it was reported closed.
#[derive(Default)]
struct Counter(AtomicUsize);

impl Outbox for Counter {
    fn next(&self) -> Option<PreparedMessage> {
        None
    }

    fn memory_usage(&self) -> usize {
        0
    }

    fn closed(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn an_outbox_is_closed_when_its_connection_is_taken_over() {
    let (websocket, mut taken, _far) = open();
    let (sender, receiver) = websocket.split();
    let outbox = Arc::new(Counter::default());
    sender.attach(outbox.clone()).unwrap();
    drop((sender, receiver));
    assert_eq!(outbox.0.load(Ordering::SeqCst), 1);
    assert!(taken.recv().await.unwrap().is_open());
    assert_eq!(outbox.0.load(Ordering::SeqCst), 1);
}
