//! Opening handshakes: from the accepted connection to the open WebSocket, and its end.

use std::time::Instant;

use anyhow::Result;
use nix::sys::socket::{setsockopt, sockopt};

use crate::peer::Peer;
use crate::report::Report;
use crate::rig::{Series, Server};
use crate::service::{Service, Task};
use crate::table::Table;
use crate::{Plan, client, machine};

pub fn run(plan: &Plan, report: &mut Report) -> Result<()> {
    const LOAD: &str = "opening handshake";
    if !plan.wants_load(LOAD) {
        return Ok(());
    }
    let mut entries = Vec::new();
    for peer in plan.peers(&Peer::SHAKING) {
        let server = Server::start(Service { task: Task::Handshake, ..Service::echo(peer) })?;
        shake_hands(&server, plan)?;
        entries.push((server, Series { peer, figures: Vec::new() }));
    }
    for _ in 0..plan.rounds {
        for (server, series) in &mut entries {
            let before = machine::cpu_time(server.pid())?;
            let count = shake_hands(server, plan)?;
            let used = machine::cpu_time(server.pid())? - before;
            series.figures.push(used.as_secs_f64() * 1e6 / count as f64);
        }
    }
    let mut table = Table::new("Handshakes", "µs of server CPU from accept to the connection's end");
    table.push(LOAD, entries.into_iter().map(|(_, series)| series).collect());
    report.add(
        table,
        "Each with the implementation's own code; the floor looks for the key and nothing else. fastwebsockets and \
         yawc leave it to hyper, web-socket to its user.",
    );
    Ok(())
}

/// Connects again and again for one turn; returns how often.
fn shake_hands(server: &Server, plan: &Plan) -> Result<u64> {
    let begin = Instant::now();
    let mut count = 0;
    while begin.elapsed() < plan.turn {
        let stream = client::open(server.port())?;
        // Closed with a reset, so that the port is free again at once.
        setsockopt(&stream, sockopt::Linger, &nix::libc::linger { l_onoff: 1, l_linger: 0 })?;
        count += 1;
    }
    Ok(count)
}
