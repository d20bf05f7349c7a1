//! The life of one connection of a server.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use tracing::{debug, error, info};
use ws_core::WebSocket;

use crate::error::AcceptError;
use crate::exchange::linger;
use crate::handler::HandlerFuture;
use crate::opening::{Client, open};
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

/// An open WebSocket that its handler has been given.
struct Running {
    handler: HandlerFuture,
    rest: Rest,
    _open: Counted,
}

/// Serves one connection to its end.
pub(crate) async fn serve(seat: Seat, stream: Stream, client: Client) {
    // Boxed: the handshake's memory is given back before the handler's long life begins.
    match Box::pin(start(&seat, stream, client)).await {
        Ok(running) => run(&seat, running).await,
        Err(error) => report(&seat.server, &error),
    }
}

/// From the accepted connection to the handler's first turn.
async fn start(seat: &Seat, mut stream: Stream, client: Client) -> Result<Running, AcceptError> {
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
    let open = server.stats.websocket();
    let request = opened.request;
    // The call itself runs under the same protection as what it returns.
    let handler: HandlerFuture = Box::pin(async move { handler(websocket, request).await });
    Ok(Running { handler, rest, _open: open })
}

async fn run(seat: &Seat, running: Running) {
    let Running { handler, rest, _open } = running;
    match Guarded(handler).await {
        Ok(Ok(())) => debug!("handler done"),
        Ok(Err(error)) => info!(%error, "handler ended with an error"),
        Err(panic) => {
            seat.server.stats.count_panic();
            error!(panic = panic_text(&*panic), "handler panicked");
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

/// A handler whose panics end in its result.
struct Guarded(HandlerFuture);

impl Future for Guarded {
    type Output = Result<<HandlerFuture as Future>::Output, Box<dyn Any + Send>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let handler = self.0.as_mut();
        // Nothing of the handler is used after a panic, so nothing half-changed can be seen.
        match catch_unwind(AssertUnwindSafe(|| handler.poll(context))) {
            Ok(poll) => poll.map(Ok),
            Err(panic) => Poll::Ready(Err(panic)),
        }
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("(no text)")
}
