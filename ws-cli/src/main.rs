//! `ws`: a WebSocket client, echo server, load test and client of topics for the command line.
//!
//! This is a crate of its own because it uses client and server together, which otherwise never import each other, and
//! because its dependencies (the command line, the prompt, histograms) are of no use to a program that links either.
//!
//! ```text
//! cargo install --path ws-cli       # from a checkout
//! ws serve                          # in one terminal
//! ws localhost:9001                 # in another
//! ```
//!
//! `ws --help` has the options, the exit status and the events of `--json`.

mod address;
mod args;
mod bench;
mod command;
mod connect;
mod event;
mod failure;
mod input;
mod metrics_page;
mod pretty;
mod prometheus;
mod screen;
mod serve;
mod session;
mod signal;
mod topics;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

use crate::args::{Cli, Command};
use crate::event::Event;
use crate::failure::{Failure, Status};
use crate::screen::{Screen, remark};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if !error.use_stderr() => error.exit(),
        Err(error) => {
            remark(args::in_one_line(&error));
            return Status::Usage.into();
        }
    };
    let json = cli.wants_json();
    match run(cli) {
        Ok(status) => status.into(),
        Err(failure) => {
            if json {
                let event =
                    Event::Error { status: failure.status.code(), message: failure.message.as_str().into() };
                // If nobody reads it, the exit status remains.
                let _ = Screen::json().show(&event);
            } else {
                remark(failure.message);
            }
            failure.status.into()
        }
    }
}

fn run(cli: Cli) -> Result<Status, Failure> {
    // A session is one connection; the other commands handle many.
    let mut runtime = match &cli.command {
        None => tokio::runtime::Builder::new_current_thread(),
        Some(_) => tokio::runtime::Builder::new_multi_thread(),
    };
    let runtime = runtime.enable_all().build().map_err(|e| Failure::other(format!("no runtime: {e}")))?;
    let outcome = match cli.command {
        None => runtime.block_on(session::run(cli.session)),
        Some(Command::Serve(serve)) => runtime.block_on(serve::run(serve)),
        Some(Command::Bench(bench)) => runtime.block_on(bench::run(bench)),
        Some(Command::Topics(topics)) => runtime.block_on(topics::run(topics)),
        Some(Command::Completions { shell }) => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "ws", &mut script);
            screen::print(&String::from_utf8_lossy(&script))?;
            Ok(Status::Success)
        }
    };
    // A lookup of a name that nobody waits for any more is not waited for here, either.
    runtime.shutdown_background();
    outcome
}
