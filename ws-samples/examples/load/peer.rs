//! One client of a crowd: a socket, and 24 bytes about it.
//!
//! ws-client keeps about a kilobyte for each connection. Here the memory of the machine is for the server, so frames are
//! read where they arrive, in a buffer that all clients share, and only the rest of an incomplete one is kept.

use std::io::{self, ErrorKind, Read, Write};

use mio::net::TcpStream;
use ws_wire::{Header, apply_mask, first, header};

/// The answer to the key of [`request`] (RFC 6455 section 1.3).
const ACCEPT: &[u8] = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// Constant, as this client needs no protection from scripts that run in it.
const MASK: [u8; 4] = [0x5a, 0xc3, 0x17, 0xe8];

const TEXT: u8 = 1;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

pub(crate) const GOING_AWAY: u16 = 1001;
const NORMAL: u16 = 1000;

/// Returns the request for the opening handshake.
pub(crate) fn request(host: &str) -> String {
    format!(
        "GET / HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
}

/// A client, or the place for one.
#[derive(Default)]
pub(crate) struct Peer {
    stream: Option<TcpStream>,
    pub(crate) phase: Phase,
    /// The broadcasts that have arrived.
    pub(crate) broadcasts: u16,
    /// The number of the echo, from 1.
    pub(crate) sequence: u32,
    /// When the echo was due that has not come back, in microseconds of the crowd's clock; 0 for none.
    pub(crate) asked: u32,
    rest: Option<Box<Rest>>,
}

// A million of them take 24 MB. With debug assertions mio adds a check to a socket.
const _: () = assert!(cfg!(debug_assertions) || size_of::<Peer>() == 24);

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Phase {
    #[default]
    Absent,
    Connecting,
    /// The request has been sent.
    Asking,
    Open,
    /// This client has sent a Close and waits for the end.
    Leaving,
    /// The server has sent a Close.
    Closed,
}

/// What did not fit.
#[derive(Default)]
struct Rest {
    unread: Vec<u8>,
    unwritten: Vec<u8>,
}

/// What a client has received.
#[derive(Debug)]
pub(crate) enum Received<'a> {
    /// The answer to the opening handshake.
    Opened,
    Text(&'a [u8]),
    Ping,
    /// The server's Close, with its code.
    Close(u16),
    /// The end of a connection that has been closed.
    End,
}

impl Peer {
    pub(crate) fn connecting(stream: TcpStream) -> Self {
        Self { stream: Some(stream), phase: Phase::Connecting, ..Self::default() }
    }

    /// Sends the request for the opening handshake. If the socket is not connected yet, it is written when it is.
    pub(crate) fn ask(&mut self, request: &[u8]) -> io::Result<()> {
        self.phase = Phase::Asking;
        self.write(request)
    }

    pub(crate) fn send_text(&mut self, text: &[u8]) -> io::Result<()> {
        self.send(TEXT, text)
    }

    /// Begins the closing handshake.
    pub(crate) fn leave(&mut self) -> io::Result<()> {
        self.phase = Phase::Leaving;
        self.send(CLOSE, &NORMAL.to_be_bytes())
    }

    fn send(&mut self, opcode: u8, payload: &[u8]) -> io::Result<()> {
        let mut frame = header(first(true, 0, opcode), payload.len() as u64, Some(MASK));
        let start = frame.len();
        frame.extend_from_slice(payload);
        apply_mask(&mut frame[start..], MASK);
        self.write(&frame)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(stream) = &mut self.stream else { return Ok(()) };
        let mut written = 0;
        if self.rest.as_ref().is_none_or(|rest| rest.unwritten.is_empty()) {
            written = write_some(stream, bytes)?;
        }
        if written < bytes.len() {
            self.rest.get_or_insert_default().unwritten.extend_from_slice(&bytes[written..]);
        }
        Ok(())
    }

    /// Writes what the socket did not take before.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        let (Some(stream), Some(rest)) = (&mut self.stream, &mut self.rest) else { return Ok(()) };
        let written = write_some(stream, &rest.unwritten)?;
        rest.unwritten.drain(..written);
        self.drop_rest();
        Ok(())
    }

    fn drop_rest(&mut self) {
        if self.rest.as_ref().is_some_and(|rest| rest.unread.is_empty() && rest.unwritten.is_empty()) {
            self.rest = None;
        }
    }

    /// Reads until the socket has no more, and reports what has been received. The buffer is for all clients.
    pub(crate) fn receive(
        &mut self,
        buffer: &mut [u8],
        at_end: bool,
        mut report: impl FnMut(&mut Self, Received<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        loop {
            let Some(stream) = &mut self.stream else { return Ok(()) };
            let read = match stream.read(buffer) {
                Ok(0) if matches!(self.phase, Phase::Leaving | Phase::Closed) => {
                    return report(self, Received::End);
                }
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let unread = self.rest.as_mut().map(|rest| std::mem::take(&mut rest.unread)).unwrap_or_default();
            if unread.is_empty() {
                let used = self.take_all(&mut buffer[..read], &mut report)?;
                self.keep(&buffer[used..read]);
            } else {
                let mut bytes = unread;
                bytes.extend_from_slice(&buffer[..read]);
                let used = self.take_all(&mut bytes, &mut report)?;
                self.keep(&bytes[used..]);
            }
            // With less than there was room for, the socket is empty: the next event comes with the next bytes.
            if read < buffer.len() && !at_end {
                return Ok(());
            }
        }
    }

    fn keep(&mut self, unread: &[u8]) {
        if unread.is_empty() {
            self.drop_rest();
        } else {
            self.rest.get_or_insert_default().unread.extend_from_slice(unread);
        }
    }

    /// Takes all that is complete, and returns its size.
    fn take_all(
        &mut self,
        bytes: &mut [u8],
        report: &mut impl FnMut(&mut Self, Received<'_>) -> io::Result<()>,
    ) -> io::Result<usize> {
        let mut used = 0;
        if self.phase == Phase::Asking {
            let Some(head) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(0) };
            check_answer(&bytes[..head])?;
            used = head + 4;
            self.phase = Phase::Open;
            report(self, Received::Opened)?;
        }
        while let Some((header, size)) = Header::read(&bytes[used..]) {
            let start = used + size;
            let end = usize::try_from(header.length).ok().and_then(|length| start.checked_add(length));
            let Some(payload) = end.and_then(|end| bytes.get(start..end)) else { break };
            match header.opcode {
                TEXT if header.fin && header.rsv == 0 => report(self, Received::Text(payload))?,
                PING => {
                    self.send(PONG, payload)?;
                    report(self, Received::Ping)?;
                }
                CLOSE => {
                    let code = payload.first_chunk::<2>().map_or(0, |code| u16::from_be_bytes(*code));
                    if self.phase != Phase::Leaving {
                        // RFC 6455 section 5.5.1: the code is echoed.
                        self.send(CLOSE, &payload[..payload.len().min(2)])?;
                        self.phase = Phase::Closed;
                        report(self, Received::Close(code))?;
                    }
                }
                PONG => {}
                _ => return Err(io::Error::other(format!("unexpected frame {header:?}"))),
            }
            used = start + payload.len();
        }
        Ok(used)
    }
}

/// Writes as much as the socket takes.
fn write_some(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<usize> {
    let mut written = 0;
    while written < bytes.len() {
        match stream.write(&bytes[written..]) {
            Ok(more) => written += more,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(written)
}

fn check_answer(head: &[u8]) -> io::Result<()> {
    if head.starts_with(b"HTTP/1.1 101 ") && head.windows(ACCEPT.len()).any(|part| part == ACCEPT) {
        return Ok(());
    }
    let status = String::from_utf8_lossy(head.split(|byte| *byte == b'\r').next().unwrap_or_default());
    Err(io::Error::new(ErrorKind::ConnectionRefused, format!("the server answered {status:?}")))
}
