//! Topics for browsers and other clients, over the subprotocol `topics.v1`.

mod keys;
mod options;
mod session;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;
use ws_tokio::ws_core::SettingError;
use ws_tokio::{Error, Message, WebSocket};

use self::keys::PublishKeys;
pub use self::options::{EndpointAccess, EndpointOptions};
use self::session::{Answer, Session};
use crate::backplane::Backplane;
use crate::cluster::Cluster;
use crate::options::TopicsOptions;
use crate::topics::Topics;
use crate::v1::{Content, Reply};

/// Serves topics to clients that speak the subprotocol [`topics.v1`](crate::how_to::protocol): JavaScript by `ws-topics/js/topics.js`, Rust by
/// `TopicsClient` (feature `client`), or another client.
///
/// ```
/// use ws_topics::{EndpointOptions, History, TopicsEndpoint, TopicsOptions};
///
/// # async fn serve(socket: ws_topics::ws_tokio::WebSocket<tokio::io::DuplexStream>) -> Result<(), Box<dyn std::error::Error>> {
/// let endpoint = TopicsEndpoint::new(
///     TopicsOptions::default().history("chat/#", History::default()),
///     EndpointOptions::default().publish(true).authorize(|access| access.topic.starts_with("chat/")),
/// )?;
///
/// // The server publishes too.
/// endpoint.topics().publish("chat/lobby", "Welcome!")?;
///
/// // For each connection whose opening handshake agreed on `ws_topics::SUBPROTOCOL`, with the name that the application knows its user by:
/// endpoint.run(socket, "ada").await?;
/// # Ok(()) }
/// ```
///
/// With `ws-server` its [`handler`](Self::handler) is that of an endpoint; in axum and elsewhere [`run`](Self::run) serves an open WebSocket:
/// [how to](crate::how_to) has a whole program for each.
#[derive(Clone)]
pub struct TopicsEndpoint {
    topics: Topics,
    shared: Arc<Shared>,
}

/// A client that is being served, until its connection ends.
type Serving = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

struct Shared {
    options: EndpointOptions,
    keys: PublishKeys,
}

impl TopicsEndpoint {
    /// Makes the topics, whose messages and gap marks have the form of the subprotocol: [`TopicsOptions::frame`] and
    /// [`TopicsOptions::gap_mark`] are replaced.
    ///
    /// # Errors
    /// [`SettingError`] if a setting is not possible.
    pub fn new(topics: TopicsOptions, options: EndpointOptions) -> Result<Self, SettingError> {
        options.check()?;
        Ok(Self::of(Topics::new(framed(topics))?, options))
    }

    /// As [`new`](Self::new), for topics that several servers share: [`Topics::clustered`].
    ///
    /// # Errors
    /// As these two.
    pub fn clustered<B: Backplane>(
        topics: TopicsOptions,
        options: EndpointOptions,
        backplane: B,
    ) -> Result<(Self, Cluster<B>), SettingError> {
        options.check()?;
        let (topics, cluster) = Topics::clustered(framed(topics), backplane)?;
        Ok((Self::of(topics, options), cluster))
    }

    fn of(topics: Topics, options: EndpointOptions) -> Self {
        let keys = PublishKeys::new(options.max_publish_keys, options.publish_key_age);
        Self { topics, shared: Arc::new(Shared { options, keys }) }
    }

    /// Returns the topics, to publish to from the server.
    pub const fn topics(&self) -> &Topics {
        &self.topics
    }

    /// Returns the handler of an endpoint of `ws-server`: `Endpoint::new(topics.handler(|request: &Request| …)).subprotocols([SUBPROTOCOL])`. It serves each
    /// client as [`run`](Self::run) does; the function chooses the client's identity by its request.
    ///
    /// The subprotocol must be offered by the endpoint: a client that asked for it closes the connection otherwise.
    pub fn handler<S, R, I>(
        &self,
        identity: impl Fn(&R) -> I + Send + Sync + 'static,
    ) -> impl Fn(WebSocket<S>, R) -> Serving + Send + Sync + 'static
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        R: 'static,
        I: Into<Arc<str>>,
    {
        let endpoint = self.clone();
        move |socket, request| {
            let (endpoint, identity) = (endpoint.clone(), identity(&request).into());
            // It would live as long as the connection.
            drop(request);
            Box::pin(async move { endpoint.run(socket, identity).await })
        }
    }

    /// Serves one client until its connection ends. `identity` is the name by which the application knows the user: what
    /// [`EndpointOptions::authorize`] gets, and what presence shows; several connections may have the same, and `""` is one too.
    ///
    /// # Errors
    /// As [`Receiver::recv`](ws_tokio::Receiver::recv) and [`Sender::feed`](ws_tokio::Sender::feed): the connection has failed.
    pub async fn run<S>(&self, socket: WebSocket<S>, identity: impl Into<Arc<str>>) -> Result<(), Error>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let identity = identity.into();
        let (sender, mut receiver) = socket.split();
        let mut session = Session::new(self.clone(), sender.clone(), identity);
        let mut later = JoinSet::new();
        while let Some(message) = receiver.recv().await? {
            while later.try_join_next().is_some() {}
            if later.len() >= MAX_LATER {
                // The connection is not read until the backplane has answered.
                later.join_next().await;
            }
            let reply = match session.answer(&message) {
                Answer::Now(reply) => reply,
                Answer::Later(reply) => {
                    let sender = sender.clone();
                    later.spawn(async move { sender.send(Message::text(reply.await.to_json())).await });
                    continue;
                }
            };
            // `recv` writes it, unless the queue is full: then the next request waits.
            sender.feed(Message::text(reply.to_json())).await?;
        }
        Ok(())
    }
}

/// Gives messages and gap marks the form of the subprotocol.
fn framed(topics: TopicsOptions) -> TopicsOptions {
    topics
        .frame(|publication| {
            let reply = Reply::Message {
                topic: publication.topic.to_owned(),
                position: publication.position.to_string(),
                content: Content::of(publication.message),
            };
            Message::text(reply.to_json())
        })
        .gap_mark(|mark| Some(Message::text(Reply::gap(mark).to_json())))
}

/// This many requests of a client may wait for the backplane.
const MAX_LATER: usize = 1_024;

impl fmt::Debug for TopicsEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TopicsEndpoint").field("options", &self.shared.options).finish_non_exhaustive()
    }
}
