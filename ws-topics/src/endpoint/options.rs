//! What is settable for clients over `topics.v1`.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ws_tokio::Message;
use ws_tokio::ws_core::SettingError;

use crate::options::Action;
use crate::subscribe_options::SlowSubscriber;

/// The settings of a [`TopicsEndpoint`](crate::TopicsEndpoint), each with a default. The bounds of the topics are in
/// [`TopicsOptions`](crate::TopicsOptions), the largest message of a client in the WebSocket's `Config`.
#[derive(Clone)]
#[non_exhaustive]
pub struct EndpointOptions {
    /// Whether clients may publish. Default: false.
    pub publish: bool,
    /// What a subscription of a slow client loses. Default: [`SlowSubscriber::DropOldest`].
    pub slow: SlowSubscriber,
    /// How many keys of publications are remembered, over all clients, so that a repeated publication is published once. Beyond it the
    /// oldest is forgotten. Default: 65,536, some 15 MB at most.
    pub max_publish_keys: usize,
    /// For how long a key is remembered. Default: two minutes.
    pub publish_key_age: Duration,
    /// How long changes of presence are collected after a client was sent some: each report is a message to every client that watches, so
    /// that somebody who comes and goes quickly must not decide how often. Default: one second.
    pub presence_interval: Duration,
    authorize: Option<Arc<Authorize>>,
    prepare: Option<Arc<Prepare>>,
}

type Prepare = dyn Fn(&EndpointAccess<'_>, Message) -> Result<Message, String> + Send + Sync;
type Authorize = dyn Fn(&EndpointAccess<'_>) -> bool + Send + Sync;

/// What a client asks to do, for [`EndpointOptions::authorize`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct EndpointAccess<'a> {
    /// The name that [`TopicsEndpoint::run`](crate::TopicsEndpoint::run) got for the connection.
    pub identity: &'a str,
    /// The topic, or the filter of a subscription.
    pub topic: &'a str,
    /// What it asks for.
    pub action: Action,
}

impl Default for EndpointOptions {
    fn default() -> Self {
        Self {
            publish: false,
            slow: SlowSubscriber::default(),
            max_publish_keys: 1 << 16,
            publish_key_age: Duration::from_secs(120),
            presence_interval: Duration::from_secs(1),
            authorize: None,
            prepare: None,
        }
    }
}

impl EndpointOptions {
    /// Sets [`publish`](Self::publish).
    #[must_use]
    pub fn publish(mut self, allowed: bool) -> Self {
        self.publish = allowed;
        self
    }

    /// Sets [`slow`](Self::slow).
    #[must_use]
    pub fn slow(mut self, slow: SlowSubscriber) -> Self {
        self.slow = slow;
        self
    }

    /// Sets [`max_publish_keys`](Self::max_publish_keys).
    #[must_use]
    pub fn max_publish_keys(mut self, keys: usize) -> Self {
        self.max_publish_keys = keys;
        self
    }

    /// Sets [`publish_key_age`](Self::publish_key_age).
    #[must_use]
    pub fn publish_key_age(mut self, age: Duration) -> Self {
        self.publish_key_age = age;
        self
    }

    /// Sets [`presence_interval`](Self::presence_interval).
    #[must_use]
    pub fn presence_interval(mut self, interval: Duration) -> Self {
        self.presence_interval = interval;
        self
    }

    /// Sets the function that decides what a client may do; without one everything but publishing is allowed. It is asked besides
    /// [`TopicsOptions::authorize`](crate::TopicsOptions::authorize), and about a filter once, not about each topic that matches it: refuse filters to
    /// clients that may not see all of them.
    #[must_use]
    pub fn authorize(
        mut self,
        authorize: impl Fn(&EndpointAccess<'_>) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.authorize = Some(Arc::new(authorize));
        self
    }

    /// Sets the function that makes the message which is published of one that a client publishes: to add who has sent it, or when, or to refuse
    /// what does not belong there. `Err` refuses it with the code `content` and this text. Default: what a client publishes is published as it is.
    ///
    /// It is called once for each publication, not again for one that is repeated with its key. Other publications with keys wait
    /// meanwhile: it must be quick, and must not publish itself.
    #[must_use]
    pub fn prepare(
        mut self,
        prepare: impl Fn(&EndpointAccess<'_>, Message) -> Result<Message, String> + Send + Sync + 'static,
    ) -> Self {
        self.prepare = Some(Arc::new(prepare));
        self
    }

    pub(super) fn check(&self) -> Result<(), SettingError> {
        if self.max_publish_keys == 0 {
            return Err(SettingError::new(
                "max_publish_keys",
                0,
                "it must be above zero; the default is 65536",
            ));
        }
        Ok(())
    }

    pub(super) fn allows(&self, access: &EndpointAccess<'_>) -> bool {
        self.authorize.as_ref().is_none_or(|authorize| authorize(access))
    }

    pub(super) fn prepared(&self, access: &EndpointAccess<'_>, message: Message) -> Result<Message, String> {
        match &self.prepare {
            Some(prepare) => prepare(access, message),
            None => Ok(message),
        }
    }
}

impl fmt::Debug for EndpointOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndpointOptions")
            .field("publish", &self.publish)
            .field("slow", &self.slow)
            .field("max_publish_keys", &self.max_publish_keys)
            .field("publish_key_age", &self.publish_key_age)
            .field("presence_interval", &self.presence_interval)
            .finish_non_exhaustive()
    }
}
