//! What a server process is started for.

use clap::{Args, ValueEnum};

use crate::peer::Peer;
use crate::profile::Profile;

/// What a server process does.
#[derive(Debug, Clone, Copy, Args)]
pub struct Service {
    #[arg(long, value_enum)]
    pub peer: Peer,
    /// The load sends many messages at once: answer them with one flush, where the API can.
    #[arg(long)]
    pub batch: bool,
    /// permessage-deflate at this level, windows of 15 bits.
    #[arg(long)]
    pub deflate: Option<u32>,
    /// ... with the context carried over from message to message.
    #[arg(long)]
    pub takeover: bool,
    /// No message is longer than 1 KiB.
    #[arg(skip)]
    pub short: bool,
    /// Over TLS.
    #[arg(long)]
    pub tls: bool,
    /// What it does with connections.
    #[arg(long, value_enum, default_value_t = Task::Echo)]
    pub task: Task,
    /// Threads of the runtime; more than one have the load's core, too.
    #[arg(long, default_value_t = 1)]
    pub workers: usize,
    /// How often in a row a message is published, by as many calls where the API has one for each. Without it, what has been read
    /// together is published together.
    #[arg(long)]
    pub burst: Option<usize>,
    /// How its program is compiled.
    #[arg(skip)]
    pub profile: Profile,
}

/// What a server does with connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Task {
    /// Sends every message back.
    Echo,
    /// Does the opening handshake with the implementation's own code, and nothing after it.
    Handshake,
    /// Sends every message to all connections.
    Broadcast,
    /// Echoes, by the lines of the implementation's README.
    Readme,
}

impl Service {
    /// One that echoes, plainly.
    pub fn echo(peer: Peer) -> Self {
        Self {
            peer,
            batch: false,
            deflate: None,
            takeover: false,
            short: false,
            tls: false,
            task: Task::Echo,
            workers: 1,
            burst: None,
            profile: Profile::Fat,
        }
    }

    /// A whole server by the lines of its README.
    pub fn readme(peer: Peer, profile: Profile) -> Self {
        Self { task: Task::Readme, profile, ..Self::echo(peer) }
    }
}
