//! Subscribers that come, go, stall and resume, from seeds, against a model of what they may see.
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
mod model;
mod pipe;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

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
