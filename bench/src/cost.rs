//! What can be counted rather than timed: instructions (callgrind) and system calls (strace) a message.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::frames::BINARY;
use crate::load::{Clients, Load};
use crate::peer::Peer;
use crate::plan::Plan;
use crate::report::Report;
use crate::rig::{Series, Server};
use crate::service::Service;
use crate::table::Table;
use crate::{echo, http2};

pub fn run(plan: &Plan, report: &mut Report) -> Result<()> {
    let loads = [1, 16].map(|in_flight| Load {
        name: format!("{in_flight} in flight"),
        ..echo::load(20, 16, in_flight, BINARY)
    });
    let service = |peer, load: &Load| Service { batch: load.in_flight > 1, ..Service::echo(peer) };
    let table = Table::new("Counts", "of the server, a message of 20 B");
    report.add(count(&loads, table, &Peer::ALL, service, plan)?, NOTE);
    // Python has its own instructions, and hypercorn more than valgrind has time for.
    let peers = Peer::HTTP2.into_iter().filter(|peer| peer.is_rust()).collect::<Vec<_>>();
    let table = Table::new("Counts over HTTP/2", "of the server, a message of 20 B over TLS");
    report.add(count(&http2::loads(), table, &peers, |peer, _| http2::service(peer), plan)?, NOTE);
    Ok(())
}

const NOTE: &str = "Outside the kernel, by callgrind; by strace. The same on every machine.";

fn count(
    loads: &[Load],
    mut table: Table,
    peers: &[Peer],
    service: impl Fn(Peer, &Load) -> Service,
    plan: &Plan,
) -> Result<Table> {
    let counts: [(&str, Count); 2] = [("instructions", instructions), ("system calls", calls)];
    for (name, count) in counts {
        for load in loads {
            let name = format!("{name}, {}", load.name);
            if !plan.wants_load(&name) {
                continue;
            }
            let mut row = Vec::new();
            for peer in plan.peers(peers) {
                row.push(Series { peer, figures: vec![each(service(peer, load), load, count)?] });
            }
            table.push(&name, row);
        }
    }
    Ok(table)
}

/// Runs a server under a load for some time; returns how many messages it answered, and what it did in all.
type Count = fn(Service, &Load, Duration) -> Result<(u64, u64)>;

/// By the difference of a short and a long run: what starting and ending costs is in both.
fn each(service: Service, load: &Load, count: Count) -> Result<f64> {
    let (few, before) = count(service, load, Duration::from_millis(100))?;
    let (many, after) = count(service, load, Duration::from_millis(700))?;
    Ok(after.saturating_sub(before) as f64 / many.saturating_sub(few).max(1) as f64)
}

fn instructions(service: Service, load: &Load, turn: Duration) -> Result<(u64, u64)> {
    let log = log_file("callgrind");
    let options = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"];
    let messages = under(&[&options[..], &[&format!("--log-file={log}")]].concat(), service, load, turn)?;
    let text = fs::read_to_string(&log)?;
    let (_, collected) = text.split_once("Collected : ").context("callgrind has counted nothing")?;
    let count = collected.split_whitespace().next().context("callgrind has counted nothing")?;
    fs::remove_file(log)?;
    Ok((messages, count.parse()?))
}

fn calls(service: Service, load: &Load, turn: Duration) -> Result<(u64, u64)> {
    let log = log_file("strace");
    let messages = under(&["strace", "-f", "-c", "-o", &log], service, load, turn)?;
    let text = fs::read_to_string(&log)?;
    let total = text.lines().rfind(|line| line.ends_with("total")).context("strace has counted nothing")?;
    let count = total.split_whitespace().nth(3).context("a table of strace's")?.parse()?;
    fs::remove_file(log)?;
    Ok((messages, count))
}

fn under(wrapper: &[&str], service: Service, load: &Load, turn: Duration) -> Result<u64> {
    let wrapper: Vec<String> = wrapper.iter().copied().map(str::to_owned).collect();
    let server = Server::start_under(&wrapper, service)
        .with_context(|| format!("{} under {}", service.peer.argument(), wrapper[0]))?;
    let mut clients = Clients::open(&server, load.for_peer(service.peer))?;
    let messages = clients.run(turn)?;
    server.end()?;
    Ok(messages)
}

fn log_file(name: &str) -> String {
    std::env::temp_dir().join(format!("ws-bench-{}-{name}", std::process::id())).display().to_string()
}
