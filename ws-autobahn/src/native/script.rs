//! The definition of a case: what is sent with which splits and pauses, what may come back, and the verdict on it.

use std::time::Duration;

use crate::{
    case::CaseId,
    native::{
        content::Content,
        deflate::{Demand, Offer},
        frame::Frame,
        payload::Payload,
        probe::Probe,
    },
    verdict::Behavior,
};

/// A case of the suite.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// The id, which is Autobahn's for a case of Autobahn.
    pub(crate) id: CaseId,
    /// The sections of the RFCs that it tests.
    pub(crate) rule: &'static str,
    /// A description of what is sent.
    pub(crate) what: String,
    /// What the suite does.
    pub(crate) script: Script,
}

/// The kinds of cases.
#[derive(Clone, Debug)]
pub(crate) enum Script {
    /// Steps in order, and the answers that may be received meanwhile.
    Steps(Steps),
    /// Messages, each sent when the previous one has come back.
    Echo(Echo),
    /// Bytes from the opening handshake on, and the accepted sequences of events: a case beyond Autobahn.
    Probe(Box<Probe>),
}

/// Steps in order, the answers that are accepted, and how the connection must end.
#[derive(Clone, Debug)]
pub(crate) struct Steps {
    /// The steps in order.
    pub(crate) steps: Vec<Step>,
    /// The accepted sequences of answers, each with its verdict, the best first.
    pub(crate) accepted: Vec<(Behavior, Vec<Event>)>,
    /// How the connection must end.
    pub(crate) close: CloseRule,
    /// What the suite does when nothing more is received.
    pub(crate) finally: Finally,
    /// How the verdict is derived.
    pub(crate) grading: Grading,
}

/// An action of the suite.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Sends a frame.
    Send(Frame, Delivery),
    /// Sends a Close with this body, which begins the closing handshake (RFC 6455 section 7.1.2).
    Close(Vec<u8>),
    /// Sends the bytes `from..to` of a frame's payload; the first part includes the header, with the length of all.
    Piece {
        /// The frame.
        frame: Frame,
        /// The first byte of its payload that is sent.
        from: usize,
        /// The end of what is sent.
        to: usize,
    },
    /// Waits, then continues if the connection is still open.
    Wait(Pause),
}

/// How long a step waits.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pause {
    /// For this time.
    Exactly(Duration),
    /// For this time; the end of the pause is one of the events that must be accepted.
    Noted(Duration, &'static str),
    /// As `Noted`, for the patience of the suite.
    Patiently(&'static str),
}

/// How the bytes of a frame are written to TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// Together with what is sent before and after.
    Joined,
    /// In a separate write.
    Alone,
    /// In writes of this many bytes.
    Chopped(usize),
}

/// Something that was received, or a pause that passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A text message.
    Text(Payload),
    /// A binary message.
    Binary(Payload),
    /// A Pong.
    Pong(Payload),
    /// The pause of this name passed with the connection open.
    Waited(&'static str),
}

/// How the connection must end.
#[derive(Clone, Debug)]
pub(crate) struct CloseRule {
    /// Which side must close first; a peer that must may also drop the connection.
    pub(crate) first: Closer,
    /// The allowed codes of the peer's Close, which may also have none.
    pub(crate) codes: Vec<u16>,
    /// Whether the closing handshake must be complete.
    pub(crate) clean: bool,
    /// Whether the case fails when the wrong side closed: the peer did not detect the protocol error.
    pub(crate) fatal: bool,
}

/// The side that closes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closer {
    /// The suite.
    Suite,
    /// The tested peer.
    Peer,
}

/// What the suite does when nothing more is received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finally {
    /// Fails the connection with 1001.
    Fail,
    /// Closes it with a Close without a body.
    Close,
}

/// How the verdict on a case with steps is derived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grading {
    /// By the answers; the suite closes as soon as it has received all of them.
    Answers,
    /// By the answers; the steps close. A wrong close code also fails the case.
    AnswersAndCode,
    /// RFC 6455 leaves the outcome open: it is reported and never fails the case.
    Open,
}

/// Messages, each sent when the previous one has come back.
#[derive(Clone, Debug)]
pub(crate) struct Echo {
    /// Text or binary.
    pub(crate) kind: Kind,
    /// The content of the messages.
    pub(crate) content: Content,
    /// The size of a message in bytes.
    pub(crate) len: usize,
    /// The number of messages.
    pub(crate) count: usize,
    /// The size of a fragment in bytes, if messages are fragmented.
    pub(crate) fragment: Option<usize>,
    /// How frames are written to TCP.
    pub(crate) delivery: Delivery,
    /// The negotiation of permessage-deflate, if the case tests it.
    pub(crate) deflate: Option<Negotiation>,
    /// The time limit for all messages.
    pub(crate) limit: Duration,
}

/// The two kinds of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Text.
    Text,
    /// Binary.
    Binary,
}

/// How permessage-deflate is negotiated, in both roles.
#[derive(Clone, Debug)]
pub(crate) struct Negotiation {
    /// What the suite offers as a client.
    pub(crate) offers: Vec<Offer>,
    /// What the suite demands as a server, in order of preference.
    pub(crate) demands: Vec<Demand>,
}

impl Pause {
    /// Returns the event for the end of the pause; without a name it does not matter.
    pub(crate) fn event(self) -> Event {
        match self {
            Self::Exactly(_) => Event::Waited(""),
            Self::Noted(_, name) | Self::Patiently(name) => Event::Waited(name),
        }
    }
}

impl Case {
    /// What the suite offers as a client.
    pub(crate) fn offers(&self) -> &[Offer] {
        match &self.script {
            Script::Echo(Echo { deflate: Some(negotiation), .. }) => &negotiation.offers,
            _ => &[],
        }
    }

    /// What the suite demands as a server of a client that offers permessage-deflate.
    pub(crate) fn demands(&self) -> &[Demand] {
        match &self.script {
            Script::Echo(Echo { deflate: Some(negotiation), .. }) => &negotiation.demands,
            _ => &[],
        }
    }

    /// Whether the case measures time or memory.
    pub(crate) fn is_measured(&self) -> bool {
        matches!(&self.script, Script::Probe(probe) if probe.measure.is_some())
    }

    /// Returns the total size of its messages in bytes, to which the work is proportional.
    pub(crate) fn volume(&self) -> usize {
        match &self.script {
            Script::Steps(_) | Script::Probe(_) => 0,
            Script::Echo(echo) => echo.len.saturating_mul(echo.count),
        }
    }

    /// Describes what may come back.
    pub(crate) fn expectation(&self) -> String {
        match &self.script {
            Script::Steps(steps) => {
                let accepted: Vec<String> = steps
                    .accepted
                    .iter()
                    .map(|(behavior, events)| format!("{}: {}", behavior.name(), events_in_words(events)))
                    .collect();
                format!("{}. {}", accepted.join("; "), steps.close.words())
            }
            Script::Probe(probe) => probe.expectation(),
            Script::Echo(echo) => format!("all messages come back within {} s", echo.limit.as_secs()),
        }
    }
}

impl CloseRule {
    /// The suite closes with 1000 and the peer answers (RFC 6455 section 7.1.2).
    pub(crate) fn normal() -> Self {
        Self { first: Closer::Suite, codes: vec![1000], clean: true, fatal: false }
    }

    fn words(&self) -> String {
        let codes: Vec<String> = self.codes.iter().map(u16::to_string).collect();
        let side = match self.first {
            Closer::Suite => "the suite closes",
            Closer::Peer => "the peer fails the connection",
        };
        format!("Then {side}; its code: {} or none", codes.join(" or "))
    }
}

/// Describes events.
pub(crate) fn events_in_words(events: &[Event]) -> String {
    let words = |event: &Event| match event {
        Event::Text(payload) => format!("text {payload:?}"),
        Event::Binary(payload) => format!("binary {payload:?}"),
        Event::Pong(payload) => format!("pong {payload:?}"),
        Event::Waited(name) => format!("pause {name} passed"),
    };
    match events {
        [] => "nothing".to_owned(),
        _ => events.iter().map(words).collect::<Vec<_>>().join(", "),
    }
}
