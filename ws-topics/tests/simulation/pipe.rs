//! A transport that takes as many bytes as its peer reads, and the peer.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Both ends share it.
#[derive(Debug, Clone, Default)]
pub struct Pipe(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// Bytes that the peer has read, and not looked at.
    read: Vec<u8>,
    /// Bytes that it will still read.
    room: usize,
    /// Bytes that it has sent.
    sent: Vec<u8>,
    gone: bool,
}

impl Pipe {
    /// The peer reads this many bytes more.
    pub fn make_room(&self, bytes: usize) {
        let mut state = self.0.lock().unwrap();
        state.room = state.room.saturating_add(bytes);
    }

    /// The peer sends a Close without a code, masked with zeros.
    pub fn send_close(&self) {
        self.0.lock().unwrap().sent.extend([0x88, 0x80, 0, 0, 0, 0]);
    }

    /// The peer is gone.
    pub fn lose(&self) {
        self.0.lock().unwrap().gone = true;
    }

    /// The texts that have been read whole.
    pub fn texts(&self) -> Vec<String> {
        let mut state = self.0.lock().unwrap();
        let mut texts = Vec::new();
        loop {
            let read = &state.read;
            let (Some(&first), Some(&length)) = (read.first(), read.get(1)) else { break };
            assert!(length < 126, "frames of this simulation are short");
            let end = 2 + usize::from(length);
            if read.len() < end {
                break;
            }
            match first {
                0x81 => texts.push(String::from_utf8(read[2..end].to_vec()).unwrap()),
                0x88 => {}
                other => panic!("a frame begins with {other:#x}"),
            }
            state.read.drain(..end);
        }
        texts
    }
}

impl AsyncRead for Pipe {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut state = self.0.lock().unwrap();
        if state.sent.is_empty() && !state.gone {
            return Poll::Pending;
        }
        let length = state.sent.len().min(buf.remaining());
        buf.put_slice(&state.sent.drain(..length).collect::<Vec<_>>());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let mut state = self.0.lock().unwrap();
        if state.gone {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if state.room == 0 {
            return Poll::Pending;
        }
        let length = state.room.min(buf.len());
        state.room -= length;
        state.read.extend(&buf[..length]);
        Poll::Ready(Ok(length))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
