//! Cases beyond Autobahn, defined by the bytes that are sent and the sequences of events that are accepted. They begin
//! before the opening handshake, and observe the TCP connection until after the closing handshake.
//!
//! ```text
//! server("21.3.2", RFC 6455 section 4.2.1, "no Host field")
//!     .ask(upgrade().without("Host"))
//!     .must([refuses()])                      // what a MUST requires, or what no rule forbids
//!     .should([opens(), echoes(HELLO)])       // what breaks a SHOULD: NON-STRICT
//! ```
//!
//! Any other sequence of events fails the case.

mod building;
mod cases;
mod draft;
#[cfg(test)]
mod faulty;
pub(crate) mod http2;
mod line;
mod play;
mod want;

use std::{ops::RangeInclusive, time::Duration};

use crate::{
    native::{frame::Frame, script::Delivery, target::Version},
    role::Role,
    verdict::Behavior,
};

pub(crate) use building::{Building, client, server};
pub(crate) use cases::of;
pub(crate) use draft::Draft;
pub(crate) use play::{Asked, on_client, on_server, resident};
pub(crate) use want::Want;

/// A case beyond Autobahn.
#[derive(Clone, Debug)]
pub(crate) struct Probe {
    /// The role that it tests.
    pub(crate) tested: Role,
    /// The variants, each on a separate connection; a case for clients has one.
    pub(crate) variants: Vec<Variant>,
    /// The accepted sequences of events, each with its verdict.
    pub(crate) accepted: Vec<(Behavior, Vec<Want>)>,
    /// Whether the suite answers a Close (RFC 6455 section 5.5.1).
    pub(crate) polite: bool,
    /// The time limit for the accepted events, if it is longer than the patience.
    pub(crate) within: Option<Duration>,
    /// What is measured as well.
    pub(crate) measure: Option<Measure>,
    /// The version of HTTP of its connections.
    pub(crate) version: Version,
}

/// What is done on one connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Variant {
    /// What distinguishes it from the other variants of its case.
    pub(crate) name: String,
    /// The acts in order.
    pub(crate) acts: Vec<Act>,
}

/// An action of the suite.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Sends a head: a request to a server, a response to a client.
    Head(Draft),
    /// Sets the pause between the pieces of the following deliveries in pieces.
    Pace(Duration),
    /// Waits for the head of the server's answer; the case ends if the answer does not open the connection.
    Answer,
    /// Waits for the head of the server's answer.
    Answered,
    /// Sends a frame, masked if the suite is the client.
    Frame(Frame, Delivery),
    /// Sends a frame this many times.
    Flood(Frame, usize),
    /// Sends these bytes.
    Bytes(Vec<u8>, Delivery),
    /// Sends a compressed message of this many zeros, if the extension was agreed.
    Bomb(usize),
    /// Reads for this time.
    Wait(Duration),
    /// Reads nothing for this time.
    Deaf(Duration),
    /// Waits until this many events were observed, the time limit has passed or the connection has ended.
    Until(usize),
    /// Records this moment as an event.
    Mark,
    /// Ends the suite's half of the connection: a FIN.
    HalfClose,
    /// Resets the connection.
    Reset,
    /// Opens another connection, which must be served in time.
    Neighbour,
    /// Does something on an HTTP/2 connection.
    Http2(http2::Move),
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Measure {
    /// The second variant does twice the work of the first and may take this many percent of its time.
    Cost(u32),
    /// The memory of the process of `--pid` may grow by this many bytes.
    Memory(u64),
    /// The Sec-WebSocket-Key of the client must differ from those of all connections before.
    Keys,
}

impl Probe {
    /// Describes what is accepted.
    pub(crate) fn expectation(&self) -> String {
        let accepted = self.accepted.iter();
        let words =
            accepted.map(|(behavior, course)| format!("{}: {}", behavior.name(), want::words(course)));
        words.collect::<Vec<_>>().join("; ")
    }
}

/// The connection is open.
pub(crate) fn opens() -> Want {
    Want::Open(Vec::new())
}

/// The server's answer has one of these status codes.
pub(crate) fn status(codes: RangeInclusive<u16>) -> Want {
    Want::Status(codes, Vec::new())
}

/// The server's answer is a client error (4xx).
pub(crate) fn refuses() -> Want {
    Want::Status(400..=499, Vec::new())
}

/// This text message comes back.
pub(crate) fn echoes(text: &str) -> Want {
    Want::Text(text.as_bytes().to_vec())
}

/// A Close with one of these codes; without a code if the list is empty.
pub(crate) fn closes(codes: &'static [u16]) -> Want {
    Want::Close(codes)
}

/// The connection ends, by FIN or by RST.
pub(crate) fn ends() -> Want {
    Want::End
}

/// An optional event.
pub(crate) fn maybe(want: Want) -> Want {
    Want::Many(0..=1, Box::new(want))
}

/// Any number of this event.
pub(crate) fn many(want: Want) -> Want {
    Want::Many(0..=usize::MAX, Box::new(want))
}
