//! What can be given on the command line.

mod bench;
mod serve;
mod topics;
mod values;

use std::path::PathBuf;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

pub(crate) use bench::Bench;
pub(crate) use serve::{ExcessOf, Forwarded, Serve};
pub(crate) use topics::{Subscribe, Topics, TopicsAction};
use values::{positive, seconds};

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
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        let usage = text.lines().find_map(|line| line.strip_prefix("Usage: ")).unwrap_or_default();
        return format!("an argument is missing; usage: {usage} (--help lists the options)");
    }
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
