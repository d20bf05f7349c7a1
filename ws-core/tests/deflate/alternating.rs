//! Connections take turns with the decompressors of their threads.

use std::thread;

use crate::data::{Rng, every_window, inflate};
use crate::support::miri::few_or;
use ws_core::ProtocolError::InvalidDeflate;
use ws_core::deflate::{Deflater, Flush, InflateStatus, Inflater, WindowBits};

/// A peer that compresses, and the end that inflates what it sends.
struct Pair {
    deflater: Deflater,
    inflater: Inflater,
    rng: Rng,
}

impl Pair {
    fn new(bits: WindowBits, no_context_takeover: bool, seed: u64) -> Self {
        Self {
            deflater: Deflater::new(bits, no_context_takeover, 6),
            inflater: Inflater::new(bits, no_context_takeover),
            rng: Rng(seed),
        }
    }

    /// A message that repeats what earlier ones said, and its compressed form.
    fn next(&mut self) -> (Vec<u8>, Vec<u8>) {
        let len = 1 + self.rng.below(few_or(400, 9000));
        let message = self.rng.json(len);
        let mut payload = Vec::new();
        self.deflater.deflate(&message, Flush::Message, &mut payload).unwrap();
        (message, payload)
    }

    fn exchange(&mut self) {
        let (message, payload) = self.next();
        assert!(inflate(&mut self.inflater, &payload).unwrap() == message, "another message came out");
    }
}

#[test]
fn connections_that_take_turns_on_a_thread_each_inflate_what_was_sent_to_them() {
    for bits in every_window() {
        // More of them than a thread keeps decompressors.
        let mut pairs: Vec<_> = (1..=7).map(|n| Pair::new(bits, n % 4 == 0, n)).collect();
        let mut turns = Rng(100);
        for _ in 0..few_or(10, 100) {
            let n = turns.below(pairs.len());
            for _ in 0..=turns.below(3) {
                pairs[n].exchange();
            }
        }
    }
}

#[test]
fn messages_that_are_under_way_at_the_same_time_on_a_thread_do_not_mix() {
    let mut pairs: Vec<_> = (1..=6).map(|n| Pair::new(WindowBits::MAX, false, n)).collect();
    for _ in 0..few_or(2, 20) {
        let mut sent: Vec<_> = pairs.iter_mut().map(|pair| (pair.next(), Vec::new())).collect();
        for last in [false, true] {
            for (pair, ((_, payload), output)) in pairs.iter_mut().zip(&mut sent) {
                let (first, second) = payload.split_at(payload.len() / 2);
                let piece = if last { second } else { first };
                let done = pair.inflater.inflate(piece, last, output, 1 << 20).unwrap();
                assert_eq!(done.status == InflateStatus::Done, last);
            }
        }
        for ((message, _), output) in sent {
            assert!(output == message, "another message came out");
        }
    }
}

/// The decompressor that had a connection last on one thread is outdated once the connection has been on another.
#[test]
fn a_connection_that_moves_between_threads_inflates_what_was_sent_to_it() {
    let mut pair = Pair::new(WindowBits::MAX, false, 1);
    for _ in 0..few_or(2, 20) {
        pair.exchange();
        pair = thread::spawn(move || {
            pair.exchange();
            pair.exchange();
            pair
        })
        .join()
        .unwrap();
    }
}

#[test]
fn a_later_message_that_is_cut_off_fails_at_its_end_and_does_not_harm_the_next_connection() {
    let mut other = Pair::new(WindowBits::MAX, false, 9);
    for bits in every_window() {
        let whole = {
            let mut pair = Pair::new(bits, false, 5);
            pair.next();
            pair.next().1.len()
        };
        for cut in (1..whole).step_by(1 + whole / few_or(4, 40)) {
            let mut pair = Pair::new(bits, false, 5);
            pair.exchange();
            let (_, payload) = pair.next();
            assert_eq!(
                inflate(&mut pair.inflater, &payload[..cut]),
                Err(InvalidDeflate),
                "{bits:?}, cut at {cut}"
            );
            other.exchange();
        }
    }
}
