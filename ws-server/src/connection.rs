//! The life of one connection of a server.

use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use tracing::{debug, error, info};

use crate::WebSocket;
use crate::error::AcceptError;
use crate::exchange::linger;
use crate::handler::AnyHandler;
use crate::opening::{Client, open};
use crate::panic::caught;
use crate::request::Request;
use crate::server::Shared;
use crate::stats::Counted;
use crate::stream::{Rest, Stream};

/// What a connection occupies; given back when it is dropped, however the task ends.
pub(crate) struct Seat {
    pub(crate) server: Arc<Shared>,
    pub(crate) id: u64,
    pub(crate) _permit: OwnedSemaphorePermit,
    pub(crate) _counted: Counted,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.server.registry.remove(self.id);
    }
}

/// An open WebSocket, and the handler that is to be given it.
struct Open {
    handler: AnyHandler,
    websocket: WebSocket,
    request: Request,
    rest: Rest,
    _open: Counted,
}

/// Serves one connection to its end.
pub(crate) async fn serve(seat: Seat, stream: Stream, client: Client) {
    // Boxed: the handshake's memory is given back before the handler's long life begins.
    match Box::pin(start(&seat, stream, client)).await {
        Ok(open) => run(&seat, *open).await,
        Err(error) => report(&seat.server, &error),
    }
}

/// From the accepted connection to the open WebSocket.
async fn start(seat: &Seat, mut stream: Stream, client: Client) -> Result<Box<Open>, AcceptError> {
    let server = &*seat.server;
    let options = &server.options.handshake;
    let deadline = Instant::now() + options.timeout;
    let opened = open(&mut stream, &server.routes, client, options, deadline).await?;
    let Some(handler) = opened.handler else { return Err(AcceptError::Closed) };
    tracing::Span::current().record("path", opened.request.path());
    debug!(subprotocol = opened.request.subprotocol(), "open");
    let rest = stream.rest();
    let mut websocket = WebSocket::new(stream, opened.connection, &opened.received);
    server.registry.opened(seat.id, websocket.closer());
    let request = opened.request;
    Ok(Box::new(Open { handler, websocket, request, rest, _open: server.stats.websocket() }))
}

async fn run(seat: &Seat, open: Open) {
    let Open { handler, websocket, request, rest, _open } = open;
    match caught(|| handler(websocket, request)).await {
        Ok(Ok(())) => debug!("handler done"),
        Ok(Err(error)) => info!(%error, "handler ended with an error"),
        Err(panic) => {
            seat.server.stats.count_panic();
            error!(%panic, "handler panicked");
        }
    }
    if let Some(mut stream) = rest.take() {
        // The handler dropped its WebSocket without closing it, or panicked. The peer has been sent 1001 or
        // 1011 (F(1011)), if it could be without waiting; now it shall see that before the connection goes.
        let options = &seat.server.options.handshake;
        linger(&mut stream, options.linger_timeout, options.linger_bytes).await;
    }
}

fn report(server: &Shared, error: &AcceptError) {
    match error {
        AcceptError::Plain(status) => {
            server.stats.count_plain();
            debug!(%status, "answered as plain HTTP");
        }
        AcceptError::Refused(status) => {
            server.stats.count_refused();
            info!(%status, "refused");
        }
        AcceptError::Panicked(panic) => {
            server.stats.count_panic();
            error!(%panic, "a guard or a page panicked; answered with status 500");
        }
        AcceptError::Answer(error) => {
            server.stats.count_refused();
            error!(%error, "a handler's answer must not be written; answered with status 500");
        }
        other => {
            server.stats.count_failed_handshake();
            info!(error = %other, "opening handshake failed");
        }
    }
}
