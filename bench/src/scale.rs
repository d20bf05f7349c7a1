//! Whether cost grows linearly: more connections, and a second worker.

use anyhow::Result;

use crate::echo;
use crate::frames::BINARY;
use crate::load::Load;
use crate::peer::Peer;
use crate::plan::Plan;
use crate::report::Report;
use crate::rig::{self, Series};
use crate::service::Service;
use crate::table::Table;

pub fn run(plan: &Plan, report: &mut Report) -> Result<()> {
    let mut table = Table::new("Growth", "µs of server CPU a message");
    let mut cases =
        [100, 1000, 10_000].map(|connections| (echo::load(20, connections, 1, BINARY), 1)).to_vec();
    cases.extend([1, 2].map(|workers| {
        let load = echo::load(20, 64, 16, BINARY);
        (Load { name: format!("{}, workers: {workers}", load.name), ..load }, workers)
    }));
    for (load, workers) in cases {
        if plan.wants_load(&load.name) {
            table.push(&load.name, each(&load, workers, plan)?);
        }
    }
    report.add(
        table,
        "One implementation after another, for 10,000 connections of all at once are too many files. Two workers \
         have both cores, and share the second with the load; uWebSockets has one here.",
    );
    Ok(())
}

fn each(load: &Load, workers: usize, plan: &Plan) -> Result<Vec<Series>> {
    let mut all = Vec::new();
    for peer in plan.peers(&PEERS).into_iter().filter(|peer| peer.is_rust() || workers == 1) {
        let service = Service { batch: load.in_flight > 1, workers, ..Service::echo(peer) };
        all.append(&mut rig::measure(load, &[service], plan));
    }
    Ok(all)
}

const PEERS: [Peer; 8] = [
    Peer::LeastWebsocket,
    Peer::Ours,
    Peer::OursOwned,
    Peer::Fastwebsockets,
    Peer::WebSocket,
    Peer::TokioTungstenite,
    Peer::Wtx,
    Peer::Uwebsockets,
];
