//! The servers that a client has connections to.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::origin::Origin;
use crate::request::Request;
use crate::route::Route;

/// What WebSockets have in common that can share a connection. The TLS identity belongs to it too; a client, and so a pool,
/// has only one.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    secure: bool,
    host: String,
    port: u16,
    route: Route,
}

impl Key {
    pub(crate) fn new(request: &Request, route: &Route) -> Self {
        Self {
            secure: request.is_secure(),
            host: request.host().to_string(),
            port: request.port(),
            route: route.clone(),
        }
    }
}

/// The servers that a client has connections to. The clones of a client share it.
#[derive(Debug, Default)]
pub(crate) struct Pool(Mutex<HashMap<Key, Arc<Origin>>>);

impl Pool {
    /// Returns what is known of a server.
    pub(crate) fn origin(&self, key: Key) -> Arc<Origin> {
        let mut origins = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if origins.len() >= MANY && !origins.contains_key(&key) {
            origins.retain(|_, origin| Arc::strong_count(origin) > 1 || origin.has_links());
        }
        origins.entry(key).or_default().clone()
    }
}

/// The number of servers from which those without a connection are forgotten. It bounds the memory of a client that connects to ever
/// new servers.
const MANY: usize = 1024;
