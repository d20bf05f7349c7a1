//! Large messages of a sender, which are compressed in steps between which other tasks run.

use tokio::task::yield_now;
use ws_core::{Connection, Message, PreparedMessage, Work};

use super::{Sender, take};
use crate::error::Error;
use crate::shared::Queued;

impl Sender {
    /// Queues a large message, which is compressed before, in steps between which other tasks run. The other senders wait: what they send
    /// refers to it, or it to that. If the future is dropped, no part of the message is queued, and no later message refers to it.
    pub(super) async fn queue_in_turns(&self, message: Message) -> Result<Queued, Error> {
        let _permit = self.link.line().acquire().await.ok();
        self.wait(|link, cx, waiter| link.poll_ready(cx, waiter)).await?;
        let (mut message, mut compressing) = (Some(message), None);
        self.link.with(&mut |connection| match message
            .take()
            .map(|message| connection.start_compressing(message))
        {
            Some(Ok(started)) => compressing = Some(started),
            Some(Err(refused)) => message = Some(refused),
            None => {}
        });
        // Without the lock: the receiver goes on meanwhile.
        while let Some(Work::More) = compressing.as_mut().map(|compressing| compressing.step()) {
            yield_now().await;
            if !self.is_open() {
                break;
            }
        }
        self.wait(|link, cx, waiter| {
            link.poll_queue(cx, waiter, &self.identity, &mut |connection| match compressing.take() {
                Some(compressing) => connection.send_compressing(compressing),
                None => take(&mut message, connection, Connection::send),
            })
        })
        .await
    }

    /// Compresses a large message as far as connections share that, in steps between which other tasks run.
    pub(super) async fn prepare_in_turns(&self, message: &PreparedMessage) {
        while self.prepare(message) == Work::More {
            yield_now().await;
        }
    }

    /// Does one of these steps.
    pub(in super::super) fn prepare(&self, message: &PreparedMessage) -> Work {
        let mut work = Work::Done;
        self.link.with(&mut |connection| work = connection.prepare(message));
        work
    }

    pub(super) fn is_compressing(&self) -> bool {
        self.look(|connection| Some(connection.is_compressing())).unwrap_or_default()
    }
}
