//! A subscription, as the task of the client has it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::{mpsc, oneshot};

use super::error::ClientError;
use super::event::Event;
use super::request::SubscribeRequest;
use super::waiting::{self, Waiting};
use crate::position::Position;
use crate::start::Start;

/// Where the result of a call goes.
pub(super) type Done<T> = oneshot::Sender<Result<T, ClientError>>;

/// Where the events of a subscription go.
pub(super) type Events = mpsc::Sender<Result<Event, ClientError>>;

#[derive(Debug)]
pub(super) struct Held {
    pub(super) request: SubscribeRequest,
    events: Events,
    /// If too many events wait, the subscription is ended, and resumes when they are taken.
    waiting: Arc<Waiting>,
    pub(super) stage: Stage,
    /// The user waits for the first answer.
    done: Option<Done<()>>,
    /// Where to resume; `None` for a filter.
    position: Option<Position>,
    is_filter: bool,
    /// Whether something with a position came since the latest `subscribe` was sent.
    moved: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Nothing is asked for: there is no connection, or the subscription is behind.
    Idle,
    /// Asked for. What arrives before the answer to the `unsubscribe` of this number is of the subscription before.
    Active { after: Option<u64> },
}

impl Held {
    pub(super) fn new(
        is_filter: bool,
        request: SubscribeRequest,
        events: Events,
        waiting: Arc<Waiting>,
        done: Done<()>,
    ) -> Self {
        let (stage, done) = (Stage::Idle, Some(done));
        Self { request, events, waiting, stage, done, position: None, is_filter, moved: false }
    }

    pub(super) fn is_active(&self) -> bool {
        matches!(self.stage, Stage::Active { .. })
    }

    /// Whether the user has dropped the subscription.
    pub(super) fn is_dropped(&self) -> bool {
        self.events.is_closed()
    }

    pub(super) fn is_behind(&self) -> bool {
        self.waiting.behind.load(Ordering::Acquire)
    }

    /// Too many events wait. Returns whether the user has taken all of them meanwhile, and so may not see it.
    pub(super) fn fall_behind(&mut self) -> bool {
        self.stage = Stage::Idle;
        self.waiting.behind.store(true, Ordering::SeqCst);
        self.events.capacity() == self.events.max_capacity()
            && self.waiting.behind.swap(false, Ordering::SeqCst)
    }

    /// It is asked for now. Returns where it is to begin.
    pub(super) fn begin(&mut self, after: Option<u64>) -> Start {
        self.stage = Stage::Active { after };
        self.moved = false;
        match self.position {
            Some(position) => Start::Since(position),
            None if self.done.is_some() => self.request.start,
            None => Start::Live,
        }
    }

    /// The server has answered. Returns whether this is the first time.
    pub(super) fn answered(&mut self, position: Option<Position>) -> bool {
        if !self.moved && position.is_some() {
            self.position = position;
        }
        // A user that does not wait any more has dropped the subscription too.
        self.done.take().map(|done| done.send(Ok(()))).is_some()
    }

    /// Whether the server has answered before.
    pub(super) fn was_answered(&self) -> bool {
        self.done.is_none()
    }

    /// Has an event wait for the user. Returns whether there was room.
    pub(super) fn report(&mut self, position: Option<Position>, event: Event) -> bool {
        let bytes = waiting::bytes(&event);
        if !self.waiting.add(bytes) {
            return false;
        }
        let reported = self.events.try_send(Ok(event)).is_ok();
        if !reported {
            self.waiting.remove(bytes);
        }
        if reported && position.is_some() && !self.is_filter {
            (self.position, self.moved) = (position, true);
        }
        reported
    }

    /// It has ended. Beyond the events that wait there may be no room for the error: then the user sees that nothing follows.
    pub(super) fn end(self, error: ClientError) {
        match self.done {
            Some(done) => drop(done.send(Err(error))),
            None => drop(self.events.try_send(Err(error))),
        }
    }
}
