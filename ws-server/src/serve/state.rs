//! What all connections of a server share.

use std::sync::Arc;

use crate::hub::Hub;
use crate::opening::handshake::Found;
use crate::opening::routes::Routes;
#[cfg(feature = "tls")]
use crate::transport::current_tls::CurrentTls;
#[cfg(feature = "tls")]
use crate::transport::tls::ENCRYPTION_MEMORY;

/// What all connections of a server share.
pub(crate) struct ServerState {
    pub(crate) hub: Arc<Hub>,
    pub(crate) routes: Routes,
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<Arc<CurrentTls>>,
}

impl ServerState {
    /// What TLS holds for a connection, in bytes of memory.
    pub(crate) fn encryption_memory(&self) -> usize {
        #[cfg(feature = "tls")]
        return if self.tls.is_some() { ENCRYPTION_MEMORY } else { 0 };
        #[cfg(not(feature = "tls"))]
        return 0;
    }

    /// What is at a path; `None` when nothing is.
    pub(crate) fn find(&self, path: &str) -> Option<Found<'_>> {
        let admission = Some(&self.hub.admission);
        if let Some((route, params)) = self.routes.at(path) {
            let (handler, gate) = route.endpoint.as_ref().map(|(handler, gate)| (handler, gate)).unzip();
            let (page, any_host) = (route.page.as_ref(), route.any_host);
            return Some(Found { gate, handler, page, params, admission, any_host });
        }
        let page = Some(self.routes.fallback()?);
        Some(Found { gate: None, handler: None, page, params: Vec::new(), admission, any_host: false })
    }
}
