//! Opening handshakes: from the accepted connection to the open WebSocket, and its end.

use std::time::Instant;

use anyhow::Result;
use nix::sys::socket::{setsockopt, sockopt};

use crate::peer::Peer;
use crate::plan::Plan;
use crate::report::Report;
use crate::rig::{self, Server};
use crate::service::{Service, Task};
use crate::table::Table;
use crate::{client, machine};

pub fn run(plan: &Plan, report: &mut Report) -> Result<()> {
    const LOAD: &str = "opening handshake";
    if !plan.wants_load(LOAD) {
        return Ok(());
    }
    let open = |&service: &Service| {
        let server = Server::start(service)?;
        shake_hands(&server, plan)?;
        Ok(server)
    };
    let services: Vec<Service> =
        plan.peers(&Peer::SHAKING).into_iter().map(|peer| service(peer, plan)).collect();
    let [series] = rig::take_turns(LOAD, &services, open, plan.rounds, plan, |server| {
        let before = machine::cpu_time(server.pid())?;
        let count = shake_hands(server, plan)?;
        let used = machine::cpu_time(server.pid())? - before;
        Ok([used.as_secs_f64() * 1e6 / count as f64])
    });
    let mut table = Table::new("Handshakes", "µs of server CPU from accept to the connection's end");
    table.push(LOAD, series);
    report.add(
        table,
        "Each with the implementation's own code; the floor looks for the key and nothing else. \"lent\" is `accept` \
         on a stream of the caller, \"Server\" a whole server. fastwebsockets, yawc and axum leave it to hyper, web-socket \
         to its user.",
    );
    Ok(())
}

/// Whole servers where there are some.
fn service(peer: Peer, plan: &Plan) -> Service {
    let task = match peer {
        Peer::Server | Peer::Axum | Peer::Fastwebsockets | Peer::Yawc | Peer::NodeWs => Task::Readme,
        _ => Task::Handshake,
    };
    Service { task, profile: plan.profile, ..Service::echo(peer) }
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
