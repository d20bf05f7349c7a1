//! The words that cases are written in, in the order in which things happen:
//!
//! ```text
//! case("3.2", RESERVED_BITS, "a text message, another with RSV2 set, a Ping; all at once")
//!     .send(text(HELLO))
//!     .send(text(HELLO).rsv(2))
//!     .send(ping(""))
//!     .must_fail(1002)
//!     .ok([echo(HELLO)])
//!     .non_strict([])
//! ```

use crate::{
    case::CaseId,
    native::{
        frame::{Frame, TEXT, close_body, fragments},
        payload::Payload,
        script::{Case, CloseRule, Closer, Delivery, Event, Finally, Grading, Pause, Script, Step, Steps},
    },
    verdict::Behavior,
};

/// The text message that is expected back.
pub(crate) fn echo(payload: impl Into<Payload>) -> Event {
    Event::Text(payload.into())
}

/// The binary message that is expected back.
pub(crate) fn echo_binary(payload: impl Into<Payload>) -> Event {
    Event::Binary(payload.into())
}

/// The Pong that is expected.
pub(crate) fn ponged(payload: impl Into<Payload>) -> Event {
    Event::Pong(payload.into())
}

/// Begins a case with steps: unless the words that follow say otherwise, nothing may come back, and the suite closes
/// with 1000.
///
/// # Panics
/// `id` is not an id; the tests go through all cases.
pub(crate) fn case(id: &str, rule: &'static str, what: impl Into<String>) -> Building {
    let id = match id.parse() {
        Ok(id) => id,
        Err(e) => panic!("{e}"),
    };
    let steps = Steps {
        steps: Vec::new(),
        accepted: Vec::new(),
        close: CloseRule::normal(),
        finally: Finally::Fail,
        grading: Grading::Answers,
    };
    Building { id, rule, what: what.into(), steps }
}

/// A case with steps that is being written down.
#[derive(Debug)]
pub(crate) struct Building {
    id: CaseId,
    rule: &'static str,
    what: String,
    steps: Steps,
}

impl Building {
    /// Sends a frame, together with its neighbours.
    pub(crate) fn send(self, frame: Frame) -> Self {
        self.deliver(Delivery::Joined, frame)
    }

    /// Sends a frame in this manner.
    pub(crate) fn deliver(mut self, delivery: Delivery, frame: Frame) -> Self {
        self.steps.steps.push(Step::Send(frame, delivery));
        self
    }

    /// Sends a text message in fragments of this many bytes.
    pub(crate) fn fragments(self, size: usize, payload: &[u8]) -> Self {
        fragments(TEXT, 0, payload, size).fold(self, |this, fragment| this.send(fragment))
    }

    /// Sends a part of a frame.
    pub(crate) fn piece(mut self, frame: &Frame, from: usize, to: usize) -> Self {
        self.steps.steps.push(Step::Piece { frame: frame.clone(), from, to });
        self
    }

    /// Waits, and goes on if the connection is still open.
    pub(crate) fn wait(mut self, pause: Pause) -> Self {
        self.steps.steps.push(Step::Wait(pause));
        self
    }

    /// Closes with a code and a reason, be they allowed or not.
    pub(crate) fn close(self, code: u16, reason: &[u8]) -> Self {
        self.close_raw(close_body(code, reason))
    }

    /// Closes with any body. From here on the case is about closing: a wrong code in the answer fails it.
    pub(crate) fn close_raw(mut self, body: Vec<u8>) -> Self {
        self.steps.steps.push(Step::Close(body));
        self.steps.grading = Grading::AnswersAndCode;
        self
    }

    /// The verdict is by the answers alone, though the steps close.
    pub(crate) fn graded_by_answers(mut self) -> Self {
        self.steps.grading = Grading::Answers;
        self
    }

    /// Whatever happens is right.
    pub(crate) fn open(mut self) -> Self {
        self.steps.grading = Grading::Open;
        self
    }

    /// A wrong code in the peer's Close fails the case.
    pub(crate) fn code_counts(mut self) -> Self {
        self.steps.grading = Grading::AnswersAndCode;
        self
    }

    /// When nothing more comes, the suite closes instead of failing the connection.
    pub(crate) fn then_close(mut self) -> Self {
        self.steps.finally = Finally::Close;
        self
    }

    /// RFC 6455 section 7.1.7: the peer must fail the connection, with this code or none.
    pub(crate) fn must_fail(mut self, code: u16) -> Self {
        self.steps.close = CloseRule { first: Closer::Peer, codes: vec![code], clean: false, fatal: false };
        self
    }

    /// RFC 6455 section 8.1: as `must_fail` with 1007, and a peer that does not has failed the case.
    pub(crate) fn must_fail_for_utf8(mut self) -> Self {
        self.steps.close = CloseRule { first: Closer::Peer, codes: vec![1007], clean: false, fatal: true };
        self
    }

    /// The peer's Close may have one of these codes or none; it may as well drop the connection.
    pub(crate) fn answered_with(mut self, codes: &[u16]) -> Self {
        self.steps.close =
            CloseRule { first: Closer::Suite, codes: codes.to_vec(), clean: false, fatal: false };
        self
    }

    /// The peer's Close must come, with one of these codes or none.
    pub(crate) fn answered_cleanly_with(mut self, codes: &[u16]) -> Self {
        self.steps.close =
            CloseRule { first: Closer::Suite, codes: codes.to_vec(), clean: true, fatal: false };
        self
    }

    /// These answers are right. Ends the case unless `non_strict` follows.
    pub(crate) fn ok<const N: usize>(mut self, events: [Event; N]) -> Case {
        self.steps.accepted.push((Behavior::Ok, events.to_vec()));
        let Self { id, rule, what, steps } = self;
        Case { id, rule, what, script: Script::Steps(steps) }
    }
}

impl Case {
    /// These answers do as well, but are not as strict as they could be.
    pub(crate) fn non_strict<const N: usize>(mut self, events: [Event; N]) -> Self {
        if let Script::Steps(steps) = &mut self.script {
            steps.accepted.push((Behavior::NonStrict, events.to_vec()));
        }
        self
    }
}
