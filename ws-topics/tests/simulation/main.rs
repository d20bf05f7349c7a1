//! Subscribers that come, go, stall and resume, on one server and on several, from seeds, against a model of what they may see.
//!
//! `WS_SIM_SEEDS=1000000 cargo test --release -p ws-topics --test simulation` looks further, `WS_SIM_SEED=n` replays one.

#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

mod chance;
mod checks;
#[allow(dead_code)]
#[path = "../servers/fake.rs"]
mod fake;
mod follow;
mod model;
mod pipe;
mod servers;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

use servers::Servers;
use world::World;

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap())
}

#[test]
fn every_subscriber_sees_an_ordered_run_with_holes_only_where_they_were_reported() {
    // Deadlines are timers, which need a runtime; its clock stands still.
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let _entered = runtime.enter();
    let seeds = match setting("WS_SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..setting("WS_SIM_SEEDS").unwrap_or(10_000),
    };
    let count = seeds.end - seeds.start;
    let (mut received, mut gaps, mut resumed) = (0, 0, 0);
    for seed in seeds {
        let played = catch_unwind(AssertUnwindSafe(|| {
            let mut world = World::new(seed);
            world.run(100);
            (world.received, world.gaps, world.resumed)
        }));
        let Ok(played) = played else { panic!("seed {seed}: WS_SIM_SEED={seed} replays it") };
        received += played.0;
        gaps += played.1;
        resumed += played.2;
    }
    println!("{received} messages received, {gaps} gaps reported, {resumed} subscriptions resumed");
    let enough = received > 20 * count && 2 * gaps > count && 4 * resumed > count;
    assert!(count == 1 || enough, "too little has happened");
}

/// Messages, gaps and resumptions, and what follows from everything that was received.
fn play_servers(seed: u64) -> ([u64; 3], u64) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let mut world = Servers::new(seed);
        let trace = world.run(30).await;
        ([world.received, world.gaps, world.resumed], trace)
    })
}

#[test]
fn on_several_servers_every_subscriber_sees_an_ordered_run_with_holes_only_where_they_were_reported() {
    let seeds = match setting("WS_SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..setting("WS_SIM_SEEDS").unwrap_or(10_000),
    };
    let count = seeds.end - seeds.start;
    let next = AtomicU64::new(seeds.start);
    let sums: [AtomicU64; 3] = Default::default();
    let failed = AtomicU64::new(u64::MAX);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while failed.load(Ordering::Relaxed) == u64::MAX {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        return;
                    }
                    match catch_unwind(|| play_servers(seed)) {
                        Ok((counts, _)) => {
                            sums.iter().zip(counts).for_each(|(sum, count)| {
                                sum.fetch_add(count, Ordering::Relaxed);
                            });
                        }
                        Err(_) => {
                            failed.fetch_min(seed, Ordering::Relaxed);
                        }
                    }
                }
            });
        }
    });
    let seed = failed.into_inner();
    assert_eq!(seed, u64::MAX, "seed {seed}: WS_SIM_SEED={seed} replays it");
    let [received, gaps, resumed] = sums.map(AtomicU64::into_inner);
    println!("{received} messages received, {gaps} gaps reported, {resumed} subscriptions resumed");
    let enough = received > 30 * count && gaps > count && 10 * resumed > count;
    assert!(count == 1 || enough, "too little has happened");
}

#[test]
fn a_seed_of_several_servers_plays_the_same_each_time() {
    for seed in 0..20 {
        assert_eq!(play_servers(seed), play_servers(seed), "seed {seed}");
    }
}
