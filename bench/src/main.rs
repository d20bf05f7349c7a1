//! Measures ws-core beside its peers: the same load, the same machine, the same run.
//!
//! Each implementation is a server process of its own on one core; the load comes from the other. The figure is the
//! server's own CPU time (user and system, from the kernel's accounting) for each message, in rounds that take
//! turns: A B C A B C. Absolute times mean little on a shared machine; the ratios do.

mod answers;
mod client;
mod compress;
mod echo;
mod frames;
mod idle;
mod load;
mod machine;
mod peers;
mod rig;
mod serve;
mod table;

use std::time::Duration;

use anyhow::Result;
use clap::{Parser, Subcommand};

use peers::{Peer, Service};

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
    /// Compressed echo, beside the peers that can.
    Compress,
    /// Memory of idle connections.
    Idle {
        /// How many connections.
        #[arg(long, default_value_t = 2000)]
        connections: usize,
    },
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

    fn wants_peer(&self, peer: Peer) -> bool {
        self.peers.is_empty() || self.peers.contains(&peer)
    }
}

fn main() -> Result<()> {
    let Arguments { command, rounds, millis, load, peer } = Arguments::parse();
    let plan = Plan { rounds, turn: Duration::from_millis(millis), load, peers: peer };
    match command.unwrap_or(Command::All) {
        Command::Serve(service) => serve::run(service),
        Command::Echo => echo::run(&plan),
        Command::Compress => compress::run(&plan),
        Command::Idle { connections } => idle::run(&plan, connections),
        Command::All => {
            println!("{}\n", machine::describe());
            echo::run(&plan)?;
            compress::run(&plan)?;
            idle::run(&plan, 2000)
        }
    }
}
