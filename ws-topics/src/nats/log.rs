//! The logs of topics, as streams of JetStream.

mod fetch;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_nats::{HeaderMap, Message, StatusCode};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::backplane::{Appended, BackplaneError, Entry, Page};
use crate::options::History;

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

/// Those of one request, which would fail again while the connection is good: no resources, storage or streams left for the account or on
/// the server, a message that is too long for the stream, one that cannot be stored, a sealed stream.
const REFUSALS: [u64; 8] = [10_002, 10_023, 10_027, 10_028, 10_047, 10_054, 10_077, 10_109];

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
}

#[derive(Deserialize)]
struct Answer {
    error: Option<ServerError>,
    config: Option<Value>,
    state: Option<State>,
    name: Option<String>,
    seq: Option<u64>,
}

#[derive(Deserialize)]
struct ServerError {
    err_code: Option<u64>,
    description: Option<String>,
}

#[derive(Deserialize)]
struct State {
    messages: u64,
    first_seq: u64,
    last_seq: u64,
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

impl Answer {
    /// What was asked for. Beside an error the other members mean nothing: `seq` is 0 then.
    fn expect<T>(
        self,
        connection: &Connection,
        what: impl FnOnce() -> String,
        member: impl FnOnce(&mut Self) -> Option<T>,
    ) -> Result<T, BackplaneError> {
        let mut answer = self;
        match (answer.error.take(), member(&mut answer)) {
            (None, Some(found)) => Ok(found),
            (error, _) => Err(refusal(connection, &what(), error)),
        }
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
        // None of a batch is stored if one is too long.
        for entry in entries {
            connection.check_length(&entry.payload, true)?;
        }
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

    /// The entries are sent one after another, and the answers are waited for together.
    async fn append_to(
        &self,
        connection: &Connection,
        log: &Log,
        entries: &[Entry],
    ) -> Result<Appended, Failure> {
        let mut replies = connection.replies().await?;
        for (number, entry) in entries.iter().enumerate() {
            let mut headers = HeaderMap::new();
            headers.insert("Nats-Msg-Id", format!("{:032x}", entry.id));
            let reply = Some((replies.subject(number), headers));
            connection.send(log.subject.clone(), reply, entry.payload.clone()).await?;
        }
        let mut offsets = vec![0; entries.len()];
        for _ in entries {
            let reply = connection.reply(&mut replies).await?;
            if reply.status == Some(StatusCode::NO_RESPONDERS) {
                return Err(Failure::Gone);
            }
            let what = || format!("append to stream {:?}", log.stream);
            let offset = parsed(connection, &reply)?.expect(connection, what, |answer| answer.seq)?;
            let number = reply.subject.rsplit('.').next().and_then(|number| number.parse::<usize>().ok());
            if let Some(place) = number.and_then(|number| offsets.get_mut(number)) {
                *place = offset;
            }
        }
        Ok(Appended { epoch: log.epoch, offsets })
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
                Ok(Log { stream: stream.to_owned(), subject: subject.to_owned(), epoch })
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

fn parsed(connection: &Connection, reply: &Message) -> Result<Answer, BackplaneError> {
    if reply.status == Some(StatusCode::NO_RESPONDERS) {
        let what = "store a durable topic";
        return Err(connection.failed(what).caused_by("JetStream is off there; start nats-server with -js"));
    }
    serde_json::from_slice(&reply.payload)
        .map_err(|error| connection.failed("read an answer").caused_by(error))
}

fn refusal(connection: &Connection, what: &str, error: Option<ServerError>) -> BackplaneError {
    let is_refusal =
        error.as_ref().and_then(|error| error.err_code).is_some_and(|code| REFUSALS.contains(&code));
    let why = error.and_then(|error| error.description).unwrap_or_else(|| "it gave no reason".into());
    // The cause of a refusal is shown without its source.
    if is_refusal {
        BackplaneError::refused(format!("{}: {why}", connection.failed(what)))
    } else {
        connection.failed(what).caused_by(why)
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
