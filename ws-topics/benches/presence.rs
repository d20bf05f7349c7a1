//! What a change of presence costs those who watch a topic: `cargo bench -p ws-topics --bench presence`.
//!
//! In each round some of those who are present leave and others come; then each watcher fetches what has changed.

#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use tokio::io::duplex;
use ws_tokio::{Config, Role, Sender, WebSocket};
use ws_topics::{SubscribeOptions, Subscription, Topics, TopicsOptions};

const WATCHERS: usize = 100;
const ROUNDS: usize = 21;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    println!("| present | changes | time for {WATCHERS} watchers |\n|---|---|---|");
    for present in [100, 1_000, 10_000] {
        for changes in [2, 100] {
            let time = runtime.block_on(measure(present, changes));
            println!("| {present} | {changes} | {:.1} µs |", time.as_secs_f64() * 1e6);
        }
    }
}

/// Returns the median time in which all watchers fetch what has changed.
async fn measure(present: usize, changes: usize) -> Duration {
    let (_near, far) = duplex(4_096);
    let socket = WebSocket::from_raw(far, Role::Server, Config::server()).unwrap();
    let (sender, _receiver) = socket.split();
    let topics = Topics::new(TopicsOptions::default().max_subscriptions(usize::MAX)).unwrap();
    let mut members: Vec<_> = (0..present).map(|number| join(&topics, &sender, number)).collect();
    let mut watches: Vec<_> = (0..WATCHERS).map(|_| topics.watch_presence("room").unwrap()).collect();
    for watch in &mut watches {
        assert_eq!(watch.changed().await.len(), present);
    }
    let mut times = Vec::new();
    for round in 1..=ROUNDS {
        for (index, member) in members.iter_mut().take(changes / 2).enumerate() {
            *member = join(&topics, &sender, present * round + index);
        }
        let begun = Instant::now();
        for watch in &mut watches {
            assert_eq!(watch.changed().await.len(), changes);
        }
        times.push(begun.elapsed());
    }
    times.sort();
    times[ROUNDS / 2]
}

fn join(topics: &Topics, sender: &Sender, number: usize) -> Subscription {
    let options =
        SubscribeOptions::default().present(format!("identity {number}"), format!("value {number}"));
    topics.subscribe(sender, "room", options).unwrap()
}
