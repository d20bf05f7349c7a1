//! A peer of bytes (RFC 9113 section 4), for what `h2` does not send. It keeps to the server's windows unless a test sends
//! frames past them.

use std::collections::HashMap;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::common::{Peer, Running, soon};

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const END_STREAM: u8 = 1;
pub(crate) const ACK: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;
pub(crate) const PADDED: u8 = 8;

/// Codes of RFC 9113 section 7.
pub(crate) const PROTOCOL_ERROR: u32 = 1;
pub(crate) const FLOW_CONTROL_ERROR: u32 = 3;
pub(crate) const CANCEL: u32 = 8;
pub(crate) const ENHANCE_YOUR_CALM: u32 = 11;

pub(crate) const PAGE: &[(&str, &str)] =
    &[(":method", "GET"), (":scheme", "http"), (":authority", "localhost"), (":path", "/page")];

/// A frame as it was received.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

/// The client's end of an HTTP/2 connection.
pub(crate) struct Raw {
    pub(crate) peer: Peer,
    /// What the server's windows have room for: those of streams, and that of the connection, which is number 0.
    windows: HashMap<u32, usize>,
    /// Frames that have arrived, and were not the ones that a test waited for.
    later: Vec<Frame>,
}

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend(stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// Fields as literals without indexing (RFC 7541 section 6.2.2).
pub(crate) fn fields(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            block.push(u8::try_from(text.len()).unwrap());
            block.extend_from_slice(text.as_bytes());
        }
    }
    block
}

/// The fields of an extended CONNECT (RFC 8441 section 4).
pub(crate) fn connect_fields(path: &str) -> [(&str, &str); 6] {
    [
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        (":scheme", "http"),
        (":authority", "localhost"),
        (":path", path),
        ("sec-websocket-version", "13"),
    ]
}

impl Frame {
    /// The code of a RST_STREAM or GOAWAY.
    pub(crate) fn code(&self) -> u32 {
        let at = if self.kind == GOAWAY { 4 } else { 0 };
        u32::from_be_bytes(self.payload[at..at + 4].try_into().unwrap())
    }
}

impl Raw {
    /// Begins a connection whose SETTINGS are empty: a client need not allow extended CONNECT (RFC 8441 section 3).
    pub(crate) async fn begin(server: &Running) -> Self {
        Self::with(server, &[]).await
    }

    pub(crate) async fn with(server: &Running, settings: &[u8]) -> Self {
        let mut peer = server.connect().await;
        peer.0.set_nodelay(true).unwrap();
        peer.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
        peer.send(frame(SETTINGS, 0, 0, settings)).await;
        Self { peer, windows: HashMap::from([(0, 65_535)]), later: Vec::new() }
    }

    pub(crate) async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        self.peer.send(frame(kind, flags, stream, payload)).await;
    }

    /// Sends bytes that the server may refuse; whether it took them.
    pub(crate) async fn try_send(&mut self, bytes: &[u8]) -> bool {
        soon(self.peer.0.write_all(bytes)).await.is_ok()
    }

    /// Sends DATA, padded if `flags` say so, as soon as the windows have room for it.
    pub(crate) async fn data(&mut self, stream: u32, flags: u8, payload: &[u8]) {
        self.many_data(1, stream, flags, payload).await;
    }

    /// The same many times, in one write.
    pub(crate) async fn many_data(&mut self, times: usize, stream: u32, flags: u8, payload: &[u8]) {
        let length = times * payload.len();
        while self.window(0) < length || self.window(stream) < length {
            let frame = self.receive().await.expect("the server ended the connection");
            self.later.push(frame);
        }
        self.peer.send(frame(DATA, flags, stream, payload).repeat(times)).await;
        for number in [0, stream] {
            *self.windows.get_mut(&number).unwrap() -= length;
        }
    }

    fn window(&mut self, number: u32) -> usize {
        *self.windows.entry(number).or_insert(STREAM_WINDOW)
    }

    /// Opens a WebSocket.
    pub(crate) async fn open(&mut self, stream: u32, path: &str) {
        self.send(HEADERS, END_HEADERS, stream, &fields(&connect_fields(path))).await;
        let answer = self.next_of(stream).await.unwrap();
        // `:status: 200` is number 8 of the static table.
        assert_eq!((answer.kind, answer.payload[0], answer.flags & END_STREAM), (HEADERS, 0x88, 0));
    }

    /// The next frame; `None` at the end of the connection.
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        if self.later.is_empty() { self.receive().await } else { Some(self.later.remove(0)) }
    }

    async fn receive(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        soon(self.peer.0.read_exact(&mut head)).await.ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        let mut payload = vec![0; length];
        soon(self.peer.0.read_exact(&mut payload)).await.ok()?;
        if head[3] == WINDOW_UPDATE {
            let more = u32::from_be_bytes(payload[..].try_into().unwrap());
            *self.windows.entry(stream).or_insert(STREAM_WINDOW) += more as usize;
        }
        Some(Frame { kind: head[3], flags: head[4], stream, payload })
    }

    /// The next frame of this stream that is no WINDOW_UPDATE, or GOAWAY; `None` at the end of the connection. What comes for
    /// other streams is kept.
    pub(crate) async fn next_of(&mut self, stream: u32) -> Option<Frame> {
        let is_it = |frame: &Frame| {
            frame.kind == GOAWAY || (frame.stream == stream && stream != 0 && frame.kind != WINDOW_UPDATE)
        };
        if let Some(at) = self.later.iter().position(is_it) {
            return Some(self.later.remove(at));
        }
        loop {
            let frame = self.receive().await?;
            if is_it(&frame) {
                return Some(frame);
            }
            self.later.push(frame);
        }
    }

    /// The next frame that is for a stream and no WINDOW_UPDATE, or ends the connection.
    pub(crate) async fn next_of_interest(&mut self) -> Option<Frame> {
        loop {
            let frame = self.next().await?;
            if frame.kind == GOAWAY || (frame.stream != 0 && frame.kind != WINDOW_UPDATE) {
                return Some(frame);
            }
        }
    }

    /// The next frame of this kind; `None` at the end of the connection.
    pub(crate) async fn next_of_kind(&mut self, kind: u8) -> Option<Frame> {
        loop {
            let frame = self.next().await?;
            if frame.kind == kind {
                return Some(frame);
            }
        }
    }

    /// DATA of this stream until there are `length` bytes.
    pub(crate) async fn bytes(&mut self, stream: u32, length: usize) -> Vec<u8> {
        let mut all = Vec::new();
        while all.len() < length {
            let frame = self.next_of(stream).await.expect("the server ended the connection");
            assert_eq!(frame.kind, DATA, "{frame:?} after {all:?}");
            all.extend_from_slice(&frame.payload);
        }
        all
    }

    /// Sends a text of at most 125 bytes in one DATA frame, and waits for its echo.
    pub(crate) async fn echo(&mut self, stream: u32, text: &str) {
        self.data(stream, 0, &crate::common::frame(0x81, text.as_bytes())).await;
        let reply = crate::common::reply(0x81, text.as_bytes());
        assert_eq!(self.bytes(stream, reply.len()).await, reply);
    }
}

/// `Http2Options::stream_window` by default.
pub(crate) const STREAM_WINDOW: usize = 64 << 10;
