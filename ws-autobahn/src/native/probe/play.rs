//! Runs a case beyond Autobahn and judges it.

mod measure;
mod playing;

use std::{sync::Arc, time::Duration};

use tokio::{sync::Semaphore, task::JoinSet, time::Instant};

use super::{
    Measure, Probe, Variant, http2,
    line::Line,
    want::{self, Seen},
};
use crate::{
    native::{
        handshake::{Head, accept, new_key},
        judge::Judgement,
        log::Log,
        play::Played,
        record::Record,
        script::Case,
        target::{Target, Version, Wire},
    },
    role::Role,
    verdict::{Behavior, CloseBehavior, Verdict},
};

pub(crate) use self::measure::resident;
use self::{
    measure::{cost, memory},
    playing::Playing,
};

/// The result of one connection.
#[derive(Debug, Default)]
pub(super) struct Course {
    pub(super) name: String,
    pub(super) seen: Vec<Seen>,
    pub(super) log: Option<Log>,
    pub(super) heads: (String, String),
    pub(super) code: Option<u16>,
    pub(super) took: Duration,
}

/// The maximum number of connections of one case at the same time.
const CONNECTIONS: usize = 16;

/// Runs a case on a server; `pid` is its process, if it is known.
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
        None | Some(Measure::Keys) => connections(target, probe, patience).await,
    };
    for course in &mut courses {
        // Without any event, silence is the reason.
        if course.seen.is_empty() {
            course.seen.push(Seen::Silence);
        }
    }
    judge(case, probe, courses, start.elapsed())
}

/// Runs all variants, several at a time.
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
    if probe.version == Version::Http2 {
        return http2::connection(target, probe, variant, patience).await;
    }
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

/// The request of a client.
#[derive(Debug)]
pub(crate) struct Asked {
    /// Its head.
    pub(crate) head: Head,
    /// The text of the head.
    pub(crate) text: String,
    /// The bytes that arrived after the head.
    pub(crate) early: Vec<u8>,
    /// Whether no earlier connection had the same Sec-WebSocket-Key.
    pub(crate) fresh: bool,
}

/// Runs a case on a client whose request was read.
pub(crate) async fn on_client<S: Wire>(
    stream: S,
    request: Asked,
    case: &Case,
    probe: &Probe,
    patience: Duration,
) -> Record {
    let start = Instant::now();
    let Asked { head, text, early, fresh } = request;
    let key = head.values("sec-websocket-key").first().cloned().unwrap_or_default();
    let accept = accept(&key);
    let subprotocol = head.values("sec-websocket-protocol").join(",");
    let subprotocol = subprotocol.split(',').next().unwrap_or_default().trim().to_owned();
    let values = [("{accept}", &accept[..]), ("{key}", &key), ("{subprotocol}", &subprotocol)];
    let mut line = Line::new(stream, Role::Client, probe.polite);
    line.seen.push(Seen::Request(head));
    if probe.measure == Some(Measure::Keys) && !fresh {
        line.seen.push(Seen::Wrong("the Sec-WebSocket-Key of an earlier connection".to_owned()));
    }
    line.feed(&early);
    let playing = Playing { probe, patience, values: &values, target: None };
    let course = match probe.variants.first() {
        Some(variant) => playing.run(line, variant, text).await,
        None => Course::default(),
    };
    judge(case, probe, vec![course], start.elapsed())
}

/// Judges the case by the worst connection.
pub(super) fn judge(case: &Case, probe: &Probe, courses: Vec<Course>, took: Duration) -> Record {
    let grade = |course: &Course| {
        let mut accepted = probe.accepted.iter();
        // A sequence that is accepted but not OK may end with silence.
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
        Behavior::Ok => format!("observed: {seen}"),
        _ => format!("expected: {wanted}; observed: {seen}"),
    };
    if worst != Behavior::Ok && all > 1 {
        let some = names.iter().take(8).copied().collect::<Vec<_>>().join("; ");
        let more = if names.len() > 8 { ", ..." } else { "" };
        reason.push_str(&format!(" ({} of {all} connections: {some}{more})", shown.len()));
    }
    let first = if shown.is_empty() { Course::default() } else { shown.swap_remove(0) };
    let verdict = Verdict { behavior: worst, close: CloseBehavior::Ok, code: first.code };
    let judgement = Judgement { verdict, reason, close_reason: "part of the expected events".to_owned() };
    let log = first.log.unwrap_or_else(Log::new);
    Record::played(case, first.heads, Played { judgement, log }, took)
}
