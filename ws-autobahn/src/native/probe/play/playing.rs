//! Runs a variant of a case on one connection.

use std::time::Duration;

use tokio::time::Instant;

use super::Course;
use crate::{
    native::{
        frame::{Frame, close_body, frame, text},
        handshake::new_key,
        log::Log,
        probe::{
            Act, Probe, Variant, draft,
            line::Line,
            want::{self, Seen},
        },
        script::Delivery,
        target::{Target, Wire},
    },
    role::Role,
    verdict::Behavior,
};

/// What is needed to run a variant.
pub(super) struct Playing<'a> {
    pub(super) probe: &'a Probe,
    pub(super) patience: Duration,
    pub(super) values: &'a [(&'a str, &'a str)],
    pub(super) target: Option<&'a Target>,
}

impl Playing<'_> {
    pub(super) async fn run<S: Wire>(
        &self,
        mut line: Line<S>,
        variant: &Variant,
        mut request: String,
    ) -> Course {
        let start = Instant::now();
        let within = self.probe.within.unwrap_or(self.patience).max(self.patience);
        let soon = || Instant::now() + within;
        let mut response = String::new();
        for act in &variant.acts {
            match act {
                Act::Head(draft) => {
                    let bytes = draft.encode(self.values);
                    let text = String::from_utf8_lossy(&bytes).into_owned();
                    if self.probe.tested == Role::Server {
                        let key =
                            self.values.iter().find(|(name, _)| *name == "{key}").map_or("", |(_, key)| key);
                        let key = if draft.value("sec-websocket-key").contains("{key}") {
                            key.to_owned()
                        } else {
                            draft.value("sec-websocket-key").trim().to_owned()
                        };
                        let (subprotocols, extensions) =
                            (draft.value("sec-websocket-protocol"), draft.value("sec-websocket-extensions"));
                        line.expect_answer(&key, subprotocols, extensions);
                        request.push_str(&text);
                    } else {
                        response.push_str(&text);
                    }
                    line.send(bytes, draft.delivery);
                }
                Act::Pace(pause) => line.pause = *pause,
                Act::Answer => {
                    line.run(soon(), false, Line::is_answered).await;
                    if !line.is_open() {
                        break;
                    }
                }
                Act::Answered => line.run(soon(), false, Line::is_answered).await,
                Act::Frame(frame, delivery) => line.send_frame(frame, *delivery, 1),
                Act::Flood(frame, count) => line.send_frame(frame, Delivery::Joined, *count),
                Act::Bytes(bytes, delivery) => {
                    line.log.sent(bytes);
                    line.send(bytes.clone(), *delivery);
                }
                Act::Bomb(size) => {
                    if let Some(Ok(packed)) = line.deflater.as_mut().map(|d| d.message(&vec![0; *size])) {
                        line.send_frame(&Frame { rsv: 4, ..frame(2, packed) }, Delivery::Joined, 1);
                    }
                }
                Act::Wait(time) => line.run(Instant::now() + *time, false, |line| line.ended).await,
                Act::Deaf(time) => line.run(Instant::now() + *time, true, |_| false).await,
                Act::Until(events) => {
                    line.run(soon(), false, |line| line.ended || line.seen.len() >= *events).await;
                }
                Act::Mark => line.seen.push(Seen::Mark),
                // A case has one version.
                Act::Http2(_) => {}
                Act::HalfClose => {
                    line.run(soon(), false, Line::is_flushed).await;
                    line.half_close().await;
                }
                Act::Reset => {
                    line.run(soon(), false, Line::is_flushed).await;
                    let (seen, log) = line.reset();
                    return self.after_reset(variant, seen, log, request, start).await;
                }
                Act::Neighbour => {
                    let served = match self.target {
                        Some(target) => serves(target, self.patience).await,
                        None => true,
                    };
                    line.seen.push(Seen::Neighbour(served));
                }
            }
        }
        self.finish(&mut line, soon()).await;
        Course {
            name: variant.name.clone(),
            took: start.elapsed(),
            code: line.code,
            heads: (request, if response.is_empty() { std::mem::take(&mut line.answer) } else { response }),
            seen: std::mem::take(&mut line.seen),
            log: Some(line.log.clone()),
        }
    }

    /// Waits for the events that are still expected, then ends the connection.
    async fn finish<S: Wire>(&self, line: &mut Line<S>, until: Instant) {
        let complete = |line: &Line<S>| {
            let good = self.probe.accepted.iter().filter(|(behavior, _)| *behavior == Behavior::Ok);
            line.is_flushed() && good.into_iter().any(|(_, course)| want::is_complete(course, &line.seen))
        };
        let serves = self.probe.tested == Role::Client && self.probe.polite;
        line.run(until, false, |line| line.ended || complete(line) || (serves && line.is_closed())).await;
        if !line.ended && !complete(line) && serves && line.is_closed() {
            // RFC 6455 section 7.1.1: the server ends the TCP connection.
            line.half_close().await;
            line.run(until, false, |line| line.ended || complete(line)).await;
        }
        if line.ended || complete(line) {
            let seen = line.seen.clone();
            if line.is_open() {
                line.close(close_body(1000, b""));
                let due = Instant::now() + PARTING.min(self.patience);
                line.run(due, false, |line| line.ended || (serves && line.is_closed())).await;
            }
            line.seen = seen;
        } else {
            line.log.note("the case stops waiting");
            line.seen.push(Seen::Silence);
        }
    }

    async fn after_reset(
        &self,
        variant: &Variant,
        mut seen: Vec<Seen>,
        log: Log,
        request: String,
        start: Instant,
    ) -> Course {
        if let (Some(target), Some(Act::Neighbour)) = (self.target, variant.acts.last()) {
            seen.push(Seen::Neighbour(serves(target, self.patience).await));
        }
        Course {
            name: variant.name.clone(),
            seen,
            log: Some(log),
            heads: (request, String::new()),
            code: None,
            took: start.elapsed(),
        }
    }
}

/// How long to wait for the end of a connection after all expected events.
const PARTING: Duration = Duration::from_secs(1);

/// Whether the server opens another connection and echoes a message within `patience`.
async fn serves(target: &Target, patience: Duration) -> bool {
    let Ok(stream) = target.connect(patience).await else { return false };
    let mut line = Line::new(stream, Role::Server, true);
    let key = new_key();
    let values =
        [("{host}", &target.address.authority[..]), ("{path}", &target.address.path), ("{key}", &key)];
    line.expect_answer(&key, String::new(), String::new());
    line.send(draft::upgrade().encode(&values), Delivery::Joined);
    let end = Instant::now() + patience;
    line.run(end, false, Line::is_answered).await;
    if !line.is_open() {
        return false;
    }
    line.send_frame(&text("neighbour"), Delivery::Joined, 1);
    line.run(end, false, |line| line.ended || line.seen.len() >= 2).await;
    let served = line.seen.get(1) == Some(&Seen::Text(b"neighbour".to_vec()));
    line.close(close_body(1000, b""));
    line.run(Instant::now() + PARTING.min(patience), false, |line| line.ended).await;
    served
}
