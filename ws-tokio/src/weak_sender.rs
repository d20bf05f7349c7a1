//! A sender that keeps nothing alive.

use std::fmt;
use std::sync::{Arc, Weak};

use crate::sender::Sender;
use crate::shared::Link;

/// A [`Sender`] that does not keep the connection alive: what a queue holds that is [attached](Sender::attach) to the connection.
#[derive(Clone)]
pub struct WeakSender(Weak<dyn Link>);

impl WeakSender {
    /// Returns a sender, unless the connection was dropped or its halves were reunited.
    pub fn upgrade(&self) -> Option<Sender> {
        self.0.upgrade().map(Sender::new)
    }

    /// As [`Sender::write_now`], for less than a call of [`upgrade`](Self::upgrade) costs; `false` if the connection is gone.
    pub fn write_now(&self) -> bool {
        self.0.upgrade().is_some_and(|link| link.write_now())
    }
}

impl Sender {
    /// Returns a sender that does not keep the connection alive.
    pub fn downgrade(&self) -> WeakSender {
        WeakSender(Arc::downgrade(&self.link))
    }
}

impl fmt::Debug for WeakSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakSender").finish_non_exhaustive()
    }
}
