//! Runs a case with steps.

use std::time::Duration;

use tokio::time::Instant;

use crate::{
    native::{
        judge::{self, Judgement},
        play::Program,
        script::{Closer, Delivery, Event, Finally, Pause, Step, Steps},
        session::{KEY, Phase, Session},
    },
    role::Role,
};

/// The state of a case with steps.
#[derive(Debug)]
pub(crate) struct Stepping<'a> {
    tested: Role,
    script: &'a Steps,
    patience: Duration,
    next: usize,
    waiting: Waiting,
    received: Vec<Event>,
}

/// What the case waits for.
#[derive(Clone, Copy, Debug)]
enum Waiting {
    /// A pause between steps.
    Pause(Instant, Option<&'static str>),
    /// The last answer; then the case ends.
    Answers(Instant),
    /// Nothing.
    Nothing,
}

impl<'a> Stepping<'a> {
    /// The state before the first step.
    pub(crate) fn new(tested: Role, script: &'a Steps, patience: Duration) -> Self {
        Self { tested, script, patience, next: 0, waiting: Waiting::Nothing, received: Vec::new() }
    }

    /// The connection is open.
    pub(crate) fn begin(&mut self, session: &mut Session) {
        self.go_on(session);
    }

    /// The connection has ended.
    pub(crate) fn judge(self, session: &Session) -> Judgement {
        judge::steps(self.tested, self.script, &self.received, &session.end)
    }

    /// Takes the steps up to the next pause.
    fn go_on(&mut self, session: &mut Session) {
        while let Some(step) = self.script.steps.get(self.next) {
            self.next = self.next.saturating_add(1);
            match step {
                Step::Send(frame, delivery) => session.send(frame, *delivery),
                Step::Close(body) => session.close(body.clone()),
                Step::Piece { frame, from, to } => {
                    let mask = session.mask().map(|_| KEY);
                    let bytes = frame.encode(mask);
                    let head = bytes.len().saturating_sub(frame.payload.len());
                    let start = if *from == 0 { 0 } else { head.saturating_add(*from) };
                    let piece = bytes.get(start..head.saturating_add(*to)).unwrap_or_default();
                    if *from == 0 {
                        session.log.sent(piece);
                    } else {
                        session.log.sent_more(piece);
                    }
                    session.write(piece.to_vec(), Delivery::Alone);
                }
                Step::Wait(pause) => {
                    let (time, name) = match pause {
                        Pause::Exactly(time) => (*time, None),
                        Pause::Noted(time, name) => (*time, Some(*name)),
                        Pause::Patiently(name) => (self.patience, Some(*name)),
                    };
                    session.log.note(format!("the suite waits {} ms", time.as_millis()));
                    self.waiting = Waiting::Pause(Instant::now() + time, name);
                    return;
                }
            }
        }
        self.waiting = Waiting::Answers(Instant::now() + self.patience);
    }

    /// Whether the suite closes as soon as it has received the answers.
    fn closes_when_answered(&self) -> bool {
        self.script.close.first == Closer::Suite && self.script.accepted.len() == 1
    }
}

impl Program for Stepping<'_> {
    fn received(&mut self, event: Event, session: &mut Session) {
        // One event more than the script accepts is enough to fail.
        if self.received.len() <= self.script.accepted.iter().map(|(_, e)| e.len()).max().unwrap_or(0) {
            self.received.push(event);
        }
        let complete = self.script.accepted.iter().all(|(_, events)| *events == self.received);
        if complete && self.closes_when_answered() && matches!(self.waiting, Waiting::Answers(_)) {
            session.close(self.script.close.codes.first().map_or(Vec::new(), |c| c.to_be_bytes().to_vec()));
        }
    }

    fn due(&self, _moved: Instant) -> Option<Instant> {
        match self.waiting {
            Waiting::Pause(due, _) | Waiting::Answers(due) => Some(due),
            Waiting::Nothing => None,
        }
    }

    fn tick(&mut self, session: &mut Session) {
        match std::mem::replace(&mut self.waiting, Waiting::Nothing) {
            Waiting::Pause(_, name) => {
                if session.phase == Phase::Open {
                    self.received.extend(name.map(Event::Waited));
                    self.go_on(session);
                }
            }
            Waiting::Answers(_) => {
                session.log.note("the case stops waiting");
                match self.script.finally {
                    Finally::Close => session.close(Vec::new()),
                    Finally::Fail => session.fail(1001, "the case is over"),
                }
            }
            Waiting::Nothing => {}
        }
    }
}
