//! The life of one connection of a server.

#[cfg(feature = "http2")]
use std::pin::pin;
use std::sync::Arc;

use tokio::select;
#[cfg(feature = "http2")]
use tokio::time::timeout_at;
use tokio::time::{Instant, sleep_until};
use tracing::Instrument;

use crate::config::error::AcceptError;
use crate::hub::Seat;
use crate::hub::admission::Admission;
use crate::hub::handshakes::{Handshake, Progress};
#[cfg(feature = "http2")]
use crate::hub::memory::HTTP_2;
use crate::opening::handshake::open;
#[cfg(feature = "tls")]
use crate::serve::encryption::encrypt;
#[cfg(feature = "http2")]
use crate::serve::http2::{self, Http2Connection};
use crate::serve::proxied::learn_client;
use crate::serve::running::{Running, reported};
use crate::serve::state::ServerState;
use crate::serve::visit::Visit;
use crate::transport::peer::Peer;
#[cfg(feature = "http2")]
use crate::transport::replayed::begins_http2;
use crate::transport::socket::Socket;
#[cfg(any(feature = "http2", not(feature = "tls")))]
use crate::transport::stream::Stream;
use crate::transport::watched::Watched;

/// A connection that has been accepted.
pub(crate) struct Arrival {
    pub(crate) server: Arc<ServerState>,
    pub(crate) socket: Socket,
    pub(crate) peer: Peer,
    /// When the header of the PROXY protocol has to be there, if the peer is a proxy that sends one.
    pub(crate) header_deadline: Option<Instant>,
    /// When the handshake has to be done.
    pub(crate) deadline: Instant,
    pub(crate) handshake: Handshake,
}

/// Serves one connection to its end.
#[expect(clippy::manual_async_fn, reason = "an async function keeps its arguments twice")]
pub(crate) fn serve(seat: Seat, arrival: Box<Arrival>) -> impl Future<Output = ()> {
    async move {
        // Boxed so that the memory of the handshake is freed before the long life begins. By reference, as in `run`.
        let span = arrival.peer.handshake_span(None);
        match &mut Box::pin(reported(&seat, arrive(&seat, arrival)).instrument(span)).await {
            Some(Life::WebSocket(running)) => running.finish(&seat).await,
            #[cfg(feature = "http2")]
            Some(Life::Http2(connection)) => Box::pin(connection.serve()).await,
            None => {}
        }
    }
}

/// What a connection is after its handshake.
enum Life {
    WebSocket(Running),
    /// Many WebSockets, each in its own task.
    #[cfg(feature = "http2")]
    Http2(Box<Http2Connection>),
}

impl Arrival {
    /// Waits for the first byte, or the deadline. While a peer is silent, it costs this and its socket.
    async fn first_byte(&mut self, admission: &Admission) -> Result<(), AcceptError> {
        select! {
            biased;
            Ok(why) = &mut self.handshake.cut => Err(why),
            () = self.socket.readable() => Ok(()),
            () = sleep_until(self.header_deadline.unwrap_or(self.deadline)) => Ok(()),
            () = admission.closed() => Err(AcceptError::ShuttingDown),
        }
    }
}

async fn arrive(seat: &Seat, mut arrival: Box<Arrival>) -> Result<Life, AcceptError> {
    let cost = seat.costs(0);
    arrival.first_byte(&seat.hub().admission).await?;
    drop(cost);
    // Boxed again: what reading and TLS need is not there for a peer that is silent.
    Box::pin(shake_hands(seat, arrival)).await
}

/// The opening handshake, for as long as it keeps its seat.
async fn shake_hands(seat: &Seat, arrival: Box<Arrival>) -> Result<Life, AcceptError> {
    let Arrival { server, mut socket, mut peer, header_deadline, deadline, handshake } = *arrival;
    let Handshake { seat: handshake, mut cut } = handshake;
    if let Some(deadline) = header_deadline {
        select! {
            biased;
            learned = learn_client(&server, &mut socket, &mut peer, &handshake, deadline) => learned?,
            Ok(why) = &mut cut => return Err(why),
        }
    }
    let encryption = server.encryption_memory();
    let cost = seat.costs(encryption.saturating_add(seat.hub().options.handshake.head.bytes));
    let progress = handshake.progress();
    let visit = Visit::new(&server, Some(handshake));
    select! {
        biased;
        started = start(seat, &server, &visit, progress, (socket, peer), deadline) => { drop(cost); started }
        Ok(why) = cut => Err(why),
    }
}

/// From the accepted connection to the open WebSocket, or to the first request over HTTP/2.
async fn start(
    seat: &Seat,
    #[cfg_attr(not(any(feature = "tls", feature = "http2")), expect(unused_variables, reason = "for them"))]
    server: &Arc<ServerState>,
    visit: &Visit<'_>,
    progress: Arc<Progress>,
    (socket, peer): (Socket, Peer),
    deadline: Instant,
) -> Result<Life, AcceptError> {
    #[cfg(feature = "tls")]
    let (stream, peer) = encrypt(server, socket, peer, deadline, &progress).await?;
    #[cfg(not(feature = "tls"))]
    let stream = Stream::from(socket);
    let handshake = &seat.hub().options.handshake;
    let mut watched = Watched { io: stream, progress: Some(progress) };
    #[cfg(feature = "http2")]
    let received = {
        let (is_http2, received) = speaks_http2(server, &mut watched, &peer, deadline).await?;
        if is_http2 {
            let cost = seat.costs(server.encryption_memory().saturating_add(HTTP_2));
            let connection = http2::begin(server.clone(), watched, received, peer, deadline, cost).await?;
            visit.end_handshake();
            return Ok(Life::Http2(connection));
        }
        received
    };
    #[cfg(not(feature = "http2"))]
    let received = Vec::new();
    let mut opened = open(&mut watched, visit, peer, handshake, deadline, received).await?;
    let Some(handler) = opened.handler.take() else { return Err(AcceptError::Closed) };
    let handler = move |websocket, request| handler(websocket, request);
    Ok(Life::WebSocket(Running::start(watched.io, opened, handler, seat)))
}

/// Whether the peer speaks HTTP/2, and what has been read to know that.
#[cfg(feature = "http2")]
async fn speaks_http2(
    server: &ServerState,
    watched: &mut Watched<Stream>,
    peer: &Peer,
    deadline: Instant,
) -> Result<(bool, Vec<u8>), AcceptError> {
    let options = &server.hub.options;
    if options.http2.is_none() {
        return Ok((false, Vec::new()));
    }
    #[cfg(feature = "tls")]
    if peer.secure {
        return Ok((watched.io.chose_http2(), Vec::new()));
    }
    let _ = peer;
    let beginning = pin!(begins_http2(watched, options.handshake.head.bytes));
    match timeout_at(deadline, beginning).await {
        Ok(begins) => Ok(begins?),
        // What was read is no request of HTTP/1.1 either: the answer is that it came too late.
        Err(_) => Ok((false, Vec::new())),
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
        assert!(size <= 200, "{size} bytes");
    }
}
