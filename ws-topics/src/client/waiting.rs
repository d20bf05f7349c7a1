//! The events that wait for a user: what they take, and whether there are too many.

use std::mem::size_of;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::event::Event;
use crate::start::Member;

/// Shared by a subscription and the task of its client.
#[derive(Debug)]
pub(super) struct Waiting {
    /// Set by the task when it has unsubscribed because too many events wait.
    pub(super) behind: AtomicBool,
    bytes: AtomicUsize,
    max_bytes: usize,
}

impl Waiting {
    pub(super) const fn new(max_bytes: usize) -> Self {
        Self { behind: AtomicBool::new(false), bytes: AtomicUsize::new(0), max_bytes }
    }

    /// Counts an event that is to wait, if there is room. There is for one that takes any, so that a subscription comes further each time that it resumes,
    /// and for those that take nothing, which are bounded by their number.
    pub(super) fn add(&self, bytes: usize) -> bool {
        // Only the task adds: meanwhile this becomes less, not more.
        let waiting = self.bytes.load(Ordering::SeqCst);
        let has_room = bytes == 0 || waiting == 0 || waiting.saturating_add(bytes) <= self.max_bytes;
        if has_room {
            self.bytes.fetch_add(bytes, Ordering::SeqCst);
        }
        has_room
    }

    /// An event does not wait any more.
    pub(super) fn remove(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::SeqCst);
    }
}

/// What an event counts as.
pub(super) fn bytes(event: &Event) -> usize {
    match event {
        Event::Message { topic, message, .. } => topic.len().saturating_add(message.len()),
        Event::Presence { joined, updated, left, .. } => {
            joined.iter().chain(updated).chain(left).map(member).fold(0, usize::saturating_add)
        }
        Event::Gap { .. } | Event::Disconnected | Event::Resumed { .. } => 0,
    }
}

fn member(member: &Member) -> usize {
    member.identity.len().saturating_add(member.value.len()).saturating_add(AROUND)
}

/// The member itself, and two texts on the heap.
const AROUND: usize = 96;
const _: () = assert!(AROUND >= size_of::<Member>() + 2 * 32, "it takes more than is counted");
