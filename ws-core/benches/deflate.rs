//! MB/s of JSON in and out: 1 KiB and 16 KiB messages, the levels in question, context takeover and none.
//!
//! Sets the default level (`deflate::Config::level`): the ratios are printed first.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput};
use ws_core::deflate::{Deflater, Flush, Inflater, WindowBits};

fn main() {
    ratios();
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    deflate(&mut criterion);
    inflate(&mut criterion);
    criterion.final_summary();
}

const SIZES: [usize; 2] = [1 << 10, 16 << 10];
const LEVELS: [u8; 6] = [1, 2, 3, 4, 5, 6];
const WINDOWS: [(WindowBits, bool); 4] = [
    (WindowBits::DEFAULT, false),
    (WindowBits::DEFAULT, true),
    (WindowBits::MAX, false),
    (WindowBits::MAX, true),
];

/// Sixty-four messages, none like the other.
fn messages(size: usize) -> Vec<Vec<u8>> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut below = |n: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) % n
    };
    (0..64)
        .map(|_| {
            let mut text = String::from("[");
            while text.len() < size {
                let symbol = ["BTC-USD", "ETH-EUR", "SOL-USD", "XRP-JPY", "ADA-GBP"][below(5) as usize];
                let side = ["buy", "sell"][below(2) as usize];
                text.push_str(&format!(
                    "{{\"id\":{},\"symbol\":\"{symbol}\",\"side\":\"{side}\",\"price\":{}.{:02},\"quantity\":{}}},",
                    below(1_000_000_000),
                    below(100_000),
                    below(100),
                    below(500),
                ));
            }
            text.truncate(size);
            text.into_bytes()
        })
        .collect()
}

fn name(bits: WindowBits, no_context_takeover: bool) -> String {
    format!("{} bits {}", bits.get(), if no_context_takeover { "afresh" } else { "takeover" })
}

fn ratios() {
    println!("compressed size in percent, levels {LEVELS:?}");
    for size in SIZES {
        for (bits, no_context_takeover) in WINDOWS {
            print!("{size:6} B, {:17}", name(bits, no_context_takeover));
            for level in LEVELS {
                let mut deflater = Deflater::new(bits, no_context_takeover, level);
                let (mut output, mut input) = (Vec::new(), 0);
                for message in messages(size) {
                    deflater.deflate(&message, Flush::Message, &mut output).expect("valid state");
                    input += message.len();
                }
                print!(" {:5.1}", 100.0 * output.len() as f64 / input as f64);
            }
            println!();
        }
    }
}

fn deflate(criterion: &mut Criterion) {
    for (bits, no_context_takeover) in WINDOWS {
        let mut group = criterion.benchmark_group(format!("deflate, {}", name(bits, no_context_takeover)));
        for size in SIZES {
            let messages = messages(size);
            for level in LEVELS {
                let mut deflater = Deflater::new(bits, no_context_takeover, level);
                let mut output = Vec::with_capacity(2 * size);
                let mut next = messages.iter().cycle();
                group.throughput(Throughput::Bytes(size as u64));
                group.bench_function(BenchmarkId::new(format!("level {level}"), size), |bencher| {
                    bencher.iter(|| {
                        output.clear();
                        let message = next.next().expect("endless");
                        deflater
                            .deflate(black_box(message), Flush::Message, &mut output)
                            .expect("valid state");
                    });
                });
            }
        }
    }
}

fn inflate(criterion: &mut Criterion) {
    for (bits, no_context_takeover) in WINDOWS {
        let mut group = criterion.benchmark_group(format!("inflate, {}", name(bits, no_context_takeover)));
        for size in SIZES {
            let mut deflater = Deflater::new(bits, no_context_takeover, 1);
            let payloads: Vec<_> = messages(size)
                .iter()
                .map(|message| {
                    let mut output = Vec::new();
                    deflater.deflate(message, Flush::Message, &mut output).expect("valid state");
                    output
                })
                .collect();
            let mut inflater = Inflater::new(bits, no_context_takeover);
            let mut output = Vec::new();
            // The first message refers to none before it, so the round may begin again.
            let mut next = payloads.iter().cycle();
            group.throughput(Throughput::Bytes(size as u64));
            group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
                bencher.iter(|| {
                    output.clear();
                    let payload = next.next().expect("endless");
                    inflater.inflate(black_box(payload), true, &mut output, 1 << 20).expect("valid stream");
                });
            });
        }
    }
}
