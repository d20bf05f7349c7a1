//! The logs of topics, as streams of JetStream.

mod answer;
mod fetch;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_nats::{HeaderMap, StatusCode};
use bytes::Bytes;
use serde_json::{Value, json};

use crate::backplane::{Appended, BackplaneError, Entry, Page};
use crate::options::History;

use self::answer::{Answer, parsed, refusal};
use self::fetch::fetch;
use super::NatsOptions;
use super::connection::Connection;
use super::name::Names;

/// For how long the server knows an entry by its id: longer than a caller repeats it.
const DUPLICATE_WINDOW: Duration = Duration::from_secs(120);

/// How many entries one read brings.
const MAX_READ: usize = 2_048;

/// The codes of the server's errors.
const STREAM_NOT_FOUND: u64 = 10_059;
const STREAM_NAME_IN_USE: u64 = 10_058;

/// The streams that this connection has seen to.
pub(super) struct Logs {
    names: Names,
    replicas: u8,
    known: Mutex<Known>,
}

/// By topic, with the limits that the stream was given.
type Known = HashMap<Box<str>, (History, Arc<Log>)>;

struct Log {
    stream: String,
    subject: String,
    epoch: u64,
    /// Where entries are stored that came behind one that was refused, by id. A server may refuse those, too, before it looks whether it has
    /// them.
    ahead: Mutex<HashMap<u128, u64>>,
}

/// Why an append did not succeed.
enum Failure {
    /// The stream is not there any more.
    Gone,
    Other(BackplaneError),
}

impl From<BackplaneError> for Failure {
    fn from(error: BackplaneError) -> Self {
        Self::Other(error)
    }
}

impl Logs {
    pub(super) fn new(options: &NatsOptions, names: Names) -> Self {
        Self { names, replicas: options.replicas, known: Mutex::default() }
    }

    pub(super) async fn append(
        &self,
        connection: &Connection,
        topic: &str,
        history: &History,
        entries: &[Entry],
    ) -> Result<Appended, BackplaneError> {
        if let Some(first) = entries.first() {
            connection.check_length(&first.payload, true)?;
        }
        let fits = |entry: &&Entry| connection.check_length(&entry.payload, true).is_ok();
        let entries = entries.get(..entries.iter().take_while(fits).count()).unwrap_or_default();
        let log = self.find_or_make(connection, topic, history).await?;
        match self.append_to(connection, &log, entries).await {
            Ok(appended) => Ok(appended),
            Err(Failure::Other(error)) => Err(error),
            Err(Failure::Gone) => {
                self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(topic);
                let log = self.find_or_make(connection, topic, history).await?;
                self.append_to(connection, &log, entries).await.map_err(|failure| match failure {
                    Failure::Gone => {
                        connection.failed(&format!("append to topic {topic:?}, whose stream was deleted,"))
                    }
                    Failure::Other(error) => error,
                })
            }
        }
    }

    /// The entries are sent one after another, and the answers are waited for together. Where one is refused those before it are stored, and
    /// those behind it may be.
    async fn append_to(
        &self,
        connection: &Connection,
        log: &Log,
        entries: &[Entry],
    ) -> Result<Appended, Failure> {
        let mut ahead = std::mem::take(&mut *log.ahead.lock().unwrap_or_else(PoisonError::into_inner));
        // Ids count, so those below the first are not appended again.
        ahead.retain(|id, _| entries.first().is_some_and(|first| *id >= first.id));
        let mut offsets: Vec<_> = entries.iter().map(|entry| ahead.remove(&entry.id)).collect();
        let mut replies = connection.replies().await?;
        let mut sent = 0_usize;
        for (number, (entry, _)) in entries.iter().zip(&offsets).enumerate().filter(|(_, it)| it.1.is_none())
        {
            let mut headers = HeaderMap::new();
            headers.insert("Nats-Msg-Id", format!("{:032x}", entry.id));
            let reply = Some((replies.subject(number), headers));
            connection.send(log.subject.clone(), reply, entry.payload.clone()).await?;
            sent = sent.saturating_add(1);
        }
        let mut refused = None;
        for _ in 0..sent {
            let reply = connection.reply(&mut replies).await?;
            if reply.status == Some(StatusCode::NO_RESPONDERS) {
                return Err(Failure::Gone);
            }
            let number = reply.subject.rsplit('.').next().and_then(|number| number.parse::<usize>().ok());
            let what = || format!("append to stream {:?}", log.stream);
            match parsed(connection, &reply)?.expect(connection, what, |answer| answer.seq) {
                Ok(offset) => {
                    if let Some(place) = number.and_then(|number| offsets.get_mut(number)) {
                        *place = Some(offset);
                    }
                }
                Err(error) if error.is_refusal() && number == Some(0) => refused = Some(error),
                // It is sent again, and reported when it is the first.
                Err(error) if error.is_refusal() => {}
                Err(error) => return Err(error.into()),
            }
        }
        let stored: Vec<_> = offsets.iter().map_while(|offset| *offset).collect();
        let behind = entries.iter().zip(&offsets).skip(stored.len());
        ahead.extend(behind.filter_map(|(entry, offset)| Some((entry.id, (*offset)?))));
        *log.ahead.lock().unwrap_or_else(PoisonError::into_inner) = ahead;
        match refused {
            Some(error) => Err(error.into()),
            None => Ok(Appended { epoch: log.epoch, offsets: stored }),
        }
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
        let stream = self.names.stream_of(topic)?;
        let answer = match info(connection, &stream).await? {
            Some(answer) => answer,
            None => {
                self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(topic);
                self.find_or_make(connection, topic, history).await?;
                let what = format!("find stream {stream:?}, which was just made,");
                info(connection, &stream).await?.ok_or_else(|| connection.failed(&what))?
            }
        };
        let epoch = self.log(topic, &stream, answer.config.as_ref(), connection)?.epoch;
        let state = answer.state.ok_or_else(|| connection.failed("read the state of a stream"))?;
        let head = state.last_seq;
        let oldest = if state.messages == 0 { head.saturating_add(1) } else { state.first_seq };
        let first = oldest.max(after.saturating_add(1));
        let mut page = Page { epoch, oldest, head, entries: Vec::new() };
        if first > head || max_messages == 0 {
            return Ok(page);
        }
        let there = usize::try_from(head.saturating_sub(first).saturating_add(1)).unwrap_or(usize::MAX);
        let wanted = max_messages.min(MAX_READ).min(there);
        page.entries = fetch(connection, &stream, first, wanted, max_bytes).await?;
        // The first ones may have been dropped by the limits in the meantime.
        if let Some((found, _)) = page.entries.first() {
            page.oldest = page.oldest.max(if *found > first { *found } else { 0 });
        }
        page.head = page.entries.last().map_or(head, |(offset, _)| head.max(*offset));
        Ok(page)
    }

    /// Makes the stream of a topic if there is none, and gives it these limits if it has others.
    async fn find_or_make(
        &self,
        connection: &Connection,
        topic: &str,
        history: &History,
    ) -> Result<Arc<Log>, BackplaneError> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(topic).cloned();
        if let Some((_, log)) = known.filter(|(limits, _)| limits == history) {
            return Ok(log);
        }
        let stream = self.names.stream_of(topic)?;
        let log = match info(connection, &stream).await? {
            Some(answer) => self.limit(connection, topic, &stream, history, answer.config).await?,
            None => self.make(connection, topic, &stream, history).await?,
        };
        let log = Arc::new(log);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(topic.into(), (*history, Arc::clone(&log)));
        Ok(log)
    }

    async fn make(
        &self,
        connection: &Connection,
        topic: &str,
        stream: &str,
        history: &History,
    ) -> Result<Log, BackplaneError> {
        #[expect(
            clippy::disallowed_methods,
            reason = "other servers have to have another one, whenever they were started"
        )]
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
        // Below 2^53 until the year 2255.
        let epoch = u64::try_from(now).unwrap_or(u64::MAX) & ((1 << 53) - 1);
        let mut config = json!({
            "name": stream,
            "subjects": [self.names.log_of(topic, epoch)],
            "retention": "limits",
            "discard": "old",
            "storage": "file",
            "num_replicas": self.replicas,
            "max_consumers": -1,
            "max_msg_size": -1,
        });
        set_limits(&mut config, history, connection.max_payload());
        let request = Bytes::from(config.to_string());
        let reply = connection.request(format!("$JS.API.STREAM.CREATE.{stream}"), request).await?;
        let answer = parsed(connection, &reply)?;
        match answer.error {
            None => self.log(topic, stream, answer.config.as_ref(), connection),
            // Another server was faster.
            Some(error) if error.err_code == Some(STREAM_NAME_IN_USE) => {
                let found = info(connection, stream).await?.and_then(|answer| answer.config);
                self.limit(connection, topic, stream, history, found).await
            }
            Some(error) => Err(refusal(connection, &format!("make stream {stream:?}"), Some(error))),
        }
    }

    /// Changes the limits of a stream, and nothing else of it.
    async fn limit(
        &self,
        connection: &Connection,
        topic: &str,
        stream: &str,
        history: &History,
        config: Option<Value>,
    ) -> Result<Log, BackplaneError> {
        let log = self.log(topic, stream, config.as_ref(), connection)?;
        let Some(config) = config else { return Ok(log) };
        let mut changed = config.clone();
        set_limits(&mut changed, history, connection.max_payload());
        if changed != config {
            let request = Bytes::from(changed.to_string());
            let reply = connection.request(format!("$JS.API.STREAM.UPDATE.{stream}"), request).await?;
            if let Some(error) = parsed(connection, &reply)?.error {
                return Err(refusal(
                    connection,
                    &format!("change the limits of stream {stream:?}"),
                    Some(error),
                ));
            }
        }
        Ok(log)
    }

    /// The log as the server describes its stream.
    fn log(
        &self,
        topic: &str,
        stream: &str,
        config: Option<&Value>,
        connection: &Connection,
    ) -> Result<Log, BackplaneError> {
        let subject = config.and_then(|config| config.get("subjects")?.get(0)?.as_str());
        let found = subject.and_then(|subject| Some((subject, self.names.epoch_of(subject)?)));
        match found {
            Some((subject, epoch)) if subject == self.names.log_of(topic, epoch) => {
                let ahead = Mutex::default();
                Ok(Log { stream: stream.to_owned(), subject: subject.to_owned(), epoch, ahead })
            }
            _ => Err(connection.failed(&format!(
                "use stream {stream:?}, which others have made: set another prefix; it cannot be shared"
            ))),
        }
    }
}

/// The stream, if there is one.
async fn info(connection: &Connection, stream: &str) -> Result<Option<Answer>, BackplaneError> {
    let reply = connection.request(format!("$JS.API.STREAM.INFO.{stream}"), Bytes::new()).await?;
    let answer = parsed(connection, &reply)?;
    match answer.error {
        None => Ok(Some(answer)),
        Some(error) if error.err_code == Some(STREAM_NOT_FOUND) => Ok(None),
        Some(error) => Err(refusal(connection, &format!("find stream {stream:?}"), Some(error))),
    }
}

fn set_limits(config: &mut Value, history: &History, max_payload: usize) {
    // The server forgets no id of an entry that is still there before this, and asks for an age that is not less.
    let age = history.max_age.max(DUPLICATE_WINDOW);
    // One message fits, whatever the limit.
    let bytes = history.max_bytes.max(max_payload.saturating_add(4 << 10));
    let Some(config) = config.as_object_mut() else { return };
    for (name, value) in [
        ("max_msgs", i64::try_from(history.max_messages).unwrap_or(i64::MAX)),
        ("max_bytes", i64::try_from(bytes).unwrap_or(i64::MAX)),
        ("max_age", nanoseconds(age)),
        ("duplicate_window", nanoseconds(DUPLICATE_WINDOW)),
    ] {
        config.insert(name.into(), value.into());
    }
}

fn nanoseconds(time: Duration) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
}
