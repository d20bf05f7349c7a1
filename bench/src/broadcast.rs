//! Broadcast: one connection speaks, all hear it.

use std::sync::Arc;

use anyhow::Result;

use crate::answers::Expected;
use crate::frames::{TEXT, frame, text};
use crate::load::{Load, Spread};
use crate::peer::Peer;
use crate::plan::Plan;
use crate::report::Report;
use crate::rig;
use crate::service::{Service, Task};
use crate::table::Table;

pub fn run(plan: &Plan, report: &mut Report) -> Result<()> {
    let mut table = Table::new("Broadcast", "µs of server CPU a delivery of 125 B");
    for load in [load(200, 1), load(200, 16), load(2000, 1), load(2000, 16)] {
        if plan.wants_load(&load.name) {
            let service = |peer| Service { task: Task::Broadcast, ..Service::echo(peer) };
            let services: Vec<Service> = plan.peers(&Peer::BROADCASTING).into_iter().map(service).collect();
            table.push(&load.name, rig::measure(&load, &services, plan));
        }
    }
    report.add(
        table,
        "Ours with `Broadcast`, sockudo-ws with its publisher, uWebSockets with a topic, tokio-tungstenite over a \
         channel of tokio's. The floor writes the same bytes to one socket after another.",
    );
    Ok(())
}

fn load(connections: usize, in_flight: usize) -> Load {
    Load {
        name: format!("broadcast to {connections}, {in_flight} at once"),
        connections,
        in_flight,
        batches: Arc::new(vec![frame(TEXT, &text(125)).repeat(in_flight)]),
        expected: Expected { first: TEXT, length: Some(125), masked: false },
        spread: Spread::OneData,
        one_speaks: true,
    }
}
