//! Connections with all settings take turns on a thread, in the middle of their messages too, and some of their peers refer back to
//! where nothing is: each inflates to what a model says, or fails where that says.

use crate::data::Rng;
use crate::data::raw_deflate::RawDeflate;
use crate::strangers::alone;
use crate::support::miri::few_or;
use ws_core::deflate::{InflateStatus, Inflater, WindowBits};

const WINDOW: usize = 32_768;

/// One end of a connection, of which is known all that it has received.
struct End {
    bits: WindowBits,
    no_context_takeover: bool,
    inflater: Inflater,
    received: Vec<u8>,
    /// The message that is under way.
    message: Option<Underway>,
}

struct Underway {
    payload: Vec<u8>,
    /// How much of the payload has been inflated.
    at: usize,
    /// What it is to inflate to, and whether it then has a fault.
    expected: Vec<u8>,
    fails: bool,
    /// What it has inflated to.
    output: Vec<u8>,
}

impl End {
    fn new(rng: &mut Rng) -> Self {
        let bits = WindowBits::new(8 + rng.below(8) as u8).unwrap();
        let no_context_takeover = rng.below(3) == 0;
        let inflater = Inflater::new(bits, no_context_takeover);
        Self { bits, no_context_takeover, inflater, received: Vec::new(), message: None }
    }

    /// A message of blocks that each have one distance, some of which reach too far.
    fn begin(&mut self, rng: &mut Rng) {
        let (mut raw, mut content, mut failed) = (RawDeflate::new(), Vec::new(), false);
        let mut base = if self.no_context_takeover { 0 } else { self.received.len().min(self.bits.bytes()) };
        let mut stream_began = 0;
        for _ in 0..1 + rng.below(8) {
            match rng.below(10) {
                0..3 => {
                    let bytes = (0..rng.below(400)).map(|_| rng.below(256) as u8).collect::<Vec<_>>();
                    raw = if rng.below(2) == 0 { raw.literals(&bytes) } else { raw.stored(&bytes) };
                    content.extend(if failed { &[][..] } else { &bytes });
                }
                3 => {
                    let length = rng.below(WINDOW + 2000);
                    let bytes = rng.bytes(length);
                    raw = raw.stored(&bytes);
                    content.extend(if failed { &[][..] } else { &bytes });
                }
                4 => {
                    raw = raw.last_block();
                    stream_began = content.len();
                    base = match self.no_context_takeover {
                        true => content.len().min(WINDOW),
                        false => (self.received.len() + content.len()).min(self.bits.bytes()),
                    };
                }
                _ => {
                    let most = (base + content.len() - stream_began).min(WINDOW);
                    let length = 3 + rng.below(256);
                    let distance = match rng.below(40) {
                        0 => most + 1 + rng.below(300),
                        1 => 1 + rng.below(WINDOW),
                        2..10 => most,
                        _ => 1 + rng.below(most.max(1)),
                    };
                    let distance = distance.clamp(1, WINDOW);
                    raw = raw.reference(distance, length);
                    failed |= distance > most;
                    if !failed {
                        let all = self.received.len() + content.len();
                        for at in (all..).take(length).map(|at| at - distance) {
                            let before = self.received.get(at).copied();
                            content.push(before.unwrap_or_else(|| content[at - self.received.len()]));
                        }
                    }
                }
            }
        }
        let payload = raw.payload();
        self.message =
            Some(Underway { payload, at: 0, expected: content, fails: failed, output: Vec::new() });
    }

    /// Inflates a part of the message. Whether the connection goes on.
    fn advance(&mut self, rng: &mut Rng) -> bool {
        let Some(Underway { payload, at, expected, fails, output }) = &mut self.message else {
            self.begin(rng);
            return true;
        };
        let part = [1, 10, 1000, usize::MAX >> 1][rng.below(4)];
        let end = payload.len().min(*at + 1 + rng.below(part));
        let room = [1, 100, 1 << 30][rng.below(3)];
        let result = self.inflater.inflate(&payload[*at..end], end == payload.len(), output, room);
        assert!(expected.starts_with(output), "{:?}: other bytes than were sent", self.bits);
        match result {
            Ok(done) if done.status == InflateStatus::Done => {
                assert!(!*fails && output == expected, "{:?}: {fails}", self.bits);
                self.received.append(output);
                self.message = None;
                true
            }
            Ok(done) => {
                *at += done.consumed;
                true
            }
            Err(error) => {
                assert!(*fails && output == expected, "{:?}: {error}", self.bits);
                false
            }
        }
    }
}

#[test]
fn connections_of_all_kinds_that_share_a_thread_inflate_exactly_what_their_own_peers_sent() {
    for seed in 1..=few_or(1, 15) as u64 {
        alone(move || {
            let mut rng = Rng(seed);
            let mut ends: Vec<_> = (0..7).map(|_| End::new(&mut rng)).collect();
            for _ in 0..few_or(100, 3000) {
                let n = rng.below(ends.len());
                // Some are dropped in the middle of a message, and some when they have failed.
                if rng.below(200) == 0 || !ends[n].advance(&mut rng) {
                    ends[n] = End::new(&mut rng);
                }
            }
        });
    }
}
