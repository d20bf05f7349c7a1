//! Compressed echo: permessage-deflate at level 6, windows of 15 bits, JSON.

use std::sync::Arc;

use anyhow::Result;

use crate::answers::Expected;
use crate::frames::{RSV1, TEXT, deflated, frame, json};
use crate::load::Load;
use crate::peers::{Peer, Service};
use crate::table::Table;
use crate::{Plan, machine, rig};

/// What all compress with.
const LEVEL: u32 = 6;

pub fn run(plan: &Plan) -> Result<()> {
    machine::pin(machine::LOAD_CORE)?;
    let mut table = Table::default();
    let mut bytes = Vec::new();
    for takeover in [false, true] {
        for load in [load(1 << 10, 16, 1), load(1 << 10, 16, 8), load(16 << 10, 8, 1)] {
            let name = format!("{}, {} context takeover", load.name, if takeover { "with" } else { "no" });
            if !plan.wants_load(&name) {
                continue;
            }
            let services: Vec<Service> = Peer::DEFLATING
                .into_iter()
                .filter(|&peer| plan.wants_peer(peer))
                .map(|peer| Service { peer, batch: load.in_flight > 1, deflate: Some(LEVEL), takeover })
                .collect();
            bytes.push(load.bytes);
            table.push(&name, rig::measure(&load, &services, plan)?);
        }
    }
    println!(
        "### Compressed echo: MB of JSON inflated and deflated again a second of the server's CPU time (level {LEVEL})\n"
    );
    println!(
        "Each byte comes in and goes out: µs a message in brackets. A ratio below 1 is ours being faster.\n"
    );
    table.print(|nanos, row| format!("{:.1} ({:.1})", bytes[row] as f64 * 1000.0 / nanos, nanos / 1000.0));
    Ok(())
}

fn load(size: usize, connections: usize, in_flight: usize) -> Load {
    // More than any window holds, so that with takeover no message finds itself.
    let different = ((256 << 10) / size).max(16);
    let frames: Vec<Vec<u8>> =
        (1..=different).map(|seed| frame(TEXT | RSV1, &deflated(&json(size, seed as u64)))).collect();
    let batches = frames.chunks_exact(in_flight).map(<[Vec<u8>]>::concat).collect();
    let in_flight_name =
        if in_flight == 1 { "one at a time".to_owned() } else { format!("{in_flight} in flight") };
    Load {
        name: format!("{} KiB JSON, {in_flight_name}", size >> 10),
        connections,
        in_flight,
        batches: Arc::new(batches),
        expected: Expected { first: TEXT | RSV1, length: None, masked: false },
        bytes: size,
    }
}
