//! Which side of a connection is under test.

use std::fmt;

/// The role of the implementation under test; the suite plays the other one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum Role {
    /// ws-server, held against the suite's `fuzzingclient`.
    Server,
    /// ws-client, held against the suite's `fuzzingserver`.
    Client,
}

impl Role {
    /// Both, in the order in which they are shown.
    pub(crate) const ALL: [Self; 2] = [Self::Server, Self::Client];

    /// `server` or `client`, as in the summary, the expectations and folder names.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Client => "client",
        }
    }

    /// What the suite's reports call us.
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
