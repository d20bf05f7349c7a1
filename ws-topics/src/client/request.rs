//! What a client asks for when it subscribes.

use std::fmt::Write as _;

use super::error::ClientError;
use super::runtime;
use crate::position::Position;
use crate::start::Start;

/// How a [`TopicsClient`](crate::TopicsClient) subscribes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SubscribeRequest {
    /// Where the subscription begins. Default: [`Start::Live`].
    pub start: Start,
    /// What to show for this client among those who are present. Default: `None`, not present.
    pub present: Option<String>,
    /// Whether to get an [`Event::Presence`](crate::Event::Presence) for each change of who is present. Default: false.
    pub watch: bool,
    /// How many events may wait until [`ClientSubscription::next`](crate::ClientSubscription::next) takes them. Default: 1,024; less than 4 counts as 4. Beyond that
    /// the client unsubscribes, and resumes when all are taken: nothing is lost that the server's history has, and no other subscription is delayed.
    pub max_waiting: usize,
    /// How many bytes of events may wait: of topics, messages, and lists of members, of whom each counts as 96 bytes more. Default: 8 MiB. One event may, however long it
    /// is. Beyond that it goes on as beyond [`max_waiting`](Self::max_waiting).
    pub max_waiting_bytes: usize,
}

impl Default for SubscribeRequest {
    fn default() -> Self {
        Self {
            start: Start::Live,
            present: None,
            watch: false,
            max_waiting: 1_024,
            max_waiting_bytes: 8 << 20,
        }
    }
}

impl SubscribeRequest {
    /// Has it begin after a position, if there is one: [`Start::Since`].
    #[must_use]
    pub fn since(mut self, position: impl Into<Option<Position>>) -> Self {
        self.start = position.into().map_or(Start::Live, Start::Since);
        self
    }

    /// Has it begin with the latest messages of the history: [`Start::Last`].
    #[must_use]
    pub fn last(mut self, messages: u64) -> Self {
        self.start = Start::Last(messages);
        self
    }

    /// Sets [`present`](Self::present).
    #[must_use]
    pub fn present(mut self, value: impl Into<String>) -> Self {
        self.present = Some(value.into());
        self
    }

    /// Sets [`watch`](Self::watch).
    #[must_use]
    pub fn watch(mut self, watch: bool) -> Self {
        self.watch = watch;
        self
    }

    /// Sets [`max_waiting`](Self::max_waiting).
    #[must_use]
    pub fn max_waiting(mut self, events: usize) -> Self {
        self.max_waiting = events;
        self
    }

    /// Sets [`max_waiting_bytes`](Self::max_waiting_bytes).
    #[must_use]
    pub fn max_waiting_bytes(mut self, bytes: usize) -> Self {
        self.max_waiting_bytes = bytes;
        self
    }
}

/// Returns the key of a publication: 128 random bits in hexadecimal digits.
pub(super) fn random_key() -> Result<String, ClientError> {
    Ok(runtime::random_bits()?.iter().fold(String::with_capacity(32), |mut key, byte| {
        let _ = write!(key, "{byte:02x}");
        key
    }))
}
