//! Echo: one message at a time, and many at once; over TLS too.

use std::sync::Arc;

use anyhow::Result;

use crate::answers::Expected;
use crate::frames::{BINARY, TEXT, frame, text};
use crate::load::{Load, Spread};
use crate::peer::Peer;
use crate::plan::Plan;
use crate::report::Report;
use crate::rig;
use crate::service::Service;
use crate::table::Table;

pub fn run(plan: &Plan, report: &mut Report) -> Result<()> {
    let one = |size, connections, first| load(size, connections, 1, first);
    let loads = [
        one(20, 64, BINARY),
        one(125, 64, BINARY),
        one(125, 64, TEXT),
        one(1 << 10, 64, BINARY),
        one(1 << 10, 64, TEXT),
        one(16 << 10, 32, BINARY),
        one(16 << 10, 32, TEXT),
        one(64 << 10, 16, BINARY),
        one(1 << 20, 4, BINARY),
        one(1 << 20, 4, TEXT),
        load(20, 16, 16, BINARY),
        load(20, 16, 128, BINARY),
        load(125, 16, 16, TEXT),
        load(16 << 10, 8, 8, BINARY),
    ];
    let table = Table::new("Echo", "µs of server CPU a message");
    report.add(
        measure(&loads, table, false, plan)?,
        "fastwebsockets, soketto, tokio-websockets and wtx write each answer by itself: none of them tells its user \
         whether more messages have been read.",
    );
    Ok(())
}

pub fn run_tls(plan: &Plan, report: &mut Report) -> Result<()> {
    let loads = [load(20, 64, 1, BINARY), load(16 << 10, 32, 1, BINARY), load(125, 16, 16, TEXT)];
    let table = Table::new("TLS echo", "µs of server CPU a message");
    report.add(measure(&loads, table, true, plan)?, "TLS 1.3 by rustls with ring, the same for all.");
    Ok(())
}

fn measure(loads: &[Load], mut table: Table, tls: bool, plan: &Plan) -> Result<Table> {
    for load in loads {
        if plan.wants_load(&load.name) {
            let service = |peer| Service { batch: load.in_flight > 1, tls, ..Service::echo(peer) };
            let peers = plan.peers(&Peer::ALL).into_iter().filter(|peer| peer.is_rust() || !tls);
            let services: Vec<Service> = peers.map(service).collect();
            table.push(&load.name, rig::measure(load, &services, plan));
        }
    }
    Ok(table)
}

pub fn load(size: usize, connections: usize, in_flight: usize, first: u8) -> Load {
    let opcode = if first == TEXT { "text" } else { "binary" };
    let size_name = size_name(size);
    let name = match in_flight {
        1 => format!("ping-pong {size_name} {opcode} × {connections}"),
        _ => format!("pipelined {size_name} {opcode} × {connections}, {in_flight} in flight"),
    };
    Load {
        name,
        connections,
        in_flight,
        batches: Arc::new(vec![frame(first, &text(size)).repeat(in_flight)]),
        expected: Expected { first, length: Some(size as u64), masked: false },
        spread: Spread::OneData,
        one_speaks: false,
    }
}

pub fn size_name(size: usize) -> String {
    match size {
        0..1024 => format!("{size} B"),
        1024..0x10_0000 => format!("{} KiB", size >> 10),
        _ => format!("{} MiB", size >> 20),
    }
}
