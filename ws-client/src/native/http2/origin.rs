//! One server: the open connections to it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::link::{Lease, Link, Shared};

/// One server, by one way.
#[derive(Debug, Default)]
pub(crate) struct Origin {
    /// Locked by the attempt that opens a connection, so that others wait for it and then share it.
    pub(crate) opening: tokio::sync::Mutex<()>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    links: Vec<Link>,
    /// Whether the server is known to offer no WebSockets over HTTP/2.
    http1: bool,
}

impl Origin {
    /// Returns a place on an open connection that has one. Connections that have ended are dropped.
    pub(crate) fn lease(&self) -> Option<Lease> {
        let mut state = self.state();
        // The first that has room: the connections behind it become idle, and are closed.
        let mut lease = None;
        state.links.retain_mut(|link| {
            if !link.is_open() {
                return false;
            }
            lease = lease.take().or_else(|| link.lease());
            true
        });
        lease
    }

    /// Shares an open connection.
    pub(crate) fn add(&self, link: Link) {
        self.state().links.push(link);
    }

    /// Shares a connection no longer.
    pub(super) fn remove(&self, shared: &Arc<Shared>) {
        self.state().links.retain(|link| !link.is(shared));
    }

    /// The same if the connection has no WebSocket. Returns whether the connection is not shared now.
    pub(super) fn remove_idle(&self, shared: &Arc<Shared>) -> bool {
        // Places are taken under the same lock, so that none is taken on a connection that is being removed.
        let mut state = self.state();
        state.links.retain(|link| !link.is(shared) || !shared.is_idle());
        !state.links.iter().any(|link| link.is(shared))
    }

    pub(super) fn has_links(&self) -> bool {
        !self.state().links.is_empty()
    }

    /// Whether the server is known to offer no WebSockets over HTTP/2.
    pub(crate) fn is_http1(&self) -> bool {
        self.state().http1
    }

    /// Remembers that the server offers no WebSockets over HTTP/2.
    pub(crate) fn remember_http1(&self) {
        self.state().http1 = true;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
