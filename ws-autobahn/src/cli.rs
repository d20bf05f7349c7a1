//! The command line.

use std::{num::NonZeroUsize, path::PathBuf, time::Duration};

use clap::Parser;

use crate::{case::Pattern, role::Role};

/// Holds ws-server and ws-client against the Autobahn test suite, every case in both roles.
///
/// Exit status: 0 when all is as expected, 1 when something is not (also for the better),
/// 2 when the suite could not be run, 130 when interrupted.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Cli {
    /// Which role of ours is tested
    #[arg(long, value_enum, default_value_t = Roles::Both)]
    pub(crate) role: Roles,

    /// Cases to run, separated by commas: 5.3 is one case, 1.* a section, 12.2.* a part of one [default: all]
    #[arg(long, value_delimiter = ',', value_name = "PATTERNS")]
    pub(crate) cases: Vec<Pattern>,

    /// The suite's program, instead of one on the PATH or a private install
    #[arg(long, value_name = "PATH")]
    pub(crate) wstest: Option<PathBuf>,

    /// Install the suite anew instead of using the cached install
    #[arg(long)]
    pub(crate) fresh: bool,

    /// How many groups of cases run at the same time; each keeps one core busy
    #[arg(long, value_name = "N", default_value = "2")]
    pub(crate) jobs: NonZeroUsize,

    /// Give a group up when the suite begins no case for so many seconds; it gives up a case by itself after 480
    #[arg(long, value_name = "SECONDS", default_value = "600", value_parser = seconds)]
    pub(crate) stall: Duration,

    /// Folder for the install, the reports and summary.json [default: target/autobahn of the workspace]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
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
        Ok(n) if n > 0 => Ok(Duration::from_secs(n)),
        _ => Err("a number of seconds, 1 or more".to_owned()),
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
    fn everything_in_both_roles_is_the_default() {
        let cli = Cli::try_parse_from(["ws-autobahn"]).unwrap();
        assert!(cli.cases.is_empty());
        assert_eq!(cli.role.roles(), Role::ALL);
        assert_eq!((cli.jobs.get(), cli.fresh), (2, false));
    }

    #[test]
    fn patterns_are_separated_by_commas_and_checked() {
        let cli = Cli::try_parse_from(["ws-autobahn", "--cases", "1.*,5.3", "--role", "client"]).unwrap();
        assert_eq!(cli.cases, ["1.*".parse().unwrap(), "5.3".parse::<Pattern>().unwrap()]);
        assert_eq!(cli.role.roles(), [Role::Client]);
        for wrong in [["--cases", "1*"], ["--jobs", "0"], ["--stall", "0"], ["--role", "peer"]] {
            assert!(Cli::try_parse_from([&["ws-autobahn"][..], &wrong].concat()).is_err(), "{wrong:?}");
        }
    }
}
