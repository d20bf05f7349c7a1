//! What a request holds of a server's limits on its way to an answer.

use std::mem;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};

use crate::hub::admission::{Permit, RequestPermit};
use crate::hub::handshakes::HandshakeSeat;
use crate::opening::handshake::{Found, Site};
use crate::serve::state::ServerState;
use crate::transport::source::Source;
use crate::web::denied::Denied;

/// One request on its way through a server. What it holds follows from how far it has come, so that there is a limit
/// for each stage, and none takes from another.
pub(crate) struct Visit<'a> {
    server: &'a ServerState,
    /// That of the connection; `None` on a stream of an HTTP/2 connection.
    handshake: Option<HandshakeSeat>,
    stage: Mutex<Stage>,
}

enum Stage {
    /// In a seat of the handshakes.
    Handshake,
    /// Guards decide on a request for a WebSocket.
    Guards(#[expect(dead_code, reason = "held")] RequestPermit),
    /// An answer is being made, or written.
    Answer(#[expect(dead_code, reason = "held")] Permit),
    /// There were too many answers already.
    Leaving,
}

impl<'a> Visit<'a> {
    pub(crate) fn new(server: &'a ServerState, handshake: Option<HandshakeSeat>) -> Self {
        Self { server, handshake, stage: Mutex::new(Stage::Handshake) }
    }

    /// The handshake has ended well: its seat is free.
    pub(crate) fn end_handshake(&self) {
        if let Some(handshake) = &self.handshake {
            handshake.end();
        }
    }

    fn enter(&self, stage: Stage) -> Stage {
        mem::replace(&mut *self.stage.lock().unwrap_or_else(PoisonError::into_inner), stage)
    }
}

impl Site for Visit<'_> {
    fn heard(&self, upgrade: bool, client: Option<SocketAddr>) -> Result<(), Denied> {
        let admission = &self.server.hub.admission;
        let stage = match upgrade {
            true => Stage::Guards(admission.request(Source::of(client))?),
            // Without a permit the answer comes from the seat of the handshake, which gives way when it stands still.
            false => match admission.answer() {
                Some(permit) => Stage::Answer(permit),
                None => {
                    if self.handshake.is_none() {
                        self.enter(Stage::Leaving);
                    }
                    return Ok(());
                }
            },
        };
        self.end_handshake();
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
