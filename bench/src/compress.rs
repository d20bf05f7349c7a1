//! Compressed echo: permessage-deflate at level 6, windows of 15 bits, JSON.

use std::sync::Arc;

use anyhow::Result;

use crate::answers::Expected;
use crate::frames::{RSV1, TEXT, deflated, frame, json};
use crate::load::{Load, Spread};
use crate::peer::Peer;
use crate::plan::Plan;
use crate::report::Report;
use crate::rig;
use crate::service::Service;
use crate::table::Table;

/// What all compress with.
pub const LEVEL: u32 = 6;

pub fn run(plan: &Plan, report: &mut Report) -> Result<()> {
    let mut table = Table::new("Compressed echo", "µs of server CPU a message");
    for takeover in [false, true] {
        for (size, connections, in_flight) in [(1 << 10, 16, 1), (1 << 10, 16, 8), (16 << 10, 8, 1)] {
            let load = load(size, connections, in_flight);
            let name = format!("{}, {} takeover", load.name, if takeover { "with" } else { "no" });
            if !plan.wants_load(&name) {
                continue;
            }
            let service = |peer| Service {
                batch: in_flight > 1,
                deflate: Some(LEVEL),
                takeover,
                short: size <= 1 << 10,
                ..Service::echo(peer)
            };
            let services: Vec<Service> = plan.peers(peers(takeover)).into_iter().map(service).collect();
            table.push(&name, rig::measure(&load, &services, plan));
        }
    }
    report.add(
        table,
        "permessage-deflate at level 6 with windows of 15 bits; each message is inflated and deflated. uWebSockets \
         does so with libdeflate where that is faster, for messages of 1 KiB, else with zlib; it has no windows of 15 \
         bits with takeover.",
    );
    Ok(())
}

/// Those that can.
pub fn peers(takeover: bool) -> &'static [Peer] {
    if takeover { &Peer::TAKING_OVER } else { &Peer::DEFLATING }
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
        spread: Spread::OneData,
        one_speaks: false,
    }
}
