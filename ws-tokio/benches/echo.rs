//! The async echo, against a transport in memory: what the library costs without the kernel.

mod script;

use std::sync::Arc;
use std::time::Instant;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ws_core::{Binary, Config, Connection, Event};
use ws_tokio::WebSocket;

use script::{Script, batch};

fn echo(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let config = Arc::new(Config::server());
    let mut group = c.benchmark_group("echo in memory");
    for (size, in_flight) in [(20, 1), (20, 16), (20, 128), (16 << 10, 1), (1 << 20, 1)] {
        group.throughput(Throughput::Elements(in_flight as u64));
        let script = |reads| Script::new(batch(size, in_flight), reads);
        let connection = || Connection::server(Arc::clone(&config));
        group.bench_function(BenchmarkId::new(format!("{size} bytes, lent"), in_flight), |b| {
            b.iter_custom(|reads| {
                let mut websocket = WebSocket::new(script(reads), connection(), &[]);
                runtime.block_on(async move {
                    let begin = Instant::now();
                    let echo = |connection: &mut Connection, event: Event<'_>| match event {
                        Event::Binary(Binary::Owned(bytes)) => connection.send(bytes.into()),
                        Event::Binary(bytes) => connection.send_binary(&bytes),
                        _ => Ok(()),
                    };
                    // The script ends without a Close.
                    let _ = websocket.for_each_event(echo).await;
                    begin.elapsed()
                })
            });
        });
        group.bench_function(BenchmarkId::new(format!("{size} bytes"), in_flight), |b| {
            b.iter_custom(|reads| {
                let mut websocket = WebSocket::new(script(reads), connection(), &[]);
                runtime.block_on(async move {
                    let begin = Instant::now();
                    while let Ok(Some(message)) = websocket.recv().await {
                        if websocket.feed(message).await.is_err() {
                            break;
                        }
                    }
                    begin.elapsed()
                })
            });
        });
    }
}

criterion_group!(benches, echo);
criterion_main!(benches);
