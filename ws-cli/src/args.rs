//! What can be given on the command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

/// Talks to a WebSocket server: a prompt in a terminal, lines in and out in a pipe.
///
/// Each line of the input is sent as a message, and each message that comes is a line of the output. At the end of the
/// input (Ctrl-D) the connection is closed, and what still comes until the server has closed too is written.
#[derive(Debug, Parser)]
#[command(
    name = "ws",
    version,
    after_long_help = AFTER_HELP,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    arg_required_else_help = true
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) session: Session,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Runs an echo server: what comes is sent back
    Serve(Serve),
    /// Loads an echo server and measures its answers
    Bench(Bench),
    /// Prints a script that completes these options in a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Session {
    /// Where to connect: ws://host:port/path or wss://host:port/path
    #[arg(required = true)]
    pub(crate) url: Option<String>,
    #[command(flatten)]
    pub(crate) connect: Connect,
    /// Write one event a line, as JSON; the events are below
    #[arg(long)]
    pub(crate) json: bool,
    /// Send one message, write one answer, close
    #[arg(long)]
    pub(crate) once: bool,
    /// Send this first, before the lines of the input; may be repeated
    #[arg(short, long = "message", value_name = "TEXT")]
    pub(crate) messages: Vec<String>,
    /// Send lines as binary messages, and write binary messages as they are instead of in hexadecimal
    #[arg(short, long)]
    pub(crate) binary: bool,
    /// Send a ping so often and tell how long the answer took
    #[arg(long, value_name = "SECONDS", value_parser = positive)]
    pub(crate) ping: Option<Duration>,
    /// After the end of the input, wait so long for messages before closing; inf: until the server closes
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "0")]
    pub(crate) wait: Duration,
    /// Keep no history of what is typed; a line that begins with a space is never kept
    #[arg(long)]
    pub(crate) no_history: bool,
}

/// How to reach the server and what to ask it for.
#[derive(Debug, Args)]
pub(crate) struct Connect {
    /// A header field to send, as 'Name: value'; may be repeated
    #[arg(short = 'H', long = "header", value_name = "FIELD")]
    pub(crate) headers: Vec<String>,
    /// A subprotocol to offer; may be repeated, the preferred one first
    #[arg(short, long = "subprotocol", value_name = "NAME")]
    pub(crate) subprotocols: Vec<String>,
    // Not a doc comment: rustdoc would want a link.
    #[arg(long, value_name = "ORIGIN", help = "The Origin to send, as a browser would: https://example.com")]
    pub(crate) origin: Option<String>,
    /// Go through this proxy instead of what the environment names: http://, https://, socks5:// or socks5h://; 'none'
    /// for no proxy
    #[arg(long, value_name = "URL")]
    pub(crate) proxy: Option<String>,
    /// Trust the certificates in this PEM file, and no others; a self-signed server's own will do
    #[arg(long, value_name = "FILE")]
    pub(crate) cacert: Option<PathBuf>,
    /// Trust what the operating system trusts, instead of Mozilla's list
    #[arg(long, conflicts_with = "cacert")]
    pub(crate) system_roots: bool,
    /// Show this certificate (a PEM file, with its chain) to a server that asks for one
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(crate) cert: Option<PathBuf>,
    /// The certificate's key: a PEM file
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub(crate) key: Option<PathBuf>,
    /// Offer to compress messages (permessage-deflate)
    #[arg(short, long)]
    pub(crate) compress: bool,
    /// Follow up to this many redirects
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    pub(crate) redirects: u8,
    /// How long opening may take, and the answer of --once
    #[arg(long, value_name = "SECONDS", value_parser = positive, default_value = "10")]
    pub(crate) timeout: Duration,
    /// The largest message to take
    #[arg(long, value_name = "BYTES", default_value_t = 16 << 20, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) max_size: u64,
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Where to listen; port 0 picks a free one
    #[arg(value_name = "ADDRESS", default_value = "127.0.0.1:9001", value_parser = address)]
    pub(crate) listen: SocketAddr,
    /// Encrypt (wss://) with this certificate: a PEM file, with its chain
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(crate) cert: Option<PathBuf>,
    /// The certificate's key: a PEM file
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub(crate) key: Option<PathBuf>,
    /// Compress messages (permessage-deflate) for clients that offer it
    #[arg(short, long)]
    pub(crate) compress: bool,
    /// A subprotocol to speak; may be repeated, the preferred one first
    #[arg(short, long = "subprotocol", value_name = "NAME")]
    pub(crate) subprotocols: Vec<String>,
    /// Let pages of this origin connect; may be repeated; 'any' for all. Without it: pages of this server only
    #[arg(long = "origin", value_name = "ORIGIN")]
    pub(crate) origins: Vec<String>,
    /// Serve requests for this host, as a proxy or a forwarded port passes it on; may be repeated; 'any' for all. Without
    /// it: names of loopback where it listens on loopback, else all
    #[arg(long = "host", value_name = "HOST")]
    pub(crate) hosts: Vec<String>,
    /// The largest message to take
    #[arg(long, value_name = "BYTES", default_value_t = 16 << 20, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) max_size: u64,
}

#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// The echo server: ws://host:port/path or wss://host:port/path
    pub(crate) url: String,
    #[command(flatten)]
    pub(crate) connect: Connect,
    /// Connections at a time
    #[arg(long, value_name = "COUNT", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) connections: u32,
    /// The length of a message
    #[arg(long, value_name = "BYTES", default_value_t = 64, value_parser = clap::value_parser!(u32).range(..=(1 << 26)))]
    pub(crate) size: u32,
    /// How long to measure
    #[arg(long, value_name = "SECONDS", value_parser = positive, default_value = "10")]
    pub(crate) duration: Duration,
    /// Messages a second, by all connections together; their latency then counts from when they were due. Without it each
    /// answer is followed by the next message
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rate: Option<u32>,
    /// Messages that wait for their answers, for each connection: 1, or 100 with --rate
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) in_flight: Option<u32>,
    /// Send binary messages
    #[arg(short, long)]
    pub(crate) binary: bool,
    /// Write the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

impl Cli {
    pub(crate) fn wants_json(&self) -> bool {
        match &self.command {
            None => self.session.json,
            Some(Command::Bench(bench)) => bench.json,
            Some(_) => false,
        }
    }
}

const AFTER_HELP: &str = "\
Exit status:
    0  as it should be: closed with 1000, 1001 or no code, by either end
    1  closed by the server with another code, or something else
    2  a wrong option, address or file
    3  network: not found, not reached, lost, or the proxy does not help
    4  refused: the server answered with another status than 101
    5  protocol: not a WebSocket server, rules broken, a message over --max-size
    6  TLS: an invalid certificate
    7  time was over: opening, the answer of --once, keepalive, closing
  130  ended by Ctrl-C (SIGINT); 143 by SIGTERM; the connection is closed with 1001 first

Events of --json, each with \"time\" (UTC, RFC 3339) and \"event\":
  open     url, subprotocol or null, compressed, tls (version) or null, peer, took_ms
  message  type: text or binary; data: the text, or the bytes in base64; size in bytes
  ping     data in base64; it has been answered
  pong     data in base64; rtt_ms if it answers a ping of --ping, else null
  close    code, reason, clean, by: local or remote, cause
  error    status (as above), message

Bytes that a terminal would take for commands are shown as symbols. The history is kept in
$XDG_STATE_HOME/ws/history, else ~/.local/state/ws/history. NO_COLOR turns colours off.";

/// What clap has to say, in one line.
pub(crate) fn in_one_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let what = text.split("\n\n").next().unwrap_or_default().trim_start_matches("error: ");
    let words: Vec<&str> = what.split_whitespace().collect();
    format!("{} (--help lists what can be given)", words.join(" "))
}

/// A time in seconds, with a fraction if need be; `inf` is for ever.
fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "write it in seconds, for example 5 or 0.5".to_owned())?;
    if seconds.is_nan() || seconds < 0.0 {
        return Err("a time is not below zero".into());
    }
    Ok(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
}

fn positive(text: &str) -> Result<Duration, String> {
    match seconds(text) {
        Ok(Duration::ZERO) => Err("it must be longer than zero".into()),
        other => other,
    }
}

fn address(text: &str) -> Result<SocketAddr, String> {
    // A port alone is one of this machine's own.
    if let Ok(port) = text.parse::<u16>() {
        return Ok(([127, 0, 0, 1], port).into());
    }
    text.parse().map_err(|_| "write it as address:port, for example 127.0.0.1:9001 or [::1]:0".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_options_do_not_contradict_each_other() {
        Cli::command().debug_assert();
    }

    #[test]
    fn times_are_seconds_and_never_negative() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        assert_eq!(seconds("inf"), Ok(Duration::MAX));
        assert_eq!(seconds("0"), Ok(Duration::ZERO));
        for wrong in ["", "5s", "-1", "NaN"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
        assert!(positive("0").is_err());
    }

    #[test]
    fn an_address_may_be_a_port() {
        assert_eq!(address("80").unwrap().to_string(), "127.0.0.1:80");
        assert_eq!(address("[::1]:80").unwrap().to_string(), "[::1]:80");
        assert!(address("localhost:80").unwrap_err().contains("address:port"));
    }
}
