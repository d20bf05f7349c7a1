//! Listeners for single cases: a case over HTTP/2 that begins before the request cannot learn its number from the
//! request, so that each has a port.

use std::{collections::HashMap, sync::Arc};

use tokio::{net::TcpListener, task::JoinSet};

use crate::native::{
    against_client::Fuzzer,
    probe::{Probe, http2},
    script::{Case, Script},
    target::Version,
};

/// The listeners of the cases that need one.
#[derive(Debug, Default)]
pub(crate) struct Doors {
    listeners: Vec<(usize, TcpListener)>,
}

/// The ports to which a client connects.
#[derive(Clone, Debug)]
pub(crate) struct Ports {
    main: u16,
    separate: HashMap<usize, u16>,
}

impl Ports {
    /// Creates the ports of a suite that listens on one.
    pub(crate) fn one(main: u16) -> Self {
        Self { main, separate: HashMap::new() }
    }

    /// Returns the port of a case by its number, counted from 1.
    pub(crate) fn of(&self, n: usize) -> u16 {
        self.separate.get(&n).copied().unwrap_or(self.main)
    }
}

/// Returns the probe of a case that begins before the request.
fn begins_early(case: &Case) -> Option<&Probe> {
    match &case.script {
        Script::Probe(probe) if probe.version == Version::Http2 => Some(probe),
        _ => None,
    }
}

impl Doors {
    /// Listens for each case that begins before the request.
    ///
    /// # Errors
    /// No port is free.
    pub(crate) async fn open(cases: &[Case]) -> Result<Self, String> {
        let mut listeners = Vec::new();
        for (n, _) in cases.iter().enumerate().filter(|(_, case)| begins_early(case).is_some()) {
            let bound = TcpListener::bind(("127.0.0.1", 0)).await;
            listeners.push((n, bound.map_err(|e| format!("no free port: {e}"))?));
        }
        Ok(Self { listeners })
    }

    /// Returns the ports; `main` is that of the other cases.
    pub(crate) fn ports(&self, main: u16) -> Ports {
        let port = |(n, listener): &(usize, TcpListener)| {
            listener.local_addr().ok().map(|address| (n.saturating_add(1), address.port()))
        };
        Ports { main, separate: self.listeners.iter().filter_map(port).collect() }
    }

    /// Runs each case with the first connection to its port. Dropping the future ends all of them.
    pub(crate) async fn serve(self, fuzzer: Arc<Fuzzer>, agent: &str) {
        let mut tasks = JoinSet::new();
        for (n, listener) in self.listeners {
            let (fuzzer, agent) = (Arc::clone(&fuzzer), agent.to_owned());
            tasks.spawn(async move {
                let Ok((stream, _)) = listener.accept().await else { return };
                let Some(stream) = fuzzer.secured(stream).await else { return };
                let Some(case) = fuzzer.case(n) else { return };
                let Some(probe) = begins_early(case) else { return };
                let record = http2::on_client(stream, case, probe, fuzzer.patience().answer);
                fuzzer.run(n, agent, record).await;
            });
        }
        tasks.join_all().await;
        // A case that the client does not run has failed.
        std::future::pending::<()>().await;
    }
}
