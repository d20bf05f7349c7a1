//! What went between servers, in numbers.

/// What went to and came from other servers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClusterCounts {
    /// Live messages that were sent to the other servers.
    pub sent: u64,
    /// Live messages that were not, since the backplane was down or slow.
    pub unsent: u64,
    /// Messages of other servers that arrived and were new.
    pub received: u64,
    /// Messages of other servers that had arrived before, or came too late.
    pub repeated: u64,
    /// Payloads that are none of this version of the library, or are damaged: something else publishes where the servers do.
    pub foreign: u64,
    /// Messages of another server that has the name of this one: [`ClusterEvent::SameName`](crate::ClusterEvent::SameName).
    pub same_name: u64,
    /// Numbers that no server has given: [`ClusterEvent::Forged`](crate::ClusterEvent::Forged).
    pub forged: u64,
    /// Gaps between servers, by any cause.
    pub gaps: u64,
    /// Durable messages that were stored.
    pub stored: u64,
    /// Durable messages of which it is not known whether they are stored.
    pub unconfirmed: u64,
    /// What waits to be sent: messages.
    pub outgoing: u64,
    /// What waits to be sent counts as this many bytes.
    pub outgoing_bytes: u64,
    /// What waits to be stored: messages.
    pub unstored: u64,
    /// What waits to be stored counts as this many bytes.
    pub unstored_bytes: u64,
}
