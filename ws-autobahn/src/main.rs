//! Runs the Autobahn test suite against ws-server and ws-client.

mod assessment;
mod board;
mod case;
mod cli;
mod expectations;
mod group;
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

use std::{
    env,
    error::Error,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Instant,
};

use clap::Parser;

use crate::{
    assessment::Assessment,
    board::{Board, clock},
    cli::Cli,
    expectations::Expectations,
    group::Group,
    run::Run,
    suite::Suite,
};

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
    // Every process that was started is owned by a task: with the tasks they end.
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

fn fail(error: &dyn Error) -> ExitCode {
    eprintln!("ws-autobahn: {error}");
    ExitCode::from(2)
}

/// Has the suite, runs it, and says what came of it: whether all is as expected.
async fn test(cli: Cli) -> Result<bool, Box<dyn Error>> {
    let expectations = Expectations::load()?;
    let all: Vec<_> = expectations.cases().collect();
    let cases = expectations.select(&cli.cases)?;
    let groups = Group::divide(&cases, &all);
    let roles = cli.role.roles();

    let out = match cli.out {
        Some(out) => out,
        None => workspace().join("target/autobahn"),
    };
    fs::create_dir_all(&out).map_err(|e| format!("{}: {e}", out.display()))?;
    let out = fs::canonicalize(&out)?;
    let _lock = lock(&out)?;
    let (reports, summary_file) = (out.join("reports"), out.join("summary.json"));
    // Nothing of an earlier run can be taken for this one's.
    forget(&summary_file, fs::remove_file(&summary_file))?;
    for role in roles {
        let folder = reports.join(role.name());
        forget(&folder, fs::remove_dir_all(&folder))?;
    }

    let suite = Suite::find(cli.wstest.as_deref(), &out.join("wstest"), cli.fresh).await?;
    eprintln!("Autobahn test suite {}: {}", suite.version, suite.program.display());
    let start = Instant::now();
    let board = Board::new(roles.iter().flat_map(|_| &groups));
    let queue = roles.iter().flat_map(|role| groups.iter().map(|group| (*role, group.clone()))).collect();
    let run = Run { suite, reports: reports.clone(), stall: cli.stall, board };
    let results = run.all(queue, cli.jobs.get()).await;

    let assess = |role| {
        let mut expected = expectations.of(role).clone();
        expected.retain(|id, _| cases.binary_search(id).is_ok());
        Assessment::new(role, &expected, &results)
    };
    let assessments: Vec<Assessment> = roles.iter().map(|role| assess(*role)).collect();
    let text = serde_json::to_string_pretty(&summary::summary(&assessments))? + "\n";
    fs::write(&summary_file, text).map_err(|e| format!("{}: {e}", summary_file.display()))?;
    println!("\n{}", table::table(&assessments));
    for complaint in assessments.iter().flat_map(Assessment::complaints) {
        println!("{complaint}");
    }
    let fine = assessments.iter().all(Assessment::is_as_expected);
    let how = if fine { "all as expected" } else { "NOT as expected" };
    let (ran, of) = (cases.len(), all.len());
    println!("{ran} of {of} cases in {} role(s), {}: {how}", roles.len(), clock(start.elapsed()));
    println!("reports: {}\nsummary: {}", reports.display(), summary_file.display());
    Ok(fine)
}

/// The folder of the workspace when cargo runs this, otherwise the current one.
fn workspace() -> PathBuf {
    let package = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    package.as_deref().and_then(Path::parent).map_or_else(PathBuf::new, Path::to_owned)
}

/// Two runs in one folder would mix their reports.
fn lock(out: &Path) -> Result<File, String> {
    let path = out.join("lock");
    let file = File::create(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(e) => Err(format!(
            "another run uses {} ({e}); wait for it, or choose another folder with --out",
            out.display()
        )),
    }
}

/// Something must be gone; that it never was there is fine.
fn forget(path: &Path, removed: io::Result<()>) -> Result<(), String> {
    match removed {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(format!("{}: {e}", path.display())),
        _ => Ok(()),
    }
}

/// Waits until the user, or who runs us, wants this to end.
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
