//! Server processes, and rounds in which they take turns.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};

use crate::load::{Clients, Load};
use crate::peers::{Peer, Service};
use crate::{Plan, machine};

/// A server process; it ends when this is dropped.
pub struct Server {
    child: Child,
    port: u16,
}

impl Server {
    pub fn start(service: Service) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("serve").arg("--peer").arg(service.peer.argument());
        if service.batch {
            command.arg("--batch");
        }
        if let Some(level) = service.deflate {
            command.arg("--deflate").arg(level.to_string());
        }
        if service.takeover {
            command.arg("--takeover");
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("no pipe")?).read_line(&mut line)?;
        let port = line.trim().parse().context("a server that did not start")?;
        Ok(Self { child, port })
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What one implementation did in all rounds: nanoseconds of its CPU time for each message.
pub struct Series {
    pub peer: Peer,
    pub nanos: Vec<f64>,
}

impl Series {
    pub fn median(&self) -> f64 {
        median(self.nanos.clone())
    }

    /// Half of the rounds are within so much of the median, as a part of it.
    pub fn spread(&self) -> f64 {
        let middle = self.median();
        median(self.nanos.iter().map(|nanos| (nanos - middle).abs() / middle).collect())
    }

    /// How much dearer than `other`, round by round.
    pub fn ratio(&self, other: &Self) -> f64 {
        median(self.nanos.iter().zip(&other.nanos).map(|(own, other)| own / other).collect())
    }
}

/// Gives each service its turns under `load`.
pub fn measure(load: &Load, services: &[Service], plan: &Plan) -> Result<Vec<Series>> {
    let mut entries = Vec::new();
    for &service in services {
        let server = Server::start(service)?;
        let mut load = load.clone();
        load.expected.masked = service.peer == Peer::RawTcp;
        let mut clients = Clients::open(server.port(), load)?;
        // Buffers and caches are warm when it counts.
        clients.run(plan.turn / 4).with_context(|| service.peer.argument())?;
        entries.push((server, clients, Series { peer: service.peer, nanos: Vec::new() }));
    }
    for _ in 0..plan.rounds {
        for (server, clients, series) in &mut entries {
            let before = machine::cpu_time(server.pid())?;
            let messages = clients.run(plan.turn)?;
            let used = machine::cpu_time(server.pid())? - before;
            series.nanos.push(used as f64 / messages as f64);
        }
    }
    Ok(entries.into_iter().map(|(_, _, series)| series).collect())
}

pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
