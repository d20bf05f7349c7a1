//! The command line.

use std::{net::SocketAddr, num::NonZeroUsize, path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand};

use crate::{
    case::Pattern,
    native::{
        cases,
        play::Patience,
        target::{Address, Trust, Version},
    },
    role::Role,
};

/// Tests WebSocket implementations with the cases of the Autobahn test suite: any server, any client.
///
/// Without a command, tests ws-server and ws-client and compares every verdict with the expectations.
///
/// Exit status: 0 when no case failed, 1 when a case failed (without a command: when a verdict differs from the
/// expectation, even if it is better), 2 when nothing could be tested, 130 when interrupted.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    /// The implementation to test instead of ws-server and ws-client
    #[command(subcommand)]
    pub(crate) target: Option<Target>,

    #[command(flatten)]
    pub(crate) ours: Ours,
}

/// The implementation to test instead of ws-server and ws-client.
#[derive(Debug, Subcommand)]
pub(crate) enum Target {
    /// Test a server, which must echo every message
    Server {
        /// Address of the server: ws://host:port/path, wss://host:port/path or unix:/socket[:/path]
        #[arg(value_name = "URL")]
        url: Address,

        /// wss://: PEM file with the certificate authorities to trust instead of Mozilla's list
        #[arg(long, value_name = "FILE", conflicts_with = "insecure")]
        ca: Option<PathBuf>,

        /// wss://: accept any certificate
        #[arg(long)]
        insecure: bool,

        /// Process id of the server on this machine; cases about memory measure its size (Linux)
        #[arg(long, value_name = "PID")]
        pid: Option<u32>,

        #[command(flatten)]
        options: Other,
    },
    /// Test a client: one that speaks Autobahn's protocol for testees, or a command that is run once for each case
    Client {
        /// Address on which the suite listens for the client
        #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9001")]
        listen: SocketAddr,

        /// Command to run with sh for each case: it must connect to {url} and echo every message until the connection
        /// ends
        #[arg(long, value_name = "COMMAND")]
        exec: Option<String>,

        /// Listen for wss:// with a certificate for localhost, 127.0.0.1, ::1 and the address, made for this run; clients
        /// must trust its authority, which is written to authority.pem in the folder of --out. With --http2 clients must
        /// offer h2 by ALPN
        #[arg(long)]
        tls: bool,

        #[command(flatten)]
        options: Other,
    },
}

impl Target {
    /// The certificates that are trusted for `wss://`.
    pub(crate) fn trust(&self) -> Trust {
        match self {
            Self::Server { insecure: true, .. } => Trust::Anything,
            Self::Server { ca: Some(path), .. } => Trust::File(path.clone()),
            _ => Trust::Public,
        }
    }
}

/// Options for testing ws-server and ws-client.
#[derive(Args, Debug)]
pub(crate) struct Ours {
    /// The role to test
    #[arg(long, value_enum, default_value_t = Roles::Both)]
    pub(crate) role: Roles,

    /// The suite to run
    #[arg(long, value_enum, default_value_t = SuiteChoice::Autobahn)]
    pub(crate) suite: SuiteChoice,

    /// Folder for the install, the reports and summary.json [default: target/autobahn of the workspace]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) common: Common,
}

/// Options for testing other implementations.
#[derive(Args, Debug)]
pub(crate) struct Other {
    /// Which suite is run
    #[arg(long, value_enum, default_value_t = SuiteChoice::Native)]
    pub(crate) suite: SuiteChoice,

    /// Name of the tested implementation in the reports
    #[arg(long, value_name = "NAME", default_value = "tested", value_parser = agent)]
    pub(crate) agent: String,

    /// Folder for the reports and for the installation of Autobahn's suite
    #[arg(long, value_name = "DIR", default_value = "ws-autobahn-reports")]
    pub(crate) out: PathBuf,

    /// Native suite: index.json of an earlier run; the exit status is then 1 when a verdict is worse than in that run,
    /// and 0 otherwise
    #[arg(long, value_name = "FILE")]
    pub(crate) baseline: Option<PathBuf>,

    /// Native suite: also write the results to this file as JUnit XML
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) common: Common,
}

/// Options for all implementations.
#[derive(Args, Debug)]
pub(crate) struct Common {
    /// Cases to run, separated by commas: 5.3 is one case, 1.* a section, 12.2.* a part of one [default: all]
    #[arg(long, visible_alias = "cases", value_delimiter = ',', value_name = "PATTERNS")]
    pub(crate) only: Vec<Pattern>,

    /// Cases to leave out, as with --only
    #[arg(long, value_delimiter = ',', value_name = "PATTERNS")]
    pub(crate) skip: Vec<Pattern>,

    /// Number of cases of the native suite (groups of Autobahn's suite) that run at the same time [default: 16 (2)]
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<NonZeroUsize>,

    /// Native suite: time to wait for an answer, and for each part of the opening and closing handshake
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    pub(crate) patience: Duration,

    /// Native suite: time limit for the whole run of a role; the remaining cases count as failed
    #[arg(long, value_name = "SECONDS", default_value = "1200", value_parser = seconds)]
    pub(crate) limit: Duration,

    /// Open WebSockets over HTTP/2 (RFC 8441): by prior knowledge under ws:// and on Unix sockets, by ALPN under wss://.
    /// Autobahn's suite speaks HTTP/1.1 only: it tests ws-server and ws-client over HTTP/2 by a bridge, and no others
    #[arg(long)]
    pub(crate) http2: bool,

    /// Native suite: send as much as Autobahn in the cases about compression (up to 130 MB) instead of at most 4 MiB
    #[arg(long)]
    pub(crate) full: bool,

    /// Autobahn's suite, as installed by this program: send at most 4 MiB in a case about compression, as the native
    /// suite does, instead of up to 130 MB; minutes instead of a quarter of an hour
    #[arg(long, conflicts_with = "full")]
    pub(crate) bounded: bool,

    /// Program of Autobahn's suite to use instead of one on the PATH or a private installation
    #[arg(long, value_name = "PATH")]
    pub(crate) wstest: Option<PathBuf>,

    /// Install Autobahn's suite again instead of using the cached installation
    #[arg(long)]
    pub(crate) fresh: bool,

    /// Autobahn's suite: stop a group when no case begins for this many seconds; the suite itself stops a case after
    /// 480
    #[arg(long, value_name = "SECONDS", default_value = "600", value_parser = seconds)]
    pub(crate) stall: Duration,
}

impl Common {
    /// Returns the version of HTTP.
    ///
    /// # Errors
    /// The suite does not have the version.
    pub(crate) fn version(&self, suite: SuiteChoice) -> Result<Version, String> {
        if self.http2 && suite.autobahn() {
            return Err(
                "--http2 needs --suite native for other implementations: Autobahn's suite has HTTP/1.1 only"
                    .to_owned(),
            );
        }
        Ok(Version::of(self.http2))
    }

    /// Returns the maximum size in bytes of all messages of a case about compression.
    pub(crate) fn volume(&self) -> usize {
        if self.full { usize::MAX } else { cases::BOUNDED }
    }

    /// Returns the same for Autobahn's suite; `None` is all that it has.
    pub(crate) fn autobahns_volume(&self) -> Option<usize> {
        self.bounded.then_some(cases::BOUNDED)
    }

    /// Returns the settings for a run of the native suite.
    pub(crate) fn pace(&self) -> crate::native::against_server::Pace {
        crate::native::against_server::Pace {
            jobs: self.jobs.map_or(16, NonZeroUsize::get),
            patience: Patience { answer: self.patience, ..Patience::default() },
            limit: self.limit,
            pid: None,
        }
    }
}

/// The suite to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum SuiteChoice {
    /// The suite built into this program
    Native,
    /// Autobahn's suite, which needs Python
    Autobahn,
    /// Both; reports every verdict in which they differ
    Both,
}

impl SuiteChoice {
    /// Whether the native suite is run.
    pub(crate) fn native(self) -> bool {
        self != Self::Autobahn
    }

    /// Whether Autobahn's suite is run.
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
    /// Returns the selected roles.
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

/// Parses the name of the tested implementation, which is used in URLs and file names.
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
        let cli = Cli::try_parse_from(["ws-autobahn", "client", "--http2"]).unwrap();
        let Some(Target::Client { options, tls: false, .. }) = cli.target else { panic!("{cli:?}") };
        assert_eq!(options.common.version(SuiteChoice::Native), Ok(Version::Http2));
        assert!(options.common.version(SuiteChoice::Both).unwrap_err().starts_with("--http2 needs "));
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
