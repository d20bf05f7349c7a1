//! A process that is out of descriptors. Alone in its file: the limit is the process's.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;

use std::fs::File;
use std::time::{Duration, Instant};

use common::{echo, frame, reply, run};
use rlimit::Resource;
use tokio::net::TcpStream;
use ws_server::Server;

#[tokio::test]
async fn accepting_pauses_and_recovers_by_itself() {
    let (_, hard) = rlimit::getrlimit(Resource::NOFILE).unwrap();
    rlimit::setrlimit(Resource::NOFILE, 64, hard).unwrap();
    let options = common::options(|options| options.max_connections = Some(1000));
    let server = run(Server::builder().route("/", echo).options(options)).await;
    let mut before = server.open("/").await;

    // One descriptor is left for a client of our own; then there is none for the server to accept with.
    let mut hoard = Vec::new();
    let client = loop {
        match File::open("/dev/null") {
            Ok(file) => hoard.push(file),
            Err(_) => {
                hoard.pop();
                break TcpStream::connect(server.address).await.unwrap();
            }
        }
    };
    server.until(|stats| stats.failed_accepts() >= 2).await;
    let attempts = server.stats.failed_accepts();
    let cpu = cpu_time();
    let begin = Instant::now();
    tokio::time::sleep(Duration::from_millis(1000)).await;
    let attempts = server.stats.failed_accepts() - attempts;
    assert!(attempts < 20, "{attempts} attempts in a second");
    let cpu = cpu_time() - cpu;
    assert!(cpu.as_secs_f64() < 0.05 * begin.elapsed().as_secs_f64(), "{cpu:?} of CPU");

    // Who is connected does not notice.
    before.send(frame(0x81, b"x")).await;
    assert_eq!(before.bytes(3).await, reply(0x81, b"x"));

    drop(hoard);
    let mut client = common::Peer(client);
    client.send(common::opening("/", "")).await;
    assert!(client.head().await.starts_with("HTTP/1.1 101 "), "it recovers by itself");
}

/// What this process has used of the processors, as Linux tells it; elsewhere nothing.
fn cpu_time() -> Duration {
    let Ok(stat) = std::fs::read_to_string("/proc/self/schedstat") else { return Duration::ZERO };
    Duration::from_nanos(stat.split_whitespace().next().and_then(|ns| ns.parse().ok()).unwrap_or(0))
}
