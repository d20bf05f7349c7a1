//! What we deflate, we and a decoder of the tests inflate; and it never reaches back beyond the agreed window.

use crate::data::{Rng, every_window, inflate, inflate_in_steps, raw_inflate};
use crate::support::miri::few_or;
use ws_core::deflate::{Agreed, Config, Deflater, Flush, Inflater, PerMessageDeflate, WindowBits};

const LEVELS: &[u8] = if cfg!(miri) { &[0, 1, 6] } else { &[0, 1, 2, 4, 6, 9] };

fn messages(seed: u64) -> Vec<Vec<u8>> {
    let mut rng = Rng(seed);
    vec![
        rng.json(few_or(300, 900)),
        rng.echoes(few_or(600, 20_000)),
        Vec::new(),
        rng.json(few_or(600, 3000)),
        rng.bytes(few_or(200, 700)),
        vec![b'a'; few_or(500, 5000)],
        rng.echoes(few_or(900, 70_000)),
        b"x".to_vec(),
        rng.json(few_or(300, 900)),
        rng.echoes(300),
    ]
}

/// Compresses a message in pieces of about `piece` bytes, flushed in every way in turn.
fn in_pieces(deflater: &mut Deflater, message: &[u8], piece: usize) -> Vec<u8> {
    let mut payload = Vec::new();
    for (n, part) in message.chunks(piece).enumerate() {
        let flush = if n % 3 == 0 { Flush::Sync } else { Flush::None };
        deflater.deflate(part, flush, &mut payload).unwrap();
        assert!(deflater.in_message());
    }
    deflater.deflate(b"", Flush::Message, &mut payload).unwrap();
    assert!(!deflater.in_message());
    payload
}

#[test]
fn every_window_level_and_takeover_comes_back() {
    for bits in every_window() {
        for &level in LEVELS {
            for no_context_takeover in [false, true] {
                let mut deflater = Deflater::new(bits, no_context_takeover, level);
                let mut inflater = Inflater::new(bits, no_context_takeover);
                for (n, message) in messages(level.into()).iter().enumerate() {
                    let mut payload = Vec::new();
                    if n % 2 == 0 {
                        deflater.deflate(message, Flush::Message, &mut payload).unwrap();
                    } else {
                        payload = in_pieces(&mut deflater, message, 1 + message.len() / 7);
                    }
                    let back = inflate(&mut inflater, &payload).unwrap();
                    assert!(back == *message, "{bits:?}, level {level}, {no_context_takeover}, message {n}");
                }
            }
        }
    }
}

#[test]
fn what_is_sent_never_reaches_back_beyond_the_agreed_window() {
    for bits in every_window() {
        for &level in LEVELS {
            let mut deflater = Deflater::new(bits, false, level);
            let (mut payloads, mut whole) = (Vec::new(), Vec::new());
            for (n, message) in messages(77).into_iter().enumerate() {
                let mut payload = Vec::new();
                match n % 3 {
                    0 => deflater.deflate(&message, Flush::Message, &mut payload).unwrap(),
                    1 => payload = in_pieces(&mut deflater, &message, 500),
                    _ if deflater.deflate_message(&message, &mut payload) => {}
                    _ => continue,
                }
                payloads.push(payload);
                whole.extend(message);
            }
            let (content, farthest) = decode(&payloads);
            assert!(content == whole, "{bits:?}, level {level}");
            assert!(farthest <= bits.bytes(), "{bits:?}, level {level}: {farthest}");
            // The levels that search also use at least a quarter of the window.
            if level > 0 && bits > WindowBits::MIN && whole.len() > 2 * bits.bytes() {
                assert!(farthest * 4 > bits.bytes(), "{bits:?}, level {level}: {farthest}");
            }
        }
    }
}

#[test]
fn what_is_sent_with_eight_bits_never_reaches_back_beyond_256_bytes() {
    let levels = (0..=9).step_by(few_or(6, 1));
    for (level, seed) in levels.flat_map(|level| (1..=few_or(2, 8) as u64).map(move |seed| (level, seed))) {
        let mut rng = Rng(seed);
        let no_context_takeover = seed % 2 == 0;
        let mut deflater = Deflater::new(WindowBits::MIN, no_context_takeover, level);
        let (mut payloads, mut whole) = (Vec::new(), Vec::new());
        for _ in 0..few_or(3, 20) {
            let len = 1 + rng.below(6000);
            let message = if rng.below(2) == 0 { rng.echoes(len) } else { rng.json(len) };
            let mut payload = Vec::new();
            deflater.deflate(&message, Flush::Message, &mut payload).unwrap();
            if no_context_takeover {
                // On its own, a reference to an earlier message would be a fault.
                assert!(decode(std::slice::from_ref(&payload)).0 == message);
            }
            payloads.push(payload);
            whole.extend(message);
        }
        let (content, farthest) = decode(&payloads);
        assert!(content == whole, "level {level}, seed {seed}");
        assert!(farthest <= 256, "level {level}, seed {seed}: {farthest}");
    }
}

/// Inflates messages that share the largest window, and returns their content and the largest distance.
fn decode(payloads: &[Vec<u8>]) -> (Vec<u8>, usize) {
    let mut inflater = raw_inflate::Inflater::new(15, true);
    let (mut content, mut farthest) = (Vec::new(), 0);
    for payload in payloads {
        let message = inflater.message(payload, true, usize::MAX);
        assert_eq!((message.fault, message.ended), (None, 0), "a fault or a final block");
        content.extend(message.content);
        farthest = farthest.max(message.distance);
    }
    (content, farthest)
}

#[test]
fn a_message_inflates_the_same_however_it_is_split() {
    let mut rng = Rng(5);
    let messages = [rng.json(700), rng.echoes(900), vec![0; few_or(300, 3000)], Vec::new(), rng.json(200)];
    for no_context_takeover in [false, true] {
        let mut deflater = Deflater::new(WindowBits::MAX, no_context_takeover, 6);
        let payloads: Vec<Vec<u8>> = messages
            .iter()
            .map(|message| {
                let mut payload = Vec::new();
                deflater.deflate(message, Flush::Message, &mut payload).unwrap();
                payload
            })
            .collect();
        for step in (1..40).chain([100, 1000]).step_by(few_or(20, 1)) {
            for max in [1, 2, 7, 255, 4096].into_iter().step_by(few_or(3, 1)) {
                let mut inflater = Inflater::new(WindowBits::MAX, no_context_takeover);
                for (payload, message) in payloads.iter().zip(&messages) {
                    assert!(inflate_in_steps(&mut inflater, payload, step, max).unwrap() == *message);
                    assert_eq!(inflater.consumed(), payload.len() as u64);
                    assert_eq!(inflater.produced(), message.len() as u64);
                }
            }
        }
    }
}

#[test]
fn a_message_that_compression_does_not_shorten_leaves_no_trace() {
    for (bits, level) in every_window().flat_map(|bits| [1, 6].map(|level| (bits, level))) {
        let mut rng = Rng(9);
        let mut deflater = Deflater::new(bits, false, level);
        let mut inflater = Inflater::new(bits, false);
        for n in 0..few_or(2, 12) {
            let noise = rng.bytes(3000);
            let mut output = b"before".to_vec();
            assert!(!deflater.deflate_message(&noise, &mut output), "noise cannot shrink");
            assert_eq!(output, b"before");
            // The peer never saw the noise, so nothing may refer to it: this would if the compressor remembered.
            let mut message = rng.json(200);
            message.extend(&noise[2900..2960]);
            assert!(deflater.deflate_message(&message, &mut output));
            assert!(output.len() - 6 < message.len());
            assert!(inflate(&mut inflater, &output[6..]).unwrap() == message, "{bits:?}, message {n}");
        }
    }
}

#[test]
fn connections_that_share_a_thread_do_not_share_a_window() {
    let mut rng = Rng(11);
    let mut pairs: Vec<_> = (0..9)
        .map(|n| {
            let bits = WindowBits::new(9 + n % 3).unwrap();
            (Deflater::new(bits, false, 1), Inflater::new(bits, false))
        })
        .collect();
    let rounds = few_or(30, 400);
    for round in 0..rounds {
        let chosen = if round < rounds / 2 { rng.below(9) } else { rng.below(3) };
        let (deflater, inflater) = &mut pairs[chosen];
        let message = rng.json(400);
        let mut payload = Vec::new();
        deflater.deflate(&message, Flush::Message, &mut payload).unwrap();
        assert!(inflate(inflater, &payload).unwrap() == message, "round {round}");
    }
}

#[test]
fn a_connection_may_change_its_thread_between_messages() {
    let mut rng = Rng(12);
    let mut pair = (Deflater::new(WindowBits::DEFAULT, false, 1), Inflater::new(WindowBits::DEFAULT, false));
    let turn = |mut pair: (Deflater, Inflater), message: Vec<u8>| {
        let mut payload = Vec::new();
        pair.0.deflate(&message, Flush::Message, &mut payload).unwrap();
        assert!(inflate(&mut pair.1, &payload).unwrap() == message);
        pair
    };
    for _ in 0..few_or(2, 20) {
        // Here, elsewhere, here again: the compressor it left here is out of date by then.
        pair = turn(pair, rng.json(600));
        let message = rng.json(600);
        pair = std::thread::spawn(move || turn(pair, message)).join().unwrap();
    }
}

#[test]
fn the_window_outlives_the_compressor() {
    // The other thread's pool has none that has seen the first message.
    for bits in every_window().skip(1) {
        let mut deflater = Deflater::new(bits, false, 1);
        let message = Rng(13).bytes(200);
        deflater.deflate(&message, Flush::Message, &mut Vec::new()).unwrap();
        let compressed = std::thread::spawn(move || {
            let mut payload = Vec::new();
            assert!(deflater.deflate_message(&message, &mut payload));
            payload.len()
        });
        let len = compressed.join().unwrap();
        assert!(len < 20, "{bits:?}: {len} bytes for a repetition");
    }
}

#[test]
fn each_role_uses_the_parameters_of_its_directions() {
    // Only the server's direction has context takeover: there the second message is much shorter.
    let agreed = Agreed { client_no_context_takeover: true, ..Agreed::PLAIN };
    let config = Config::server().threshold(0);
    let mut server = PerMessageDeflate::server(agreed, &config);
    let mut client = PerMessageDeflate::client(agreed, &config);
    let message = Rng(3).json(600);
    let mut sizes = [Vec::new(), Vec::new()];
    for _ in 0..2 {
        let mut payload = Vec::new();
        assert!(server.deflate_message(&message, &mut payload));
        sizes[0].push(payload.len());
        let mut back = Vec::new();
        client.inflate(&payload, true, &mut back, 1 << 20).unwrap();
        assert!(back == message);
        payload.clear();
        assert!(client.deflate_message(&message, &mut payload));
        sizes[1].push(payload.len());
        back.clear();
        server.inflate(&payload, true, &mut back, 1 << 20).unwrap();
        assert!(back == message);
    }
    assert!(sizes[0][1] * 5 < sizes[0][0], "{sizes:?}");
    assert_eq!(sizes[1][1], sizes[1][0]);
    assert_eq!(server.agreed(), agreed);
}

#[test]
fn a_message_below_the_threshold_is_sent_uncompressed() {
    let config = Config::server().threshold(1024);
    let mut server = PerMessageDeflate::server(Agreed::PLAIN, &config);
    let mut output = Vec::new();
    assert!(!server.deflate_message(&[b'a'; 1023], &mut output));
    assert!(output.is_empty());
    assert!(server.deflate_message(&[b'a'; 1024], &mut output));
    let zero = config.threshold(0);
    assert!(!PerMessageDeflate::server(Agreed::PLAIN, &zero).deflate_message(b"", &mut output));
}

#[test]
fn a_message_is_compressed_only_if_that_makes_it_shorter() {
    let mut lengths = [0, 0];
    for n in (1..200).step_by(few_or(4, 1)) {
        let mut message = Rng(n).bytes(10);
        message.extend(vec![b'-'; n as usize % 12]);
        let mut payload = Vec::new();
        Deflater::new(WindowBits::MAX, true, 1).deflate(&message, Flush::Message, &mut payload).unwrap();
        let pays = payload.len() < message.len();
        let mut output = Vec::new();
        assert_eq!(Deflater::new(WindowBits::MAX, true, 1).deflate_message(&message, &mut output), pays);
        assert_eq!(output.len(), if pays { payload.len() } else { 0 });
        lengths[usize::from(payload.len() == message.len())] += 1;
    }
    assert!(lengths[1] > 0, "no message that stays as long as it is");
}

#[test]
fn a_whole_message_is_not_compressed_inside_another() {
    let mut deflater = Deflater::new(WindowBits::MAX, false, 1);
    let mut output = Vec::new();
    deflater.deflate(b"begun", Flush::None, &mut output).unwrap();
    let before = output.len();
    assert!(!deflater.deflate_message(&[0; 500], &mut output));
    assert_eq!(output.len(), before);
    deflater.deflate(b" and done", Flush::Message, &mut output).unwrap();
    assert_eq!(inflate(&mut Inflater::new(WindowBits::MAX, false), &output).unwrap(), b"begun and done");
}

#[test]
fn a_flushed_piece_can_be_read_at_once() {
    let mut deflater = Deflater::new(WindowBits::DEFAULT, false, 1);
    let mut inflater = Inflater::new(WindowBits::DEFAULT, false);
    let mut output = Vec::new();
    for piece in [&b"one, "[..], b"two, ", b"", b"three"] {
        let mut payload = Vec::new();
        deflater.deflate(piece, Flush::Sync, &mut payload).unwrap();
        output.clear();
        inflater.inflate(&payload, false, &mut output, 100).unwrap();
        assert_eq!(output, piece);
    }
    let mut payload = Vec::new();
    deflater.deflate(b"", Flush::Message, &mut payload).unwrap();
    assert_eq!(payload, [0x00]);
    assert!(inflate(&mut inflater, &payload).unwrap().is_empty());
}

/// A compressor that is abandoned inside a message still has output, with which zlib-rs panicked when it was reused.
#[test]
fn messages_that_compression_does_not_shorten_leave_no_trace_in_the_window() {
    let mut rng = Rng(7);
    for &level in LEVELS {
        for no_context_takeover in [false, true] {
            let mut deflater = Deflater::new(WindowBits::MAX, no_context_takeover, level);
            let mut inflater = Inflater::new(WindowBits::MAX, no_context_takeover);
            for size in [16 << 10, 64 << 10, 128 << 10, 130_000, 65_000].into_iter().take(few_or(1, 5)) {
                let mut payload = Vec::new();
                assert!(!deflater.deflate_message(&rng.bytes(size), &mut payload));
                assert!(payload.is_empty());
            }
            let message = rng.json(few_or(1 << 10, 16 << 10));
            let mut payload = Vec::new();
            if deflater.deflate_message(&message, &mut payload) {
                let back = inflate(&mut inflater, &payload).unwrap();
                assert!(back == message, "level {level}, {no_context_takeover}");
            }
        }
    }
}
