//! Server processes, and rounds in which they take turns.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::ValueEnum;
use tokio_rustls::rustls::ClientConfig;

use crate::load::{Clients, Load};
use crate::peer::Peer;
use crate::service::Service;
use crate::{Plan, hypercorn, machine, tls, uwebsockets};

/// A server process; it ends when this is dropped.
pub struct Server {
    child: Child,
    port: u16,
    /// What its clients need, if it speaks TLS.
    tls: Option<Arc<ClientConfig>>,
    http2: bool,
}

impl Server {
    pub fn start(service: Service) -> Result<Self> {
        Self::start_under(&[], service)
    }

    /// One that runs under another program, which is given its path and arguments.
    pub fn start_under(wrapper: &[String], service: Service) -> Result<Self> {
        let (program, arguments) = match service.peer {
            Peer::Uwebsockets => uwebsockets::command(service)?,
            Peer::Hypercorn => hypercorn::command()?,
            _ => (std::env::current_exe()?, arguments(service)?),
        };
        let mut command = match wrapper {
            [] => Command::new(program),
            [wrapper, arguments @ ..] => {
                let mut command = Command::new(wrapper);
                command.args(arguments).arg(program).stderr(Stdio::null());
                command
            }
        };
        command.args(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut output = BufReader::new(child.stdout.take().context("no pipe")?);
        let mut line = String::new();
        output.read_line(&mut line)?;
        let port = line.trim().parse().context("a server that did not start")?;
        let tls = service.tls.then(|| tls::connector(output, service.peer.speaks_http2())).transpose()?;
        Ok(Self { child, port, tls, http2: service.peer.speaks_http2() })
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn speaks_http2(&self) -> bool {
        self.http2
    }

    pub fn tls(&self) -> Option<&Arc<ClientConfig>> {
        self.tls.as_ref()
    }

    /// Ends it by closing its input, and waits until it, or what it runs under, is done.
    pub fn end(mut self) -> Result<()> {
        drop(self.child.stdin.take());
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Of this program, for it to be the server.
fn arguments(service: Service) -> Result<Vec<String>> {
    let task = service.task.to_possible_value().context("a task without a name")?;
    let (peer, workers) = (service.peer.argument(), service.workers.to_string());
    let mut arguments = vec!["serve", "--peer", &peer, "--task", task.get_name(), "--workers", &workers];
    for (option, given) in
        [("--batch", service.batch), ("--takeover", service.takeover), ("--tls", service.tls)]
    {
        arguments.extend(given.then_some(option));
    }
    let level = service.deflate.map(|level| level.to_string());
    if let Some(level) = &level {
        arguments.extend(["--deflate", level]);
    }
    Ok(arguments.into_iter().map(str::to_owned).collect())
}

/// What one implementation did: a figure for each round.
pub struct Series {
    pub peer: Peer,
    pub figures: Vec<f64>,
}

impl Series {
    pub fn median(&self) -> f64 {
        median(self.figures.clone())
    }

    /// Half of the rounds are within so much of the median, as a part of it.
    pub fn spread(&self) -> f64 {
        let middle = self.median();
        median(self.figures.iter().map(|figure| (figure - middle).abs() / middle).collect())
    }

    /// How much dearer than `other`, round by round.
    pub fn ratio(&self, other: &Self) -> f64 {
        median(self.figures.iter().zip(&other.figures).map(|(own, other)| own / other).collect())
    }
}

/// Gives each service its turns under `load`: microseconds of its CPU time for each message.
pub fn measure(load: &Load, services: &[Service], plan: &Plan) -> Result<Vec<Series>> {
    let mut entries = Vec::new();
    for &service in services {
        let server = Server::start(service)?;
        let mut clients = Clients::open(&server, load.for_peer(service.peer))?;
        // Buffers and caches are warm when it counts.
        clients.run(plan.turn / 4).with_context(|| service.peer.argument())?;
        entries.push((server, clients, Series { peer: service.peer, figures: Vec::new() }));
    }
    for _ in 0..plan.rounds {
        for (server, clients, series) in &mut entries {
            let before = machine::cpu_time(server.pid())?;
            let messages = clients.run(plan.turn).with_context(|| series.peer.argument())?;
            let used = machine::cpu_time(server.pid())? - before;
            series.figures.push(used.as_secs_f64() * 1e6 / messages as f64);
        }
    }
    Ok(entries.into_iter().map(|(_, _, series)| series).collect())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
