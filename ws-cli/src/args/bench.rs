//! What `ws bench` takes.

use std::time::Duration;

use clap::Args;

use super::Connect;
use super::values::positive;

#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// The echo server (with --idle any server): ws://host:port/path, wss://host:port/path, or unix:PATH for a Unix socket. Without a scheme:
    /// wss:// if the port is 443, else ws://
    #[arg(required_unless_present = "unix")]
    pub(crate) url: Option<String>,
    #[command(flatten)]
    pub(crate) connect: Connect,
    /// Number of connections
    #[arg(long, value_name = "COUNT", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) connections: u32,
    /// Size of a message
    #[arg(long, value_name = "BYTES", default_value_t = 64, value_parser = clap::value_parser!(u32).range(..=(1 << 26)))]
    pub(crate) size: u32,
    /// Send no messages: hold the connections open for --duration, and report those that end earlier. Pings are sent and
    /// answered as always
    #[arg(long, conflicts_with_all = ["size", "rate", "in_flight", "binary"])]
    pub(crate) idle: bool,
    /// How long to measure; inf until Ctrl-C
    #[arg(long, value_name = "SECONDS", value_parser = positive, default_value = "10")]
    pub(crate) duration: Duration,
    /// Messages per second, over all connections; latency is then measured from when each was due. Default: the next
    /// message follows each answer
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rate: Option<u32>,
    /// Messages that may wait for their answers, per connection [default: 1, or 100 with --rate]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) in_flight: Option<u32>,
    /// Send binary messages
    #[arg(short, long)]
    pub(crate) binary: bool,
    /// Write the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
}
