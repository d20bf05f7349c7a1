//! Measures ws-core beside its peers: the same load, the same machine, the same run.
//!
//! Each implementation is a server process of its own on one core; the load comes from the other. The figure is the
//! server's own CPU time (user and system, from the kernel's accounting) for each message, in rounds that take
//! turns: A B C A B C. Absolute times mean little on a shared machine; the ratios do.

mod answers;
mod broadcast;
mod client;
mod compress;
mod cost;
mod echo;
mod frames;
mod handshakes;
mod http2;
mod hypercorn;
mod idle;
mod load;
mod machine;
mod peer;
mod peers;
mod plot;
mod report;
mod rig;
mod scale;
mod serve;
mod service;
mod streams;
mod table;
mod tls;
mod uwebsockets;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::{Parser, Subcommand, ValueEnum as _};

use peer::Peer;
use report::Report;
use service::Service;

#[derive(Debug, Parser)]
#[command(about = "Measures ws-core beside its peers")]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Rounds; each implementation gets one turn in each.
    #[arg(long, global = true, default_value_t = 9)]
    rounds: usize,
    /// How long a turn is, in milliseconds.
    #[arg(long, global = true, default_value_t = 150)]
    millis: u64,
    /// Only loads whose name contains this.
    #[arg(long, global = true, default_value = "")]
    load: String,
    /// Where the tables go as Markdown, and their plots as SVG; without it, to the standard output only.
    #[arg(long, global = true)]
    out: Option<PathBuf>,
    /// Only these implementations.
    #[arg(long, global = true, value_enum, value_delimiter = ',')]
    peer: Vec<Peer>,
}

#[derive(Debug, Clone, Subcommand)]
enum Command {
    /// All of the below.
    All,
    /// Echo: one message at a time, and many at once.
    Echo,
    /// Echo over TLS.
    Tls,
    /// Echo by whole servers, over HTTP/2 and HTTP/1.1, both over TLS.
    Http2,
    /// Compressed echo, beside the peers that can.
    Compress,
    /// Memory of idle connections.
    Idle {
        /// How many connections.
        #[arg(long, default_value_t = 10_000)]
        connections: usize,
    },
    /// Opening handshakes.
    Handshakes,
    /// One message to all connections.
    Broadcast,
    /// Echo with 100 to 10,000 connections, and with a second worker.
    Scale,
    /// Instructions and system calls a message; needs valgrind and strace.
    Cost,
    /// One server process; the rig starts these.
    Serve(Service),
}

/// How long and how often to measure, and what.
#[derive(Debug, Clone)]
pub struct Plan {
    rounds: usize,
    turn: Duration,
    load: String,
    peers: Vec<Peer>,
}

impl Plan {
    fn wants_load(&self, name: &str) -> bool {
        name.contains(&self.load)
    }

    /// Those of `all` that are to be measured.
    fn peers(&self, all: &[Peer]) -> Vec<Peer> {
        all.iter().copied().filter(|peer| self.peers.contains(peer)).collect()
    }
}

fn main() -> Result<()> {
    let Arguments { command, rounds, millis, load, out, peer } = Arguments::parse();
    let command = command.unwrap_or(Command::All);
    if let Command::Serve(service) = command {
        return serve::run(service);
    }
    // An example, and no way that users are pointed to: it is measured when asked for.
    let mut peers = if peer.is_empty() { Peer::value_variants().to_vec() } else { peer.clone() };
    peers.retain(|each| *each != Peer::OursEventLoop || peer.contains(each));
    if peers.contains(&Peer::Uwebsockets)
        && let Err(error) = uwebsockets::build()
    {
        eprintln!("without uWebSockets ({error:#}); it needs: apt-get install {}", uwebsockets::PACKAGES);
        peers.retain(|&peer| peer != Peer::Uwebsockets);
    }
    if peers.contains(&Peer::Hypercorn)
        && let Err(error) = hypercorn::check()
    {
        eprintln!("without hypercorn ({error:#}); it needs: {}", hypercorn::PACKAGES);
        peers.retain(|&peer| peer != Peer::Hypercorn);
    }
    let plan = Plan { rounds, turn: Duration::from_millis(millis), load, peers };
    machine::pin(&[machine::LOAD_CORE])?;
    machine::raise_file_limit()?;
    let mut report = Report::new();
    measure(&command, &plan, &mut report)?;
    out.map_or(Ok(()), |folder| report.save(&folder))
}

fn measure(command: &Command, plan: &Plan, report: &mut Report) -> Result<()> {
    match *command {
        Command::Serve(_) => Ok(()),
        Command::Echo => echo::run(plan, report),
        Command::Tls => echo::run_tls(plan, report),
        Command::Http2 => http2::run(plan, report),
        Command::Compress => compress::run(plan, report),
        Command::Idle { connections } => idle::run(plan, connections, report),
        Command::Handshakes => handshakes::run(plan, report),
        Command::Broadcast => broadcast::run(plan, report),
        Command::Scale => scale::run(plan, report),
        Command::Cost => cost::run(plan, report),
        Command::All => {
            let idle = Command::Idle { connections: 10_000 };
            let all = [
                Command::Echo,
                Command::Tls,
                Command::Http2,
                Command::Broadcast,
                Command::Handshakes,
                Command::Compress,
                Command::Scale,
                idle,
                Command::Cost,
            ];
            all.iter().try_for_each(|command| measure(command, plan, report))
        }
    }
}
