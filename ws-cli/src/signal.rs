//! The signals that end a command: Ctrl-C, and SIGTERM where there is one.

use std::io;

use crate::failure::{Failure, Status};

/// Waits for signals; from its making on they no longer end the process by themselves.
pub(crate) struct Signals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

/// What [`Signals::next`] gives for Ctrl-C.
pub(crate) const INTERRUPTED: Status = Status::Signal(2);

impl Signals {
    pub(crate) fn new() -> Result<Self, Failure> {
        Self::listen().map_err(|e| Failure::other(format!("cannot wait for signals: {e}")))
    }

    #[cfg(unix)]
    fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    #[cfg(not(unix))]
    fn listen() -> io::Result<Self> {
        Ok(Self {})
    }

    /// The next one, as the exit status it leads to. The future can be dropped without losing any.
    #[cfg(unix)]
    pub(crate) async fn next(&mut self) -> Status {
        tokio::select! {
            _ = self.interrupt.recv() => INTERRUPTED,
            _ = self.terminate.recv() => Status::Signal(15),
        }
    }

    #[cfg(not(unix))]
    pub(crate) async fn next(&mut self) -> Status {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        INTERRUPTED
    }
}
