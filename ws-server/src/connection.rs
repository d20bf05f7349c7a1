//! The life of one connection of a server.

use std::sync::Arc;

use tokio::select;
use tokio::sync::oneshot;

use crate::admission::Permit;
use crate::client::Client;
#[cfg(feature = "tls")]
use crate::encryption::encrypt;
use crate::error::AcceptError;
use crate::opening::open;
use crate::options::from_now;
use crate::running::{Running, report};
use crate::shared::Shared;
use crate::stats::Counted;
use crate::stream::Socket;
#[cfg(not(feature = "tls"))]
use crate::stream::Stream;

/// A connection that has been accepted.
pub(crate) struct Arrival {
    pub(crate) socket: Socket,
    pub(crate) client: Client,
    /// To be in the opening handshake; given back when that is over.
    pub(crate) permit: Permit,
    /// Tells that it has to make way for a newer one.
    pub(crate) displaced: oneshot::Receiver<()>,
}

/// What a connection occupies; given back when it is dropped, however the task ends.
pub(crate) struct Seat {
    pub(crate) server: Arc<Shared>,
    pub(crate) id: u64,
    pub(crate) _counted: Counted,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.server.registry.remove(self.id);
    }
}

/// Serves one connection to its end.
pub(crate) async fn serve(seat: Seat, arrival: Box<Arrival>) {
    // Boxed: the handshake's memory is given back before the handler's long life begins.
    match Box::pin(arrive(&seat, arrival)).await {
        Ok(running) => running.finish(&seat.server.stats, &seat.server.options.handshake).await,
        Err(error) => report(&seat.server.stats, &error),
    }
}

/// The opening handshake, for as long as it keeps its permit.
async fn arrive(seat: &Seat, arrival: Box<Arrival>) -> Result<Running, AcceptError> {
    let Arrival { socket, client, permit: _permit, displaced } = *arrival;
    select! {
        biased;
        started = start(seat, socket, client) => started,
        Ok(()) = displaced => Err(AcceptError::Displaced),
    }
}

/// From the accepted connection to the open WebSocket.
async fn start(seat: &Seat, socket: Socket, client: Client) -> Result<Running, AcceptError> {
    let server = &*seat.server;
    let options = &server.options.handshake;
    let deadline = from_now(options.timeout);
    #[cfg(feature = "tls")]
    let (mut stream, client) = encrypt(server, socket, client, deadline).await?;
    #[cfg(not(feature = "tls"))]
    let mut stream = Stream::from(socket);
    let mut opened = open(&mut stream, server, client, options, deadline).await?;
    let Some(handler) = opened.handler.take() else { return Err(AcceptError::Closed) };
    let handler = move |websocket, request| handler(websocket, request);
    Ok(Running::start(stream, opened, handler, seat.id, &server.registry, &server.stats))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size_of_future<F>(_: impl FnOnce(Seat, Box<Arrival>) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn the_task_of_a_connection_is_small() {
        // What is open for hours is this and the handler's own future.
        let size = size_of_future(serve);
        assert!(size <= 448, "{size} bytes");
    }
}
