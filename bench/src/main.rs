//! Measures this library beside its peers: the same load, the same machine, the same run.
//!
//! Each implementation is a separate process on one core; the load comes from the other. The figure is the CPU time of that process
//! (user and system, from the kernel's accounting) for each message, in rounds in which all have a turn, in an order that is drawn
//! anew for each round. Absolute times mean little on a shared machine; the ratios do.

mod alias;
mod answers;
mod broadcast;
mod bursts;
mod client;
mod clients;
mod compress;
mod cost;
mod drive;
mod echo;
mod frames;
mod goals;
mod handshakes;
mod http2;
mod hypercorn;
mod idle;
mod load;
mod machine;
mod neighbour;
mod node;
mod open_loop;
mod peer;
mod peers;
mod plan;
mod plot;
mod product;
mod profile;
mod report;
mod rig;
mod scale;
mod serve;
mod service;
mod storm;
mod streams;
mod table;
mod tls;
mod uwebsockets;

use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use anyhow::Result;
use clap::{Parser, Subcommand, ValueEnum as _};

use drive::Drive;
use peer::Peer;
use plan::Plan;
use profile::Profile;
use report::Report;
use service::Service;

#[derive(Debug, Parser)]
#[command(about = "Measures this library beside its peers")]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Rounds; each implementation gets one turn in each.
    #[arg(long, global = true, default_value_t = 9)]
    rounds: usize,
    /// How long a turn is, in milliseconds.
    #[arg(long, global = true, default_value_t = 150)]
    millis: u64,
    /// Minutes after which no further row is begun.
    #[arg(long, global = true, default_value_t = 33)]
    minutes: u64,
    /// Only loads whose name contains this.
    #[arg(long, global = true, default_value = "")]
    load: String,
    /// Where the tables go as Markdown, and their plots as SVG; without it, to the standard output only.
    #[arg(long, global = true)]
    out: Option<PathBuf>,
    /// Only these implementations.
    #[arg(long, global = true, value_enum, value_delimiter = ',')]
    peer: Vec<Peer>,
    /// How whole servers and clients are compiled: as a user does, or as this program is.
    #[arg(long, global = true, value_enum, default_value_t = Profile::User)]
    profile: Profile,
    /// Seed of the order of turns; without it, another one in each run.
    #[arg(long, global = true)]
    seed: Option<u64>,
}

#[derive(Debug, Clone, Subcommand)]
enum Command {
    /// All of the below, and the table of goals.
    All,
    /// Whole servers, by the lines of their READMEs.
    Product {
        /// Compiled in both ways.
        #[arg(long)]
        both: bool,
    },
    /// Clients: receiving and sending.
    Client,
    /// Many clients that connect at once.
    Storm {
        /// How many; without it, 8,000 and 10,000.
        #[arg(long)]
        clients: Option<usize>,
    },
    /// One message, or eight in a row, to all connections.
    Bursts,
    /// What a connection waits for beside one with large compressed messages.
    Neighbour,
    /// Latency at a fixed rate of messages.
    OpenLoop,
    /// Copies to where `rep movsb` is slow.
    Alias,
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
    #[command(hide = true)]
    Serve(Service),
    /// One client process; the rig starts these.
    #[command(hide = true)]
    Drive(Drive),
    /// This many sessions of rustls; the rig starts it.
    #[command(hide = true)]
    Sessions { count: usize },
}

impl Command {
    /// Those of a whole run: first what the goals need.
    const ALL: [Self; 16] = [
        Self::Product { both: true },
        Self::Client,
        Self::Handshakes,
        Self::Storm { clients: None },
        Self::Bursts,
        Self::Neighbour,
        Self::Idle { connections: 10_000 },
        Self::Alias,
        Self::Echo,
        Self::Broadcast,
        Self::OpenLoop,
        Self::Compress,
        Self::Tls,
        Self::Http2,
        Self::Scale,
        Self::Cost,
    ];

    /// Whether it has programs that are compiled as a user does.
    fn compiles(&self) -> bool {
        matches!(
            self,
            Self::All
                | Self::Product { .. }
                | Self::Client
                | Self::Storm { .. }
                | Self::Bursts
                | Self::Neighbour
                | Self::OpenLoop
                | Self::Handshakes
                | Self::Idle { .. }
        )
    }
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let command = arguments.command.clone().unwrap_or(Command::All);
    match command {
        Command::Serve(service) => return serve::run(service),
        Command::Drive(drive) => return drive::run(drive),
        Command::Sessions { count } => {
            println!("{}", idle::sessions(count)?);
            return Ok(());
        }
        _ => {}
    }
    let begun = Instant::now();
    let plan = prepare(&arguments, &command);
    machine::pin(&[machine::LOAD_CORE])?;
    machine::raise_file_limit()?;
    let mut report = Report::new(&plan);
    let commands = if matches!(command, Command::All) { &Command::ALL[..] } else { &[command][..] };
    for command in commands {
        eprintln!("{command:?}, after {:.0?}", begun.elapsed());
        if let Err(error) = measure(command, &plan, &mut report) {
            plan.leave_out("all", &format!("{command:?}"), &error);
        }
        // Again after each, so that a run that is ended keeps what it has.
        if let Some(folder) = &arguments.out {
            report.save(folder, &plan)?;
        }
    }
    println!("{}", report.goals());
    Ok(())
}

/// Builds and looks for what runs beside this program; what is missing is reported and left out.
fn prepare(arguments: &Arguments, command: &Command) -> Plan {
    // An example, and no way that users are pointed to: it is measured when asked for.
    let mut peers =
        if arguments.peer.is_empty() { Peer::value_variants().to_vec() } else { arguments.peer.clone() };
    peers.retain(|each| *each != Peer::OursEventLoop || arguments.peer.contains(each));
    let clock = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(1, |time| time.as_secs());
    let mut plan = Plan {
        rounds: arguments.rounds,
        turn: Duration::from_millis(arguments.millis),
        load: arguments.load.clone(),
        peers,
        profile: arguments.profile,
        seed: arguments.seed.unwrap_or_else(clock),
        end: Instant::now() + Duration::from_secs(60 * arguments.minutes),
        left_out: Default::default(),
    };
    type Check = fn() -> Result<()>;
    let checks: [(Peer, Check, &str); 3] = [
        (Peer::Uwebsockets, uwebsockets::build, uwebsockets::PACKAGES),
        (Peer::Hypercorn, hypercorn::check, hypercorn::PACKAGES),
        (Peer::NodeWs, node::check, node::PACKAGES),
    ];
    for (peer, check, packages) in checks {
        if plan.peers.contains(&peer)
            && let Err(error) = check()
        {
            plan.note(format!("{} ({error:#}); it needs: {packages}", peer.name()));
            plan.peers.retain(|&each| each != peer);
        }
    }
    if command.compiles()
        && let Err(error) = plan.profile.build()
    {
        plan.note(format!("the {} ({error:#}); fat LTO in its place", plan.profile.name()));
        plan.profile = Profile::Fat;
    }
    plan
}

fn measure(command: &Command, plan: &Plan, report: &mut Report) -> Result<()> {
    match *command {
        Command::Serve(_) | Command::Drive(_) | Command::Sessions { .. } | Command::All => Ok(()),
        Command::Product { both } => product::run(plan, both, report),
        Command::Client => clients::run(plan, report),
        Command::Storm { clients } => storm::run(plan, clients, report),
        Command::Bursts => bursts::run(plan, report),
        Command::Neighbour => neighbour::run(plan, report),
        Command::OpenLoop => open_loop::run(plan, report),
        Command::Alias => alias::run(plan, report),
        Command::Echo => echo::run(plan, report),
        Command::Tls => echo::run_tls(plan, report),
        Command::Http2 => http2::run(plan, report),
        Command::Compress => compress::run(plan, report),
        Command::Idle { connections } => idle::run(plan, connections, report),
        Command::Handshakes => handshakes::run(plan, report),
        Command::Broadcast => broadcast::run(plan, report),
        Command::Scale => scale::run(plan, report),
        Command::Cost => cost::run(plan, report),
    }
}
