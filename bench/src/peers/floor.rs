//! Floors: what no WebSocket on tokio can be cheaper than.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Poll, ready};

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use ws_core::mask::{MaskKey, mask};

const BUFFER: usize = 64 << 10;

thread_local! {
    /// One buffer a thread: a connection that waits owns none.
    static BUFFERS: RefCell<(Vec<u8>, Vec<u8>)> = RefCell::new((vec![0; BUFFER], Vec::new()));
}

/// Echoes bytes.
pub async fn raw(stream: TcpStream) -> Result<()> {
    transform(stream, |read, output| {
        output.extend_from_slice(read);
        Ok(())
    })
    .await
}

/// Echoes messages: parses, unmasks, answers; nothing else is checked.
pub async fn websocket(stream: TcpStream) -> Result<()> {
    let mut state = State::default();
    transform(stream, move |mut read, output| {
        while !read.is_empty() {
            state.step(&mut read, output)?;
        }
        Ok(())
    })
    .await
}

/// Reads once, makes the answer, writes it, in one poll if the socket lets it.
async fn transform(
    mut stream: TcpStream,
    mut answer: impl FnMut(&mut [u8], &mut Vec<u8>) -> Result<()>,
) -> Result<()> {
    loop {
        let left = poll_fn(|cx| {
            BUFFERS.with_borrow_mut(|(input, output)| {
                let mut place = ReadBuf::new(input);
                ready!(Pin::new(&mut stream).poll_read(cx, &mut place))?;
                if place.filled().is_empty() {
                    bail_ready()?;
                }
                output.clear();
                answer(place.filled_mut(), output)?;
                let written = match Pin::new(&mut stream).poll_write(cx, output) {
                    Poll::Ready(written) => written?,
                    Poll::Pending => 0,
                };
                Poll::Ready(anyhow::Ok(output.get(written..).unwrap_or_default().to_vec()))
            })
        })
        .await?;
        if !left.is_empty() {
            stream.write_all(&left).await?;
        }
    }
}

fn bail_ready() -> Result<()> {
    bail!("the peer is gone")
}

#[derive(Default)]
struct State {
    header: [u8; 14],
    have: usize,
    remaining: usize,
    key: MaskKey,
}

impl State {
    fn step(&mut self, read: &mut &mut [u8], output: &mut Vec<u8>) -> Result<()> {
        if self.remaining == 0 {
            // The common case: the whole header is there.
            if self.have == 0
                && let Some(length) = header_length(read)
                && let Some((header, rest)) = std::mem::take(read).split_at_mut_checked(length)
            {
                *read = rest;
                return self.begin(header, output);
            }
            let Some((&mut byte, rest)) = std::mem::take(read).split_first_mut() else { return Ok(()) };
            *read = rest;
            self.header[self.have] = byte;
            self.have += 1;
            let so_far = self.header;
            if header_length(&so_far[..self.have]) == Some(self.have) {
                let have = std::mem::take(&mut self.have);
                self.begin(&so_far[..have], output)?;
            }
            return Ok(());
        }
        let n = self.remaining.min(read.len());
        let (payload, rest) = std::mem::take(read).split_at_mut(n);
        *read = rest;
        self.key = mask(payload, self.key);
        self.remaining -= n;
        output.extend_from_slice(payload);
        Ok(())
    }

    fn begin(&mut self, header: &[u8], output: &mut Vec<u8>) -> Result<()> {
        let (body, key) = header.split_last_chunk::<4>().context("a header without a key")?;
        self.key = MaskKey(*key);
        self.remaining = match body {
            [_, second] => usize::from(second & 0x7F),
            [_, _, length @ ..] => length.iter().fold(0, |sum, &byte| sum << 8 | usize::from(byte)),
            _ => bail!("no header"),
        };
        output.push(body[0]);
        output.push(body[1] & 0x7F);
        output.extend_from_slice(&body[2..]);
        Ok(())
    }
}

/// The length of a masked header, if enough of it is there to tell.
fn header_length(bytes: &[u8]) -> Option<usize> {
    Some(match bytes.get(1)? & 0x7F {
        126 => 8,
        127 => 14,
        _ => 6,
    })
}
