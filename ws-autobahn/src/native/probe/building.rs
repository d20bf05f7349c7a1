//! The builder for cases beyond Autobahn.

use std::time::Duration;

use super::{Act, Draft, Measure, Probe, Variant, Want, draft};
use crate::{
    case::CaseId,
    native::{
        frame::Frame,
        script::{Case, Delivery, Script},
        target::Version,
    },
    role::Role,
    verdict::Behavior,
};

/// Begins a case for servers.
pub(crate) fn server(id: &str, rule: &'static str, what: impl Into<String>) -> Building {
    begin(Role::Server, id, rule, what.into())
}

/// Begins a case for clients.
pub(crate) fn client(id: &str, rule: &'static str, what: impl Into<String>) -> Building {
    begin(Role::Client, id, rule, what.into())
}

/// # Panics
/// Panics if `id` is invalid; tests construct all cases.
fn begin(tested: Role, id: &str, rule: &'static str, what: String) -> Building {
    let id = match id.parse() {
        Ok(id) => id,
        Err(e) => panic!("{e}"),
    };
    let probe = Probe {
        tested,
        variants: vec![Variant::default()],
        accepted: Vec::new(),
        polite: true,
        within: None,
        measure: None,
        version: Version::Http1,
    };
    Building { id, rule, what, probe }
}

/// A builder for a case.
#[derive(Debug)]
pub(crate) struct Building {
    id: CaseId,
    rule: &'static str,
    what: String,
    probe: Probe,
}

impl Building {
    /// Makes its connections those of HTTP/2.
    pub(super) fn over_http2(mut self) -> Self {
        self.probe.version = Version::Http2;
        self
    }

    pub(super) fn act(mut self, act: Act) -> Self {
        if let Some(variant) = self.probe.variants.last_mut() {
            variant.acts.push(act);
        }
        self
    }

    /// Sends a head, and waits for the answer if the suite is the client.
    pub(crate) fn ask(self, head: Draft) -> Self {
        let tested = self.probe.tested;
        let this = self.act(Act::Head(head));
        if tested == Role::Server { this.act(Act::Answer) } else { this }
    }

    /// Sends a head without waiting.
    pub(crate) fn head(self, head: Draft) -> Self {
        self.act(Act::Head(head))
    }

    /// Waits for the answer to the head; the case ends if the answer does not open the connection.
    pub(crate) fn await_open(self) -> Self {
        self.act(Act::Answer)
    }

    /// Waits for the answer to the head, and continues whatever it is.
    pub(crate) fn await_head(self) -> Self {
        self.act(Act::Answered)
    }

    /// Opens the connection with a valid handshake.
    pub(crate) fn open(self) -> Self {
        let head = match self.probe.tested {
            Role::Server => draft::upgrade(),
            Role::Client => draft::switching(),
        };
        self.ask(head)
    }

    /// Sends a frame in one write with those before and after it.
    pub(crate) fn send(self, frame: Frame) -> Self {
        self.act(Act::Frame(frame, Delivery::Joined))
    }

    /// Sends a frame with this delivery.
    pub(crate) fn deliver(self, delivery: Delivery, frame: Frame) -> Self {
        self.act(Act::Frame(frame, delivery))
    }

    /// Sends a frame this many times.
    pub(crate) fn times(self, count: usize, frame: &Frame) -> Self {
        self.act(Act::Flood(frame.clone(), count))
    }

    /// Sends bytes that need not be a frame.
    pub(crate) fn bytes(self, bytes: impl Into<Vec<u8>>) -> Self {
        self.act(Act::Bytes(bytes.into(), Delivery::Joined))
    }

    /// Sends a compressed message of this many zeros.
    pub(crate) fn bomb(self, size: usize) -> Self {
        self.act(Act::Bomb(size))
    }

    /// Sets the pause between the pieces of the following deliveries in pieces.
    pub(crate) fn pace(self, millis: u64) -> Self {
        self.act(Act::Pace(Duration::from_millis(millis)))
    }

    /// Reads for this time.
    pub(crate) fn wait(self, millis: u64) -> Self {
        self.act(Act::Wait(Duration::from_millis(millis)))
    }

    /// Reads nothing for this time.
    pub(crate) fn deaf(self, millis: u64) -> Self {
        self.act(Act::Deaf(Duration::from_millis(millis)))
    }

    /// Waits until this many events were observed.
    pub(crate) fn until(self, events: usize) -> Self {
        self.act(Act::Until(events))
    }

    /// Records this moment as an event.
    pub(crate) fn mark(self) -> Self {
        self.act(Act::Mark)
    }

    /// Ends the suite's half of the connection.
    pub(crate) fn half_close(self) -> Self {
        self.act(Act::HalfClose)
    }

    /// Resets the connection.
    pub(crate) fn reset(self) -> Self {
        self.act(Act::Reset)
    }

    /// Opens another connection, which must be served.
    pub(crate) fn neighbour(self) -> Self {
        self.act(Act::Neighbour)
    }

    /// Runs the case on several connections, each with a name; each begins with the acts so far.
    pub(crate) fn each<T>(
        mut self,
        values: impl IntoIterator<Item = T>,
        name: impl Fn(&T) -> String,
        acts: impl Fn(Self, &T) -> Self,
    ) -> Self {
        let common = self.probe.variants.pop().unwrap_or_default().acts;
        for value in values {
            self.probe.variants.push(Variant { name: name(&value), acts: common.clone() });
            self = acts(self, &value);
        }
        self
    }

    /// Makes the suite not answer a Close.
    pub(crate) fn impolite(mut self) -> Self {
        self.probe.polite = false;
        self
    }

    /// Sets the time limit for the accepted events.
    pub(crate) fn within(mut self, seconds: u64) -> Self {
        self.probe.within = Some(Duration::from_secs(seconds));
        self
    }

    /// Sets what is measured.
    pub(crate) fn measure(mut self, measure: Measure) -> Self {
        self.probe.measure = Some(measure);
        self
    }

    /// Accepts this sequence of events as OK.
    pub(crate) fn must(self, course: impl Into<Vec<Want>>) -> Self {
        self.accept(Behavior::Ok, course)
    }

    /// Accepts this sequence of events as NON-STRICT: it breaks a SHOULD, or meets the rule in another way.
    pub(crate) fn should(self, course: impl Into<Vec<Want>>) -> Self {
        self.accept(Behavior::NonStrict, course)
    }

    /// Accepts this sequence of events as INFORMATIONAL.
    pub(crate) fn reported(self, course: impl Into<Vec<Want>>) -> Self {
        self.accept(Behavior::Informational, course)
    }

    /// Accepts this sequence of events as UNIMPLEMENTED.
    pub(crate) fn unknown(self, course: impl Into<Vec<Want>>) -> Self {
        self.accept(Behavior::Unimplemented, course)
    }

    fn accept(mut self, behavior: Behavior, course: impl Into<Vec<Want>>) -> Self {
        let mut course = course.into();
        if self.probe.version == Version::Http2 {
            // Every connection begins with SETTINGS (RFC 9113 section 3.4).
            if !matches!(course.first(), Some(Want::Permits | Want::Settings | Want::Rest)) {
                course.insert(
                    0,
                    if self.probe.tested == Role::Server { Want::Permits } else { Want::Settings },
                );
            }
        } else if self.probe.tested == Role::Client && !matches!(course.first(), Some(Want::Request(_))) {
            course.insert(0, Want::Request(Vec::new()));
        }
        self.probe.accepted.push((behavior, course));
        self
    }

    /// Completes the case.
    pub(crate) fn done(self) -> Case {
        let Self { id, rule, what, probe } = self;
        Case { id, rule, what, script: Script::Probe(Box::new(probe)) }
    }
}
