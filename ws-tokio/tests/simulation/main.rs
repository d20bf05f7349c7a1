//! Our client and our server over a simulated network, on a simulated clock: all from a seed.
//!
//! `WS_SIM_SEEDS=1000000 cargo test --release -p ws-tokio --test simulation` looks further,
//! `WS_SIM_SEED=n` replays one.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, unreachable_pub)]

mod cancellation;
mod chance;
mod dropped;
mod executor;
mod halves;
mod ledger;
mod network;
mod pipe;
mod plan;
mod transport;
mod whole;
mod wire;
mod world;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use tokio::time::sleep;
use ws_core::{CloseCause, CloseInfo};
use ws_tokio::WebSocket;

use chance::Chance;
use network::Net;
use plan::{Ending, Fault, Plan};
use transport::{Transport, over_http2};
use world::World;

#[test]
fn nothing_is_lost_and_nothing_hangs_whatever_the_network_does() {
    all_seeds(Over::Network, 10_000);
}

#[test]
fn nothing_is_lost_and_nothing_hangs_over_http_2_whatever_the_network_does() {
    all_seeds(Over::Http2, 2_000);
}

#[test]
fn the_same_seed_does_the_same() {
    each_seed_twice(Over::Network, 100);
}

#[test]
fn the_same_seed_does_the_same_over_http_2() {
    each_seed_twice(Over::Http2, 100);
}

/// What the WebSockets run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Over {
    Network,
    Http2,
}

/// Simulates as many seeds as WS_SIM_SEEDS says, or the one of WS_SIM_SEED.
fn all_seeds(over: Over, seeds: u64) {
    if let Some(seed) = number("WS_SIM_SEED") {
        println!("{:#?}", Plan::new(&mut Chance::new(seed)));
        println!("seed {seed} {over:?}: fingerprint {:#x}", simulate(seed, over));
        return;
    }
    let seeds = number("WS_SIM_SEEDS").unwrap_or(seeds);
    let next = AtomicU64::new(0);
    let failed = Mutex::new(None);
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                while failed.lock().unwrap().is_none() {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds {
                        return;
                    }
                    if alone(seed, over).is_none() {
                        failed.lock().unwrap().get_or_insert(seed);
                    }
                }
            });
        }
    });
    if let Some(seed) = *failed.lock().unwrap() {
        panic!(
            "seed {seed} fails, see above; replay it with\n    \
             WS_SIM_SEED={seed} cargo test -p ws-tokio --test simulation {} -- --nocapture",
            if over == Over::Http2 { "over_http_2" } else { "hangs_whatever" }
        );
    }
}

fn each_seed_twice(over: Over, seeds: u64) {
    for seed in 0..seeds {
        let first = alone(seed, over);
        assert!(first.is_some(), "seed {seed} fails");
        assert_eq!(first, alone(seed, over), "seed {seed} has another outcome the second time");
    }
}

/// Runs a seed in a separate thread: what a thread keeps for the next connection is part of the outcome.
fn alone(seed: u64, over: Over) -> Option<u64> {
    let simulation = move || simulate(seed, over);
    thread::Builder::new().name(format!("seed {seed}")).spawn(simulation).unwrap().join().ok()
}

fn simulate(seed: u64, over: Over) -> u64 {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(tokio::task::unconstrained(async {
        let mut chance = Chance::new(seed);
        let world = World::new(Plan::new(&mut chance));
        let mut shape = world.plan.shape;
        if over == Over::Http2 && shape.link.is_some() {
            // Not over slow links: what `h2` holds of a stream, up to 64 KiB, counts as accepted by the transport, and on a link of
            // a few KiB a second it takes longer than the deadlines of these plans.
            return 0;
        }
        if over == Over::Http2 {
            // A client of `h2` writes the preface before it reads, and a server its SETTINGS: both need room for them.
            shape.room = shape.room.max(1 << 10);
        }
        let (net, streams) = network::streams(shape, chance.fork());
        let streams = match over {
            Over::Network => streams.map(Transport::Direct),
            Over::Http2 => {
                // A small window over a long way takes minutes for a message, which is more than a close may take.
                let window = chance.pick(if shape.delay == 0 { &[100, 1_000, 65_535] } else { &[65_535] });
                over_http2(streams, window).await.map(|(stream, driver)| {
                    world.spawner.spawn("connection", driver.run());
                    stream
                })
            }
        };
        for (end, stream) in streams.into_iter().enumerate() {
            let socket = WebSocket::new(stream, world.plan.connection(end), &[]);
            let chance = chance.fork();
            if world.plan.ends[end].senders == 0 {
                world.spawner.spawn(format!("end {end}"), whole::run(world.clone(), end, socket, chance));
            } else {
                halves::run(&world, end, socket, chance);
            }
        }
        befall(&world, &net);
        let spurious = world.plan.spurious;
        world.spawner.clone().run(Duration::from_secs(600), chance.fork(), spurious).await;
        judge(&world, &net.lock().unwrap(), over);
        world.fingerprint()
    }))
}

/// Lets the network do what the plan says.
fn befall(world: &World, net: &Arc<Mutex<Net>>) {
    let (net, fault) = (Arc::clone(net), world.plan.fault);
    if let Fault::Cut { end, after } = fault {
        net.lock().unwrap().cut_after(end, after);
    }
    world.spawner.spawn("network", async move {
        match fault {
            Fault::None | Fault::Cut { .. } => {}
            Fault::Stall { from, to } => {
                sleep(Duration::from_millis(from)).await;
                net.lock().unwrap().freeze(true);
                sleep(Duration::from_millis(to - from)).await;
                net.lock().unwrap().freeze(false);
            }
            Fault::Reset { at } => {
                sleep(Duration::from_millis(at)).await;
                net.lock().unwrap().reset();
            }
            Fault::Freeze { at } => {
                sleep(Duration::from_millis(at)).await;
                net.lock().unwrap().freeze(true);
            }
        }
    });
}

/// What must be true of every simulation, once all its tasks have ended.
fn judge(world: &World, net: &Net, over: Over) {
    let (plan, infos) = (&world.plan, world.infos.borrow());
    let endings = [plan.ends[0].ending, plan.ends[1].ending];
    let dropped = endings.map(|ending| matches!(ending, Ending::DropAfter(_)));
    let undisturbed = matches!(plan.fault, Fault::None | Fault::Stall { .. });
    let wires = [0, 1].map(|end| {
        world.trace(net.wire(end));
        let written = if over == Over::Http2 { wire::data(net.wire(end)) } else { net.wire(end).to_vec() };
        let wire = wire::check(&written, end == 0, plan.deflate.is_some());
        wire.unwrap_or_else(|fault| panic!("end {end} wrote an invalid frame: {fault}"))
    });
    for end in [0, 1] {
        let (wire, other) = (&wires[end], &wires[1 - end]);
        if undisturbed && !dropped[0] && !dropped[1] {
            assert_eq!(wire.half, 0, "end {end} wrote a partial frame");
            assert!(wire.close.is_some(), "end {end} sent no Close");
            let clean = infos[end].as_ref().is_some_and(CloseInfo::is_clean);
            assert!(clean, "end {end} did not close cleanly: {:?}", infos[end]);
        }
        let stays = endings[1 - end] == Ending::Wait || plan.is_calm();
        if undisturbed && !dropped[end] && stays {
            world.ledger.borrow().check_complete(end);
        }
        let Some(info) = &infos[end] else {
            assert!(dropped[end], "end {end} has no close_info");
            continue;
        };
        let allowed = !matches!(info.cause, CloseCause::Protocol(error) if !plan.may_report(error));
        assert!(allowed, "end {end} reports a protocol error: {info}");
        if let Some(code) = info.received {
            assert_eq!(other.close, Some(code.0), "end {end} reports another code than it received: {info}");
        }
        if let (Some(code), Some(written)) = (info.sent, wire.close) {
            assert_eq!(written, code.0, "end {end} reports another code than it sent: {info}");
        }
        if info.is_clean() {
            assert!(info.received.is_some() && info.sent.is_some(), "{info:?}");
            assert!(
                undisturbed || other.close.is_some(),
                "end {end} reports a clean close without a Close: {info}"
            );
        }
        let timed_out = matches!(info.cause, CloseCause::Timeout(_));
        assert!(!timed_out || !undisturbed, "end {end} timed out undisturbed: {info}");
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}
