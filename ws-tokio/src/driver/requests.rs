//! What the [`Closer`]s of a connection ask for.

use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};

use super::Driver;
use super::outbox::Compress;
use crate::closer::{Asked, Closer};

impl<S> Driver<S> {
    pub(in super::super) fn closer(&mut self) -> Closer {
        Closer::new(Arc::clone(self.close_request.get_or_insert_default()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Driver<S> {
    /// Does what a [`Closer`] asks for.
    #[inline]
    pub(super) fn begin_requested_close(&mut self) {
        if self.close_request.as_ref().is_some_and(|request| request.is_asked()) {
            self.do_requested();
        }
    }

    #[cold]
    fn do_requested(&mut self) {
        let Some(request) = self.close_request.clone() else { return };
        let Asked { close, attach, give_way } = request.take();
        if let Some(with) = give_way {
            self.give_way(with);
            self.report();
        }
        if attach {
            // A connection that takes no more messages drops them.
            let _ = self.attach(request);
            let _ = self.take_from_outboxes(Compress::Later);
        }
        if let Some(frame) = close {
            // What was left before goes before. Closing already is fine too; code and reason have been checked.
            let _ = self.take_from_outboxes(Compress::AtOnce);
            let _ = self.connection.close(frame.code, &frame.reason);
        }
    }
}
