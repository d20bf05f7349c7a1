//! What a delivery costs, beside `ws_tokio::Broadcast`, in one process over TCP on loopback: `cargo bench -p ws-topics`.
//!
//! One thread publishes, the other reads all the sockets. Both kinds publish in turn over the same sockets, many times, so that whatever
//! else goes on meets both; the median of the rounds counts.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use ws_tokio::{Broadcast, Config, Message, Role, Sender, SlowPolicy, WebSocket};
use ws_topics::{History, SubscribeOptions, Topics, TopicsOptions};

const TEXT: &str = "0123456789012345678901234567890123456789012345678901234567890123";
const ROUNDS: usize = 61;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    println!(
        "| subscribers | | `Broadcast` | `Topics` | ratio | with a history |\n|---|---|---|---|---|---|"
    );
    for subscribers in [200, 2_000] {
        runtime.block_on(async {
            for batch in [1, 8] {
                compare(subscribers, batch).await;
            }
        });
    }
}

async fn compare(subscribers: usize, batch: usize) {
    let (senders, read, _keep) = connect(subscribers).await;
    let broadcast = Broadcast::new();
    let _members: Vec<_> =
        senders.iter().map(|sender| broadcast.join(sender.clone(), SlowPolicy::DropOldest(1_000))).collect();
    let topics = Topics::new(TopicsOptions::default().history("kept", History::default())).unwrap();
    let subscribe = |topic: &'static str| {
        let topics = topics.clone();
        senders
            .iter()
            .map(move |it| topics.subscribe(it, topic, SubscribeOptions::default()).unwrap())
            .collect()
    };
    let _subscriptions: [Vec<_>; 2] = [subscribe("live"), subscribe("kept")];
    let messages = || (0..batch).map(|_| Message::text(TEXT));
    let mut times: [Vec<f64>; 3] = Default::default();
    for round in 0..ROUNDS * 3 {
        let kind = round % 3;
        let expected = read.load(Ordering::Acquire) + (subscribers * batch * (TEXT.len() + 2)) as u64;
        let begun = Instant::now();
        // Both write before they return.
        match kind {
            0 => drop(broadcast.publish_all(messages()).await),
            1 => drop(topics.publish_all(messages().map(|it| ("live", it))).unwrap()),
            _ => drop(topics.publish_all(messages().map(|it| ("kept", it))).unwrap()),
        }
        let time = begun.elapsed().as_nanos() as f64 / (subscribers * batch) as f64;
        times[kind].push(time);
        while read.load(Ordering::Acquire) < expected {
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
    }
    let [broadcast, live, kept] = times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    });
    let how = if batch == 1 { "one message" } else { "eight together" };
    println!("| {subscribers} | {how} | {broadcast:.0} | {live:.0} | {:.2} | {kept:.0} |", live / broadcast);
}

/// Connections, and a count of the bytes that a thread has read from their other ends.
async fn connect(count: usize) -> (Vec<Sender>, Arc<AtomicU64>, impl Sized) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (mut senders, mut receiving, mut peers) = (Vec::new(), JoinSet::new(), Vec::new());
    for _ in 0..count {
        let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        peer.set_nonblocking(true).unwrap();
        let (stream, _) = listener.accept().unwrap();
        stream.set_nonblocking(true).unwrap();
        stream.set_nodelay(true).unwrap();
        let stream = tokio::net::TcpStream::from_std(stream).unwrap();
        let socket = WebSocket::from_raw(stream, Role::Server, Config::server().keepalive(None)).unwrap();
        let (sender, receiver) = socket.split();
        senders.push(sender);
        receiving.spawn(receiver.discard());
        peers.push(peer);
    }
    let read = Arc::new(AtomicU64::new(0));
    let counted = Arc::downgrade(&read);
    std::thread::spawn(move || {
        let mut buffer = vec![0; 1 << 16];
        while let Some(counted) = counted.upgrade() {
            for peer in &mut peers {
                if let Ok(bytes) = peer.read(&mut buffer) {
                    counted.fetch_add(bytes as u64, Ordering::Release);
                }
            }
            drop(counted);
        }
    });
    (senders, read, receiving)
}
