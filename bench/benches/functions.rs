//! The functions that a message passes through, beside what the peers let others call.
//!
//! web-socket, wtx and tokio-websockets have none of these in public.

use std::hint::black_box;
use std::io::Cursor;

use bytes::BytesMut;
use criterion::measurement::WallTime;
use criterion::{BatchSize, BenchmarkGroup, BenchmarkId, Criterion, Throughput};
use criterion::{criterion_group, criterion_main};
use tokio_tungstenite::tungstenite::protocol::frame as tungstenite;
use tokio_util::codec::Decoder;
use ws_core::decode::{FrameDecoder, FrameItem};
use ws_core::mask::{MaskKey, mask};
use ws_core::utf8::Utf8Validator;
use ws_core::{FrameHeader, OpCode, Role};

const KEY: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

/// Where payloads lie: behind a header of 8 bytes. A copy reads and writes as much, but from one place to another.
fn masking(c: &mut Criterion) {
    let mut group = c.benchmark_group("mask");
    for size in [20, 125, 1 << 10, 16 << 10, 1 << 20] {
        let mut buffer = vec![0x55; size + 8];
        let payload = &mut buffer[8..];
        let source = payload.to_vec();
        group.throughput(Throughput::Bytes(size as u64));
        let mut of = |name: &str, mask: &dyn Fn(&mut [u8])| {
            group.bench_function(BenchmarkId::new(name, size), |b| b.iter(|| mask(black_box(&mut *payload))));
        };
        of("ours", &|payload| assert_ne!(mask(payload, black_box(MaskKey(KEY))), MaskKey([0; 4])));
        of("memcpy", &|payload| payload.copy_from_slice(black_box(&source)));
        of("fastwebsockets", &|payload| fastwebsockets::unmask(payload, black_box(KEY)));
        of("sockudo-ws", &|payload| sockudo_ws::simd::apply_mask(payload, black_box(KEY)));
        of("yawc", &|payload| yawc::mask::apply_mask(payload, black_box(KEY)));
        let mut header = soketto::base::Header::new(soketto::base::OpCode::Binary);
        header.set_masked(true).set_mask(u32::from_be_bytes(KEY));
        of("soketto", &|payload| soketto::base::Codec::apply_mask(black_box(&header), payload));
    }
}

/// 64 KiB in pieces, cut without regard to characters; simdutf8 alone on the whole, and on pieces which it is given
/// cut between characters.
fn utf8(c: &mut Criterion) {
    for (name, character) in [("ascii", "a"), ("two bytes", "é"), ("four bytes", "😀")] {
        let text = character.repeat((64 << 10) / character.len());
        let mut group = c.benchmark_group(format!("utf8, {name}"));
        group.throughput(Throughput::Bytes(text.len() as u64));
        let text = text.as_bytes();
        for size in [1025, 16 << 10] {
            pieces(&mut group, "ours", text, size, |pieces| {
                let mut validator = Utf8Validator::new();
                pieces.fold(true, |valid, piece| valid & validator.feed(piece).is_ok())
                    && validator.is_complete()
            });
            pieces(&mut group, "sockudo-ws", text, size, |mut pieces| {
                let mut validator = sockudo_ws::utf8::Utf8Stream::new();
                pieces.all(|piece| validator.push(piece)) && validator.finish()
            });
            pieces(&mut group, "simdutf8", text, size - size % character.len(), |mut pieces| {
                pieces.all(|piece| simdutf8::basic::from_utf8(piece).is_ok())
            });
        }
        pieces(&mut group, "simdutf8", text, text.len(), |mut pieces| {
            pieces.all(|piece| simdutf8::basic::from_utf8(piece).is_ok())
        });
    }
}

fn pieces(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    text: &[u8],
    size: usize,
    is_valid: impl Fn(std::slice::Chunks<'_, u8>) -> bool,
) {
    group.bench_function(BenchmarkId::new(name, size), |b| {
        b.iter(|| assert!(is_valid(black_box(text).chunks(size))));
    });
}

fn headers(c: &mut Criterion) {
    for len in [20_u64, 1 << 10, 1 << 20] {
        let header = FrameHeader {
            fin: true,
            rsv1: false,
            opcode: OpCode::Binary,
            mask: Some(MaskKey(KEY)),
            payload_len: len,
        };
        let bytes = header.encode();
        let mut group = c.benchmark_group("header, parse");
        group.bench_function(BenchmarkId::new("ours", len), |b| {
            b.iter(|| FrameHeader::parse(black_box(&bytes), Role::Server));
        });
        group.bench_function(BenchmarkId::new("tungstenite", len), |b| {
            b.iter(|| tungstenite::FrameHeader::parse(&mut Cursor::new(black_box(&bytes[..]))).unwrap());
        });
        let mut codec = soketto::base::Codec::new();
        group.bench_function(BenchmarkId::new("soketto", len), |b| {
            b.iter(|| codec.decode_header(black_box(&bytes)).unwrap());
        });
        group.finish();

        let mut group = c.benchmark_group("header, encode");
        group.bench_function(BenchmarkId::new("ours", len), |b| b.iter(|| black_box(&header).encode()));
        let theirs =
            tungstenite::FrameHeader::parse(&mut Cursor::new(&bytes[..])).unwrap().expect("a whole header").0;
        let mut output = Vec::with_capacity(14);
        group.bench_function(BenchmarkId::new("tungstenite", len), |b| {
            b.iter(|| {
                output.clear();
                black_box(&theirs).format(len, &mut output).unwrap();
                black_box(&output).len()
            });
        });
        let mut theirs = soketto::base::Header::new(soketto::base::OpCode::Binary);
        theirs.set_fin(true).set_masked(true).set_mask(u32::from_be_bytes(KEY)).set_payload_len(len as usize);
        group.bench_function(BenchmarkId::new("soketto", len), |b| {
            b.iter(|| black_box(codec.encode_header(black_box(&theirs))).len());
        });
        let payload = vec![0; len as usize];
        let mut frame = fastwebsockets::Frame::new(
            true,
            fastwebsockets::OpCode::Binary,
            Some(KEY),
            fastwebsockets::Payload::Borrowed(&payload),
        );
        let mut head = [0; 14];
        group.bench_function(BenchmarkId::new("fastwebsockets", len), |b| {
            b.iter(|| black_box(&mut frame).fmt_head(black_box(&mut head)));
        });
        let mut output = BytesMut::with_capacity(14);
        group.bench_function(BenchmarkId::new("sockudo-ws", len), |b| {
            b.iter(|| {
                output.clear();
                let opcode = black_box(sockudo_ws::OpCode::Binary);
                sockudo_ws::frame::encode_frame_header(
                    &mut output,
                    opcode,
                    black_box(len as usize),
                    true,
                    Some(KEY),
                );
                black_box(&output).len()
            });
        });
    }
}

/// 1,000 masked binary messages of 20 bytes in one buffer, decoded and unmasked.
fn stream(c: &mut Criterion) {
    const FRAMES: u64 = 1000;
    let header = FrameHeader {
        fin: true,
        rsv1: false,
        opcode: OpCode::Binary,
        mask: Some(MaskKey(KEY)),
        payload_len: 20,
    };
    let stream = [&header.encode()[..], &[0x55; 20]].concat().repeat(FRAMES as usize);
    let mut group = c.benchmark_group("stream of 20-byte frames");
    group.throughput(Throughput::Elements(FRAMES));
    group.bench_function("ours", |b| {
        b.iter_batched_ref(
            || stream.clone(),
            |stream| {
                let mut decoder = FrameDecoder::new(Role::Server);
                let mut input = &mut stream[..];
                let mut frames = 0;
                while let Ok(Some(item)) = decoder.decode(&mut input) {
                    frames += u64::from(matches!(item, FrameItem::Payload { last: true, .. }));
                }
                assert_eq!(frames, FRAMES);
            },
            BatchSize::SmallInput,
        );
    });
    group.bench_function("sockudo-ws", |b| {
        b.iter_batched_ref(
            || BytesMut::from(&stream[..]),
            |stream| {
                let mut parser = sockudo_ws::frame::FrameParser::new(1 << 20, true);
                let mut frames = 0;
                while let Ok(Some(frame)) = parser.parse(stream) {
                    frames += u64::from(black_box(frame).payload.len() == 20);
                }
                assert_eq!(frames, FRAMES);
            },
            BatchSize::SmallInput,
        );
    });
    group.bench_function("yawc", |b| {
        b.iter_batched_ref(
            || BytesMut::from(&stream[..]),
            |stream| {
                let mut decoder = yawc::codec::Decoder::new(yawc::Role::Server, 1 << 20);
                let mut frames = 0;
                while let Ok(Some(frame)) = decoder.decode(stream) {
                    frames += u64::from(black_box(frame).payload().len() == 20);
                }
                assert_eq!(frames, FRAMES);
            },
            BatchSize::SmallInput,
        );
    });
}

criterion_group!(benches, masking, utf8, headers, stream);
criterion_main!(benches);
