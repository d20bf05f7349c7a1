//! What the server answers, and which of its errors refuse one request.

use async_nats::{Message, StatusCode};
use serde::Deserialize;
use serde_json::Value;

use crate::backplane::BackplaneError;
use crate::nats::connection::Connection;

/// Errors of one request while the connection is good: no resources, storage or streams left for the account or on the server, a message
/// that is too long for the stream, one that cannot be stored, a sealed stream.
const REFUSALS: [u64; 8] = [10_002, 10_023, 10_027, 10_028, 10_047, 10_054, 10_077, 10_109];

#[derive(Deserialize)]
pub(super) struct Answer {
    pub(super) error: Option<ServerError>,
    pub(super) config: Option<Value>,
    pub(super) state: Option<State>,
    pub(super) name: Option<String>,
    pub(super) seq: Option<u64>,
}

#[derive(Deserialize)]
pub(super) struct ServerError {
    pub(super) err_code: Option<u64>,
    description: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct State {
    pub(super) messages: u64,
    pub(super) first_seq: u64,
    pub(super) last_seq: u64,
}

impl Answer {
    /// What was asked for. Beside an error the other members mean nothing: `seq` is 0 then.
    pub(super) fn expect<T>(
        self,
        connection: &Connection,
        what: impl FnOnce() -> String,
        member: impl FnOnce(&mut Self) -> Option<T>,
    ) -> Result<T, BackplaneError> {
        let mut answer = self;
        match (answer.error.take(), member(&mut answer)) {
            (None, Some(found)) => Ok(found),
            (error, _) => Err(refusal(connection, &what(), error)),
        }
    }
}

pub(super) fn parsed(connection: &Connection, reply: &Message) -> Result<Answer, BackplaneError> {
    if reply.status == Some(StatusCode::NO_RESPONDERS) {
        let what = "store a durable topic";
        return Err(connection.failed(what).caused_by("JetStream is off there; start nats-server with -js"));
    }
    serde_json::from_slice(&reply.payload)
        .map_err(|error| connection.failed("read an answer").caused_by(error))
}

pub(super) fn refusal(connection: &Connection, what: &str, error: Option<ServerError>) -> BackplaneError {
    let is_refusal =
        error.as_ref().and_then(|error| error.err_code).is_some_and(|code| REFUSALS.contains(&code));
    let why = error.and_then(|error| error.description).unwrap_or_else(|| "it gave no reason".into());
    // The cause of a refusal is shown without its source.
    if is_refusal {
        BackplaneError::refused(format!("{}: {why}", connection.failed(what)))
    } else {
        connection.failed(what).caused_by(why)
    }
}
