//! Publishing: one message, or eight in a row, by the implementations that have topics or a broadcast.

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

pub const TITLE: &str = "Bursts";

pub fn run(plan: &Plan, report: &mut Report) -> Result<()> {
    let mut table = Table::new(TITLE, "µs of server CPU a delivery of 125 B");
    for (members, burst) in [(200, 1), (2000, 1), (200, 8), (2000, 8)] {
        let load = load(members, burst);
        if plan.wants_load(&load.name) {
            let service = |peer| Service {
                task: Task::Broadcast,
                burst: Some(burst),
                profile: plan.profile,
                ..Service::echo(peer)
            };
            let services: Vec<Service> = plan.peers(&Peer::PUBLISHING).into_iter().map(service).collect();
            table.push(&load.name, rig::measure(&load, &services, plan));
        }
    }
    report.add(
        table,
        "One connection sends a message, and the server publishes it once, or by eight calls in a row. \"lent\" is \
         `Broadcast::publish`, tokio-tungstenite a channel of tokio's with a task for each member.",
    );
    Ok(())
}

pub fn name(members: usize, burst: usize) -> String {
    let what = if burst == 1 { "one".to_owned() } else { format!("{burst} in a row") };
    format!("{what} to {members}")
}

fn load(members: usize, burst: usize) -> Load {
    Load {
        name: name(members, burst),
        connections: members,
        in_flight: burst,
        batches: Arc::new(vec![frame(TEXT, &text(125))]),
        expected: Expected { first: TEXT, length: Some(125), masked: false },
        spread: Spread::OneData,
        one_speaks: true,
    }
}
