//! The signals that ask a program to end.

use std::future::pending;
use std::io;

/// Ready when the program is asked to end: by Ctrl-C; on Unix also by SIGTERM, which Docker, systemd and Kubernetes
/// send; on Windows also by Ctrl-Break, when the console closes and when the system shuts down.
///
/// Give it to [`Server::serve_until`](crate::Server::serve_until). From the first poll on these signals no longer end
/// the process by themselves; the second one neither. Where they cannot be listened to, which is logged, it is never
/// ready.
pub async fn shutdown_signal() {
    if let Err(error) = signal().await {
        tracing::error!(%error, "cannot listen to the signals that end a program");
        pending::<()>().await;
    }
}

#[cfg(unix)]
async fn signal() -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

#[cfg(windows)]
async fn signal() -> io::Result<()> {
    use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_close, ctrl_shutdown};
    let (mut interrupt, mut quit) = (ctrl_c()?, ctrl_break()?);
    let (mut close, mut shutdown) = (ctrl_close()?, ctrl_shutdown()?);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = quit.recv() => {}
        _ = close.recv() => {}
        _ = shutdown.recv() => {}
    }
    Ok(())
}

#[cfg(not(any(unix, windows)))]
async fn signal() -> io::Result<()> {
    tokio::signal::ctrl_c().await
}
