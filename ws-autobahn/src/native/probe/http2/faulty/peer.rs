//! A peer over HTTP/2 in either role with one fault. Apart from that it accepts everything, and knows no windows.

use std::collections::{BTreeMap, BTreeSet};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    native::{
        frame::text,
        http2::{
            frames::{
                ACK, CONTINUATION, DATA, ENABLE_CONNECT_PROTOCOL, END_HEADERS, END_STREAM, Frame, GOAWAY,
                HEADERS, PING, PREFACE, RST_STREAM, SETTINGS, frame, settings, window_update,
            },
            hpack::{Decoder, literals},
        },
        probe::faulty::{
            Fault::{self, *},
            peer::Peer,
        },
    },
    role::Role,
};

/// Serves or opens a connection until it ends.
pub(super) async fn run(mut stream: TcpStream, role: Role, fault: Fault) {
    let mut connection = Connection {
        role,
        fault,
        decoder: Decoder::new(),
        block: Vec::new(),
        streams: BTreeMap::new(),
        refused: BTreeSet::new(),
        asked: false,
        out: Vec::new(),
    };
    if role == Role::Client {
        connection.out.extend_from_slice(PREFACE);
    }
    let permits = role == Role::Server && fault != PermitsNothing;
    connection.send(settings(if permits { &[(ENABLE_CONNECT_PROTOCOL, 1)] } else { &[] }));
    if fault == AsksWithoutPermission {
        connection.ask();
    }
    let mut input = Vec::new();
    let mut preface = if role == Role::Server { PREFACE.len() } else { 0 };
    loop {
        if stream.write_all(&std::mem::take(&mut connection.out)).await.is_err() {
            return;
        }
        if !matches!(stream.read_buf(&mut input).await, Ok(1..)) {
            return;
        }
        let skipped = preface.min(input.len());
        input.drain(..skipped);
        preface -= skipped;
        while let Some((frame, size)) = Frame::read(&input) {
            input.drain(..size);
            if !connection.frame(&frame) {
                return;
            }
        }
    }
}

struct Connection {
    role: Role,
    fault: Fault,
    decoder: Decoder,
    block: Vec<u8>,
    streams: BTreeMap<u32, Peer>,
    /// Streams whose answer does not open a WebSocket.
    refused: BTreeSet<u32>,
    /// Whether a request was sent, or received.
    asked: bool,
    out: Vec<u8>,
}

impl Connection {
    fn send(&mut self, frame: Frame) {
        self.out.extend(frame.encode());
    }

    fn head(&mut self, stream: u32, fields: &[(&str, &str)], ends: bool) {
        let flags = END_HEADERS | if ends { END_STREAM } else { 0 };
        self.send(frame(HEADERS, flags, stream, literals(fields.iter().copied())));
    }

    /// Handles a frame and returns whether the connection continues.
    fn frame(&mut self, received: &Frame) -> bool {
        let stream = received.stream;
        if self.fault == SendsAnyway && matches!(received.kind, HEADERS | DATA | RST_STREAM | GOAWAY) {
            self.send(frame(DATA, 0, 1, text("anyway").encode(Some([0; 4]))));
        }
        match received.kind {
            SETTINGS if !received.has(ACK) => {
                self.send(frame(SETTINGS, ACK, 0, ""));
                if self.role == Role::Client && !self.asked {
                    self.ask();
                }
            }
            PING if !received.has(ACK) && self.fault != EchoesNothing => {
                self.send(frame(PING, ACK, 0, &received.payload[..]));
            }
            GOAWAY => return self.fault != EndsOnGoAway,
            RST_STREAM if self.fault != TakesEverything => {
                self.streams.remove(&stream);
            }
            HEADERS | CONTINUATION => {
                self.block.extend_from_slice(received.content().unwrap_or_default());
                if received.has(END_HEADERS) {
                    let block = std::mem::take(&mut self.block);
                    let fields = self.decoder.decode(&block).unwrap_or_default();
                    self.fields(stream, &fields);
                }
                if received.ends_stream() {
                    self.ended(stream);
                }
            }
            DATA => {
                if !received.payload.is_empty() {
                    let size = received.payload.len() as u32;
                    self.send(window_update(0, size));
                    self.send(window_update(stream, size));
                }
                self.data(stream, received.content().unwrap_or_default());
                if received.ends_stream() {
                    self.ended(stream);
                }
            }
            _ => {}
        }
        true
    }

    fn ask(&mut self) {
        self.asked = true;
        let mut fields = vec![(":method", "CONNECT")];
        if self.fault == SpeaksHttp1 {
            fields = vec![(":method", "GET"), ("upgrade", "websocket"), ("connection", "upgrade")];
        }
        fields.extend([
            (":protocol", "websocket"),
            (":scheme", "http"),
            (":authority", "localhost"),
            (":path", "/runCase?case=1&agent=faulty"),
            ("sec-websocket-version", "13"),
        ]);
        self.head(1, &fields, false);
        self.streams.insert(1, Peer::new(Role::Client, self.fault, Vec::new()));
    }

    fn fields(&mut self, stream: u32, fields: &[(String, String)]) {
        if self.role == Role::Client || self.streams.contains_key(&stream) {
            return;
        }
        if self.fault == ServesOne && std::mem::replace(&mut self.asked, true) {
            return;
        }
        let of = |name: &str| fields.iter().find(|(n, _)| n == name).map(|(_, value)| &value[..]);
        let page = of(":protocol").is_none() && of(":method").is_some_and(|m| m == "GET" || m == "HEAD");
        if self.fault == RefusesEverything || page {
            self.refused.insert(stream);
            return self.head(stream, &[(":status", "404")], self.fault != KeepsOpen);
        }
        let mut answer = vec![(":status", "200")];
        if self.fault == SpeaksHttp1 {
            answer.extend([("sec-websocket-accept", "x"), ("upgrade", "websocket")]);
        }
        if self.fault == AgreesToEverything {
            for name in ["sec-websocket-protocol", "sec-websocket-extensions"] {
                answer.extend(of(name).map(|value| (name, value)));
            }
        }
        self.head(stream, &answer, false);
        self.streams.insert(stream, Peer::new(Role::Server, self.fault, Vec::new()));
    }

    fn data(&mut self, stream: u32, bytes: &[u8]) {
        let Some(peer) = self.streams.get_mut(&stream) else { return };
        peer.input.extend_from_slice(bytes);
        peer.answer_input();
        let (out, ends) = (std::mem::take(&mut peer.out), peer.ends);
        for piece in out.chunks(16_000) {
            self.send(frame(DATA, 0, stream, piece));
        }
        if ends && !matches!(self.fault, KeepsOpen | GoesOnAfterClose) {
            self.send(frame(DATA, END_STREAM, stream, ""));
            self.streams.remove(&stream);
        }
    }

    fn ended(&mut self, stream: u32) {
        if self.streams.contains_key(&stream) && !matches!(self.fault, KeepsOpen | TakesEverything) {
            self.send(frame(DATA, END_STREAM, stream, ""));
            self.streams.remove(&stream);
        }
    }
}
