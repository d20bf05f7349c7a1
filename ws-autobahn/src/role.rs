//! Which side of a connection is under test.

use std::fmt;

/// The role of the tested implementation; the suite plays the other one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum Role {
    /// A server, which Autobahn tests with its `fuzzingclient`.
    Server,
    /// A client, which Autobahn tests with its `fuzzingserver`.
    Client,
}

impl Role {
    /// Both roles, in the order in which they are shown.
    pub(crate) const ALL: [Self; 2] = [Self::Server, Self::Client];

    /// `server` or `client`, as in the summary, the expectations and folder names.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Client => "client",
        }
    }

    /// The name of our implementation of this role in the reports.
    pub(crate) fn agent(self) -> &'static str {
        match self {
            Self::Server => "ws-server",
            Self::Client => "ws-client",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
