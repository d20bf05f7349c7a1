//! What can be counted rather than timed: instructions (callgrind) and system calls (strace) a message.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::frames::BINARY;
use crate::load::{Clients, Load};
use crate::peers::{Peer, Service};
use crate::report::Report;
use crate::rig::{Series, Server};
use crate::table::Table;
use crate::{Plan, echo};

pub fn run(plan: &Plan, report: &mut Report) -> Result<()> {
    let mut table = Table::new("Counts", "of the server, a message of 20 B");
    let counts: [(&str, Count); 2] = [("instructions", instructions), ("system calls", calls)];
    for (name, count) in counts {
        for in_flight in [1, 16] {
            let load = echo::load(20, 16, in_flight, BINARY);
            let name = format!("{name}, {in_flight} in flight");
            if !plan.wants_load(&name) {
                continue;
            }
            let mut row = Vec::new();
            for peer in plan.peers(&Peer::ALL) {
                let service = Service { batch: in_flight > 1, ..Service::echo(peer) };
                row.push(Series { peer, figures: vec![each(service, &load, count)?] });
            }
            table.push(&name, row);
        }
    }
    report.add(table, "Outside the kernel, by callgrind; by strace. The same on every machine.");
    Ok(())
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
    let mut load = load.clone();
    load.expected.masked = service.peer == Peer::RawTcp;
    let mut clients = Clients::open(&server, load)?;
    let messages = clients.run(turn)?;
    server.end()?;
    Ok(messages)
}

fn log_file(name: &str) -> String {
    std::env::temp_dir().join(format!("ws-bench-{}-{name}", std::process::id())).display().to_string()
}
