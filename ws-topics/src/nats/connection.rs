//! A connection to a NATS server.

use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::{Client, HeaderMap, Message, Subscriber};
use bytes::Bytes;
use futures_core::Stream;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::backplane::address::Address;
use crate::backplane::queue::Queue;
use crate::backplane::{BackplaneError, Interest};

use super::NatsOptions;
use super::connect::{connect, failed};

/// What the header of an entry of a log takes at most.
const MAX_HEADER: usize = 128;

/// What a message counts as beside its payload.
const OVERHEAD: usize = 512;

pub(super) struct Connection {
    client: Client,
    handle: Handle,
    server: Address,
    request_timeout: Duration,
    /// Bytes since the last flush.
    unsent: tokio::sync::Mutex<usize>,
    max_unsent: usize,
    subscriptions: Mutex<HashMap<Interest, Vec<Task>>>,
    /// This connection's messages to itself: when one comes back, the server has seen all that was sent before.
    echo: Echo,
}

/// The part that the inbox keeps.
#[derive(Clone)]
pub(super) struct Handle {
    pub(super) queue: Arc<Queue>,
}

struct Echo {
    subject: String,
    sent: AtomicU64,
    seen: watch::Receiver<u64>,
    _task: Task,
}

/// A task that ends when this is dropped.
struct Task(AbortHandle);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Connection {
    /// Connects to a server, once.
    pub(super) async fn open(options: &NatsOptions, server: &Address) -> Result<Self, BackplaneError> {
        let queue = Queue::new(options.max_waiting_messages, options.max_waiting_bytes);
        let failed = |why: String| failed(server, &why);
        let client = connect(options, server, &queue).await?;
        let subject = client.new_inbox();
        let subscriber =
            client.subscribe(subject.clone()).await.map_err(|error| failed(error.to_string()))?;
        let (task, seen) = listen(subscriber);
        Ok(Self {
            client,
            handle: Handle { queue },
            server: server.clone(),
            request_timeout: options.request_timeout,
            unsent: tokio::sync::Mutex::default(),
            max_unsent: options.max_unsent_bytes,
            subscriptions: Mutex::default(),
            echo: Echo { subject, sent: AtomicU64::new(0), seen, _task: task },
        })
    }

    pub(super) fn handle(&self) -> Handle {
        self.handle.clone()
    }

    pub(super) const fn server(&self) -> &Address {
        &self.server
    }

    /// How long a payload may be.
    pub(super) fn max_payload(&self) -> usize {
        self.client.max_payload()
    }

    /// Refuses a payload that the server would end the connection for.
    pub(super) fn check_length(&self, payload: &Bytes, has_header: bool) -> Result<(), BackplaneError> {
        let header = if has_header { MAX_HEADER } else { 0 };
        let (length, limit) = (payload.len(), self.max_payload().saturating_sub(header));
        if length > limit {
            let what = format!(
                "a payload of {length} bytes is over the limit of {limit} bytes (max_payload of the NATS server)"
            );
            return Err(BackplaneError::refused(what));
        }
        Ok(())
    }

    /// Subscribes, and waits until the server has confirmed it.
    pub(super) async fn subscribe(
        &self,
        interest: &Interest,
        subjects: Vec<String>,
    ) -> Result<(), BackplaneError> {
        if !self.subscriptions.lock().unwrap_or_else(PoisonError::into_inner).contains_key(interest) {
            let mut tasks = Vec::new();
            for subject in subjects {
                let subscriber = self.bounded(self.client.subscribe(subject)).await?;
                tasks.push(forward(subscriber, Arc::clone(&self.handle.queue)));
            }
            self.subscriptions.lock().unwrap_or_else(PoisonError::into_inner).insert(interest.clone(), tasks);
        }
        self.confirm().await
    }

    pub(super) fn unsubscribe(&self, interest: &Interest) {
        // The subscriber is dropped with its task, and unsubscribes then.
        self.subscriptions.lock().unwrap_or_else(PoisonError::into_inner).remove(interest);
    }

    /// Sends a message; waits while too much waits to be written.
    pub(super) async fn send(
        &self,
        subject: String,
        reply: Option<(String, HeaderMap)>,
        payload: Bytes,
    ) -> Result<(), BackplaneError> {
        self.check_length(&payload, reply.as_ref().is_some_and(|(_, headers)| !headers.is_empty()))?;
        let length = payload.len().saturating_add(OVERHEAD);
        let mut unsent = self.unsent.lock().await;
        if *unsent > 0 && unsent.saturating_add(length) > self.max_unsent {
            self.handle
                .queue
                .unless_closed(async { self.client.flush().await.map_err(|_| self.ended()) })
                .await?;
            *unsent = 0;
        }
        *unsent = unsent.saturating_add(length);
        self.handle
            .queue
            .unless_closed(async {
                match reply {
                    None => self.client.publish(subject, payload).await,
                    Some((reply, headers)) if headers.is_empty() => {
                        self.client.publish_with_reply(subject, reply, payload).await
                    }
                    Some((reply, headers)) => {
                        self.client.publish_with_reply_and_headers(subject, reply, headers, payload).await
                    }
                }
                .map_err(|error| self.failed("publish").caused_by(error))
            })
            .await
    }

    /// Waits until the server has seen what was sent so far.
    async fn confirm(&self) -> Result<(), BackplaneError> {
        let number = self.echo.sent.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        let payload = Bytes::copy_from_slice(&number.to_be_bytes());
        self.send(self.echo.subject.clone(), None, payload).await?;
        let mut seen = self.echo.seen.clone();
        self.bounded(async move { seen.wait_for(|seen| *seen >= number).await.map(drop) }).await
    }

    /// A subscription for the answers to requests.
    pub(super) async fn replies(&self) -> Result<Replies, BackplaneError> {
        let subject = self.client.new_inbox();
        let subscriber = self.bounded(self.client.subscribe(format!("{subject}.*"))).await?;
        Ok(Replies { subject, subscriber })
    }

    /// Waits for an answer.
    pub(super) async fn reply(&self, replies: &mut Replies) -> Result<Message, BackplaneError> {
        let next = poll_fn(|cx| Pin::new(&mut replies.subscriber).poll_next(cx));
        self.bounded(async { next.await.ok_or("no answer") }).await
    }

    /// Sends a request to the server and returns the answer.
    pub(super) async fn request(&self, subject: String, payload: Bytes) -> Result<Message, BackplaneError> {
        let mut replies = self.replies().await?;
        self.send(subject, Some((replies.subject(0), HeaderMap::new())), payload).await?;
        self.reply(&mut replies).await
    }

    /// Sends what needs no answer and may be lost.
    pub(super) async fn notify(&self, subject: String) {
        let _ = self.send(subject, None, Bytes::new()).await;
    }

    /// A future that does not outlast the connection, nor the time for an answer.
    async fn bounded<T, E: ToString>(
        &self,
        future: impl Future<Output = Result<T, E>>,
    ) -> Result<T, BackplaneError> {
        self.handle
            .queue
            .unless_closed(async {
                match tokio::time::timeout(self.request_timeout, future).await {
                    Ok(Ok(value)) => Ok(value),
                    Ok(Err(error)) => {
                        Err(BackplaneError::new(format!("{}: {}", self.ended(), error.to_string())))
                    }
                    Err(_) => {
                        let what = format!(
                            "no answer from the NATS server at {} within {:?}",
                            self.server, self.request_timeout
                        );
                        Err(BackplaneError::new(what))
                    }
                }
            })
            .await
    }

    pub(super) fn failed(&self, what: &str) -> BackplaneError {
        BackplaneError::new(format!("cannot {what} with the NATS server at {}", self.server))
    }

    fn ended(&self) -> BackplaneError {
        BackplaneError::new(format!("the connection to the NATS server at {} has ended", self.server))
    }
}

/// What was published last is still written, if that is possible soon.
impl Drop for Connection {
    fn drop(&mut self) {
        let client = self.client.clone();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                tokio::time::timeout(Duration::from_secs(1), client.flush()).await.map(drop)
            });
        }
        self.handle.queue.close(&self.ended().to_string());
    }
}

/// Answers to requests.
pub(super) struct Replies {
    subject: String,
    subscriber: Subscriber,
}

impl Replies {
    /// Where the answer to a request is to be sent.
    pub(super) fn subject(&self, number: usize) -> String {
        format!("{}.{number}", self.subject)
    }
}

/// Moves the messages of a subscription into the queue.
fn forward(mut subscriber: Subscriber, queue: Arc<Queue>) -> Task {
    let task = tokio::spawn(async move {
        while let Some(message) = poll_fn(|cx| Pin::new(&mut subscriber).poll_next(cx)).await {
            queue.push(message.payload);
        }
    });
    Task(task.abort_handle())
}

/// Notes the numbers that come back.
fn listen(mut subscriber: Subscriber) -> (Task, watch::Receiver<u64>) {
    let (sender, receiver) = watch::channel(0);
    let task = tokio::spawn(async move {
        while let Some(message) = poll_fn(|cx| Pin::new(&mut subscriber).poll_next(cx)).await {
            let Ok(number) = <[u8; 8]>::try_from(&*message.payload) else { continue };
            sender.send_modify(|seen| *seen = (*seen).max(u64::from_be_bytes(number)));
        }
    });
    (Task(task.abort_handle()), receiver)
}
