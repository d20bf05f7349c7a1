//! What has come and was not taken yet.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

use crate::backplane::{BackplaneError, Incoming};

/// A queue with a bound in messages and in bytes. What does not fit is dropped, and the place is marked.
pub(crate) struct Queue {
    state: Mutex<State>,
    filled: Notify,
    closed: Notify,
    max_messages: usize,
    max_bytes: usize,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Incoming>,
    messages: usize,
    bytes: usize,
    /// Why the connection has ended.
    end: Option<Arc<str>>,
}

impl Queue {
    pub(crate) fn new(max_messages: usize, max_bytes: usize) -> Arc<Self> {
        let (state, filled, closed) = (Mutex::default(), Notify::new(), Notify::new());
        Arc::new(Self { state, filled, closed, max_messages, max_bytes })
    }

    /// Adds a message, or the mark of a loss if there is no room.
    pub(crate) fn push(&self, payload: Bytes) {
        let mut state = self.lock();
        let fits = state.messages < self.max_messages
            && (state.bytes == 0 || state.bytes.saturating_add(payload.len()) <= self.max_bytes);
        if fits {
            state.messages += 1;
            state.bytes += payload.len();
            state.waiting.push_back(Incoming::Message(payload));
        } else {
            mark(&mut state);
        }
        drop(state);
        self.filled.notify_one();
    }

    /// Messages were lost at this place: only the client of NATS reports that.
    #[cfg(feature = "nats")]
    pub(crate) fn lost(&self) {
        mark(&mut self.lock());
        self.filled.notify_one();
    }

    /// The connection has ended. The first cause counts.
    pub(crate) fn close(&self, why: &str) {
        self.lock().end.get_or_insert_with(|| why.into());
        self.filled.notify_one();
        self.closed.notify_waiters();
    }

    /// Takes the next message; after the last one, the error that the connection has ended with.
    pub(crate) async fn next(&self) -> Result<Incoming, BackplaneError> {
        loop {
            {
                let mut state = self.lock();
                if let Some(next) = state.waiting.pop_front() {
                    if let Incoming::Message(payload) = &next {
                        state.messages -= 1;
                        state.bytes -= payload.len();
                    }
                    return Ok(next);
                }
                if let Some(why) = &state.end {
                    return Err(BackplaneError::new(&**why));
                }
            }
            self.filled.notified().await;
        }
    }

    /// Waits for a future, but not longer than the connection lasts.
    pub(crate) async fn unless_closed<T>(
        &self,
        future: impl Future<Output = Result<T, BackplaneError>>,
    ) -> Result<T, BackplaneError> {
        let closed = self.closed.notified();
        tokio::pin!(closed);
        // From here on no end is missed.
        closed.as_mut().enable();
        if let Some(why) = &self.lock().end {
            return Err(BackplaneError::new(&**why));
        }
        tokio::select! {
            biased;
            result = future => result,
            () = closed => {
                let why = self.lock().end.clone();
                Err(BackplaneError::new(why.as_deref().unwrap_or("the connection has ended")))
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One mark is enough for several losses in a row.
fn mark(state: &mut State) {
    if state.waiting.back() != Some(&Incoming::Lost) {
        state.waiting.push_back(Incoming::Lost);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_does_not_fit_is_one_mark_of_a_loss() {
        let queue = Queue::new(2, 10);
        for payload in ["a", "b", "c", "d"] {
            queue.push(Bytes::from_static(payload.as_bytes()));
        }
        assert_eq!(queue.next().await.unwrap(), Incoming::Message(Bytes::from_static(b"a")));
        queue.push(Bytes::from_static(&[0; 10]));
        queue.push(Bytes::from_static(b"e"));
        assert_eq!(queue.next().await.unwrap(), Incoming::Message(Bytes::from_static(b"b")));
        assert_eq!(queue.next().await.unwrap(), Incoming::Lost);
        assert_eq!(queue.next().await.unwrap(), Incoming::Message(Bytes::from_static(b"e")));
        queue.push(Bytes::from_static(&[0; 11]));
        assert!(
            matches!(queue.next().await, Ok(Incoming::Message(_))),
            "one message is taken whatever its length"
        );
    }

    #[tokio::test]
    async fn an_end_comes_after_what_waits_and_ends_what_others_wait_for() {
        let queue = Queue::new(2, 10);
        let other = Arc::clone(&queue);
        let waiting =
            tokio::spawn(async move { other.unless_closed(std::future::pending::<Result<(), _>>()).await });
        tokio::task::yield_now().await;
        queue.push(Bytes::from_static(b"a"));
        queue.close("first");
        queue.close("second");
        assert_eq!(waiting.await.unwrap().unwrap_err().to_string(), "first");
        assert!(queue.next().await.is_ok());
        assert_eq!(queue.next().await.unwrap_err().to_string(), "first");
        let late = queue.unless_closed(std::future::pending::<Result<(), _>>()).await;
        assert_eq!(late.unwrap_err().to_string(), "first");
    }
}
