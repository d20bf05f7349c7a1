//! HTTP/2 in bytes (RFC 9113 section 4): for what the crate h2 does not do.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::common::soon;
use super::peer::accept;

pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const END_HEADERS: u8 = 4;
/// `:status: 200`, as HPACK indexes it (RFC 7541 appendix A).
pub(crate) const STATUS_200: &[u8] = &[0x88];
/// `SETTINGS_ENABLE_CONNECT_PROTOCOL = 1` (RFC 8441 section 3).
pub(crate) const ALLOW: &[u8] = &[0, 8, 0, 0, 0, 1];
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A frame as it was received.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

/// The server's end of an HTTP/2 connection.
pub(crate) struct Bytewise(pub(crate) TcpStream);

impl Bytewise {
    /// Accepts a connection and reads the client's preface.
    pub(crate) async fn accept(listener: &TcpListener) -> Self {
        let mut stream = accept(listener).await;
        let mut preface = [0; 24];
        soon(stream.read_exact(&mut preface)).await.unwrap();
        assert_eq!(preface, PREFACE);
        Self(stream)
    }

    /// The same, and sends SETTINGS.
    pub(crate) async fn settled(listener: &TcpListener, settings: &[u8]) -> Self {
        let mut this = Self::accept(listener).await;
        this.send(SETTINGS, 0, 0, settings).await;
        this
    }

    pub(crate) async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let mut frame = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
        frame.extend([kind, flags]);
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        self.0.write_all(&frame).await.unwrap();
    }

    pub(crate) async fn goaway(&mut self, last: u32, code: u32) {
        self.send(GOAWAY, 0, 0, &[last.to_be_bytes(), code.to_be_bytes()].concat()).await;
    }

    pub(crate) async fn receive(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        soon(self.0.read_exact(&mut head)).await.ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        soon(self.0.read_exact(&mut payload)).await.ok()?;
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        Some(Frame { kind: head[3], flags: head[4], stream, payload })
    }

    /// Reads up to a frame of this kind; returns it, and the kinds of those before it.
    pub(crate) async fn until(&mut self, kind: u8) -> (Frame, Vec<u8>) {
        let mut before = Vec::new();
        loop {
            let frame = self.receive().await.expect("the client has ended the connection");
            if frame.kind == kind {
                return (frame, before);
            }
            before.push(frame.kind);
        }
    }

    /// Reads to the end of the connection; returns the kinds of the frames.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        let mut kinds = Vec::new();
        while let Some(frame) = self.receive().await {
            kinds.push(frame.kind);
        }
        kinds
    }
}
