//! Cases beyond Autobahn's, written down as what is sent in bytes and which course of events is accepted. They begin
//! before the opening handshake, and look at the TCP connection after the closing one.
//!
//! ```text
//! server("21.3.2", RFC 6455 section 4.2.1, "no Host field")
//!     .ask(upgrade().without("Host"))
//!     .must([refuses()])                      // what a MUST asks for, or what no rule forbids
//!     .should([opens(), echoes(HELLO)])       // what breaks a SHOULD: NON-STRICT
//! ```
//!
//! Any other course of events fails the case.

mod building;
mod cases;
mod draft;
#[cfg(test)]
mod faulty;
mod line;
mod play;
mod want;

use std::{ops::RangeInclusive, time::Duration};

use crate::{
    native::{frame::Frame, script::Delivery},
    role::Role,
    verdict::Behavior,
};

pub(crate) use building::{Building, client, server};
pub(crate) use cases::all;
pub(crate) use draft::Draft;
pub(crate) use play::{on_client, on_server};
pub(crate) use want::Want;

/// A case beyond Autobahn's.
#[derive(Clone, Debug)]
pub(crate) struct Probe {
    /// The role that it tests.
    pub(crate) tested: Role,
    /// What is done, on a connection for each; those of a client are one.
    pub(crate) variants: Vec<Variant>,
    /// The courses of events that are accepted, and the verdict that each means.
    pub(crate) accepted: Vec<(Behavior, Vec<Want>)>,
    /// Whether the suite answers a Close as RFC 6455 section 5.5.1 asks.
    pub(crate) polite: bool,
    /// The longest wait for what must come.
    pub(crate) within: Option<Duration>,
    /// What is measured besides.
    pub(crate) measure: Option<Measure>,
}

/// What is done on one connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Variant {
    /// What distinguishes it from the others of its case.
    pub(crate) name: String,
    /// What is done, in order.
    pub(crate) acts: Vec<Act>,
}

/// Something that the suite does.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Sends a head: a request to a server, a response to a client.
    Head(Draft),
    /// From here on, deliveries in pieces pause for this time between them.
    Pace(Duration),
    /// Waits until the head of the server's answer is there; the case is over if it does not open the connection.
    Answer,
    /// Waits until the head of the server's answer is there.
    Answered,
    /// Sends a frame, masked if the suite is the client.
    Frame(Frame, Delivery),
    /// Sends a frame this many times.
    Flood(Frame, usize),
    /// Sends these bytes as they are.
    Bytes(Vec<u8>, Delivery),
    /// Sends a compressed message of this many zeros, if the extension is agreed.
    Bomb(usize),
    /// Reads for this time.
    Wait(Duration),
    /// Reads nothing for this time.
    Deaf(Duration),
    /// Waits until this many events were seen, a limit of time has passed or the connection has ended.
    Until(usize),
    /// Notes the moment among the events.
    Mark,
    /// Ends the suite's half of the connection: a FIN.
    HalfClose,
    /// Resets the connection.
    Reset,
    /// Opens another connection, which must be served within the patience.
    Neighbour,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Measure {
    /// The second variant does the double of the first: it may take this many times as long (in percent).
    Cost(u32),
    /// The memory of the process of `--pid` may grow by this many bytes.
    Memory(u64),
}

impl Probe {
    /// What is accepted, in words.
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

/// The server's answer has a status of these.
pub(crate) fn status(codes: RangeInclusive<u16>) -> Want {
    Want::Status(codes, Vec::new())
}

/// The server's answer is an error of the client's, and the connection ends.
pub(crate) fn refuses() -> Want {
    Want::Status(400..=499, Vec::new())
}

/// This text comes back.
pub(crate) fn echoes(text: &str) -> Want {
    Want::Text(text.as_bytes().to_vec())
}

/// A Close comes with one of these codes; with none at all if they are empty.
pub(crate) fn closes(codes: &'static [u16]) -> Want {
    Want::Close(codes)
}

/// The connection ends, by FIN or by RST.
pub(crate) fn ends() -> Want {
    Want::End
}

/// May be left out.
pub(crate) fn maybe(want: Want) -> Want {
    Want::Many(0..=1, Box::new(want))
}

/// Any number of these.
pub(crate) fn many(want: Want) -> Want {
    Want::Many(0..=usize::MAX, Box::new(want))
}
