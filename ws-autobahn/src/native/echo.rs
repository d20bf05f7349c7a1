//! Runs an echo case: messages, each sent when the previous one has come back.

use std::time::Duration;

use tokio::time::Instant;

use crate::{
    native::{
        content::Content,
        frame::{BINARY, Frame, TEXT, close_body, fragments},
        judge::{self, Judgement},
        payload::Payload,
        play::Program,
        script::{CloseRule, Delivery, Echo, Event, Grading, Kind},
        session::{Phase, Session},
    },
    role::Role,
    verdict::Behavior,
};

/// The state of an echo case.
#[derive(Debug)]
pub(crate) struct Echoing<'a> {
    tested: Role,
    script: &'a Echo,
    deadline: Instant,
    stall: Duration,
    /// How many messages have been sent.
    sent: usize,
    /// The offset in the data at which the next message begins.
    from: usize,
    /// The message that must come back next.
    awaited: Payload,
    standing: Standing,
}

/// The progress of the case.
#[derive(Debug)]
enum Standing {
    /// Messages are being echoed.
    Running,
    /// The verdict, with the reason.
    Decided(Behavior, String),
}

impl<'a> Echoing<'a> {
    /// The state before the first message. `agreed` is whether the extension was agreed; a case about it ends without.
    pub(crate) fn new(tested: Role, script: &'a Echo, agreed: bool, stall: Duration) -> Self {
        let standing = match &script.deflate {
            Some(_) if !agreed => {
                Standing::Decided(Behavior::Unimplemented, "permessage-deflate was not agreed".to_owned())
            }
            _ => Standing::Running,
        };
        let deadline = Instant::now() + script.limit;
        let awaited = Payload::Bytes(Vec::new());
        Self { tested, script, deadline, stall, sent: 0, from: 0, awaited, standing }
    }

    /// The connection is open.
    pub(crate) fn begin(&mut self, session: &mut Session) {
        match self.standing {
            Standing::Running => self.send_next(session),
            Standing::Decided(..) => session.close(close_body(1000, b"")),
        }
    }

    /// The connection has ended.
    pub(crate) fn judge(self, session: &Session) -> Judgement {
        let (behavior, reason) = match self.standing {
            Standing::Decided(behavior, reason) => (behavior, reason),
            Standing::Running => {
                (Behavior::Failed, format!("the connection ended before message {} came back", self.sent))
            }
        };
        judge::conclude(self.tested, behavior, reason, &CloseRule::normal(), Grading::Answers, &session.end)
    }

    fn send_next(&mut self, session: &mut Session) {
        self.awaited = match self.script.content {
            Content::Repeated(unit) => Payload::repeated(unit, self.script.len),
            Content::Pieces(data) => {
                let (piece, next) = data.piece(self.from, self.script.len);
                self.from = next;
                Payload::Bytes(piece)
            }
        };
        self.sent = self.sent.saturating_add(1);
        let (payload, rsv) = match &mut session.deflater {
            None => (self.awaited.clone(), 0),
            Some(deflater) => match deflater.message(&self.awaited.bytes()) {
                Ok(packed) => (Payload::Bytes(packed), 4),
                Err(e) => {
                    return self.decide(Behavior::Failed, format!("error of the suite: {e}"), session);
                }
            },
        };
        let opcode = match self.script.kind {
            Kind::Text => TEXT,
            Kind::Binary => BINARY,
        };
        match self.script.fragment {
            Some(size) => {
                for fragment in fragments(opcode, rsv, &payload.bytes(), size) {
                    session.send(&fragment, Delivery::Joined);
                }
            }
            None => session.send(&Frame { fin: true, rsv, opcode, payload }, self.script.delivery),
        }
    }

    fn decide(&mut self, behavior: Behavior, reason: String, session: &mut Session) {
        self.standing = Standing::Decided(behavior, reason);
        session.close(close_body(1000, b""));
    }
}

impl Program for Echoing<'_> {
    fn received(&mut self, event: Event, session: &mut Session) {
        let (kind, payload) = match event {
            Event::Text(payload) => (Kind::Text, payload),
            Event::Binary(payload) => (Kind::Binary, payload),
            // RFC 6455 section 5.5.3: an unsolicited Pong may come at any time.
            Event::Pong(_) | Event::Waited(_) => return,
        };
        let wrong = if kind != self.script.kind {
            Some(format!("expected a {:?} message; received a {kind:?} message", self.script.kind))
        } else if payload.len() != self.awaited.len() {
            Some(format!("expected {} bytes; received {}", self.awaited.len(), payload.len()))
        } else if !self.awaited.is(&payload.bytes()) {
            Some(format!(
                "the message has {} bytes like the one that was sent, but other content",
                payload.len()
            ))
        } else {
            None
        };
        let n = self.sent;
        match wrong {
            Some(wrong) => self.decide(Behavior::Failed, format!("message {n}: {wrong}"), session),
            // Nothing may come back after the last message.
            None if !matches!(self.standing, Standing::Running) => {
                self.decide(Behavior::Failed, "a message that was not sent came back".to_owned(), session);
            }
            None if n < self.script.count => self.send_next(session),
            None => {
                let came = if n == 1 { "the message".to_owned() } else { format!("{n} messages") };
                self.decide(Behavior::Ok, format!("{came} came back unchanged"), session)
            }
        }
    }

    fn due(&self, moved: Instant) -> Option<Instant> {
        matches!(self.standing, Standing::Running).then(|| self.deadline.min(moved + self.stall))
    }

    fn tick(&mut self, session: &mut Session) {
        let why = if self.deadline <= Instant::now() {
            format!(
                "message {} did not come back within {} s of the case",
                self.sent,
                self.script.limit.as_secs()
            )
        } else {
            format!("message {} did not come back: nothing moved for {} s", self.sent, self.stall.as_secs())
        };
        session.log.note(&*why);
        self.standing = Standing::Decided(Behavior::Failed, why);
        if session.phase == Phase::Open {
            session.close(Vec::new());
        }
    }
}
