//! Plays a case beyond Autobahn's and judges it.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::Semaphore,
    task::JoinSet,
    time::{Instant, sleep},
};

use super::{
    Act, Measure, Probe, Variant, draft,
    line::Line,
    want::{self, Seen},
};
use crate::{
    native::{
        frame::{Frame, close_body, frame, text},
        handshake::{Head, accept, new_key},
        judge::Judgement,
        log::Log,
        play::Played,
        record::Record,
        script::{Case, Delivery},
        target::{Target, Wire},
    },
    role::Role,
    verdict::{Behavior, CloseBehavior, Verdict},
};

/// What came of one connection.
#[derive(Debug, Default)]
struct Course {
    name: String,
    seen: Vec<Seen>,
    log: Option<Log>,
    heads: (String, String),
    code: Option<u16>,
    took: Duration,
}

/// The connections of one case at a time.
const CONNECTIONS: usize = 16;
/// How often the cost of a case is measured before it counts as too high: other work on the machine must not decide.
const TRIES: usize = 4;
/// Less time than this is not compared with the double of it.
const LEAST: Duration = Duration::from_millis(40);

/// Plays a case on a server; `pid` is its process, if it is known.
pub(crate) async fn on_server(
    target: &Target,
    case: &Case,
    probe: &Probe,
    patience: Duration,
    pid: Option<u32>,
) -> Record {
    let start = Instant::now();
    let mut courses = match probe.measure {
        Some(Measure::Cost(limit)) => cost(target, probe, patience, limit).await,
        Some(Measure::Memory(limit)) => memory(target, probe, patience, pid, limit).await,
        None => connections(target, probe, patience).await,
    };
    for course in &mut courses {
        // A server that is gone shows itself to the next case as well; here it is the reason.
        if course.seen.is_empty() {
            course.seen.push(Seen::Silence);
        }
    }
    judge(case, probe, courses, start.elapsed())
}

/// All variants, several at a time.
async fn connections(target: &Target, probe: &Probe, patience: Duration) -> Vec<Course> {
    if let [variant] = &probe.variants[..] {
        return vec![connection(target, probe, variant, patience).await];
    }
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let shared = Arc::new((target.clone(), probe.clone()));
    let mut tasks = JoinSet::new();
    for n in 0..probe.variants.len() {
        let (places, shared) = (Arc::clone(&places), Arc::clone(&shared));
        tasks.spawn(async move {
            let _place = places.acquire().await;
            let (target, probe) = &*shared;
            match probe.variants.get(n) {
                Some(variant) => (n, connection(target, probe, variant, patience).await),
                None => (n, Course::default()),
            }
        });
    }
    let mut courses = tasks.join_all().await;
    courses.sort_by_key(|(n, _)| *n);
    courses.into_iter().map(|(_, course)| course).collect()
}

async fn connection(target: &Target, probe: &Probe, variant: &Variant, patience: Duration) -> Course {
    let stream = match target.connect(patience).await {
        Ok(stream) => stream,
        Err(why) => {
            return Course { name: variant.name.clone(), seen: vec![Seen::Wrong(why)], ..Course::default() };
        }
    };
    let key = new_key();
    let values =
        [("{host}", &target.address.authority[..]), ("{path}", &target.address.path), ("{key}", &key)];
    let line = Line::new(stream, Role::Server, probe.polite);
    Playing { probe, patience, values: &values, target: Some(target) }.run(line, variant, String::new()).await
}

/// The second variant does the double of the first. The time of each is the least of some tries.
async fn cost(target: &Target, probe: &Probe, patience: Duration, limit: u32) -> Vec<Course> {
    let mut courses = Vec::new();
    for _ in 0..TRIES {
        courses.clear();
        for variant in &probe.variants {
            courses.push(connection(target, probe, variant, patience).await);
        }
        if let [once, twice] = &mut courses[..] {
            let once = once.took.max(LEAST);
            let percent = twice.took.as_micros().saturating_mul(100) / once.as_micros().max(1);
            if percent <= u128::from(limit) {
                break;
            }
            let (once, double) = (once.as_millis(), twice.took.as_millis());
            twice.seen.push(Seen::TooMuch(format!(
                "{once} ms for the first, {double} ms for the double: more than {limit} %"
            )));
        }
    }
    courses
}

/// Watches the memory of the process meanwhile.
async fn memory(
    target: &Target,
    probe: &Probe,
    patience: Duration,
    pid: Option<u32>,
    limit: u64,
) -> Vec<Course> {
    let Some((pid, before)) = pid.and_then(|pid| Some((pid, resident(pid)?))) else {
        return connections(target, probe, patience).await;
    };
    let most = AtomicU64::new(before);
    let watching = async {
        loop {
            most.fetch_max(resident(pid).unwrap_or_default(), Ordering::Relaxed);
            sleep(Duration::from_millis(5)).await;
        }
    };
    let mut courses = tokio::select! {
        courses = connections(target, probe, patience) => courses,
        never = watching => never,
    };
    let grown = most.load(Ordering::Relaxed).saturating_sub(before);
    if let Some(course) = courses.last_mut() {
        let words = format!("the memory of process {pid} grew by {} KiB", grown >> 10);
        if let Some(log) = &mut course.log {
            log.note(words.clone());
        }
        if grown > limit {
            course.seen.push(Seen::TooMuch(format!("{words}, more than {} KiB", limit >> 10)));
        }
    }
    courses
}

/// The resident memory of a process in bytes; `None` where the system does not say.
fn resident(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib << 10)
}

/// Plays a case on a client, of which the request was read; `early` is what came after it.
pub(crate) async fn on_client<S: Wire>(
    stream: S,
    request: (Head, String, Vec<u8>),
    case: &Case,
    probe: &Probe,
    patience: Duration,
) -> Record {
    let start = Instant::now();
    let (head, request, early) = request;
    let key = head.values("sec-websocket-key").first().cloned().unwrap_or_default();
    let accept = accept(&key);
    let subprotocol = head.values("sec-websocket-protocol").join(",");
    let subprotocol = subprotocol.split(',').next().unwrap_or_default().trim().to_owned();
    let values = [("{accept}", &accept[..]), ("{key}", &key), ("{subprotocol}", &subprotocol)];
    let mut line = Line::new(stream, Role::Client, probe.polite);
    line.seen.push(Seen::Request(head));
    line.feed(&early);
    let playing = Playing { probe, patience, values: &values, target: None };
    let course = match probe.variants.first() {
        Some(variant) => playing.run(line, variant, request).await,
        None => Course::default(),
    };
    judge(case, probe, vec![course], start.elapsed())
}

/// A connection on which a case is played.
struct Playing<'a> {
    probe: &'a Probe,
    patience: Duration,
    values: &'a [(&'a str, &'a str)],
    target: Option<&'a Target>,
}

impl Playing<'_> {
    async fn run<S: Wire>(&self, mut line: Line<S>, variant: &Variant, mut request: String) -> Course {
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

    /// Waits for what is still wanted, then ends the connection.
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
            line.log.note("nothing more is waited for");
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

/// How long the end of a connection may take on which all was seen.
const PARTING: Duration = Duration::from_secs(1);

/// Whether the server opens another connection and sends a message back, within `patience`.
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

/// The worst of all connections decides.
fn judge(case: &Case, probe: &Probe, courses: Vec<Course>, took: Duration) -> Record {
    let grade = |course: &Course| {
        let mut accepted = probe.accepted.iter();
        // A course that is accepted and less than right ends when nothing more comes.
        let quiet = course.seen.strip_suffix(&[Seen::Silence]);
        let fits = |wanted: &[want::Want]| {
            want::matches(wanted, &course.seen) || quiet.is_some_and(|seen| want::matches(wanted, seen))
        };
        let found = accepted.find(|(_, wanted)| fits(wanted));
        found.map_or(Behavior::Failed, |(behavior, _)| *behavior)
    };
    let worst = courses.iter().map(grade).min().unwrap_or(Behavior::Failed);
    let all = courses.len();
    let mut shown: Vec<Course> = courses.into_iter().filter(|course| grade(course) == worst).collect();
    let names: Vec<&str> =
        shown.iter().map(|course| &course.name[..]).filter(|name| !name.is_empty()).collect();
    let wanted = probe.accepted.first().map(|(_, course)| want::words(course)).unwrap_or_default();
    let seen = shown.first().map(|course| want::seen_words(&course.seen)).unwrap_or_default();
    let mut reason = match worst {
        Behavior::Ok => format!("seen: {seen}"),
        _ => format!("wanted: {wanted}; seen: {seen}"),
    };
    if worst != Behavior::Ok && all > 1 {
        let some = names.iter().take(8).copied().collect::<Vec<_>>().join("; ");
        let more = if names.len() > 8 { ", ..." } else { "" };
        reason.push_str(&format!(" ({} of {all} connections: {some}{more})", shown.len()));
    }
    let first = if shown.is_empty() { Course::default() } else { shown.swap_remove(0) };
    let verdict = Verdict { behavior: worst, close: CloseBehavior::Ok, code: first.code };
    let judgement = Judgement { verdict, reason, close_reason: "part of what was wanted".to_owned() };
    let log = first.log.unwrap_or_else(Log::new);
    Record::played(case, first.heads, Played { judgement, log }, took)
}
