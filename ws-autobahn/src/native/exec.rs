//! A client that is started with a command, once for each case.

use std::{path::Path, sync::Arc, time::Duration};

use tokio::{sync::Semaphore, task::JoinSet};

use crate::process::{Process, Progress};

/// Returns the URL to which the client connects for case `n` (from 1).
pub(crate) fn url(scheme: &str, port: u16, n: usize, agent: &str) -> String {
    format!("{scheme}://127.0.0.1:{port}/runCase?case={n}&agent={agent}")
}

/// Runs the command for a case until it ends, at most for `limit`. Its exit status does not matter: the suite knows
/// whether the case was run.
///
/// # Errors
/// The command cannot be started.
pub(crate) async fn one(command: &str, url: &str, log: &Path, limit: Duration) -> Result<(), String> {
    // Quoted, because it contains an ampersand.
    let command = command.replace("{url}", &format!("'{url}'"));
    let started = Process::start(Path::new("sh"), ["-c", &command], &[], log);
    let mut process = started.map_err(|e| format!("--exec {command:?}: {e}"))?;
    let ended = async { while let Ok(Progress::Line(_)) = process.next().await {} };
    // Dropping the process kills it.
    let _ = tokio::time::timeout(limit, ended).await;
    Ok(())
}

/// Runs the command for cases 1 to `cases`, each with its URL, `jobs` at a time.
///
/// # Errors
/// The command cannot be started.
pub(crate) async fn all(
    command: &str,
    url: impl Fn(usize) -> String,
    cases: usize,
    log: &Path,
    jobs: usize,
    limit: Duration,
) -> Result<(), String> {
    let places = Arc::new(Semaphore::new(jobs));
    let mut tasks = JoinSet::new();
    for n in 1..=cases {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { break };
        let (command, url, log) = (command.to_owned(), url(n), log.to_owned());
        tasks.spawn(async move {
            let _place = place;
            one(&command, &url, &log, limit).await
        });
        if let Some(Ok(Err(e))) = tasks.try_join_next() {
            return Err(e);
        }
    }
    while let Some(done) = tasks.join_next().await {
        done.map_err(|e| e.to_string())??;
    }
    Ok(())
}
