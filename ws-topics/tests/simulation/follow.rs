//! What a subscriber of one of several servers may see, and has seen.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;
use ws_topics::{Position, Resumed, Start};

use crate::fake::Net;

/// Live messages as they were published, by topic and server: each with its time.
#[derive(Debug, Default)]
pub struct Record {
    pub lives: BTreeMap<(String, u64), Vec<Instant>>,
    /// Servers that were killed: what they published last nobody may have heard of.
    pub killed: Vec<u64>,
}

/// A subscription's view.
#[derive(Debug, Clone)]
pub struct View {
    pub topic: String,
    begun: Instant,
    /// The last position, to resume from.
    pub seen: Option<Position>,
    log: Option<LogView>,
    live: LiveView,
}

/// Of a durable topic: what comes next is known.
#[derive(Debug, Clone)]
struct LogView {
    next: Next,
    /// Once it has begun: at most this offset comes first.
    owed: Option<Position>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// Whatever is first.
    Any,
    At(Position),
}

/// Of live topics: the last message of each server and topic, and marks.
#[derive(Debug, Clone, Default)]
struct LiveView {
    last: BTreeMap<(String, u64), (u64, u64)>,
    unknown: u64,
    missing: u64,
    lost: u64,
}

/// After that long all servers that are there know of a subscription.
const SETTLED: Duration = Duration::from_secs(9);

impl View {
    pub fn new(topic: &str, durable: bool) -> Self {
        let log = durable.then_some(LogView { next: Next::Any, owed: None });
        let begun = Instant::now();
        Self { topic: topic.into(), begun, seen: None, log, live: LiveView::default() }
    }

    /// A durable subscription has begun.
    pub fn begin(&mut self, start: Start, resumed: Option<Resumed>, head: Option<Position>) {
        let Some(log) = &mut self.log else { return };
        if let (Start::Since(at), Some(Resumed::Complete { .. })) = (start, resumed) {
            if log.next == Next::Any {
                log.next = Next::At(Position { offset: at.offset + 1, ..at });
            }
        } else if log.next == Next::Any {
            log.owed = head.map(|head| Position { offset: head.offset + 1, ..head });
        }
    }

    pub fn see(&mut self, topic: &str, at: Position, from: u64, number: u64, record: &Record, net: &Net) {
        self.seen = Some(at);
        if topic.starts_with("log/") {
            let stored = net.stored(topic, at.epoch);
            let text = String::from_utf8(stored[at.offset as usize - 1].1[18..].to_vec()).unwrap();
            assert_eq!(text, format!("{from}.{number}"), "{topic} {at} is another message");
        }
        if let Some(log) = &mut self.log {
            if let Next::At(next) = log.next {
                assert_eq!(at, next, "{topic}: it comes again, or something is missing without a mark");
            } else if let Some(owed) = log.owed {
                assert!(at.epoch != owed.epoch || at.offset <= owed.offset, "{topic}: {at} after {owed}");
            }
            log.next = Next::At(Position { offset: at.offset + 1, ..at });
            return;
        }
        if topic.starts_with("log/") {
            // By a filter: the log's order.
            let key = (topic.to_owned(), 0);
            let last = self.live.last.get(&key).copied();
            if let Some((last, unknown)) = last {
                let is_free = unknown < self.live.unknown;
                assert!(is_free || at.offset > last, "{topic}: {at} comes again, or too late");
                if !is_free {
                    self.live.missing += at.offset - last - 1;
                }
            }
            self.live.last.insert(key, (at.offset, self.live.unknown));
        } else {
            let key = (topic.to_owned(), from);
            let live = &mut self.live;
            let is_free = live.last.get(&key).is_some_and(|(_, unknown)| *unknown < live.unknown);
            let before = match live.last.get(&key) {
                Some((last, _)) => *last,
                None => owed_before(record, &key, self.begun).min(number - 1),
            };
            assert!(number > before, "{topic}: {from}.{number} comes again, or too late, after {before}");
            let never_free = !live.last.contains_key(&key) && live.unknown > 0;
            if !is_free && !never_free {
                live.missing += number - before - 1;
            }
            live.last.insert(key, (number, live.unknown));
        }
        let live = &self.live;
        assert!(
            live.missing <= live.lost,
            "{topic} {from}.{number}: something is missing without a mark: {live:?}"
        );
    }

    pub fn see_gap(&mut self, lost: Option<u64>, range: Option<(Position, Position)>) {
        match &mut self.log {
            Some(log) => match (lost, range) {
                (Some(lost), Some((first, last))) => {
                    if let Next::At(next) = log.next {
                        assert_eq!(first, next, "{}: the mark is at another place", self.topic);
                    }
                    assert_eq!((first.epoch, lost), (last.epoch, last.offset + 1 - first.offset));
                    log.next = Next::At(Position { offset: last.offset + 1, ..last });
                }
                _ => *log = LogView { next: Next::Any, owed: None },
            },
            None => match lost {
                Some(lost) => self.live.lost += lost,
                None => self.live.unknown += 1,
            },
        }
    }

    /// All is well again, and everything has been read: what is missing has a mark.
    pub fn finish(&mut self, record: &Record, net: &Net, matches: impl Fn(&str) -> bool) {
        if let Some(log) = &self.log {
            let (epoch, head, entries) = net.log(&self.topic);
            match (log.next, log.owed) {
                (Next::At(next), _) => {
                    assert_eq!(
                        next,
                        Position { epoch, offset: head + 1 },
                        "{}: the end is missing",
                        self.topic
                    );
                }
                (Next::Any, Some(owed)) if owed.epoch == epoch => {
                    assert_eq!(owed.offset, head + 1, "{}: nothing has come", self.topic);
                }
                (Next::Any, _) => assert!(
                    entries.is_empty() || head == 0 || self.seen.is_none(),
                    "{}: {self:?}",
                    self.topic
                ),
            }
            return;
        }
        for (key, times) in record.lives.iter().filter(|((topic, _), _)| matches(topic)) {
            let head = times.len() as u64;
            let live = &mut self.live;
            let before = match live.last.get(key) {
                Some((_, unknown)) if *unknown < live.unknown => continue,
                Some((last, _)) => *last,
                None if live.unknown > 0 || record.killed.contains(&key.1) => continue,
                None => owed_before(record, key, self.begun),
            };
            live.missing += head.saturating_sub(before);
        }
        let live = &self.live;
        assert!(
            live.missing <= live.lost,
            "{}: the end is missing without a mark: {live:?} {:?}",
            self.topic,
            record.lives
        );
        if live.unknown == 0 && !self.topic.contains(['#', '+']) {
            let begun_late = record.lives.values().flatten().any(|at| *at < self.begun + SETTLED);
            assert!(
                begun_late || live.missing == live.lost,
                "{}: more is marked than is missing",
                self.topic
            );
        }
    }
}

/// How many messages of a server a subscription is not owed.
fn owed_before(record: &Record, key: &(String, u64), begun: Instant) -> u64 {
    let times = record.lives.get(key).map(Vec::as_slice).unwrap_or_default();
    times.iter().take_while(|at| **at < begun + SETTLED).count() as u64
}
