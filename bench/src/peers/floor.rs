//! Floors: what no WebSocket on tokio can be cheaper than.

use std::cell::RefCell;
use std::future::poll_fn;
use std::ops::Range;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, ready};

use anyhow::{Result, bail};
use tokio::io::{AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use ws_core::mask::{MaskKey, mask};

use super::Socket;

/// Echoes bytes.
pub async fn raw(stream: impl Socket) -> Result<()> {
    in_place(stream, |buffer| MARGIN..buffer.len()).await
}

/// Echoes messages: parses, unmasks, answers; nothing else is checked.
pub async fn websocket(stream: impl Socket) -> Result<()> {
    let mut frames = Unmasking::default();
    in_place(stream, move |buffer| frames.unmask(buffer)).await
}

/// Sends every message to all connections: unmasks it once, and writes the same bytes to one socket after another.
pub async fn broadcast(stream: TcpStream) -> Result<()> {
    static ROOM: Mutex<Vec<Arc<TcpStream>>> = Mutex::new(Vec::new());
    let stream = Arc::new(stream);
    ROOM.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&stream));
    let mut frames = Unmasking::default();
    let mut buffer = vec![0; BUFFER];
    loop {
        stream.readable().await?;
        let read = match stream.try_read(&mut buffer[MARGIN..]) {
            Ok(0) => return Ok(()),
            Ok(read) => read,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => continue,
            Err(error) => return Err(error.into()),
        };
        let output = frames.unmask(&mut buffer[..MARGIN + read]);
        for member in ROOM.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            // The load waits for every answer, so that there is always room in the socket.
            if member.try_write(&buffer[output.clone()])? < output.len() {
                bail!("a member who does not read");
            }
        }
    }
}

const BUFFER: usize = 64 << 10;

/// In front of what is read, for the beginning of a header that came before.
const MARGIN: usize = 16;

thread_local! {
    /// One buffer a thread: a connection that waits owns none.
    static SHARED: RefCell<Vec<u8>> = RefCell::new(vec![0; BUFFER]);
}

/// Reads behind the margin, has the answer made in the same buffer, writes it: in one poll if the socket lets it.
async fn in_place(mut stream: impl Socket, mut answer: impl FnMut(&mut [u8]) -> Range<usize>) -> Result<()> {
    loop {
        let rest = poll_fn(|cx| {
            SHARED.with_borrow_mut(|buffer| {
                let mut place = ReadBuf::new(&mut buffer[MARGIN..]);
                ready!(Pin::new(&mut stream).poll_read(cx, &mut place))?;
                let read = place.filled().len();
                if read == 0 {
                    return Poll::Ready(Err(anyhow::anyhow!("the peer is gone")));
                }
                let output = answer(&mut buffer[..MARGIN + read]);
                let output = &buffer[output];
                if output.is_empty() {
                    return Poll::Ready(Ok(Vec::new()));
                }
                let written = match Pin::new(&mut stream).poll_write(cx, output)? {
                    Poll::Ready(written) => written,
                    Poll::Pending => 0,
                };
                Poll::Ready(anyhow::Ok(output[written..].to_vec()))
            })
        })
        .await?;
        stream.write_all(&rest).await?;
        // TLS may hold something back; TCP does not.
        stream.flush().await?;
    }
}

/// Makes a server's frames of a client's.
#[derive(Default)]
struct Unmasking {
    /// The beginning of a header whose rest has not come.
    header: [u8; 14],
    have: usize,
    /// Bytes of the payload still to come.
    remaining: usize,
    key: MaskKey,
}

impl Unmasking {
    /// Rewrites what lies behind the margin; returns where the answer is.
    ///
    /// The key falls out of each header: the first payload stays where it is, later ones move to the front.
    fn unmask(&mut self, buffer: &mut [u8]) -> Range<usize> {
        let mut read = MARGIN - self.have;
        buffer[read..MARGIN].copy_from_slice(&self.header[..self.have]);
        self.have = 0;
        let start = if self.remaining > 0 { read } else { read + KEY };
        let mut written = start;
        while read < buffer.len() {
            if self.remaining == 0 {
                let Some(length) = header_length(&buffer[read..]) else {
                    self.have = buffer.len() - read;
                    self.header[..self.have].copy_from_slice(&buffer[read..]);
                    break;
                };
                let key = &buffer[read + length - KEY..read + length];
                self.key = MaskKey([key[0], key[1], key[2], key[3]]);
                self.remaining = payload_length(&buffer[read..read + length - KEY]);
                buffer.copy_within(read..read + length - KEY, written);
                buffer[written + 1] &= 0x7F;
                written += length - KEY;
                read += length;
            }
            let here = self.remaining.min(buffer.len() - read);
            self.key = mask(&mut buffer[read..read + here], self.key);
            if written != read {
                buffer.copy_within(read..read + here, written);
            }
            written += here;
            read += here;
            self.remaining -= here;
        }
        start..written
    }
}

const KEY: usize = 4;

/// The length of a masked header, if all of it is there.
fn header_length(bytes: &[u8]) -> Option<usize> {
    let length = match bytes.get(1)? & 0x7F {
        126 => 8,
        127 => 14,
        _ => 6,
    };
    (bytes.len() >= length).then_some(length)
}

/// The payload's, by a header without its key.
fn payload_length(header: &[u8]) -> usize {
    match header {
        [_, second] => usize::from(second & 0x7F),
        [_, _, length @ ..] => length.iter().fold(0, |sum, &byte| sum << 8 | usize::from(byte)),
        _ => 0,
    }
}
