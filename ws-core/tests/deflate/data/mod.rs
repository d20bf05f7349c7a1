//! What the deflate tests share: data to compress, and a DEFLATE decoder that is not the one under test.
#![allow(dead_code, reason = "each test file uses its part")]

pub(crate) mod raw_deflate;
#[allow(unreachable_pub, reason = "the fuzz targets use this file as well")]
pub(crate) mod raw_inflate;

use crate::support::miri::few_or;
use ws_core::ProtocolError;
use ws_core::deflate::{InflateStatus, Inflater, WindowBits};

pub(crate) fn every_window() -> impl Iterator<Item = WindowBits> {
    (8..=15).step_by(few_or(7, 1)).filter_map(WindowBits::new)
}

/// xorshift64*: the same bytes in every run.
pub(crate) struct Rng(pub(crate) u64);

impl Rng {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    pub(crate) fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }

    /// Random bytes that repeat themselves at every distance up to 64 KiB: what a window has to be obeyed for.
    pub(crate) fn echoes(&mut self, len: usize) -> Vec<u8> {
        let mut data = self.bytes(64);
        while data.len() < len {
            if self.below(4) == 0 {
                let fresh = 1 + self.below(40);
                data.extend(self.bytes(fresh));
            } else {
                let longest = data.len().min(1 << (3 + self.below(14)));
                let start = data.len() - (1 + self.below(longest));
                let end = data.len().min(start + 3 + self.below(300));
                data.extend_from_within(start..end);
            }
        }
        data.truncate(len);
        data
    }

    /// JSON such as services send.
    pub(crate) fn json(&mut self, len: usize) -> Vec<u8> {
        let mut text = String::from("[");
        while text.len() < len {
            let (id, price, qty) = (self.below(1_000_000), self.below(100_000), self.below(500));
            let side = ["buy", "sell"][self.below(2)];
            let symbol = ["BTC-USD", "ETH-EUR", "SOL-USD", "XRP-JPY", "ADA-GBP"][self.below(5)];
            text.push_str(&format!(
                "{{\"id\":{id},\"symbol\":\"{symbol}\",\"side\":\"{side}\",\"price\":{}.{:02},\"quantity\":{qty},\"flags\":{{\"post_only\":{},\"hidden\":false}}}},",
                price / 100,
                price % 100,
                qty % 2 == 0,
            ));
        }
        text.truncate(len);
        text.into_bytes()
    }
}

/// Inflates one whole message.
pub(crate) fn inflate(inflater: &mut Inflater, payload: &[u8]) -> Result<Vec<u8>, ProtocolError> {
    inflate_in_steps(inflater, payload, usize::MAX, 1 << 30)
}

/// Inflates one message that comes `step` bytes at a time, into room of `max` bytes at a time.
pub(crate) fn inflate_in_steps(
    inflater: &mut Inflater,
    payload: &[u8],
    step: usize,
    max: usize,
) -> Result<Vec<u8>, ProtocolError> {
    let mut output = Vec::new();
    let mut at = 0_usize;
    loop {
        let end = payload.len().min(at.saturating_add(step));
        let last = end == payload.len();
        let before = output.len();
        let done = inflater.inflate(&payload[at..end], last, &mut output, max)?;
        assert_eq!(output.len() - before, done.produced);
        assert!(done.produced <= max, "{} > {max}", done.produced);
        at += done.consumed;
        match done.status {
            InflateStatus::Done => {
                assert!(last && at == payload.len());
                return Ok(output);
            }
            InflateStatus::NeedInput => assert!(!last && at == end),
            InflateStatus::OutputFull => assert_eq!(done.produced, max),
        }
    }
}
