//! What one connection has received never comes out of another: a distance that reaches back beyond what a connection may refer to
//! is refused (RFC 7692 section 7.2.2), whatever the memory behind it holds, for decompressors and the memory that they write into
//! are those of a thread.
//!
//! The stranger's bytes are 128 and up, everyone else's are below.

use std::sync::OnceLock;
use std::thread;

use crate::connection;
use crate::data::raw_deflate::RawDeflate;
use crate::data::{Rng, every_window, inflate, inflate_in_steps};
use crate::support::miri::few_or;
use ws_core::ProtocolError::InvalidDeflate;
use ws_core::deflate::{InflateStatus, Inflater, WindowBits};
use ws_core::{Config, Message};
use ws_wire::{first, frame};

const WINDOW: usize = 32_768;

fn secret(len: usize) -> Vec<u8> {
    Rng(77).bytes(len).iter().map(|byte| byte | 0x80).collect()
}

fn own(len: usize) -> Vec<u8> {
    Rng(len as u64 + 1).bytes(len).iter().map(|byte| byte & 0x7f).collect()
}

/// More than a window.
fn secret_payload() -> &'static [u8] {
    static PAYLOAD: OnceLock<Vec<u8>> = OnceLock::new();
    PAYLOAD.get_or_init(|| RawDeflate::new().stored(&secret(WINDOW + 100)).payload())
}

fn stranger(bits: WindowBits, no_context_takeover: bool) -> Inflater {
    let mut inflater = Inflater::new(bits, no_context_takeover);
    inflate(&mut inflater, secret_payload()).unwrap();
    inflater
}

/// Something that happens on a thread; it returns what has to be kept alive.
type Happens = fn() -> Vec<Inflater>;

/// What has happened on the thread before.
const BEFORE: [(&str, Happens); 7] = [
    ("nothing", Vec::new),
    ("a stranger without takeover", || vec![stranger(WindowBits::MAX, true)]),
    ("a stranger with a smaller window", || vec![stranger(WindowBits::MIN, false)]),
    ("as many strangers with windows as have room", || {
        (0..6).map(|_| stranger(WindowBits::MAX, false)).collect()
    }),
    ("strangers that are gone", || {
        (0..6).for_each(|_| drop(stranger(WindowBits::MAX, false)));
        Vec::new()
    }),
    ("a stranger that has failed, and one that is dropped, in the middle of a message", || {
        let mut failing = stranger(WindowBits::MAX, false);
        let mut payload = RawDeflate::new().stored(&secret(WINDOW)).payload();
        payload.extend([0xff; 9]);
        assert_eq!(inflate(&mut failing, &payload), Err(InvalidDeflate));
        let mut gone = stranger(WindowBits::MAX, false);
        let done = gone.inflate(&secret_payload()[..WINDOW / 2], false, &mut Vec::new(), WINDOW).unwrap();
        assert_eq!(done.status, InflateStatus::NeedInput);
        vec![failing]
    }),
    ("a stranger in the middle of a message, and one whose message ends with a final block", || {
        let mut waiting = stranger(WindowBits::MAX, false);
        waiting.inflate(&secret_payload()[..WINDOW], false, &mut Vec::new(), WINDOW).unwrap();
        let mut ending = Inflater::new(WindowBits::MAX, false);
        inflate(&mut ending, &RawDeflate::new().stored(&secret(WINDOW)).last_block().payload()).unwrap();
        vec![waiting, ending]
    }),
];

/// Inflates until it fails, keeping what came out before.
fn inflate_until_fault(inflater: &mut Inflater, payload: &[u8], step: usize, room: usize) -> (Vec<u8>, bool) {
    let (mut output, mut at) = (Vec::new(), 0);
    loop {
        let end = payload.len().min(at + step);
        match inflater.inflate(&payload[at..end], end == payload.len(), &mut output, room) {
            Err(error) => {
                assert_eq!(error, InvalidDeflate);
                return (output, true);
            }
            Ok(done) if done.status == InflateStatus::Done => return (output, false),
            Ok(done) => at += done.consumed,
        }
    }
}

/// Whether the first block of a message is to end its DEFLATE stream, and how far back one may refer after that.
type Ends = Option<usize>;

/// A message refers back to the first byte that it may refer to, and to the bytes before that. `next` returns a connection, and how
/// much of what it has received before may be referred to.
fn reach(next: &mut impl FnMut() -> (Inflater, usize), ends: Ends, what: &str) {
    let whole = (usize::MAX >> 1, 1 << 30);
    let ways: [(usize, &[_]); 4] = [
        (0, &[whole, (1, 1 << 30), (100, 7)]),
        (1, &[whole, (1, 1)]),
        (300, &[whole, (1, 1 << 30), (100, 7)]),
        (WINDOW - 1, &[whole]),
    ];
    let tail = own(40);
    for (begin, ways) in ways.into_iter().take(few_or(2, 4)) {
        let start = own(begin);
        let mut head = RawDeflate::new().stored(&start);
        if ends.is_some() {
            head = head.last_block();
        }
        for &(step, room) in ways.iter().take(few_or(1, 3)) {
            let most = (next().1 + begin).min(ends.unwrap_or(WINDOW)).min(WINDOW);
            for distance in [most, most + 1, most + 258, WINDOW] {
                if distance == 0 || distance > WINDOW {
                    continue;
                }
                for length in [3, 258] {
                    let (mut inflater, _) = next();
                    // With so much behind it zlib takes another path than at the end of its input.
                    let payload = head.clone().reference(distance, length).literals(&tail).payload();
                    let (output, failed) = inflate_until_fault(&mut inflater, &payload, step, room);
                    let case = format!(
                        "{what}: {distance} of {most}, {length} bytes, behind {begin}, in steps of {step}"
                    );
                    assert!(output.is_ascii(), "{case}: another connection's bytes");
                    assert_eq!(failed, distance > most, "{case}");
                    let produced = if failed { begin } else { begin + length + tail.len() };
                    assert!(
                        output.starts_with(&start) && output.len() == produced,
                        "{case}: {} bytes",
                        output.len()
                    );
                }
            }
        }
    }
}

/// Does something with an empty pool.
pub(crate) fn alone(test: impl FnOnce() + Send + 'static) {
    thread::spawn(test).join().unwrap();
}

#[test]
fn no_message_reaches_bytes_of_another_connection_whatever_the_decompressor_did_before() {
    for bits in every_window() {
        for no_context_takeover in [false, true] {
            for (what, before) in BEFORE {
                alone(move || {
                    let _kept = before();
                    let window = if no_context_takeover { WINDOW } else { bits.bytes() };
                    for ends in [None, Some(window)] {
                        let what = format!("{bits:?}, {no_context_takeover}, first message after {what}");
                        reach(&mut || (Inflater::new(bits, no_context_takeover), 0), ends, &what);
                    }
                });
            }
        }
    }
}

#[test]
fn a_later_message_reaches_what_its_own_connection_has_received_and_nothing_before_it() {
    for bits in every_window() {
        for no_context_takeover in [false, true] {
            for (what, between) in BEFORE {
                for received in [1, bits.bytes() + 10, WINDOW + 10].into_iter().take(few_or(1, 3)) {
                    alone(move || {
                        let _kept = between();
                        let first = RawDeflate::new().stored(&own(received)).payload();
                        let reachable = if no_context_takeover { 0 } else { received.min(bits.bytes()) };
                        let mut between = Some(between);
                        let mut next = || {
                            let mut inflater = Inflater::new(bits, no_context_takeover);
                            inflate(&mut inflater, &first).unwrap();
                            // Once: then the connection's decompressor is not the one that it had.
                            let _kept = between.take().map(|between| between());
                            (inflater, reachable)
                        };
                        let what =
                            format!("{bits:?}, {no_context_takeover}, after {received} bytes and {what}");
                        reach(&mut next, None, &what);
                    });
                }
            }
        }
    }
}

#[test]
fn a_connection_that_asks_for_bytes_of_another_is_closed_with_1007() {
    const MASK: Option<[u8; 4]> = Some([1, 2, 3, 4]);
    for bits in every_window() {
        for takeover in [false, true] {
            alone(move || {
                let mut agreed = connection::agreed(takeover);
                agreed.client_max_window_bits = bits;
                let new = || connection::server(Config::server(), agreed);
                let mut strangers: Vec<_> = (0..3).map(|_| new()).collect();
                for (n, stranger) in strangers.iter_mut().enumerate() {
                    let payload = secret_payload();
                    let whole = frame(first(true, 4, 2), payload, MASK);
                    let received = connection::receive(stranger, &whole, usize::MAX).unwrap();
                    assert!(received.len() == 1);
                    // One of them is in the middle of a message.
                    if n == 1 {
                        let begin = frame(first(false, 4, 2), &payload[..WINDOW / 2], MASK);
                        assert!(connection::receive(stranger, &begin, 1000).unwrap().is_empty());
                    }
                }
                for in_pieces in [false, true] {
                    // Dropped in the middle of its message.
                    drop(strangers.pop());
                    for (begin, distance) in [(0, 1), (10, 11), (10, 300), (300, WINDOW)] {
                        let mut server = new();
                        let hello = RawDeflate::new().literals(b"hello").payload();
                        let hello = frame(first(true, 4, 2), &hello, MASK);
                        let received = connection::receive(&mut server, &hello, usize::MAX).unwrap();
                        assert_eq!(received, [Message::binary(b"hello".to_vec())]);
                        let distance = if takeover { (distance + 5).min(WINDOW) } else { distance };
                        let payload = RawDeflate::new().stored(&own(begin)).reference(distance, 258);
                        let payload = frame(first(true, 4, 2), &payload.literals(&own(300)).payload(), MASK);
                        let fault = match in_pieces {
                            true => connection::receive_pieces(&mut server, &payload, 50).unwrap_err(),
                            false => connection::receive(&mut server, &payload, usize::MAX).unwrap_err(),
                        };
                        assert_eq!(fault, InvalidDeflate, "{bits:?}");
                        let answer = connection::written(&mut server);
                        assert_eq!((answer[0], &answer[2..4]), (0x88, &1007_u16.to_be_bytes()[..]));
                    }
                }
            });
        }
    }
}

#[test]
fn a_payload_written_by_hand_inflates_to_what_it_says() {
    for length in 3..=258 {
        let text = own(300);
        let payload = RawDeflate::new().literals(&text).reference(299, length).payload();
        let whole = [&text[..], &text[1..], &text[1..]].concat();
        let mut inflater = Inflater::new(WindowBits::MAX, true);
        assert!(inflate_in_steps(&mut inflater, &payload, 9, 1 << 30).unwrap() == whole[..300 + length]);
    }
}
