//! A server as a service of the system: readiness, watchdog, and a successor that takes over its sockets.
//!
//! The successor is this program, started anew. It inherits the listening sockets in the way in which systemd passes them, and
//! after them one end of a pair of datagram sockets: the message that it sends there says that it serves.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram as StdDatagram;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use command_fds::{CommandFdExt as _, FdMapping};
use sd_notify::NotifyState;
use tokio::net::UnixDatagram;
use tokio::process::Child;
use tokio::select;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep_until};

use crate::hub::registry::{Departure, Drained};
use crate::serve::accepting::Accepting;
use crate::serve::state::ServerState;
use crate::transport::inherited::take_predecessor;
use crate::transport::listener::Listener;

/// A server that serves until a signal ends it, or until a successor serves in its place.
pub(crate) struct Service {
    interrupt: Signal,
    terminate: Signal,
    restart: Signal,
    program: Program,
    sockets: Vec<Listener>,
    state: Arc<ServerState>,
}

impl Service {
    pub(crate) fn new(sockets: Vec<Listener>, state: Arc<ServerState>) -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            restart: signal(SignalKind::user_defined2())?,
            program: Program::of_this_process(&sockets)?,
            sockets,
            state,
        })
    }

    pub(crate) async fn serve(self) -> Drained {
        let Self { mut interrupt, mut terminate, mut restart, program, sockets, state } = self;
        let accepting = Accepting::start(sockets, state);
        let mut watchdog = watchdog();
        announce_readiness();
        let mut successor = None;
        let departure = loop {
            select! {
                () = next(&mut interrupt) => break Departure::End,
                () = next(&mut terminate) => break Departure::End,
                () = next(&mut restart), if successor.is_none() => match program.start() {
                    Ok(started) => successor = Some(started),
                    Err(error) => report_failure(&error),
                },
                ready = readiness(&mut successor) => {
                    let Some(started) = successor.take() else { continue };
                    match ready {
                        Ok(()) => {
                            started.leave();
                            break Departure::Restart;
                        }
                        Err(error) => report_failure(&error),
                    }
                }
                () = tick(&mut watchdog) => announce(&[NotifyState::Watchdog]),
            }
        };
        // With the tasks that accept these are the last descriptors of the sockets, if no successor has them.
        drop((program, successor));
        match departure {
            Departure::End => {
                announce(&[NotifyState::Stopping]);
                accepting.shut_down(departure).await
            }
            Departure::Restart => accepting.make_way().await,
        }
    }
}

/// What a successor is started with.
struct Program {
    path: PathBuf,
    arguments: Vec<OsString>,
    sockets: Vec<OwnedFd>,
}

/// The process that is to take the place of this one. It is killed when this is dropped.
struct Successor {
    child: Option<Child>,
    /// Receives a message when it serves.
    channel: UnixDatagram,
    deadline: Instant,
}

impl Program {
    /// The path is found out now: later it may be that of a file that has been replaced.
    fn of_this_process(sockets: &[Listener]) -> io::Result<Self> {
        Ok(Self {
            path: std::env::current_exe()?,
            arguments: std::env::args_os().skip(1).collect(),
            sockets: sockets.iter().map(Listener::duplicate).collect::<io::Result<_>>()?,
        })
    }

    fn start(&self) -> io::Result<Successor> {
        let (ours, theirs) = StdDatagram::pair()?;
        ours.set_nonblocking(true)?;
        let mut passed = self.sockets.iter().map(OwnedFd::try_clone).collect::<io::Result<Vec<_>>>()?;
        passed.push(theirs.into());
        let count = passed.len();
        let mapped = |(parent_fd, child_fd)| FdMapping { parent_fd, child_fd };
        let mut command = Command::new(&self.path);
        command.args(&self.arguments).env("LISTEN_FDS", count.to_string());
        // Those name this process, or the sockets that it has been passed. Without LISTEN_PID the sockets are for the process
        // that is started; without WATCHDOG_PID the watchdog is, too.
        for name in ["LISTEN_PID", "LISTEN_FDNAMES", "LISTEN_FDS_FIRST_FD", "WATCHDOG_PID"] {
            command.env_remove(name);
        }
        command
            .fd_mappings(passed.into_iter().zip(FIRST_DESCRIPTOR..).map(mapped).collect())
            .map_err(io::Error::other)?;
        let child = tokio::process::Command::from(command).spawn()?;
        tracing::info!(pid = child.id(), program = %self.path.display(), "started a successor");
        Ok(Successor {
            child: Some(child),
            channel: UnixDatagram::from_std(ours)?,
            deadline: Instant::now() + START_TIME,
        })
    }
}

impl Successor {
    /// Ready when it serves.
    ///
    /// # Errors
    /// When it has ended, or the time for its start is over.
    async fn ready(&mut self) -> io::Result<()> {
        let Some(child) = &mut self.child else { return Ok(()) };
        let mut message = [0; READY.len()];
        select! {
            biased;
            // Nobody else has the other end.
            received = self.channel.recv(&mut message) => received.map(drop),
            ended = child.wait() => Err(io::Error::other(format!("it has ended before it served: {}", ended?))),
            () = sleep_until(self.deadline) => Err(io::Error::other(format!("it does not serve after {START_TIME:?}"))),
        }
    }

    /// It serves, and is no longer this process's.
    fn leave(mut self) {
        self.child = None;
    }
}

impl Drop for Successor {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // It may have ended already.
            let _ = child.start_kill();
        }
    }
}

async fn readiness(successor: &mut Option<Successor>) -> io::Result<()> {
    match successor {
        Some(successor) => successor.ready().await,
        None => std::future::pending().await,
    }
}

/// The next of a kind of signals; never, when there are no more.
async fn next(signal: &mut Signal) {
    if signal.recv().await.is_none() {
        std::future::pending().await
    }
}

/// Twice in the time after which systemd takes the service for dead; `None` without a watchdog.
fn watchdog() -> Option<Interval> {
    let mut interval = interval(sd_notify::watchdog_enabled()?.max(SHORTEST_WATCHDOG) / 2);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    Some(interval)
}

async fn tick(watchdog: &mut Option<Interval>) {
    match watchdog {
        Some(interval) => drop(interval.tick().await),
        None => std::future::pending().await,
    }
}

/// Tells the service manager and the server that this process replaces that it serves.
fn announce_readiness() {
    // After a restart by a signal the service manager knows the main process by this only.
    announce(&[NotifyState::Ready, NotifyState::MainPid(std::process::id())]);
    if let Some(predecessor) = take_predecessor()
        && let Err(error) = predecessor.send(READY)
    {
        tracing::warn!(%error, "cannot tell the server that this one replaces that it serves");
    }
}

/// Nothing without `NOTIFY_SOCKET`.
fn announce(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, ?states, "cannot notify the service manager by NOTIFY_SOCKET");
    }
}

fn report_failure(error: &io::Error) {
    tracing::error!(%error, "the restart has failed, and this process continues");
}

const READY: &[u8] = b"ready";
/// sd_listen_fds(3): `SD_LISTEN_FDS_START`.
const FIRST_DESCRIPTOR: i32 = 3;
/// How long a successor may take until it serves.
const START_TIME: Duration = Duration::from_secs(30);
/// A shorter time than any that is meant would keep the process busy.
const SHORTEST_WATCHDOG: Duration = Duration::from_millis(10);
