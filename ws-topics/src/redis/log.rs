//! The logs of topics, as streams.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use redis::{Script, ScriptInvocation, Value};

use crate::backplane::{Appended, BackplaneError, Entry, Page};
use crate::options::History;

use super::RedisOptions;
use super::connection::Connection;
use super::name::Names;

/// For how long the server knows an entry by its id: longer than a caller repeats it.
const DUPLICATE_WINDOW: Duration = Duration::from_secs(120);

/// How many entries one read brings.
const MAX_READ: usize = 2_048;

/// Of how many topics the heads are kept.
const MAX_SEEN: usize = 100_000;

const APPEND: &str = concat!(include_str!("log.lua"), include_str!("append.lua"));
const READ: &str = concat!(include_str!("log.lua"), include_str!("read.lua"));

/// The epoch and the head of each log, as they were seen last: a server that comes back with less has lost some.
#[derive(Default)]
pub(super) struct Seen {
    heads: Mutex<HashMap<Box<str>, (u64, u64)>>,
}

impl Seen {
    fn of(&self, topic: &str) -> (u64, u64) {
        self.heads.lock().unwrap_or_else(PoisonError::into_inner).get(topic).copied().unwrap_or_default()
    }

    fn note(&self, topic: &str, epoch: u64, head: u64) {
        let mut heads = self.heads.lock().unwrap_or_else(PoisonError::into_inner);
        if heads.len() >= MAX_SEEN && !heads.contains_key(topic) {
            heads.clear();
        }
        let seen = heads.entry(topic.into()).or_default();
        *seen = if seen.0 == epoch { (epoch, seen.1.max(head)) } else { (epoch, head) };
    }
}

pub(super) struct Logs {
    names: Names,
    keep: Duration,
    append: Script,
    read: Script,
    seen: std::sync::Arc<Seen>,
}

impl Logs {
    pub(super) fn new(options: &RedisOptions, names: Names, seen: std::sync::Arc<Seen>) -> Self {
        let (append, read) = (Script::new(APPEND), Script::new(READ));
        Self { names, keep: options.keep_unused, append, read, seen }
    }

    pub(super) async fn append(
        &self,
        connection: &Connection,
        topic: &str,
        history: &History,
        entries: &[Entry],
    ) -> Result<Appended, BackplaneError> {
        match self.append_all(connection, topic, history, entries).await {
            // The script stores all or nothing. An earlier call may have stored the first.
            Err(error) if error.is_refusal() && entries.len() > 1 => {
                let first = entries.get(..1).unwrap_or_default();
                self.append_all(connection, topic, history, first).await
            }
            done => done,
        }
    }

    async fn append_all(
        &self,
        connection: &Connection,
        topic: &str,
        history: &History,
        entries: &[Entry],
    ) -> Result<Appended, BackplaneError> {
        let mut script = self.append.prepare_invoke();
        self.begin(&mut script, topic, history);
        script.arg(milliseconds(DUPLICATE_WINDOW));
        for entry in entries {
            script.arg(format!("{:032x}", entry.id)).arg(&*entry.payload);
        }
        let what = format!("append to topic {topic:?}");
        let mut answer = numbers(connection.invoke(&script, &what).await?);
        let wrong = || connection.failed(&what).caused_by("the answer is not of our script");
        let epoch = answer.next().flatten().ok_or_else(wrong)?;
        let offsets: Vec<u64> = answer.collect::<Option<_>>().ok_or_else(wrong)?;
        if offsets.len() != entries.len() {
            return Err(wrong());
        }
        if let Some(head) = offsets.iter().max() {
            self.seen.note(topic, epoch, *head);
        }
        Ok(Appended { epoch, offsets })
    }

    pub(super) async fn read(
        &self,
        connection: &Connection,
        topic: &str,
        history: &History,
        after: u64,
        max_messages: usize,
        max_bytes: usize,
    ) -> Result<Page, BackplaneError> {
        let mut script = self.read.prepare_invoke();
        self.begin(&mut script, topic, history);
        script.arg(after).arg(max_messages.min(MAX_READ)).arg(max_bytes);
        let what = format!("read topic {topic:?}");
        let wrong = || connection.failed(&what).caused_by("the answer is not of our script");
        let mut answer = values(connection.invoke(&script, &what).await?).into_iter();
        let mut number = || answer.next().and_then(|value| number(&value)).ok_or_else(wrong);
        let (epoch, oldest, head) = (number()?, number()?, number()?);
        let mut entries = Vec::new();
        while let Some(offset) = answer.next() {
            match (self::number(&offset), answer.next()) {
                (Some(offset), Some(Value::BulkString(payload))) => {
                    entries.push((offset, Bytes::from(payload)))
                }
                _ => return Err(wrong()),
            }
        }
        self.seen.note(topic, epoch, head);
        Ok(Page { epoch, oldest, head, entries })
    }

    /// The keys and the arguments that both scripts begin with.
    fn begin(&self, script: &mut ScriptInvocation<'_>, topic: &str, history: &History) {
        for key in self.names.of_log(topic) {
            script.key(key);
        }
        let (epoch, head) = self.seen.of(topic);
        script
            .arg(history.max_messages)
            .arg(history.max_bytes)
            .arg(milliseconds(history.max_age))
            .arg(milliseconds(history.max_age.saturating_add(self.keep)))
            .arg(epoch)
            .arg(head);
    }
}

/// At most some thirty years, which Redis can add to a time.
fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX).min(1 << 40)
}

fn values(answer: Value) -> Vec<Value> {
    if let Value::Array(values) = answer { values } else { Vec::new() }
}

fn numbers(answer: Value) -> impl Iterator<Item = Option<u64>> {
    values(answer).into_iter().map(|value| number(&value))
}

fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Int(number) => u64::try_from(*number).ok(),
        Value::BulkString(text) => std::str::from_utf8(text).ok()?.parse().ok(),
        Value::SimpleString(text) => text.parse().ok(),
        _ => None,
    }
}
