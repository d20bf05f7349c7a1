//! Server processes, and rounds in which they take turns.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::ValueEnum;
use tokio_rustls::rustls::ClientConfig;

use crate::load::{Clients, Load};
use crate::peer::Peer;
use crate::plan::Plan;
use crate::service::Service;
use crate::{hypercorn, machine, node, tls, uwebsockets};

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
            Peer::NodeWs => node::command(service)?,
            _ => (service.profile.program()?, arguments(service)?),
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
    let burst = service.burst.map(|burst| burst.to_string());
    if let Some(burst) = &burst {
        arguments.extend(["--burst", burst]);
    }
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
        median(self.ratios(other))
    }

    /// The ratio to `other` of each round.
    pub fn ratios(&self, other: &Self) -> Vec<f64> {
        self.figures.iter().zip(&other.figures).map(|(own, other)| own / other).collect()
    }
}

/// Gives each service its turns under `load`: microseconds of its CPU time for each message.
pub fn measure(load: &Load, services: &[Service], plan: &Plan) -> Vec<Series> {
    let cpu = |pid| Ok(machine::cpu_time(pid)?.as_secs_f64() * 1e6);
    measure_by(cpu, load, services, plan)
}

/// The same for what another meter of the server's process counts.
pub fn measure_by(
    meter: impl Fn(u32) -> Result<f64>,
    load: &Load,
    services: &[Service],
    plan: &Plan,
) -> Vec<Series> {
    let open = |&service: &Service| {
        let server = Server::start(service)?;
        let mut clients = Clients::open(&server, load.for_peer(service.peer))?;
        // Buffers and caches are warm when it counts.
        clients.run(plan.turn / 4)?;
        Ok((server, clients))
    };
    let [series] = take_turns(&load.name, services, open, plan.rounds, plan, |(server, clients)| {
        let before = meter(server.pid())?;
        let messages = clients.run(plan.turn)?;
        Ok([(meter(server.pid())? - before) / messages as f64])
    });
    series
}

/// Opens what belongs to each service, and gives each its turns, in an order that is drawn anew for each round; a turn gives some
/// figures. What fails is reported and left out.
pub fn take_turns<T, const FIGURES: usize>(
    load: &str,
    services: &[Service],
    open: impl Fn(&Service) -> Result<T>,
    rounds: usize,
    plan: &Plan,
    mut turn: impl FnMut(&mut T) -> Result<[f64; FIGURES]>,
) -> [Vec<Series>; FIGURES] {
    let mut entries = Vec::new();
    for service in services {
        match open(service) {
            Ok(opened) => entries.push((service.peer, Some(opened), Vec::new())),
            Err(error) => plan.leave_out(service.peer.name(), load, &error),
        }
    }
    for round in 0..rounds {
        // One round for each row that was begun.
        if round > 0 && plan.is_late() {
            plan.note(format!("{load}: {} of {rounds} rounds", rounds - round));
            break;
        }
        for index in plan.order(load, round, entries.len()) {
            let (peer, opened, figures) = &mut entries[index];
            match opened.as_mut().map(&mut turn) {
                None => {}
                Some(Ok(of_turn)) => figures.push(of_turn),
                Some(Err(error)) => {
                    plan.leave_out(peer.name(), load, &error);
                    *opened = None;
                }
            }
        }
    }
    // All end before the next begin.
    entries.retain(|(_, opened, _)| opened.is_some());
    std::array::from_fn(|index| {
        let series = entries.iter().map(|(peer, _, figures)| Series {
            peer: *peer,
            figures: figures.iter().map(|of_turn| of_turn[index]).collect(),
        });
        series.collect()
    })
}

/// The value in the middle.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
