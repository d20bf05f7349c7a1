//! The life of one connection of a server.

use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::select;
use tokio::time::{Instant, sleep_until};

use crate::config::error::AcceptError;
use crate::hub::Seat;
use crate::hub::admission::{Admission, Permit};
use crate::hub::handshakes::{Handshake, HandshakeSeat};
use crate::opening::handshake::{Found, Site, open};
#[cfg(feature = "tls")]
use crate::serve::encryption::encrypt;
use crate::serve::running::{Running, run};
use crate::serve::state::ServerState;
use crate::transport::peer::Peer;
use crate::transport::stream::Socket;
#[cfg(not(feature = "tls"))]
use crate::transport::stream::Stream;
use crate::transport::watched::Watched;
use crate::web::denied::Denied;

/// A connection that has been accepted.
pub(crate) struct Arrival {
    pub(crate) server: Arc<ServerState>,
    pub(crate) socket: Socket,
    pub(crate) peer: Peer,
    /// When the handshake has to be done.
    pub(crate) deadline: Instant,
    pub(crate) handshake: Handshake,
}

/// Serves one connection to its end.
#[expect(clippy::manual_async_fn, reason = "an async function keeps its arguments twice")]
pub(crate) fn serve(seat: Seat, arrival: Box<Arrival>) -> impl Future<Output = ()> {
    async move { run(&seat, Box::pin(arrive(&seat, arrival))).await }
}

impl Arrival {
    /// Waits for the first byte, or the deadline. While a peer is silent, it costs this and its socket.
    async fn first_byte(&mut self, admission: &Admission) -> Result<(), AcceptError> {
        select! {
            biased;
            Ok(why) = &mut self.handshake.cut => Err(why),
            () = self.socket.readable() => Ok(()),
            () = sleep_until(self.deadline) => Ok(()),
            () = admission.closed() => Err(AcceptError::ShuttingDown),
        }
    }
}

async fn arrive(seat: &Seat, mut arrival: Box<Arrival>) -> Result<Running, AcceptError> {
    arrival.first_byte(&seat.hub().admission).await?;
    // Boxed again: what reading and TLS need is not there for a peer that is silent.
    Box::pin(shake_hands(seat, arrival)).await
}

/// The opening handshake, for as long as it keeps its seat.
async fn shake_hands(seat: &Seat, arrival: Box<Arrival>) -> Result<Running, AcceptError> {
    let Arrival { server, socket, peer, deadline, handshake: Handshake { seat: handshake, cut } } = *arrival;
    let visit = Visit { server: &server, handshake, stage: Mutex::new(Stage::Handshake) };
    select! {
        biased;
        started = start(seat, &visit, socket, peer, deadline) => started,
        Ok(why) = cut => Err(why),
    }
}

/// From the accepted connection to the open WebSocket.
async fn start(
    seat: &Seat,
    visit: &Visit<'_>,
    socket: Socket,
    peer: Peer,
    deadline: Instant,
) -> Result<Running, AcceptError> {
    let progress = visit.handshake.progress();
    #[cfg(feature = "tls")]
    let (mut stream, peer) = encrypt(visit.server, socket, peer, deadline, &progress).await?;
    #[cfg(not(feature = "tls"))]
    let mut stream = Stream::from(socket);
    let mut watched = Watched { io: &mut stream, progress: Some(progress) };
    let mut opened = open(&mut watched, visit, peer, &seat.hub().options.handshake, deadline).await?;
    let Some(handler) = opened.handler.take() else { return Err(AcceptError::Closed) };
    let handler = move |websocket, request| handler(websocket, request);
    Ok(Running::start(stream, opened, handler, seat))
}

/// One connection on its way through a server. What it holds follows from how far it has come, so that there is a limit
/// for each stage, and none takes from another.
struct Visit<'a> {
    server: &'a ServerState,
    handshake: HandshakeSeat,
    stage: Mutex<Stage>,
}

enum Stage {
    /// In a seat of the handshakes.
    Handshake,
    /// Guards decide on a request for a WebSocket.
    Guards(#[expect(dead_code, reason = "held")] Permit),
    /// An answer is being made, or written.
    Answer(#[expect(dead_code, reason = "held")] Permit),
    /// There were too many answers already.
    Leaving,
}

impl Visit<'_> {
    fn enter(&self, stage: Stage) -> Stage {
        mem::replace(&mut *self.stage.lock().unwrap_or_else(PoisonError::into_inner), stage)
    }
}

impl Site for Visit<'_> {
    fn heard(&self, upgrade: bool) -> Result<(), Denied> {
        let admission = &self.server.hub.admission;
        let stage = match upgrade {
            true => Stage::Guards(admission.request()?),
            // Without a permit the answer comes from the seat of the handshake, which gives way when it stands still.
            false => match admission.answer() {
                Some(permit) => Stage::Answer(permit),
                None => return Ok(()),
            },
        };
        self.handshake.end();
        self.enter(stage);
        Ok(())
    }

    fn has_time_to_answer(&self) -> bool {
        match self.enter(Stage::Leaving) {
            // The guards have decided: peers that take their time with the answer keep no request from them.
            Stage::Guards(_) => match self.server.hub.admission.answer() {
                Some(permit) => {
                    self.enter(Stage::Answer(permit));
                    true
                }
                None => false,
            },
            stage @ (Stage::Handshake | Stage::Answer(_)) => {
                self.enter(stage);
                true
            }
            Stage::Leaving => false,
        }
    }

    fn find(&self, path: &str) -> Option<Found<'_>> {
        self.server.find(path)
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
