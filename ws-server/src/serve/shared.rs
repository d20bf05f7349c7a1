//! What all connections of a server share.

#[cfg(feature = "tls")]
use std::sync::Arc;

use crate::config::options::ServerOptions;
use crate::hub::admission::Admission;
use crate::hub::registry::Registry;
use crate::hub::stats::Stats;
use crate::opening::handshake::Found;
use crate::opening::routes::Routes;
#[cfg(feature = "tls")]
use crate::transport::current_tls::CurrentTls;

/// What all connections of a server share.
pub(crate) struct Shared {
    pub(crate) options: ServerOptions,
    pub(crate) routes: Routes,
    pub(crate) registry: Registry,
    pub(crate) stats: Stats,
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<Arc<CurrentTls>>,
    pub(crate) admission: Admission,
}

impl Shared {
    /// What is at a path; `None` when nothing is.
    pub(crate) fn find(&self, path: &str) -> Option<Found<'_>> {
        let admission = Some(&self.admission);
        if let Some((route, params)) = self.routes.at(path) {
            let (handler, gate) = route.endpoint.as_ref().map(|(handler, gate)| (handler, gate)).unzip();
            let (page, any_host) = (route.page.as_ref(), route.any_host);
            return Some(Found { gate, handler, page, params, admission, any_host });
        }
        let page = Some(self.routes.fallback()?);
        Some(Found { gate: None, handler: None, page, params: Vec::new(), admission, any_host: false })
    }
}
