//! Sockets that another process has passed to this one: a service manager, or the server that this one replaces.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use listenfd::ListenFd;
use std::os::unix::net::UnixDatagram;
use tokio::net::{TcpListener, UnixListener};

use crate::transport::listener::Listener;

/// Takes the sockets, at the first call in a process.
pub(crate) fn take() -> io::Result<Vec<Listener>> {
    if TAKEN.swap(true, Ordering::SeqCst) {
        return Ok(Vec::new());
    }
    let mut passed = ListenFd::from_env();
    let mut listeners = Vec::new();
    for index in 0..passed.len() {
        let descriptor = FIRST_DESCRIPTOR + index;
        if let Ok(Some(listener)) = passed.take_tcp_listener(index) {
            check_listens(&listener, descriptor)?;
            listener.set_nonblocking(true)?;
            listeners.push(TcpListener::from_std(listener)?.into());
        } else if let Ok(Some(listener)) = passed.take_unix_listener(index) {
            check_listens(&listener, descriptor)?;
            listener.set_nonblocking(true)?;
            listeners.push(UnixListener::from_std(listener)?.into());
        } else if let Ok(Some(predecessor)) = passed.take_unix_datagram(index) {
            // A service manager passes none for a protocol over TCP: it is from `serve::service`.
            *PREDECESSOR.lock().unwrap_or_else(PoisonError::into_inner) = Some(predecessor);
        } else {
            return Err(no_listener(descriptor));
        }
    }
    Ok(listeners)
}

/// Takes the connection to the server that this process replaces, if it does; [`take`] has been called before.
pub(crate) fn take_predecessor() -> Option<UnixDatagram> {
    PREDECESSOR.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// A service manager can pass connections instead, which cannot be accepted on.
fn check_listens(socket: &impl std::os::fd::AsFd, descriptor: usize) -> io::Result<()> {
    #[cfg(any(target_os = "android", target_os = "linux"))]
    if !socket2::SockRef::from(socket).is_listener()? {
        return Err(no_listener(descriptor));
    }
    let _ = (socket, descriptor);
    Ok(())
}

fn no_listener(descriptor: usize) -> io::Error {
    let text = format!(
        "descriptor {descriptor} is not a TCP or Unix socket that listens; in a socket unit of systemd use ListenStream= and \
         Accept=no"
    );
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

/// sd_listen_fds(3): `SD_LISTEN_FDS_START`.
const FIRST_DESCRIPTOR: usize = 3;
/// The sockets belong to the process, and are owned by the first caller that takes them.
static TAKEN: AtomicBool = AtomicBool::new(false);
static PREDECESSOR: Mutex<Option<UnixDatagram>> = Mutex::new(None);
