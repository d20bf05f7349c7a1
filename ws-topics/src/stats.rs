//! What became of messages.

/// What became of the messages that subscribers were to get, live or out of a history. Exact at every moment at which nothing is
/// being published: `offered == delivered + dropped + ended + waiting`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Messages published on this server.
    pub published: u64,
    /// Subscriptions that began after a position.
    pub resumed: u64,
    /// Messages put into the queues of subscribers.
    pub offered: u64,
    /// Of these, those that their connections have taken, to be written.
    pub delivered: u64,
    /// Of these, those that were dropped because a subscriber was slow.
    pub dropped: u64,
    /// Of these, those that still waited when a subscription or its connection ended.
    pub ended: u64,
    /// Of these, those that wait now.
    pub waiting: u64,
    /// Messages that a replay was to bring, but that the history had lost by then.
    pub missed: u64,
    /// Gap marks that connections have taken.
    pub gaps: u64,
    /// What waits counts as this many bytes.
    pub waiting_bytes: u64,
    /// What the histories keep counts as this many bytes.
    pub history_bytes: u64,
    /// The topics that exist.
    pub topics: usize,
    /// The connections that have subscribed to something.
    pub connections: usize,
}

/// The counts of one connection.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    pub(crate) offered: u64,
    pub(crate) delivered: u64,
    pub(crate) dropped: u64,
    pub(crate) ended: u64,
    pub(crate) missed: u64,
    pub(crate) gaps: u64,
}

impl Stats {
    pub(crate) fn add(&mut self, counts: Counts) {
        let pairs = [
            (&mut self.offered, counts.offered),
            (&mut self.delivered, counts.delivered),
            (&mut self.dropped, counts.dropped),
            (&mut self.ended, counts.ended),
            (&mut self.missed, counts.missed),
            (&mut self.gaps, counts.gaps),
        ];
        for (sum, count) in pairs {
            *sum = sum.saturating_add(count);
        }
    }
}

/// What was recorded as metrics last.
#[cfg(feature = "metrics")]
#[derive(Debug, Default)]
pub(crate) struct Recorded {
    pub(crate) last: std::sync::Mutex<[u64; 16]>,
    pub(crate) gauges: std::sync::Mutex<[f64; 8]>,
}
