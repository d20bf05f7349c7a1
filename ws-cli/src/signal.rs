//! The signals that end a command: Ctrl-C; on Unix SIGTERM; on Windows Ctrl-Break and the end of the console.

use std::io;

use crate::failure::{Failure, Status};

/// Waits for signals; from its making on they no longer end the process by themselves.
pub(crate) struct Signals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(windows)]
    interrupt: tokio::signal::windows::CtrlC,
    #[cfg(windows)]
    quit: tokio::signal::windows::CtrlBreak,
    #[cfg(windows)]
    close: tokio::signal::windows::CtrlClose,
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

    #[cfg(windows)]
    fn listen() -> io::Result<Self> {
        use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_close};
        Ok(Self { interrupt: ctrl_c()?, quit: ctrl_break()?, close: ctrl_close()? })
    }

    /// The next one, as the exit status it leads to. The future can be dropped without losing any.
    #[cfg(unix)]
    pub(crate) async fn next(&mut self) -> Status {
        tokio::select! {
            _ = self.interrupt.recv() => INTERRUPTED,
            _ = self.terminate.recv() => Status::Signal(15),
        }
    }

    #[cfg(windows)]
    pub(crate) async fn next(&mut self) -> Status {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.quit.recv() => {}
            _ = self.close.recv() => {}
        }
        INTERRUPTED
    }
}
