//! Echo over HTTP/2 (RFC 8441) and over HTTP/1.1, both over TLS 1.3, by whole servers.

use anyhow::Result;

use crate::frames::BINARY;
use crate::load::{Load, Spread};
use crate::peer::Peer;
use crate::plan::Plan;
use crate::report::Report;
use crate::service::{Service, Task};
use crate::table::Table;
use crate::{echo, rig};

pub fn run(plan: &Plan, report: &mut Report) -> Result<()> {
    let mut table = Table::new("Echo over HTTP/2", "µs of server CPU a message");
    for load in loads() {
        if plan.wants_load(&load.name) {
            let services: Vec<Service> = plan.peers(&Peer::HTTP2).into_iter().map(service).collect();
            table.push(&load.name, rig::measure(&load, &services, plan));
        }
    }
    report.add(table, NOTE);
    Ok(())
}

pub fn service(peer: Peer) -> Service {
    // sockudo-ws answers what has arrived together in one flush, as ours does.
    let task = if matches!(peer, Peer::Server | Peer::ServerHttp2) { Task::Readme } else { Task::Echo };
    Service { tls: true, batch: true, task, ..Service::echo(peer) }
}

/// Messages of 20 B.
pub fn loads() -> Vec<Load> {
    let load = |name: &str, connections, in_flight, spread| {
        let name = format!("20 B binary, {name}");
        Load { name, spread, ..echo::load(20, connections, in_flight, BINARY) }
    };
    vec![
        load("ping-pong × 64", 64, 1, Spread::OneData),
        load("ping-pong × 64, 16 a connection", 4, 16, Spread::Streams),
        load("16 in flight in one DATA × 16", 16, 16, Spread::OneData),
        load("16 in flight in 16 DATA × 16", 16, 16, Spread::ManyData),
    ]
}

const NOTE: &str = "TLS 1.3 by rustls with ring, hypercorn's by Python. Over HTTP/1.1 each WebSocket has its own \
                    connection. The floor sends the bytes of DATA frames back: it has no WebSocket.";
