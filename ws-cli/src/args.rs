//! What can be given on the command line.

mod values;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use ws_topics::Position;

use values::{address, count, memory, positive, seconds};

/// Connects to a WebSocket server: a prompt in a terminal, lines in and out in a pipe.
///
/// Each line of the input is sent as a message, and each message received is written as a line. At the end of the input
/// (Ctrl-D) the connection is closed; messages that arrive until the server has closed too are still written.
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
    /// Run an echo server: every message is sent back. On Unix it takes sockets that systemd passes in place of the address,
    /// and SIGUSR2 restarts it without refusing a connection
    Serve(Serve),
    /// Measure the throughput and latency of an echo server, or hold connections open (--idle)
    Bench(Bench),
    /// Subscribe to topics of a server that speaks topics.v1, or publish to one
    Topics(Topics),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Session {
    /// Where to connect: ws://host:port/path, wss://host:port/path, or unix:PATH for a Unix socket. Without a scheme:
    /// wss:// if the port is 443, else ws://
    #[arg(required_unless_present = "unix")]
    pub(crate) url: Option<String>,
    #[command(flatten)]
    pub(crate) connect: Connect,
    /// Write one JSON event per line, as listed below
    #[arg(long)]
    pub(crate) json: bool,
    /// Send one message, write one answer, and close
    #[arg(long)]
    pub(crate) once: bool,
    /// Send this message before the lines of the input; may be repeated
    #[arg(short, long = "message", value_name = "TEXT")]
    pub(crate) messages: Vec<String>,
    /// Send the contents of this file as one binary message, after those of --message; may be repeated
    #[arg(short, long = "file", value_name = "PATH")]
    pub(crate) files: Vec<PathBuf>,
    /// Send the files as text messages; they must be UTF-8
    #[arg(long, requires = "files")]
    pub(crate) text: bool,
    /// Send lines as binary messages, and write binary messages unchanged instead of in hexadecimal
    #[arg(short, long)]
    pub(crate) binary: bool,
    /// Indent text messages that are JSON
    #[arg(long, conflicts_with = "json")]
    pub(crate) pretty: bool,
    /// Connect again whenever the connection ends, unless this end closes it (end of the input, Ctrl-C, /close). Delays are
    /// random and grow up to 30 seconds; --message and --file are sent on every connection, other messages only once
    #[arg(long, conflicts_with = "once")]
    pub(crate) reconnect: bool,
    /// Send a ping every SECONDS and print the round-trip time
    #[arg(long, value_name = "SECONDS", value_parser = positive)]
    pub(crate) ping: Option<Duration>,
    /// After the end of the input, wait this long for messages before closing; inf waits until the server closes
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "0")]
    pub(crate) wait: Duration,
    /// Do not save what is typed to the history; a line that begins with a space is never saved
    #[arg(long)]
    pub(crate) no_history: bool,
}

/// How to reach the server, and what the opening handshake offers.
#[derive(Debug, Args)]
pub(crate) struct Connect {
    /// Connect through this Unix socket. The URL still gives the Host field and the path; its default is ws://localhost/
    #[arg(long, value_name = "PATH", conflicts_with = "proxy")]
    pub(crate) unix: Option<PathBuf>,
    /// Send this header field, written as 'Name: value'; may be repeated
    #[arg(short = 'H', long = "header", value_name = "FIELD")]
    pub(crate) headers: Vec<String>,
    /// Offer this subprotocol; may be repeated, the preferred one first
    #[arg(short, long = "subprotocol", value_name = "NAME")]
    pub(crate) subprotocols: Vec<String>,
    // Not a doc comment: rustdoc would want a link.
    #[arg(long, value_name = "ORIGIN", help = "Send this Origin, as a browser would: https://example.com")]
    pub(crate) origin: Option<String>,
    /// Connect through this proxy instead of the one that the environment names: http://, https://, socks5:// or
    /// socks5h://; 'none' uses no proxy
    #[arg(long, value_name = "URL")]
    pub(crate) proxy: Option<String>,
    /// Trust the certificates in this PEM file, and no others; for a self-signed server, its own certificate
    #[arg(long, value_name = "FILE")]
    pub(crate) cacert: Option<PathBuf>,
    /// Trust the root certificates of the operating system instead of Mozilla's list
    #[arg(long, conflicts_with = "cacert")]
    pub(crate) system_roots: bool,
    /// Present this client certificate (a PEM file, with its chain) to a server that requests one
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(crate) cert: Option<PathBuf>,
    /// The private key of --cert: a PEM file
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub(crate) key: Option<PathBuf>,
    /// Offer to compress messages (permessage-deflate)
    #[arg(short, long)]
    pub(crate) compress: bool,
    /// Open the WebSocket over HTTP/2 (RFC 8441), or not at all. Under ws:// the server must be known to speak it on this port
    #[arg(long)]
    pub(crate) http2: bool,
    /// Follow up to this many redirects
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    pub(crate) redirects: u8,
    /// Time limit for opening the connection, and for the answer of --once
    #[arg(long, value_name = "SECONDS", value_parser = positive, default_value = "10")]
    pub(crate) timeout: Duration,
    /// Accept messages up to this size
    #[arg(long, value_name = "BYTES", default_value_t = 16 << 20, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) max_size: u64,
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Address to listen on, as ADDRESS:PORT or as a port of 127.0.0.1; port 0 picks a free one
    #[arg(value_name = "ADDRESS", default_value = "127.0.0.1:9001", value_parser = address)]
    pub(crate) listen: SocketAddr,
    /// Encrypt (wss://) with this certificate: a PEM file, with its chain
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(crate) cert: Option<PathBuf>,
    /// The private key of --cert: a PEM file
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub(crate) key: Option<PathBuf>,
    /// Compress messages (permessage-deflate) for clients that offer it
    #[arg(short, long)]
    pub(crate) compress: bool,
    /// Accept this subprotocol; may be repeated, the preferred one first
    #[arg(short, long = "subprotocol", value_name = "NAME")]
    pub(crate) subprotocols: Vec<String>,
    /// Accept pages of this origin; may be repeated; 'any' accepts all. Default: pages of this server only
    #[arg(long = "origin", value_name = "ORIGIN")]
    pub(crate) origins: Vec<String>,
    /// Accept requests for this host name, as a proxy or a forwarded port passes it on; may be repeated; 'any' accepts
    /// all. Default: loopback names if the server listens on loopback, else all
    #[arg(long = "host", value_name = "HOST")]
    pub(crate) hosts: Vec<String>,
    /// Believe these proxies when they name the address of a client, as --proxy-protocol or --forwarded says: addresses and
    /// networks with commas between them, such as 10.0.0.0/8,::1
    #[arg(long, value_name = "NETWORKS", requires = "how_proxies_name_clients")]
    pub(crate) trust_proxies: Option<String>,
    /// Expect a header of the PROXY protocol, version 1 or 2, before each connection of a trusted proxy
    #[arg(long, requires = "trust_proxies", group = "how_proxies_name_clients")]
    pub(crate) proxy_protocol: bool,
    /// Take the address of the client from these fields of a trusted proxy's requests
    #[arg(long, value_name = "FIELDS", requires = "trust_proxies", group = "how_proxies_name_clients")]
    pub(crate) forwarded: Option<Forwarded>,
    /// Accept messages up to this size
    #[arg(long, value_name = "BYTES", default_value_t = 16 << 20, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) max_size: u64,
    /// Let all connections together hold this much memory: near it requests are refused with 503, then WebSockets with much
    /// unfinished input, or output that their peers do not read, are closed with 1013. Default: half of what the system has
    #[arg(long, value_name = "BYTES", value_parser = memory)]
    pub(crate) max_memory: Option<usize>,
    /// Let this many WebSockets be open. Default: what the limit of open files allows
    #[arg(long, value_name = "COUNT", value_parser = count)]
    pub(crate) max_connections: Option<usize>,
    /// Let a client address have this many WebSockets open; more are refused with 429. Default: no limit, as for the next three
    #[arg(long, value_name = "COUNT", value_parser = count)]
    pub(crate) per_address_max_connections: Option<usize>,
    /// Let a client address request this many WebSockets a second; more are refused with 429
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) per_address_handshakes_per_second: Option<u32>,
    /// Read this many frames a second from the WebSockets of a client address; what comes faster has to wait
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) per_address_messages_per_second: Option<u32>,
    /// Read this many bytes a second from the WebSockets of a client address; what comes faster has to wait
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) per_address_bytes_per_second: Option<u64>,
    // Not a doc comment: rustdoc would want a link.
    #[arg(long, value_name = "ADDRESS", value_parser = address, help = "Answer with metrics for Prometheus at http://ADDRESS/metrics: ADDRESS:PORT, or a port of 127.0.0.1. Whoever reaches the address can read them")]
    pub(crate) metrics: Option<SocketAddr>,
}

/// The fields in which a proxy names a client.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Forwarded {
    /// X-Forwarded-For, X-Forwarded-Proto and X-Forwarded-Host
    XForwarded,
    /// Forwarded (RFC 7239)
    Forwarded,
}

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

#[derive(Debug, Args)]
pub(crate) struct Topics {
    /// The endpoint: ws://host:port/path, wss://host:port/path, or unix:PATH for a Unix socket. Without a scheme: wss:// if the
    /// port is 443, else ws://
    #[arg(required_unless_present = "unix")]
    pub(crate) url: Option<String>,
    #[command(flatten)]
    pub(crate) connect: Connect,
    #[command(subcommand)]
    pub(crate) action: TopicsAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TopicsAction {
    /// Write each message of a topic as a line. Connects again when the connection is lost, resumes where it was, and says on
    /// standard error what was lost
    Subscribe(Subscribe),
    /// Publish a message, or without one each line of the input
    Publish {
        /// The topic
        topic: String,
        /// The message
        message: Option<String>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Subscribe {
    /// A topic, or a filter as in MQTT 5: prices/+ or prices/#
    pub(crate) topic: String,
    /// Begin with the latest messages that the server still has, at most this many
    #[arg(long, value_name = "COUNT", conflicts_with = "since")]
    pub(crate) last: Option<u64>,
    /// Begin after this position, as --json writes it
    #[arg(long, value_name = "POSITION")]
    pub(crate) since: Option<Position>,
    /// End after this many messages
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,
    /// Write one JSON object per line: messages with topic and position, gaps, losses of connection
    #[arg(long)]
    pub(crate) json: bool,
}

impl Cli {
    pub(crate) fn wants_json(&self) -> bool {
        match &self.command {
            None => self.session.json,
            Some(Command::Bench(bench)) => bench.json,
            Some(Command::Topics(Topics { action: TopicsAction::Subscribe(subscribe), .. })) => {
                subscribe.json
            }
            Some(_) => false,
        }
    }
}

const AFTER_HELP: &str = "\
Exit status:
    0  success: closed with 1000, 1001 or no code, by either end, or by /close
    1  closed by the server with another code, or any other failure
    2  invalid option, address or file
    3  network: name not found, connection refused or lost, or a proxy failed
    4  refused: the server answered with a status that opens no WebSocket
    5  protocol: not a WebSocket server, a violation, a message over --max-size
    6  TLS: invalid certificate
    7  timed out: opening, the answer of --once, keepalive, or closing
  130  interrupted by Ctrl-C (SIGINT); 143 by SIGTERM; closes with 1001 first

At the prompt, a line that begins with / is a command:
  /ping                 send a ping and print the round-trip time
  /close [CODE REASON]  close with this code (default 1000) and reason
  /help                 list these commands
  //TEXT                send a message that begins with /

Events of --json, each with \"time\" (UTC, RFC 3339) and \"event\":
  open     url, subprotocol or null, compressed, http (version: 1.1 or 2),
           tls (version) or null, peer (null for a Unix socket), took_ms
  message  type: text or binary; data: the text, or the bytes in base64; size in bytes
  ping     data in base64; it has been answered
  pong     data in base64; rtt_ms if it answers a ping of --ping, else null
  close    code, reason, clean, by: local or remote, cause
  error    status (as above), message

Control characters are shown as symbols on a terminal. The history is saved in
$XDG_STATE_HOME/ws/history, or ~/.local/state/ws/history. NO_COLOR turns colours off.";

/// The message of clap's error, in one line.
pub(crate) fn in_one_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let what = text.split("\n\n").next().unwrap_or_default().trim_start_matches("error: ");
    let words: Vec<&str> = what.split_whitespace().collect();
    format!("{} (--help lists the options)", words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_options_do_not_contradict_each_other() {
        Cli::command().debug_assert();
    }
}
