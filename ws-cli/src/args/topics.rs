//! What `ws topics` takes.

use clap::{Args, Subcommand};
use ws_topics::Position;

use super::Connect;

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
