//! Work that needs no transport, in steps between which other tasks run: large messages are compressed and inflated so.

use std::future::poll_fn;
use std::mem;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite};
use ws_core::{Message, PreparedMessage, Work};

use super::{Driver, step_back};
use crate::error::Error;

impl<S: AsyncRead + AsyncWrite + Unpin> Driver<S> {
    /// Waits for room as [`poll_ready`](Self::poll_ready) does, and lets other tasks run first if the turn is over.
    pub(in super::super) fn poll_ready_in_turn(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if self.connection.renew_turn() { self.let_others_run(cx) } else { self.poll_ready(cx) }
    }

    /// Queues a message as soon as there is room; a large one is compressed before, in steps. If the future is dropped, no part of the message is
    /// queued, and no later message refers to it.
    pub(in super::super) async fn queue_in_turns(&mut self, message: Message) -> Result<(), Error> {
        poll_fn(|cx| self.poll_ready_in_turn(cx)).await?;
        let mut compressing = match self.connection.start_compressing(message) {
            Ok(compressing) => compressing,
            Err(message) => return self.queue(|connection| connection.send(message)),
        };
        while self.connection.is_open() && compressing.step() == Work::More {
            self.others_turn().await;
        }
        // Others may have queued something meanwhile.
        poll_fn(|cx| self.poll_ready(cx)).await?;
        self.queue(|connection| connection.send_compressing(compressing))
    }

    /// Compresses a large message as far as connections share that, then waits for room.
    pub(in super::super) async fn prepare_in_turns(
        &mut self,
        message: &PreparedMessage,
    ) -> Result<(), Error> {
        while self.connection.is_open() && self.connection.prepare(message) == Work::More {
            self.others_turn().await;
        }
        poll_fn(|cx| self.poll_ready(cx)).await
    }

    /// Lets other tasks run once.
    async fn others_turn(&mut self) {
        let mut over = false;
        poll_fn(|cx| if mem::replace(&mut over, true) { Poll::Ready(()) } else { self.let_others_run(cx) })
            .await;
    }

    /// Is pending only to let other tasks run. What is queued does not wait for it, nor does a deadline that has passed; and the
    /// peer is heard.
    pub(super) fn let_others_run<T>(&mut self, cx: &mut Context<'_>) -> Poll<T> {
        let _ = self.poll_write(cx);
        let _ = self.poll_read_ahead(cx);
        self.check_timeout();
        self.step_back(cx)
    }

    /// Is pending only to let other tasks run.
    pub(super) fn step_back<T>(&mut self, cx: &mut Context<'_>) -> Poll<T> {
        self.receiving.in_a_row = 0;
        self.stepped_back = true;
        self.report();
        step_back(cx);
        Poll::Pending
    }
}

/// Whether a message of this many bytes is worth a look at whether it is compressed, and how long others have waited.
pub(in super::super) const fn takes_time(len: usize) -> bool {
    len >= 1 << 10
}

/// Whether a message of this many bytes is compressed in steps.
pub(in super::super) const fn is_large(len: usize) -> bool {
    len > 64 << 10
}
