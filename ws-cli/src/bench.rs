//! `ws bench URL`: a load test of an echo server, or with `--idle` of connections that wait.

mod load;
mod report;
mod tally;

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use ws_client::{CloseCode, Stream, WebSocket};

use self::load::Load;
use self::report::{Opened, Report};
use self::tally::Tally;
use crate::args;
use crate::connect::Connecting;
use crate::failure::{Failure, Status};
use crate::screen::{Output, print};
use crate::signal::Signals;

pub(crate) async fn run(args: args::Bench) -> Result<Status, Failure> {
    let load = Load::new(&args)?;
    let connecting = Connecting::new(args.url.as_deref(), &args.connect, |options| {
        options.connection.max_message_size = args.connect.max_size.max(args.size.into());
        // What is in flight may come back while we are sending: there has to be room for all of it.
        options.connection.max_read_ahead = load.bytes_in_flight().saturating_mul(2).max(4 << 20);
    })?;
    // Only now: until here signals end the process, since nothing else ends a read of a file that waits.
    let mut signals = Signals::new()?;
    raise_file_limit(u64::from(args.connections));

    let started = Instant::now();
    let (open, mut failures) = tokio::select! {
        opened = open_all(connecting, args.connections) => opened,
        signal = signals.next() => return Ok(signal),
    };
    if open.is_empty() {
        // Each has failed: the first failure says why.
        return Err(failures.swap_remove(0));
    }
    let opened = Opened { connections: open.len(), failed: failures.len() as u64, took: started.elapsed() };

    let tally = Arc::new(Tally::new(failures));
    let mut running = JoinSet::new();
    let begin = Instant::now();
    let load = Arc::new(load.shared_by(open.len(), begin));
    let mut closers = Vec::with_capacity(open.len());
    for (index, mut websocket) in open.into_iter().enumerate() {
        closers.push(websocket.closer());
        running.spawn(load.clone().run(index, websocket, tally.clone()));
    }
    let interrupted = watch(&mut running, &tally, args.idle, &mut signals).await;
    if interrupted.is_some() {
        for closer in &closers {
            // The code may be sent and there is no reason that could be too long.
            let _ = closer.start_close(CloseCode::GOING_AWAY, "");
        }
        // A second signal does not wait for the server.
        watch(&mut running, &tally, args.idle, &mut signals).await;
    }
    // Without an answer there is no last one to count up to; closing takes its own time.
    let measured = tally.last_answer().map_or(begin.elapsed().min(args.duration), |last| last - begin);
    let report = Report::new(&args, &tally, opened, measured);
    if args.json {
        print(&(Output::new().json(report.to_json().to_string()) + "\n"))?;
    } else {
        print(&report.to_string())?;
    }
    match (interrupted, tally.first_failure()) {
        (Some(signal), _) => Ok(signal),
        (None, Some(failure)) => Err(failure),
        (None, None) => Ok(Status::Success),
    }
}

/// Opens this many connections, some at a time.
async fn open_all(connecting: Connecting, count: u32) -> (Vec<WebSocket<Stream>>, Vec<Failure>) {
    let connecting = Arc::new(connecting);
    let permits = Arc::new(Semaphore::new(OPENING_AT_A_TIME));
    let mut opening = JoinSet::new();
    for _ in 0..count {
        let (connecting, permits) = (connecting.clone(), permits.clone());
        opening.spawn(async move {
            // Never closed.
            let _permit = permits.acquire().await;
            connecting.open().await
        });
    }
    let (mut open, mut failures) = (Vec::new(), Vec::new());
    while let Some(ended) = opening.join_next().await {
        match ended {
            Ok(Ok((websocket, _))) => open.push(websocket),
            Ok(Err(failure)) => failures.push(failure),
            Err(error) => failures.push(Failure::other(error.to_string())),
        }
    }
    (open, failures)
}

/// Shows the rate, or how many connections are open, each second until all have ended, or a signal comes.
async fn watch(
    running: &mut JoinSet<()>,
    tally: &Tally,
    idle: bool,
    signals: &mut Signals,
) -> Option<Status> {
    let terminal = io::stderr().is_terminal();
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    seconds.tick().await;
    let mut second = 0u64;
    let signal = loop {
        tokio::select! {
            ended = running.join_next() => if ended.is_none() { break None },
            _ = seconds.tick() => {
                second += 1;
                let line = match idle {
                    true => format!("{:9} open   {} failed", running.len(), tally.failures()),
                    false => tally.last_second(),
                };
                let (before, after) = if terminal { ("\r\x1b[K", "") } else { ("", "\n") };
                // Nobody need look at it.
                let _ = write!(io::stderr(), "{before}{second:4} s  {line}{after}");
            }
            signal = signals.next() => break Some(signal),
        }
    };
    if terminal {
        let _ = write!(io::stderr(), "\r\x1b[K");
    }
    signal
}

/// Each connection is a file; the process may have fewer than the system lets it.
fn raise_file_limit(connections: u64) {
    #[cfg(unix)]
    // Where that is not enough, connecting says so.
    let _ = rlimit::increase_nofile_limit(connections + 64);
    #[cfg(not(unix))]
    let _ = connections;
}

const OPENING_AT_A_TIME: usize = 64;
