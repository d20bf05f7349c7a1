//! A WebSocket that is dropped before its end goes on in other hands.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use ws_core::{CloseCode, Config, Connection, Message};
use ws_tokio::{Heir, WebSocket};

/// A pipe that passes its WebSocket on.
struct Pipe {
    pipe: Option<DuplexStream>,
    heirs: UnboundedSender<WebSocket<Pipe>>,
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

impl Heir for Pipe {
    fn take(&mut self) -> Option<Self> {
        Some(Self { pipe: Some(self.pipe.take()?), heirs: self.heirs.clone() })
    }

    fn inherit(websocket: WebSocket<Self>) {
        let heirs = websocket.get_ref().heirs.clone();
        heirs.send(websocket).unwrap();
    }
}

fn open() -> (WebSocket<Pipe>, UnboundedReceiver<WebSocket<Pipe>>, DuplexStream) {
    let (ours, peer) = duplex(64);
    let (heirs, inherited) = unbounded_channel();
    let pipe = Pipe { pipe: Some(ours), heirs };
    let mut websocket = WebSocket::new(pipe, Connection::server(Arc::new(Config::server())), &[]);
    websocket.bequeath();
    (websocket, inherited, peer)
}

#[tokio::test]
async fn what_was_read_and_queued_is_still_there() {
    for halves in [false, true] {
        let (mut websocket, mut inherited, mut peer) = open();
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
        let mut heir = inherited.recv().await.unwrap();
        assert_eq!(closer.close_info(), None);
        assert_eq!(heir.recv().await.unwrap(), Some(Message::text("b")));
        peer.write_all(b"d").await.unwrap();
        assert_eq!(heir.recv().await.unwrap(), Some(Message::text("cd")));
        let closing = tokio::spawn(async move {
            let info = heir.close(CloseCode::INTERNAL_ERROR, "").await.unwrap();
            // Now it is over, and nothing more is inherited.
            drop(heir);
            info
        });
        let mut frames = vec![0; 102 + 4];
        peer.read_exact(&mut frames).await.unwrap();
        assert_eq!((&frames[..2], &frames[102..]), (&[0x82, 100][..], &[0x88, 2, 3, 0xf3][..]));
        peer.write_all(&[0x88, 0x82, 0, 0, 0, 0, 3, 0xf3]).await.unwrap();
        assert!(closing.await.unwrap().is_clean());
        assert!(closer.close_info().unwrap().is_clean());
        assert!(inherited.recv().await.is_none());
    }
}

#[tokio::test]
async fn an_inherited_websocket_that_is_dropped_again_sends_a_close() {
    let (websocket, mut inherited, mut peer) = open();
    drop(websocket);
    drop(inherited.recv().await.unwrap());
    let mut rest = Vec::new();
    peer.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest, [0x88, 2, 3, 0xe9]);
    assert!(inherited.recv().await.is_none());
}

#[tokio::test]
async fn after_a_panic_the_heir_writes_what_was_queued_and_a_close_with_1011() {
    let (mut websocket, mut inherited, mut peer) = open();
    let panicked = tokio::spawn(async move {
        // More than the pipe holds.
        websocket.feed(vec![7; 100]).await.unwrap();
        panic!("a fault of the handler's");
    });
    assert!(panicked.await.unwrap_err().is_panic());
    let mut heir = inherited.recv().await.unwrap();
    assert!(!heir.connection().is_open());
    let writing = tokio::spawn(async move { heir.flush().await });
    let mut written = Vec::new();
    peer.read_to_end(&mut written).await.unwrap();
    let (message, close) = written.split_at(102);
    assert_eq!((&message[..2], close), (&[0x82, 100][..], &[0x88, 2, 3, 0xf3][..]));
    writing.await.unwrap().unwrap();
    assert!(inherited.recv().await.is_none());
}
