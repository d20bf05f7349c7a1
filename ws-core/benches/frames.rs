//! Frames in memory: masking, UTF-8, headers, decoding a stream of small frames, encoding.

use std::hint::black_box;
use std::sync::Arc;

use bytes::Buf;
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ws_core::decode::{FrameDecoder, FrameItem};
use ws_core::mask::{MaskKey, mask};
use ws_core::utf8::Utf8Validator;
use ws_core::{Config, Connection, Event, FrameHeader, OpCode, Role};

const KEY: MaskKey = MaskKey([0x37, 0xFA, 0x21, 0x3D]);

/// Beside a copy of the same bytes, which is what memory allows.
fn masking(c: &mut Criterion) {
    let mut group = c.benchmark_group("mask");
    for size in [20, 125, 1 << 10, 16 << 10, 1 << 20] {
        let mut payload = vec![0x55; size];
        let source = payload.clone();
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_with_input(BenchmarkId::new("mask", size), &(), |b, ()| {
            b.iter(|| mask(black_box(&mut payload), KEY))
        });
        group.bench_with_input(BenchmarkId::new("memcpy", size), &(), |b, ()| {
            b.iter(|| black_box(&mut payload).copy_from_slice(black_box(&source)));
        });
    }
}

/// In pieces of 1 KiB + 1 byte, beside simdutf8 on the whole.
fn utf8(c: &mut Criterion) {
    let mut group = c.benchmark_group("utf8");
    for (name, character) in [("ascii", "a"), ("two bytes", "é"), ("four bytes", "😀")] {
        let text = character.repeat((64 << 10) / character.len());
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(BenchmarkId::new("in pieces", name), |b| {
            b.iter(|| {
                let mut validator = Utf8Validator::new();
                for piece in black_box(text.as_bytes()).chunks(1025) {
                    black_box(validator.feed(piece).is_ok());
                }
                validator.is_complete()
            });
        });
        group.bench_function(BenchmarkId::new("simdutf8 on the whole", name), |b| {
            b.iter(|| simdutf8::basic::from_utf8(black_box(text.as_bytes())).is_ok());
        });
    }
}

fn headers(c: &mut Criterion) {
    let mut group = c.benchmark_group("header");
    for payload_len in [20, 1 << 10, 1 << 20] {
        let header =
            FrameHeader { fin: true, rsv1: false, opcode: OpCode::Binary, mask: Some(KEY), payload_len };
        let bytes = header.encode();
        group.bench_function(BenchmarkId::new("parse", payload_len), |b| {
            b.iter(|| FrameHeader::parse(black_box(&bytes), Role::Server));
        });
        group.bench_function(BenchmarkId::new("encode", payload_len), |b| {
            b.iter(|| black_box(&header).encode())
        });
    }
}

/// 1,000 masked binary messages of 20 bytes, as they lie in a buffer.
fn stream() -> Vec<u8> {
    let header =
        FrameHeader { fin: true, rsv1: false, opcode: OpCode::Binary, mask: Some(KEY), payload_len: 20 };
    let mut bytes = Vec::new();
    for _ in 0..MESSAGES {
        bytes.extend_from_slice(&header.encode());
        bytes.extend_from_slice(&[0x55; 20]);
    }
    bytes
}

const MESSAGES: u64 = 1000;

/// From the decoder alone to an echo by the connection, each with one thing more than the one before.
fn small_frames(c: &mut Criterion) {
    let mut group = c.benchmark_group("stream of 20-byte messages");
    group.throughput(Throughput::Elements(MESSAGES));
    let stream = stream();
    group.bench_function("FrameDecoder", |b| {
        b.iter_batched_ref(
            || stream.clone(),
            |stream| {
                let mut decoder = FrameDecoder::new(Role::Server);
                let mut input = &mut stream[..];
                let mut frames = 0;
                while let Ok(Some(item)) = decoder.decode(&mut input) {
                    frames += u64::from(matches!(item, FrameItem::Payload { last: true, .. }));
                }
                assert_eq!(frames, MESSAGES);
            },
            BatchSize::SmallInput,
        );
    });
    let config = Arc::new(Config::server());
    group.bench_function("Connection, receive", |b| {
        b.iter_batched_ref(
            || (stream.clone(), Connection::server(Arc::clone(&config))),
            |(stream, connection)| {
                let mut input = &mut stream[..];
                let mut messages = 0;
                while let Ok(Some(event)) = connection.receive(&mut input) {
                    messages += u64::from(matches!(event, Event::Binary(_)));
                }
                assert_eq!(messages, MESSAGES);
            },
            BatchSize::SmallInput,
        );
    });
    group.bench_function("Connection, echo", |b| {
        b.iter_batched_ref(
            || (stream.clone(), Connection::server(Arc::clone(&config))),
            |(stream, connection)| {
                connection.lend_buffer(Vec::with_capacity(64 << 10));
                let mut input = &mut stream[..];
                while let Ok(Some(Event::Binary(bytes))) = connection.receive(&mut input) {
                    assert!(connection.send_binary(&bytes).is_ok());
                }
                assert_eq!(connection.output().remaining() as u64, MESSAGES * 22);
            },
            BatchSize::SmallInput,
        );
    });
}

criterion_group!(benches, masking, utf8, headers, small_frames);
criterion_main!(benches);
