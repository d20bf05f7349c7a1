//! A client process: one implementation on one core, until its standard input ends.

use std::io::Read;

use anyhow::Result;
use clap::{Args, ValueEnum};

use crate::machine;
use crate::peer::Peer;
use crate::peers;

/// What a client process does.
#[derive(Debug, Clone, Copy, Args)]
pub struct Drive {
    #[arg(long, value_enum)]
    pub peer: Peer,
    #[arg(long)]
    pub port: u16,
    #[arg(long)]
    pub connections: usize,
    #[arg(long, value_enum)]
    pub work: Work,
    /// Bytes of a message that it sends.
    #[arg(long)]
    pub size: usize,
    /// Messages in a row.
    #[arg(long)]
    pub batch: usize,
    /// It sends text.
    #[arg(long)]
    pub text: bool,
    /// With permessage-deflate.
    #[arg(long)]
    pub deflate: bool,
}

/// What a client does with its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Work {
    /// Receives a batch, and answers it with one byte.
    Receive,
    /// Receives one message, and answers it with a batch of calls of `send`.
    Send,
    /// The same with `feed`, and one flush.
    Feed,
}

impl Work {
    pub fn name(self) -> &'static str {
        match self {
            Self::Receive => "receive",
            Self::Send => "send",
            Self::Feed => "feed",
        }
    }
}

pub fn run(drive: Drive) -> Result<()> {
    machine::pin(&[machine::SERVER_CORE])?;
    std::thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..drive.connections {
            tasks.spawn(peers::clients::work(drive));
        }
        while let Some(ended) = tasks.join_next().await {
            ended??;
        }
        Ok(())
    })
}
