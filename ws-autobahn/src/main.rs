//! Tests WebSocket implementations, ws-server and ws-client or any other, with the cases of the Autobahn test suite.

mod assessment;
mod board;
mod bridge;
mod case;
mod cli;
mod compare;
mod expectations;
mod folder;
mod group;
mod native;
mod others;
mod ours;
mod process;
mod report;
mod role;
mod run;
mod spec;
mod suite;
mod summary;
mod table;
mod testee;
mod verdict;

use std::{error::Error, process::ExitCode};

use clap::Parser;

use crate::cli::Cli;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => return fail(&e),
    };
    let ended = runtime.block_on(async {
        tokio::select! {
            result = test(cli) => Some(result),
            () = interrupted() => None,
        }
    });
    // Every child process is owned by a task and ends with the task.
    drop(runtime);
    match ended {
        Some(Ok(true)) => ExitCode::SUCCESS,
        Some(Ok(false)) => ExitCode::from(1),
        Some(Err(e)) => fail(e.as_ref()),
        None => {
            eprintln!("\nws-autobahn: interrupted; there is no result");
            ExitCode::from(130)
        }
    }
}

async fn test(cli: Cli) -> Result<bool, Box<dyn Error>> {
    match cli.target {
        None => ours::test(cli.ours).await,
        Some(target) => others::test(target).await,
    }
}

fn fail(error: &dyn Error) -> ExitCode {
    eprintln!("ws-autobahn: {error}");
    ExitCode::from(2)
}

/// Waits for a signal to end.
async fn interrupted() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let signals = (signal(SignalKind::terminate()), signal(SignalKind::hangup()));
        if let (Ok(mut terminate), Ok(mut hangup)) = signals {
            tokio::select! {
                Ok(()) = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
            }
            return;
        }
    }
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
