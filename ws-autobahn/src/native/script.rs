//! A case, written down: what is sent with which splits and waits, what may come back, which verdict follows.

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
    /// Its id, Autobahn's where it is one of Autobahn's.
    pub(crate) id: CaseId,
    /// The sections of the RFCs that it is about.
    pub(crate) rule: &'static str,
    /// What is sent.
    pub(crate) what: String,
    /// How it goes.
    pub(crate) script: Script,
}

/// The ways in which cases go.
#[derive(Clone, Debug)]
pub(crate) enum Script {
    /// Steps in order, and what may be received meanwhile.
    Steps(Steps),
    /// Messages, each sent when the one before has come back.
    Echo(Echo),
    /// Bytes, from the opening handshake on, and courses of events: a case beyond Autobahn's.
    Probe(Box<Probe>),
}

/// Steps in order, the answers that are accepted, and how the connection must end.
#[derive(Clone, Debug)]
pub(crate) struct Steps {
    /// What is done, in order.
    pub(crate) steps: Vec<Step>,
    /// The sequences of answers that are accepted, and the verdict that each means. The best comes first.
    pub(crate) accepted: Vec<(Behavior, Vec<Event>)>,
    /// How the connection must end.
    pub(crate) close: CloseRule,
    /// What the suite does when nothing more comes.
    pub(crate) finally: Finally,
    /// How the verdict is formed.
    pub(crate) grading: Grading,
}

/// Something the suite does.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Sends a frame.
    Send(Frame, Delivery),
    /// Sends a Close with this body, which begins the closing handshake (RFC 6455 section 7.1.2).
    Close(Vec<u8>),
    /// Sends the bytes `from..to` of a frame's payload; with the first goes the head, which promises all.
    Piece {
        /// The frame.
        frame: Frame,
        /// The first byte of its payload that is sent.
        from: usize,
        /// The end of what is sent.
        to: usize,
    },
    /// Waits, then goes on if the connection is still open.
    Wait(Pause),
}

/// How long a step waits.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pause {
    /// For this time.
    Exactly(Duration),
    /// For this time, and that it passed is one of the events that are held against what is accepted.
    Noted(Duration, &'static str),
    /// As `Noted`, for as long as the suite is ready to wait for anything.
    Patiently(&'static str),
}

/// How the bytes of a frame are given to TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// Together with what is sent before and after.
    Joined,
    /// In a write of their own.
    Alone,
    /// In writes of this many bytes.
    Chopped(usize),
}

/// Something that was received, or that was waited for in vain.
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
    /// Whose Close must come first; if the peer's, it may as well drop the connection.
    pub(crate) first: Closer,
    /// The codes that the peer's Close may have; it may also have none.
    pub(crate) codes: Vec<u16>,
    /// Whether the closing handshake must be complete.
    pub(crate) clean: bool,
    /// Whether the case has failed when the wrong one closed: the peer did not notice the fault at all.
    pub(crate) fatal: bool,
}

/// Who begins to close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closer {
    /// The suite.
    Suite,
    /// The one under test.
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

/// How the verdict on a case with steps is formed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grading {
    /// By the answers; and the suite closes as soon as they are all there.
    Answers,
    /// By the answers; the steps close. A wrong close code fails the case, too.
    AnswersAndCode,
    /// RFC 6455 leaves the outcome open: it is reported, and never wrong.
    Open,
}

/// Messages, each sent when the one before has come back.
#[derive(Clone, Debug)]
pub(crate) struct Echo {
    /// Text or binary.
    pub(crate) kind: Kind,
    /// What the messages consist of.
    pub(crate) content: Content,
    /// The bytes of a message.
    pub(crate) len: usize,
    /// How many messages there are.
    pub(crate) count: usize,
    /// The bytes of a fragment, where messages are fragmented.
    pub(crate) fragment: Option<usize>,
    /// How frames are given to TCP.
    pub(crate) delivery: Delivery,
    /// The extension, where the case is about it.
    pub(crate) deflate: Option<Negotiation>,
    /// The longest that all of it may take.
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
    /// What the suite demands as a server; the first that a client's offer allows.
    pub(crate) demands: Vec<Demand>,
}

impl Pause {
    /// The event that it has passed; without a name it is none that counts.
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

    /// Whether time or memory is measured in it.
    pub(crate) fn is_measured(&self) -> bool {
        matches!(&self.script, Script::Probe(probe) if probe.measure.is_some())
    }

    /// The bytes of all its messages together: what the work is proportional to.
    pub(crate) fn volume(&self) -> usize {
        match &self.script {
            Script::Steps(_) | Script::Probe(_) => 0,
            Script::Echo(echo) => echo.len.saturating_mul(echo.count),
        }
    }

    /// What may come back, in words.
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
        let who = match self.first {
            Closer::Suite => "the suite closes",
            Closer::Peer => "the peer fails the connection",
        };
        format!("Then {who}; its code: {} or none", codes.join(" or "))
    }
}

/// Events in words.
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
