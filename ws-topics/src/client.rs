//! A client of `topics.v1` that connects again, resumes, and reports what was lost.

mod error;
mod event;
mod held;
mod request;
mod runtime;
mod state;
mod subscription;
mod waiting;
mod worker;

use std::fmt;
use std::sync::Arc;

use tokio::sync::{Semaphore, SemaphorePermit, mpsc, oneshot};
use ws_client::{Client, ConnectError, Reconnect, Request};
use ws_core::Message;

pub use self::error::ClientError;
pub use self::event::Event;
pub use self::request::SubscribeRequest;
use self::state::Command;
pub use self::subscription::ClientSubscription;
use self::waiting::Waiting;
use crate::position::Position;
use crate::start::Member;

/// A client of a [`TopicsEndpoint`](crate::TopicsEndpoint), or of another server that speaks [`topics.v1`](crate::how_to::protocol). It connects again when the
/// connection is lost, and resumes each subscription where it was. Cheap to clone; the connection is closed when the last clone and
/// the last subscription are dropped.
///
/// It works in a browser (`wasm32-unknown-unknown`) as well, where `ws_client` uses the browser's WebSocket. There it asks the server for an answer
/// when none came for 25 seconds, and leaves the connection 10 seconds later; natively the pings of `ws_client` do that.
///
/// ```no_run
/// use ws_topics::{Event, SubscribeRequest, TopicsClient};
/// use ws_topics::ws_client::Client;
///
/// # async fn f() -> Result<(), Box<dyn std::error::Error>> {
/// let topics = TopicsClient::new(&Client::new()?, "wss://example.com/topics")?;
/// let mut prices = topics.subscribe("prices/gold", SubscribeRequest::default().last(1)).await?;
/// loop {
///     match prices.next().await? {
///         Event::Message { message, .. } => println!("{}", message.as_text().unwrap_or_default()),
///         Event::Gap { lost, .. } => println!("lost: {lost:?}"),
///         _ => {}
///     }
/// }
/// # }
/// ```
#[derive(Clone)]
pub struct TopicsClient {
    commands: mpsc::Sender<Command>,
    /// Room for calls without an answer.
    room: Arc<Semaphore>,
}

/// How many calls may wait for the task of the client.
const COMMANDS: usize = 64;

/// How many calls may be without an answer; further ones wait.
const MAX_CALLS: usize = 1_024;

/// Room for this many events is needed so that a subscription that resumes again and again comes further: for that it has resumed, who is present, a gap
/// and a message.
const MIN_WAITING: usize = 4;

impl TopicsClient {
    /// Begins to connect, in a separate task, by [`Client::reconnect`] with the client's back-off. The request offers the subprotocol by itself.
    ///
    /// # Errors
    /// [`ConnectError`] if the request itself is not valid.
    ///
    /// # Panics
    /// Outside of a tokio runtime, except in a browser.
    pub fn new(
        client: &Client,
        request: impl TryInto<Request, Error: Into<ConnectError>>,
    ) -> Result<Self, ConnectError> {
        let request = request.try_into().map_err(Into::into)?.subprotocol(crate::SUBPROTOCOL);
        Ok(Self::with_connections(client.reconnect(request)?))
    }

    /// As [`new`](Self::new), on given connections: with a new token for each ([`Client::reconnect_with`]), or a hook that reports why there is
    /// none ([`Reconnect::on_wait`]). Their requests must offer the subprotocol [`SUBPROTOCOL`](crate::SUBPROTOCOL).
    ///
    /// # Panics
    /// Outside of a tokio runtime, except in a browser.
    pub fn with_connections(connections: Reconnect) -> Self {
        let (commands, receiver) = mpsc::channel(COMMANDS);
        runtime::spawn(worker::run(connections, receiver));
        Self { commands, room: Arc::new(Semaphore::new(MAX_CALLS)) }
    }

    /// Subscribes to a topic or a filter; waits for a connection and for the answer of the server. A client has at most one subscription
    /// to each topic or filter.
    ///
    /// # Errors
    /// [`ClientError::Refused`] if the server refuses it; [`ClientError::AlreadySubscribed`]; [`ClientError::Connect`] and
    /// [`ClientError::NoSubprotocol`] if there will be no connection.
    pub async fn subscribe(
        &self,
        topic: impl Into<String>,
        request: SubscribeRequest,
    ) -> Result<ClientSubscription, ClientError> {
        let topic = topic.into();
        let max_events = request.max_waiting.clamp(MIN_WAITING, Semaphore::MAX_PERMITS);
        let (events, receiver) = mpsc::channel(max_events);
        let waiting = Arc::new(Waiting::new(request.max_waiting_bytes));
        let (done, subscribed) = oneshot::channel();
        let subscription =
            ClientSubscription::new(topic.clone(), receiver, self.commands.clone(), Arc::clone(&waiting));
        let _room = self.room().await?;
        self.command(Command::Subscribe { topic, request, events, waiting, done }).await?;
        answer(subscribed).await?;
        Ok(subscription)
    }

    /// Publishes a message, and waits until the server has published it: over losses of connection too, after which it is sent again
    /// with the same key, so that the server publishes it once, as long as it remembers the key (by default two minutes). Returns its
    /// position; `None` if the topic has neither subscribers nor a history. If the future is dropped, the message may still be published.
    ///
    /// # Errors
    /// As [`subscribe`](Self::subscribe).
    pub async fn publish(
        &self,
        topic: impl Into<String>,
        message: impl Into<Message>,
    ) -> Result<Option<Position>, ClientError> {
        let (done, published) = oneshot::channel();
        let key = request::random_key()?;
        let _room = self.room().await?;
        self.command(Command::Publish { topic: topic.into(), message: message.into(), key, done }).await?;
        answer(published).await
    }

    /// Returns who is present in a topic.
    ///
    /// # Errors
    /// As [`subscribe`](Self::subscribe).
    pub async fn presence(&self, topic: impl Into<String>) -> Result<Vec<Member>, ClientError> {
        let (done, members) = oneshot::channel();
        let _room = self.room().await?;
        self.command(Command::Presence { topic: topic.into(), done }).await?;
        answer(members).await
    }

    /// Closes the connection, for all clones and subscriptions, and waits until that is done. Whatever has no answer yet fails with
    /// [`ClientError::Ended`].
    pub async fn close(&self) {
        // It may have ended by itself.
        let _ = self.commands.send(Command::Close).await;
        self.commands.closed().await;
    }

    async fn room(&self) -> Result<SemaphorePermit<'_>, ClientError> {
        // It is never closed.
        self.room.acquire().await.map_err(|_| ClientError::Ended)
    }

    async fn command(&self, command: Command) -> Result<(), ClientError> {
        self.commands.send(command).await.map_err(|_| ClientError::Ended)
    }
}

/// The task answers everything, unless its runtime ends.
async fn answer<T>(done: oneshot::Receiver<Result<T, ClientError>>) -> Result<T, ClientError> {
    done.await.unwrap_or(Err(ClientError::Ended))
}

impl fmt::Debug for TopicsClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TopicsClient").finish_non_exhaustive()
    }
}
