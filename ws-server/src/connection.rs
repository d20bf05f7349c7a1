//! The life of one connection of a server.

use std::future::Future;
use std::sync::Arc;

#[cfg(feature = "tls")]
use http::{Method, StatusCode};
use tokio::select;
use tokio::sync::oneshot;
use tokio::time::Instant;
#[cfg(feature = "tls")]
use tokio::time::timeout_at;
#[cfg(feature = "tls")]
use tokio_rustls::TlsAcceptor;
use tracing::{debug, error, info};
use ws_core::{CloseInfo, Closer};

use crate::WebSocket;
use crate::admission::Permit;
use crate::error::AcceptError;
use crate::exchange::linger;
#[cfg(feature = "tls")]
use crate::exchange::{answer, encode_or_500};
use crate::handler::HandlerFuture;
use crate::opening::{Client, open};
use crate::panic::{Caught, caught};
#[cfg(feature = "tls")]
use crate::response::text;
use crate::server::Shared;
use crate::stats::Counted;
use crate::stream::{Rest, Socket, Stream};

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

/// An open WebSocket that its handler has been given. Small: it lives as long as the connection.
struct Running {
    handler: Caught<<HandlerFuture as Future>::Output>,
    closer: Closer,
    rest: Rest,
    _permit: Option<Permit>,
    _open: Counted,
}

/// Serves one connection to its end.
pub(crate) async fn serve(seat: Seat, arrival: Box<Arrival>) {
    // Boxed: the handshake's memory is given back before the handler's long life begins.
    match Box::pin(arrive(&seat, arrival)).await {
        Ok(running) => run(&seat, running).await,
        Err(error) => report(&seat.server, &error),
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
    let deadline = Instant::now() + options.timeout;
    #[cfg(feature = "tls")]
    let (mut stream, client) = encrypt(server, socket, client, deadline).await?;
    #[cfg(not(feature = "tls"))]
    let mut stream = Stream::from(socket);
    let opened = open(&mut stream, server, client, options, deadline).await?;
    let Some(handler) = opened.handler else { return Err(AcceptError::Closed) };
    tracing::Span::current().record("path", opened.request.path());
    debug!(subprotocol = opened.request.subprotocol(), "open");
    let rest = stream.rest();
    let mut websocket = WebSocket::new(stream, opened.connection, &opened.received);
    let closer = websocket.closer();
    server.registry.opened(seat.id, closer.clone());
    let request = opened.request;
    let _open = server.stats.websocket();
    let handler = caught(|| handler(websocket, request));
    Ok(Running { handler, closer, rest, _permit: opened.permit, _open })
}

/// Does the TLS handshake, if the server has TLS.
#[cfg(feature = "tls")]
async fn encrypt(
    server: &Shared,
    mut socket: Socket,
    mut client: Client,
    deadline: Instant,
) -> Result<(Stream, Client), AcceptError> {
    let Some(tls) = &server.tls else { return Ok((socket.into(), client)) };
    let options = &server.options.handshake;
    let late = |_| AcceptError::Timeout(options.timeout);
    if timeout_at(deadline, speaks_http(&socket)).await.map_err(late)? {
        let response = text(StatusCode::BAD_REQUEST, "This port speaks TLS: use https:// or wss://.");
        answer(&mut socket, &encode_or_500(&response, &Method::GET).0, options).await?;
        return Err(AcceptError::Malformed(StatusCode::BAD_REQUEST));
    }
    let accepting = TlsAcceptor::from(tls.config()).accept(socket);
    let stream = timeout_at(deadline, accepting).await.map_err(late)?.map_err(AcceptError::Tls)?;
    client.secure = true;
    client.certificates = stream.get_ref().1.peer_certificates().map(<[_]>::to_vec).unwrap_or_default();
    Ok((stream.into(), client))
}

/// Whether the first byte is the letter of an HTTP method; a TLS record begins with 22.
#[cfg(feature = "tls")]
async fn speaks_http(socket: &Socket) -> bool {
    let mut first = [0];
    match socket {
        Socket::Tcp(socket) => {
            matches!(socket.peek(&mut first).await, Ok(1)) && first[0].is_ascii_alphabetic()
        }
        #[cfg(unix)]
        Socket::Unix(_) => false,
    }
}

async fn run(seat: &Seat, running: Running) {
    let Running { handler, closer, rest, _permit, _open } = running;
    match handler.await {
        Ok(Ok(())) => debug!("handler done"),
        Ok(Err(error)) => info!(%error, "handler ended with an error"),
        Err(panic) => {
            seat.server.stats.count_panic();
            error!(%panic, "handler panicked");
        }
    }
    if let Some(info) = closer.close_info() {
        report_close(&info);
    }
    if let Some(mut stream) = rest.take() {
        // The handler dropped its WebSocket without closing it, or panicked. The peer has been sent 1001 or
        // 1011 (F(1011)), if it could be without waiting; now it shall see that before the connection goes.
        let options = &seat.server.options.handshake;
        // Boxed, as few connections come to this.
        Box::pin(linger(&mut stream, options.linger_timeout, options.linger_bytes)).await;
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
