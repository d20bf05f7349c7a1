//! Loads of a server in separate processes, so that its resources are measured without those of its clients. Each exits with
//! status 1 when a connection or a message is lost.
//!
//! ```sh
//! cargo run --release -p ws-samples --example load
//! ```
//!
//! opens ten thousand connections that echo once a second, then shuts the server down while half of the peers are dead; it
//! also fails when the shutdown is late, or a descriptor remains open.
//!
//! ```sh
//! cargo run --release -p ws-samples --example load -- --most 1000000
//! ```
//!
//! opens a million connections, or as many as the machine can hold, and reports in Markdown what they cost: with keepalive
//! only, while a random tenth echoes each second, in a broadcast to all, and in the shutdown. It needs no setting of the system: where a process
//! may not open that many descriptors, several share the port; other limits are listed, with what happens below them. It stops opening while
//! 1 GiB of memory is left (`--reserve`), and ends after at most 20 minutes; its processes end with it, however it ends.
//!
//! ```sh
//! cargo run --release -p ws-samples --example load -- --growth
//! ```
//!
//! prints what a message, being idle and a broadcast cost with 1,000, 10,000 and 100,000 connections.

mod children;
mod counts;
mod crowd;
mod fleet;
mod growth;
mod limits;
mod machine;
mod most;
mod peer;
mod server;
mod shutdown;
mod times;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

/// Loads a server in separate processes: with ten thousand connections that echo and a shutdown while half of the peers are
/// dead, or as an option says.
#[derive(Parser, Clone)]
#[command(name = "load")]
struct Arguments {
    /// Opens this many connections, or as many as possible, and reports what they cost
    #[arg(long, value_name = "NUMBER", conflicts_with = "growth")]
    most: Option<usize>,
    /// Compares the costs with different numbers of connections
    #[arg(long, value_name = "NUMBERS", num_args = 0..=1, value_delimiter = ',', default_missing_value = "1000,10000,100000")]
    growth: Vec<usize>,
    /// Number of connections without --most and --growth
    #[arg(long, default_value_t = 10_000)]
    connections: usize,
    /// Duration of the echoing in seconds (default 120; with --most 60, with --growth 15)
    #[arg(long)]
    seconds: Option<u64>,
    /// Duration of being idle in seconds, for --most, and for --growth at most
    #[arg(long, default_value_t = 300)]
    idle: u64,
    /// Memory in MiB that --most leaves to others
    #[arg(long, default_value_t = 1024)]
    reserve: u64,
    /// How long echoes and broadcasts may take to arrive after the last was sent, in seconds
    #[arg(long, default_value_t = 60)]
    patience: u64,
    /// Most descriptors of a process (default: as many as it may open)
    #[arg(long, value_name = "NUMBER")]
    per_process: Option<usize>,
    /// drain_timeout of the server in seconds
    #[arg(long, default_value_t = 5)]
    drain: u64,
    /// Leaves one in NUMBER echoes and members of the broadcast out, to show that this is noticed
    #[arg(long, value_name = "NUMBER", hide = true)]
    lose: Option<u64>,
    /// Runs a server, which reads commands from standard input (internal)
    #[arg(long, hide = true)]
    serve: bool,
    /// Runs clients, which read commands from standard input (internal)
    #[arg(long, hide = true)]
    crowd: bool,
    /// Port of the server (internal)
    #[arg(long, default_value_t = 0, hide = true)]
    port: u16,
    /// Number of the first client (internal)
    #[arg(long, default_value_t = 0, hide = true)]
    first: usize,
    /// Several servers share the port (internal)
    #[arg(long, hide = true)]
    shared: bool,
    /// All connections are members of a broadcast (internal)
    #[arg(long, hide = true)]
    members: bool,
    /// drain_spread of the server in seconds (internal)
    #[arg(long, hide = true)]
    spread: Option<u64>,
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let ended = match arguments.most {
        _ if arguments.serve => server::run(&arguments),
        _ if arguments.crowd => crowd::run(&arguments),
        Some(wanted) => most::run(wanted, &arguments),
        None if !arguments.growth.is_empty() => growth::run(&arguments.growth, &arguments),
        None => shutdown::run(&arguments),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("load: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Ends this process, and so all of its processes, when it takes too long.
fn end_after(limit: Duration) {
    std::thread::spawn(move || {
        std::thread::sleep(limit);
        eprintln!("load: not done after {limit:?}");
        std::process::exit(1);
    });
}
