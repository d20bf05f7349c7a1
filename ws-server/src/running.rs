//! An open WebSocket and its handler, to the end; and what the log says.

use std::error::Error;
use std::future::Future;

use tracing::{debug, error, info};
use ws_core::{CloseInfo, Closer, Initiator};

use crate::WebSocket;
use crate::admission::Permit;
use crate::error::AcceptError;
use crate::exchange::linger;
use crate::handler::HandlerFuture;
use crate::opening::Opened;
use crate::options::HandshakeOptions;
use crate::panic::{Caught, caught};
use crate::registry::Registry;
use crate::request::Request;
use crate::stats::{Counted, Stats};
use crate::stream::{Rest, Stream};

/// An open WebSocket that its handler has been given. Small: it lives as long as the connection.
pub(crate) struct Running {
    handler: Caught<<HandlerFuture as Future>::Output>,
    closer: Closer,
    rest: Rest,
    _permit: Option<Permit>,
    _open: Counted,
}

impl Running {
    /// Gives an open WebSocket to its handler.
    pub(crate) fn start(
        mut stream: Stream,
        opened: Opened,
        handler: impl FnOnce(WebSocket, Request) -> HandlerFuture,
        id: u64,
        registry: &Registry,
        stats: &Stats,
    ) -> Self {
        let Opened { connection, request, permit, received, .. } = opened;
        tracing::Span::current().record("path", request.path());
        debug!(subprotocol = request.subprotocol(), "open");
        let rest = stream.rest();
        let mut websocket = WebSocket::new(stream, connection, &received);
        let closer = websocket.closer();
        registry.opened(id, closer.clone());
        let _open = stats.websocket();
        Self { handler: caught(|| handler(websocket, request)), closer, rest, _permit: permit, _open }
    }

    /// Until the handler is done and the peer has seen the end.
    pub(crate) async fn finish(self, stats: &Stats, options: &HandshakeOptions) {
        let Self { handler, closer, rest, _permit, _open } = self;
        report_end(handler.await, &closer, stats);
        if let Some(mut stream) = rest.take() {
            // The handler dropped its WebSocket without closing it, or panicked. The peer has been sent 1001 or
            // 1011 (F(1011)), if it could be without waiting; now it shall see that before the connection goes.
            // Boxed, as few connections come to this.
            Box::pin(linger(&mut stream, options.linger_timeout, options.linger_bytes)).await;
        }
    }
}

/// What a handler comes to: its own outcome, or the text of its panic.
type Ended = <Caught<<HandlerFuture as Future>::Output> as Future>::Output;

/// What came of the handler and of the connection. No future holds any of it: its task is to be small.
fn report_end(ended: Ended, closer: &Closer, stats: &Stats) {
    let info = closer.close_info();
    match ended {
        Ok(Ok(())) => debug!("handler done"),
        // What the peer closed with is said below; the error has the reason, which is the peer's own words.
        Ok(Err(error)) if info.as_ref().is_some_and(|info| is_peers_close(&*error, info)) => {
            debug!("handler ended with the peer's close");
        }
        Ok(Err(error)) => info!(%error, "handler ended with an error"),
        Err(panic) => {
            stats.count_panic();
            error!(%panic, "handler panicked");
        }
    }
    if let Some(info) = &info {
        report_close(info);
    }
}

/// Whether a handler's error only passes on that the peer has closed: no failure of the handler's.
fn is_peers_close(error: &(dyn Error + 'static), info: &CloseInfo) -> bool {
    // With a code that reports a fault `recv` returns it, and the handler may have put it into an error of its own.
    let passed_on = matches!(error.downcast_ref(), Some(ws_core::Error::Closed(_))) || !info.is_normal();
    info.is_clean() && info.initiator == Initiator::Remote && passed_on
}

/// How the connection ended; without the reason, which is the peer's own words.
fn report_close(info: &CloseInfo) {
    info!(
        initiator = ?info.initiator,
        cause = %info.cause,
        sent = info.sent.map(u16::from),
        received = info.received.map(u16::from),
        rtt = info.rtt.map(|rtt| rtt.as_secs_f64()),
        unsent = info.unsent,
        "closed"
    );
}

/// An opening handshake that came to nothing.
pub(crate) fn report(stats: &Stats, error: &AcceptError) {
    match error {
        AcceptError::Plain(status) => {
            stats.count_plain();
            debug!(%status, "answered as plain HTTP");
        }
        AcceptError::Refused(status) => {
            stats.count_refused();
            info!(%status, "refused");
        }
        AcceptError::NotAllowed(refusal) => {
            stats.count_refused();
            info!(status = %refusal.status(), reason = refusal.body().trim_end(), "refused");
        }
        AcceptError::Panicked(panic) => {
            stats.count_panic();
            error!(%panic, "a guard or a page panicked; answered with status 500");
        }
        AcceptError::Answer(error) => {
            stats.count_refused();
            error!(%error, "a handler's answer must not be written; answered with status 500");
        }
        other => {
            stats.count_failed_handshake();
            info!(error = %other, "opening handshake failed");
        }
    }
}
