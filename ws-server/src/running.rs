//! An open WebSocket and its handler, to the end; and what the log says.

use std::future::Future;

use tracing::{debug, error, info};
use ws_core::{CloseInfo, Closer};

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
        match handler.await {
            Ok(Ok(())) => debug!("handler done"),
            Ok(Err(error)) => info!(%error, "handler ended with an error"),
            Err(panic) => {
                stats.count_panic();
                error!(%panic, "handler panicked");
            }
        }
        if let Some(info) = closer.close_info() {
            report_close(&info);
        }
        if let Some(mut stream) = rest.take() {
            // The handler dropped its WebSocket without closing it, or panicked. The peer has been sent 1001 or
            // 1011 (F(1011)), if it could be without waiting; now it shall see that before the connection goes.
            // Boxed, as few connections come to this.
            Box::pin(linger(&mut stream, options.linger_timeout, options.linger_bytes)).await;
        }
    }
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
