//! Bytes and work: what idle connections hold, what a bomb may cost, as the allocator counts it.
//!
//! One test, so that nothing else allocates meanwhile.

#[path = "deflate/data/mod.rs"]
mod data;
#[path = "support/mod.rs"]
mod support;

use std::alloc::System;
use std::time::{Duration, Instant};

use cap::Cap;
use data::{Rng, every_window};
use flate2::{Compress, Compression, FlushCompress};
use ws_core::ProtocolError;
use ws_core::deflate::{
    Agreed, Config, Deflater, Flush, InflateStatus, Inflater, PerMessageDeflate, WindowBits,
};

#[global_allocator]
static HEAP: Cap<System> = Cap::new(System, usize::MAX);

fn held() -> usize {
    HEAP.allocated()
}

/// The most that was held above the start of `work`, or more: the allocator knows only its highest mark ever, so the
/// thriftier tests come first.
fn peak<T>(work: impl FnOnce() -> T) -> (usize, T) {
    let before = held();
    let result = work();
    (HEAP.max_allocated() - before, result)
}

#[test]
fn bytes_and_work_are_bounded() {
    blocks_of_nothing_cost_no_memory_and_linear_time();
    a_bomb_stops_at_the_limit();
    final_blocks_of_nothing_are_too_much_work();
    bytes_one_by_one_cost_linear_work();
    an_idle_connection_without_takeover_keeps_no_memory_for_deflate();
    an_idle_connection_with_takeover_keeps_only_the_windows();
    borrowed_codecs_are_accounted_for();
    the_pool_is_bounded();
    codecs_serve_one_message_after_the_other();
    what_is_compressed_gets_a_quarter_of_its_room();
}

/// A pair that has sent and received a few messages of every kind.
fn used(agreed: Agreed, rng: &mut Rng) -> (PerMessageDeflate, PerMessageDeflate) {
    let config = Config::server().threshold(0);
    let mut server = PerMessageDeflate::server(agreed, &config);
    let mut client = PerMessageDeflate::client(agreed, &config);
    let mut payload = Vec::with_capacity(100_000);
    for len in [300, 2000, 40_000, 10] {
        let message = rng.json(len);
        exchange(&mut server, &mut client, &message, &mut payload);
        exchange(&mut client, &mut server, &message, &mut payload);
    }
    (server, client)
}

fn exchange(from: &mut PerMessageDeflate, to: &mut PerMessageDeflate, message: &[u8], payload: &mut Vec<u8>) {
    payload.clear();
    from.deflate(message, Flush::Message, payload).unwrap();
    let mut back = Vec::new();
    assert_eq!(to.inflate(payload, true, &mut back, 1 << 20).unwrap().status, InflateStatus::Done);
    assert!(back == message);
}

fn an_idle_connection_without_takeover_keeps_no_memory_for_deflate() {
    let mut rng = Rng(1);
    let agreed =
        Agreed { server_no_context_takeover: true, client_no_context_takeover: true, ..Agreed::PLAIN };
    drop(used(agreed, &mut rng));
    let before = held();
    let pairs: [_; 50] = std::array::from_fn(|_| used(agreed, &mut rng));
    assert_eq!(held(), before, "bytes for 100 idle connections");
    assert!(pairs.iter().all(|(server, client)| server.memory_usage() == 0 && client.memory_usage() == 0));
}

fn an_idle_connection_with_takeover_keeps_only_the_windows() {
    let mut rng = Rng(2);
    println!("bits → bytes in each direction, and for a connection");
    for bits in every_window() {
        let agreed = Agreed { server_max_window_bits: bits, client_max_window_bits: bits, ..Agreed::PLAIN };
        let config = Config::server();
        let before = held();
        let unused = PerMessageDeflate::server(agreed, &config);
        assert_eq!(held(), before, "a connection that has not been used");
        assert_eq!(unused.memory_usage(), 0);
        drop(used(agreed, &mut rng));

        let before = held();
        let pairs: [_; 20] = std::array::from_fn(|_| used(agreed, &mut rng));
        let each = (held() - before) / 40;
        println!("{:4} → {:6} {each:6}", bits.get(), each / 2);
        assert_eq!(each, 2 * bits.bytes(), "{bits:?}");
        assert!(
            pairs
                .iter()
                .all(|(server, client)| server.memory_usage() == each && client.memory_usage() == each)
        );
    }
}

fn the_pool_is_bounded() {
    // Sixty messages at once, and so sixty codecs each way; afterwards a thread keeps four.
    let mut payload = Vec::with_capacity(1000);
    let mut deflaters: Vec<_> = (0..60).map(|_| Deflater::new(WindowBits::MAX, true, 1)).collect();
    let mut inflaters: Vec<_> = (0..60).map(|_| Inflater::new(WindowBits::MAX, true)).collect();
    let mut outputs: Vec<Vec<u8>> = (0..60).map(|_| Vec::with_capacity(4096)).collect();
    let before = held();
    for ((deflater, inflater), output) in deflaters.iter_mut().zip(&mut inflaters).zip(&mut outputs) {
        payload.clear();
        deflater.deflate(&[b'a'; 500], Flush::Sync, &mut payload).unwrap();
        inflater.inflate(&payload, false, output, 4096).unwrap();
    }
    assert!(held() - before > 56 * 300_000);
    for ((deflater, inflater), output) in deflaters.iter_mut().zip(&mut inflaters).zip(&mut outputs) {
        payload.clear();
        deflater.deflate(b"", Flush::Message, &mut payload).unwrap();
        inflater.inflate(&payload, true, output, 4096).unwrap();
    }
    // Four of each were in the pool before, perhaps smaller ones.
    let grown = held().saturating_sub(before);
    assert!(grown < 4 * (372 + 47) * 1024, "{grown} bytes more than before");
}

fn codecs_serve_one_message_after_the_other() {
    // On a thread that has none in its pool.
    let thread = std::thread::spawn(|| {
        let (mut payload, mut output) = (Vec::with_capacity(1000), Vec::with_capacity(1000));
        std::array::from_fn(|_| {
            let before = HEAP.total_allocated();
            // Of another connection each time.
            let mut deflater = Deflater::new(WindowBits::MAX, true, 1);
            let mut inflater = Inflater::new(WindowBits::MAX, true);
            payload.clear();
            deflater.deflate(b"Hello", Flush::Message, &mut payload).unwrap();
            inflater.inflate(&payload, true, &mut output, 100).unwrap();
            HEAP.total_allocated() - before
        })
    });
    let [first, second, third] = thread.join().unwrap();
    assert!(first > 400_000, "{first} bytes for the first message");
    assert_eq!((second, third), (0, 0), "bytes for those that follow");
}

fn what_is_compressed_gets_a_quarter_of_its_room() {
    let message = vec![0; 1 << 20];
    let mut payload = Vec::new();
    Deflater::new(WindowBits::MAX, true, 1).deflate(&message, Flush::Message, &mut payload).unwrap();
    assert!(payload.capacity() < message.len() / 3, "{} bytes", payload.capacity());
}

/// How far the estimates may be above the truth, in bytes. They count pointers of 64 bits.
const SLACK: usize = if cfg!(target_pointer_width = "32") { 2048 } else { 1024 };

fn borrowed_codecs_are_accounted_for() {
    for bits in every_window() {
        // Filled, so that the pool has none to lend and the codecs are new.
        let mut hoard: Vec<_> = (0..9).map(|_| Deflater::new(bits, true, 1)).collect();
        let mut payload = Vec::with_capacity(10_000);
        for deflater in &mut hoard {
            deflater.deflate(b"x", Flush::Sync, &mut payload).unwrap();
        }
        payload.clear();
        let mut deflater = Deflater::new(bits, true, 1);
        let before = held();
        deflater.deflate(b"Hello", Flush::Sync, &mut payload).unwrap();
        let actual = held() - before;
        println!("compressor of {:2} bits: {actual} bytes", bits.get());
        assert!(deflater.memory_usage() >= actual, "{bits:?}: {actual} bytes");
        assert!(deflater.memory_usage() - actual < SLACK, "{bits:?}: {actual} bytes");
    }
    let mut output = Vec::with_capacity(1000);
    let mut hoard: Vec<_> = (0..9).map(|_| Inflater::new(WindowBits::MAX, true)).collect();
    for inflater in &mut hoard {
        inflater.inflate(&[0x00], false, &mut output, 100).unwrap();
    }
    let mut inflater = Inflater::new(WindowBits::MAX, true);
    let before = held();
    inflater.inflate(&[0x00], false, &mut output, 100).unwrap();
    let actual = held() - before;
    println!("decompressor: {actual} bytes");
    assert!(inflater.memory_usage() >= actual, "{actual} bytes");
    assert!(inflater.memory_usage() - actual < SLACK, "{actual} bytes");
}

/// A message of zeroes that inflates to about a thousand times its size.
fn bomb(len: usize) -> Vec<u8> {
    let mut codec = Compress::new(Compression::new(9), false);
    let mut out = Vec::with_capacity(len / 900 + 100);
    let zeroes = [0; 10_000];
    for _ in 0..len / zeroes.len() {
        codec.compress_vec(&zeroes, &mut out, FlushCompress::None).unwrap();
    }
    codec.compress_vec(&[], &mut out, FlushCompress::Sync).unwrap();
    out.truncate(out.len() - 4);
    out
}

/// What a connection does with the limit: gives room for one byte more, stops there.
fn receive(
    inflater: &mut Inflater,
    payload: &[u8],
    frame: usize,
    limit: usize,
) -> Result<usize, ProtocolError> {
    let mut output = Vec::new();
    for piece in payload.chunks(frame) {
        let room = limit + 1 - output.len();
        let done = inflater.inflate(piece, false, &mut output, room)?;
        if done.status == InflateStatus::OutputFull {
            break;
        }
    }
    Ok(output.len())
}

fn a_bomb_stops_at_the_limit() {
    let limit = 1 << 20;
    let payload = bomb(256_000_000);
    assert!(payload.len() < 256_000_000 / 1000);
    for (bits, takeover) in every_window().flat_map(|bits| [(bits, false), (bits, true)]) {
        for frame in [100, payload.len()] {
            let mut inflater = Inflater::new(bits, !takeover);
            // With takeover the window belongs to the connection already.
            receive(&mut inflater, &bomb(40_000), 1000, limit).unwrap();
            let end = inflater.inflate(&[], true, &mut Vec::new(), 10).unwrap();
            assert_eq!(end.status, InflateStatus::Done);
            let calls = inflater.calls();
            let (most, produced) = peak(|| receive(&mut inflater, &payload, frame, limit).unwrap());
            assert_eq!(produced, limit + 1);
            assert!(most <= limit + 64 * 1024, "{bits:?}, takeover {takeover}: {most} bytes");
            assert!(inflater.consumed() < 2 * (limit as u64) / 1000 + frame as u64);
            assert!(inflater.calls() - calls < 60, "{} calls", inflater.calls() - calls);
        }
    }
}

fn blocks_of_nothing_cost_no_memory_and_linear_time() {
    // Fixed blocks with an end and no content, ten bits each; then stored ones.
    let fixed: Vec<u8> = [0x02, 0x08, 0x20, 0x80, 0x00].repeat(44_000);
    let stored: Vec<u8> = [0x00, 0x00, 0x00, 0xff, 0xff].repeat(44_000);
    for payload in &[fixed, stored] {
        let mut inflater = Inflater::new(WindowBits::MAX, false);
        let mut output = Vec::new();
        let calls = inflater.calls();
        let start = Instant::now();
        let (most, ()) = peak(|| {
            for frame in payload.chunks(16 * 1024) {
                let done = inflater.inflate(frame, false, &mut output, 1 << 20).unwrap();
                assert_eq!((done.consumed, done.produced), (frame.len(), 0));
            }
        });
        let time = start.elapsed();
        assert!(most < 160 * 1024, "{most} bytes");
        assert_eq!(inflater.consumed(), payload.len() as u64);
        assert_eq!(inflater.calls() - calls, payload.len().div_ceil(16 * 1024) as u64);
        // About 30 ns a byte on an idle machine, 6 ms; a busy one gets a thousand times that.
        assert!(time < Duration::from_secs(6), "{time:?}");
    }
}

fn final_blocks_of_nothing_are_too_much_work() {
    // Two bytes each, and each makes the window be copied.
    let payload = [0x03, 0x00].repeat(1_000_000);
    for takeover in [true, false] {
        let mut inflater = Inflater::new(WindowBits::MAX, !takeover);
        let mut output = Vec::new();
        inflater.inflate(&bomb(40_000), takeover, &mut output, 1 << 20).unwrap();
        let result = inflater.inflate(&payload, true, &mut output, 1 << 20);
        assert_eq!(result, Err(ProtocolError::InvalidDeflate));
        assert!(inflater.consumed() < 2000, "{} bytes", inflater.consumed());
    }
    // Thirty of them are no attack.
    let mut inflater = Inflater::new(WindowBits::MAX, false);
    inflater.inflate(&bomb(40_000), true, &mut Vec::new(), 1 << 20).unwrap();
    let done = inflater.inflate(&payload[..60], true, &mut Vec::new(), 1 << 20).unwrap();
    assert_eq!((done.status, done.produced), (InflateStatus::Done, 0));
    // Whoever ends each piece of a long message with a final block may do so.
    let mut inflater = Inflater::new(WindowBits::MAX, false);
    let mut rng = Rng(6);
    let mut output = Vec::new();
    for _ in 0..2000 {
        let mut codec = Compress::new(Compression::new(1), false);
        let mut piece = Vec::with_capacity(6000);
        codec.compress_vec(&rng.json(5000), &mut piece, FlushCompress::Finish).unwrap();
        output.clear();
        inflater.inflate(&piece, false, &mut output, 1 << 20).unwrap();
    }
}

fn bytes_one_by_one_cost_linear_work() {
    let mut payload = Vec::new();
    let message = Rng(8).json(50_000);
    Deflater::new(WindowBits::MAX, true, 1).deflate(&message, Flush::Message, &mut payload).unwrap();
    let mut inflater = Inflater::new(WindowBits::MAX, false);
    let mut output = Vec::new();
    for byte in payload.chunks(1) {
        inflater.inflate(byte, false, &mut output, 1 << 20).unwrap();
    }
    assert!(output == message);
    let allowed = payload.len() as u64 + message.len() as u64 / 512 + 10;
    assert!(inflater.calls() <= allowed, "{} calls for {} bytes", inflater.calls(), payload.len());
}
