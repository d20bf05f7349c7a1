//! Echo: one message at a time, and many at once.

use std::sync::Arc;

use anyhow::Result;

use crate::answers::Expected;
use crate::frames::{BINARY, TEXT, frame, text};
use crate::load::Load;
use crate::peers::{Peer, Service};
use crate::table::Table;
use crate::{Plan, machine, rig};

pub fn run(plan: &Plan) -> Result<()> {
    machine::pin(machine::LOAD_CORE)?;
    machine::raise_file_limit()?;
    let mut table = Table::default();
    for load in loads() {
        if !plan.wants_load(&load.name) {
            continue;
        }
        let services: Vec<Service> = Peer::ALL
            .into_iter()
            .filter(|&peer| plan.wants_peer(peer))
            .map(|peer| Service { peer, batch: load.in_flight > 1, deflate: None, takeover: false })
            .collect();
        table.push(&load.name, rig::measure(&load, &services, plan)?);
    }
    println!("### Echo: CPU time of the server, µs a message\n");
    table.print(|nanos, _| format!("{:.3}", nanos / 1000.0));
    Ok(())
}

fn loads() -> Vec<Load> {
    let one = |size, connections, first| load(size, connections, 1, first);
    vec![
        one(20, 64, BINARY),
        one(125, 64, TEXT),
        one(1 << 10, 64, TEXT),
        one(1 << 10, 64, BINARY),
        one(16 << 10, 32, BINARY),
        one(16 << 10, 32, TEXT),
        one(64 << 10, 16, BINARY),
        one(1 << 20, 4, BINARY),
        load(20, 16, 16, BINARY),
        load(20, 16, 128, BINARY),
        load(125, 16, 16, TEXT),
        load(16 << 10, 8, 8, BINARY),
    ]
}

fn load(size: usize, connections: usize, in_flight: usize, first: u8) -> Load {
    let sort = if first == TEXT { "text" } else { "binary" };
    let size_name = match size {
        0..1024 => format!("{size} B"),
        1024..0x10_0000 => format!("{} KiB", size >> 10),
        _ => format!("{} MiB", size >> 20),
    };
    let name = match in_flight {
        1 => format!("ping-pong {size_name} {sort} × {connections}"),
        _ => format!("pipelined {size_name} {sort} × {connections}, {in_flight} in flight"),
    };
    Load {
        name,
        connections,
        in_flight,
        batches: Arc::new(vec![frame(first, &text(size)).repeat(in_flight)]),
        expected: Expected { first, length: Some(size as u64), masked: false },
        bytes: size,
    }
}
