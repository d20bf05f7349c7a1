//! A subscription, as its owner has it.

use std::fmt;
use std::sync::Arc;

use crate::hub::Hub;
use crate::topic::{Beginning, Resumed, Seat};

/// A connection's subscription to a topic or filter. It ends when this is dropped, or with the connection: when that closes, begins to close, or
/// is dropped. It does not keep the connection alive.
///
/// What waits for it then is dropped; what the connection has taken already is sent.
#[must_use = "the subscription ends when this is dropped"]
pub struct Subscription {
    hub: Arc<Hub>,
    seat: Arc<Seat>,
    beginning: Beginning,
}

impl Subscription {
    pub(crate) const fn new(hub: Arc<Hub>, seat: Arc<Seat>, beginning: Beginning) -> Self {
        Self { hub, seat, beginning }
    }

    /// Returns the topic or filter.
    pub fn topic(&self) -> &str {
        self.seat.place.name()
    }

    /// Returns how it began, if it was to begin [after a position](crate::Start::Since). A subscription to a durable topic, the first on
    /// this server, begins when the log has been read: [`begun`](Self::begun) waits for that.
    pub fn resumed(&self) -> Option<Resumed> {
        self.beginning.now().and_then(|begun| begun.resumed)
    }

    /// Waits until it has begun; at once unless it is to a [durable](crate::History::durable) topic, and the first on this server. Returns as
    /// [`resumed`](Self::resumed). If the future is dropped nothing is lost.
    pub async fn begun(&self) -> Option<Resumed> {
        self.beginning().wait().await.and_then(|begun| begun.resumed)
    }

    /// Its beginning, which may be still to come.
    pub(crate) fn beginning(&self) -> Beginning {
        self.beginning.clone()
    }

    /// Whether it has ended with its connection.
    pub fn is_ended(&self) -> bool {
        self.seat.has_left()
    }

    /// Returns how many messages wait for room.
    pub fn waiting(&self) -> usize {
        self.seat.subscriber.waiting_for(&self.seat)
    }

    /// Returns how many messages were dropped because the subscriber was slow.
    pub fn dropped(&self) -> u64 {
        self.seat.dropped()
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.hub.unsubscribe(&self.seat);
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").field("topic", &self.topic()).finish_non_exhaustive()
    }
}
