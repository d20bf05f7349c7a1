//! What comes back, looked at as cheaply as a check allows.

use anyhow::{Result, bail};
use ws_wire::Header;

/// Counts the messages of a server and checks the opcode, the compression and the length of each.
#[derive(Debug, Default)]
pub struct Answers {
    header: [u8; 14],
    have: usize,
    /// Bytes of the current frame still to come.
    remaining: u64,
    /// The current frame is its message's last.
    fin: bool,
    /// Bytes of the fragments before it; `None` between messages.
    fragments: Option<u64>,
}

/// What every answer must look like.
#[derive(Debug, Clone, Copy)]
pub struct Expected {
    /// FIN, RSV1 and opcode of a whole message.
    pub first: u8,
    /// The payload's length; unknown where it is compressed.
    pub length: Option<u64>,
    /// The server is no WebSocket: it echoes our own masked frames.
    pub masked: bool,
}

const FIN: u8 = 0x80;
const PING: u8 = 0x89;

impl Answers {
    /// Takes all of `bytes`; returns how many messages end in them.
    pub fn take(&mut self, mut bytes: &[u8], expected: Expected) -> Result<usize> {
        let mut messages = 0;
        while !bytes.is_empty() {
            if self.remaining > 0 {
                let n = self.remaining.min(bytes.len() as u64);
                bytes = &bytes[n as usize..];
                self.remaining -= n;
                messages += usize::from(self.remaining == 0 && self.fin);
                continue;
            }
            self.header[self.have] = bytes[0];
            self.have += 1;
            bytes = &bytes[1..];
            let Some((header, _)) = Header::read(&self.header[..self.have]) else { continue };
            if header.mask.is_some() != expected.masked {
                bail!("a wrong answer: masked is {}; expected {}", header.mask.is_some(), expected.masked);
            }
            self.have = 0;
            self.remaining = header.length;
            self.begin_frame(header.length, expected)?;
            messages += usize::from(header.length == 0 && self.fin);
        }
        Ok(messages)
    }

    fn begin_frame(&mut self, length: u64, expected: Expected) -> Result<()> {
        let first = self.header[0];
        if first == PING {
            // Ours asks now and then whether we are there. Our messages say so; no message ends here.
            self.fin = false;
            return Ok(());
        }
        self.fin = first & FIN != 0;
        let (opcode, before) = match self.fragments {
            None => (expected.first & !FIN, 0),
            Some(before) => (0, before),
        };
        let so_far = before + length;
        let wrong_length = |expected| if self.fin { so_far != expected } else { so_far > expected };
        if first & !FIN != opcode || expected.length.is_some_and(wrong_length) {
            bail!("a wrong answer: first byte {first:#x}, {so_far} bytes so far; expected {expected:x?}");
        }
        self.fragments = (!self.fin).then_some(so_far);
        Ok(())
    }
}
