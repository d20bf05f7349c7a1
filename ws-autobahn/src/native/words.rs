//! The builder for cases of Autobahn, with methods in the order of events:
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

/// Returns the event of a text message that is echoed.
pub(crate) fn echo(payload: impl Into<Payload>) -> Event {
    Event::Text(payload.into())
}

/// Returns the event of a binary message that is echoed.
pub(crate) fn echo_binary(payload: impl Into<Payload>) -> Event {
    Event::Binary(payload.into())
}

/// Returns the event of a Pong.
pub(crate) fn ponged(payload: impl Into<Payload>) -> Event {
    Event::Pong(payload.into())
}

/// Begins a case with steps: unless the following methods change it, nothing may come back, and the suite closes with
/// 1000.
///
/// # Panics
/// Panics if `id` is invalid; tests construct all cases.
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

/// A builder for a case with steps.
#[derive(Debug)]
pub(crate) struct Building {
    id: CaseId,
    rule: &'static str,
    what: String,
    steps: Steps,
}

impl Building {
    /// Sends a frame in one write with those before and after it.
    pub(crate) fn send(self, frame: Frame) -> Self {
        self.deliver(Delivery::Joined, frame)
    }

    /// Sends a frame with this delivery.
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

    /// Waits, and continues if the connection is still open.
    pub(crate) fn wait(mut self, pause: Pause) -> Self {
        self.steps.steps.push(Step::Wait(pause));
        self
    }

    /// Closes with a code and a reason, valid or not.
    pub(crate) fn close(self, code: u16, reason: &[u8]) -> Self {
        self.close_raw(close_body(code, reason))
    }

    /// Closes with any body. A wrong code in the answer then fails the case.
    pub(crate) fn close_raw(mut self, body: Vec<u8>) -> Self {
        self.steps.steps.push(Step::Close(body));
        self.steps.grading = Grading::AnswersAndCode;
        self
    }

    /// Bases the verdict on the answers alone, although the steps close.
    pub(crate) fn graded_by_answers(mut self) -> Self {
        self.steps.grading = Grading::Answers;
        self
    }

    /// Accepts any outcome.
    pub(crate) fn open(mut self) -> Self {
        self.steps.grading = Grading::Open;
        self
    }

    /// Fails the case for a wrong code in the peer's Close.
    pub(crate) fn code_counts(mut self) -> Self {
        self.steps.grading = Grading::AnswersAndCode;
        self
    }

    /// When nothing more is received, closes instead of failing the connection.
    pub(crate) fn then_close(mut self) -> Self {
        self.steps.finally = Finally::Close;
        self
    }

    /// Requires that the peer fails the connection, with this code or none (RFC 6455 section 7.1.7).
    pub(crate) fn must_fail(mut self, code: u16) -> Self {
        self.steps.close = CloseRule { first: Closer::Peer, codes: vec![code], clean: false, fatal: false };
        self
    }

    /// Like `must_fail` with 1007, but the whole case fails if the peer does not (RFC 6455 section 8.1).
    pub(crate) fn must_fail_for_utf8(mut self) -> Self {
        self.steps.close = CloseRule { first: Closer::Peer, codes: vec![1007], clean: false, fatal: true };
        self
    }

    /// Allows one of these codes or none in the peer's Close; the peer may also drop the connection.
    pub(crate) fn answered_with(mut self, codes: &[u16]) -> Self {
        self.steps.close =
            CloseRule { first: Closer::Suite, codes: codes.to_vec(), clean: false, fatal: false };
        self
    }

    /// Requires a Close of the peer, with one of these codes or none.
    pub(crate) fn answered_cleanly_with(mut self, codes: &[u16]) -> Self {
        self.steps.close =
            CloseRule { first: Closer::Suite, codes: codes.to_vec(), clean: true, fatal: false };
        self
    }

    /// Accepts these answers as OK, and completes the case; `non_strict` may follow.
    pub(crate) fn ok<const N: usize>(mut self, events: [Event; N]) -> Case {
        self.steps.accepted.push((Behavior::Ok, events.to_vec()));
        let Self { id, rule, what, steps } = self;
        Case { id, rule, what, script: Script::Steps(steps) }
    }
}

impl Case {
    /// Accepts these answers as NON-STRICT.
    pub(crate) fn non_strict<const N: usize>(mut self, events: [Event; N]) -> Self {
        if let Script::Steps(steps) = &mut self.script {
            steps.accepted.push((Behavior::NonStrict, events.to_vec()));
        }
        self
    }
}
