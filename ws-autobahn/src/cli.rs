//! The command line.

use std::{net::SocketAddr, num::NonZeroUsize, path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand};

use crate::{
    case::Pattern,
    native::{
        cases,
        play::Patience,
        target::{Address, Trust},
    },
    role::Role,
};

/// Tests WebSocket implementations with the cases of the Autobahn test suite: any server, any client.
///
/// Without a command, ws-server and ws-client are tested, and every verdict is held against what is expected.
///
/// Exit status: 0 when all is well, 1 when it is not (without a command: when a verdict is other than expected, also
/// for the better), 2 when nothing could be tested, 130 when interrupted.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    /// What is tested instead of ws-server and ws-client
    #[command(subcommand)]
    pub(crate) target: Option<Target>,

    #[command(flatten)]
    pub(crate) ours: Ours,
}

/// What is tested instead of ours.
#[derive(Debug, Subcommand)]
pub(crate) enum Target {
    /// Tests a server: it must send every message back
    Server {
        /// Where it listens: ws://host:port/path, wss://host:port/path or unix:/socket[:/path]
        #[arg(value_name = "URL")]
        url: Address,

        /// wss://: the PEM file with the authorities to trust, instead of Mozilla's list
        #[arg(long, value_name = "FILE", conflicts_with = "insecure")]
        ca: Option<PathBuf>,

        /// wss://: trust every certificate
        #[arg(long)]
        insecure: bool,

        /// The process of the server, on this machine: cases about memory watch its size (Linux)
        #[arg(long, value_name = "PID")]
        pid: Option<u32>,

        #[command(flatten)]
        options: Other,
    },
    /// Tests a client: one that speaks Autobahn's protocol for testees, or a command that is run for each case
    Client {
        /// Where the suite listens for the client
        #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9001")]
        listen: SocketAddr,

        /// A command that is run for each case, by sh; {url} stands for where it must connect, and it sends every
        /// message back until the connection ends
        #[arg(long, value_name = "COMMAND")]
        exec: Option<String>,

        #[command(flatten)]
        options: Other,
    },
}

impl Target {
    /// The certificates that are trusted under `wss://`.
    pub(crate) fn trust(&self) -> Trust {
        match self {
            Self::Server { insecure: true, .. } => Trust::Anything,
            Self::Server { ca: Some(path), .. } => Trust::File(path.clone()),
            _ => Trust::Public,
        }
    }
}

/// Options for ours.
#[derive(Args, Debug)]
pub(crate) struct Ours {
    /// Which role of ours is tested
    #[arg(long, value_enum, default_value_t = Roles::Both)]
    pub(crate) role: Roles,

    /// Which suite is run
    #[arg(long, value_enum, default_value_t = SuiteChoice::Autobahn)]
    pub(crate) suite: SuiteChoice,

    /// Folder for the install, the reports and summary.json [default: target/autobahn of the workspace]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) common: Common,
}

/// Options for other targets.
#[derive(Args, Debug)]
pub(crate) struct Other {
    /// Which suite is run
    #[arg(long, value_enum, default_value_t = SuiteChoice::Native)]
    pub(crate) suite: SuiteChoice,

    /// What the one under test is called in the reports
    #[arg(long, value_name = "NAME", default_value = "tested", value_parser = agent)]
    pub(crate) agent: String,

    /// Folder for the reports, and for the install of Autobahn's suite
    #[arg(long, value_name = "DIR", default_value = "ws-autobahn-reports")]
    pub(crate) out: PathBuf,

    /// Native suite: the index.json of an earlier run. The exit status is then 1 when a verdict is worse than it was,
    /// and 0 otherwise
    #[arg(long, value_name = "FILE")]
    pub(crate) baseline: Option<PathBuf>,

    /// Native suite: write the results to this file as JUnit XML, too
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) common: Common,
}

/// Options for all targets.
#[derive(Args, Debug)]
pub(crate) struct Common {
    /// Cases to run, separated by commas: 5.3 is one case, 1.* a section, 12.2.* a part of one [default: all]
    #[arg(long, visible_alias = "cases", value_delimiter = ',', value_name = "PATTERNS")]
    pub(crate) only: Vec<Pattern>,

    /// Cases to leave out, as with --only
    #[arg(long, value_delimiter = ',', value_name = "PATTERNS")]
    pub(crate) skip: Vec<Pattern>,

    /// How many cases of the native suite (groups of Autobahn's) run at the same time [default: 16 (2)]
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<NonZeroUsize>,

    /// Native suite: how long to wait for an answer, and for each part of the opening and closing handshake
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    pub(crate) patience: Duration,

    /// Native suite: how long the whole run of a role may take; cases that are left have failed
    #[arg(long, value_name = "SECONDS", default_value = "1200", value_parser = seconds)]
    pub(crate) limit: Duration,

    /// Native suite: send as much as Autobahn does in the cases about compression (130 MB in the largest) instead of
    /// 4 MiB at most
    #[arg(long)]
    pub(crate) full: bool,

    /// Autobahn's program, instead of one on the PATH or a private install
    #[arg(long, value_name = "PATH")]
    pub(crate) wstest: Option<PathBuf>,

    /// Install Autobahn's suite anew instead of using the cached install
    #[arg(long)]
    pub(crate) fresh: bool,

    /// Autobahn's suite: give a group up when no case begins for this many seconds; it gives up a case by itself after
    /// 480
    #[arg(long, value_name = "SECONDS", default_value = "600", value_parser = seconds)]
    pub(crate) stall: Duration,
}

impl Common {
    /// The most bytes of messages in a case about compression.
    pub(crate) fn volume(&self) -> usize {
        if self.full { usize::MAX } else { cases::BOUNDED }
    }

    /// How the native suite is run.
    pub(crate) fn pace(&self) -> crate::native::against_server::Pace {
        crate::native::against_server::Pace {
            jobs: self.jobs.map_or(16, NonZeroUsize::get),
            patience: Patience { answer: self.patience, ..Patience::default() },
            limit: self.limit,
            pid: None,
        }
    }
}

/// Which suite is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum SuiteChoice {
    /// The one of this program
    Native,
    /// Autobahn's own, which needs Python
    Autobahn,
    /// Both; every verdict that differs is named
    Both,
}

impl SuiteChoice {
    /// Whether the native suite is run.
    pub(crate) fn native(self) -> bool {
        self != Self::Autobahn
    }

    /// Whether Autobahn's is.
    pub(crate) fn autobahn(self) -> bool {
        self != Self::Native
    }
}

/// One role or both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Roles {
    Server,
    Client,
    Both,
}

impl Roles {
    /// The roles meant.
    pub(crate) fn roles(self) -> &'static [Role] {
        match self {
            Self::Server => &[Role::Server],
            Self::Client => &[Role::Client],
            Self::Both => &Role::ALL,
        }
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(n @ 1..=1_000_000) => Ok(Duration::from_secs(n)),
        _ => Err("a number of seconds from 1 to 1000000".to_owned()),
    }
}

/// It stands in URLs and file names.
fn agent(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        Ok(text.to_owned())
    } else {
        Err("a name of letters, digits, '-', '_' and '.'".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn everything_in_both_roles_by_autobahns_suite_is_the_default() {
        let cli = Cli::try_parse_from(["ws-autobahn"]).unwrap();
        assert!(cli.target.is_none() && cli.ours.common.only.is_empty());
        assert_eq!(cli.ours.role.roles(), Role::ALL);
        assert_eq!(cli.ours.suite, SuiteChoice::Autobahn);
        assert_eq!((cli.ours.common.jobs, cli.ours.common.fresh), (None, false));
    }

    #[test]
    fn patterns_are_separated_by_commas_and_checked() {
        let cli = Cli::try_parse_from(["ws-autobahn", "--cases", "1.*,5.3", "--role", "client"]).unwrap();
        assert_eq!(cli.ours.common.only, ["1.*".parse().unwrap(), "5.3".parse::<Pattern>().unwrap()]);
        assert_eq!(cli.ours.role.roles(), [Role::Client]);
        for wrong in
            [["--cases", "1*"], ["--jobs", "0"], ["--stall", "0"], ["--limit", "1000001"], ["--role", "peer"]]
        {
            assert!(Cli::try_parse_from([&["ws-autobahn"][..], &wrong].concat()).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn other_targets_are_tested_by_the_native_suite() {
        let cli =
            Cli::try_parse_from(["ws-autobahn", "server", "ws://localhost:9001", "--skip", "12.*,13.*"])
                .unwrap();
        let Some(Target::Server { url, options, .. }) = cli.target else { panic!("{cli:?}") };
        assert_eq!((url.authority.as_str(), options.suite), ("localhost:9001", SuiteChoice::Native));
        assert_eq!(options.common.skip.len(), 2);
        let cli = Cli::try_parse_from(["ws-autobahn", "client", "--exec", "echo {url}"]).unwrap();
        assert!(matches!(cli.target, Some(Target::Client { exec: Some(_), .. })));
        for wrong in [
            &["server"][..],
            &["server", "http://x"],
            &["client", "--agent", "a b"],
            &["client", "--listen", "x"],
        ] {
            assert!(Cli::try_parse_from([&["ws-autobahn"][..], wrong].concat()).is_err(), "{wrong:?}");
        }
    }
}
