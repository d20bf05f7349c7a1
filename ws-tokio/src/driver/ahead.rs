//! What arrives while the user only sends.

use std::mem;
use std::task::{Context, Waker};

use tokio::io::{AsyncRead, AsyncWrite};
use ws_core::{Event, Message};

use super::state::Reading;
use super::{Driver, READS};

impl<S: AsyncRead + AsyncWrite + Unpin> Driver<S> {
    /// Takes what has arrived, without waiting: pings are answered, a Close is noticed, and messages are set aside. What
    /// cannot be taken without knowing how it is going to be received stays where it is.
    ///
    /// For a handler that only sends, nothing else does. One that receives between its sends does it that way, and answers a
    /// message although a Close or a fault has arrived behind it. No waker is left behind: the next task that waits for the
    /// transport leaves its waker.
    pub(crate) fn take_arrived(&mut self) {
        if mem::take(&mut self.receiving.asked) {
            return;
        }
        if !self.connection.is_open() || self.closing.discarding {
            return;
        }
        let cx = &mut Context::from_waker(Waker::noop());
        // Nobody waits for the end of the second in which control frames are counted, either.
        let counts = self.connection.config().max_control_rate.is_some();
        if counts {
            self.note_deadline();
        }
        for _ in 0..READS {
            self.set_aside();
            let full = self.unreceived() >= self.connection.config().max_read_ahead || !self.may_read();
            if full
                || !self.connection.is_open()
                || self.receiving.ended.is_some()
                || self.poll_fill(cx).is_pending()
            {
                break;
            }
            self.connection.heard_from_peer();
        }
        self.set_aside();
        if self.reading.input.len() == 0 && !self.connection.is_unfinished() {
            let _ = self.poll_ended(cx);
        }
        if counts {
            // It begins here.
            self.note_deadline();
        }
        self.check_close_reply(cx);
        if !self.connection.is_open() {
            // The answer to a Close goes out at once: the send that follows is refused, and may be the last.
            self.write_now(cx);
            let _ = self.poll_closed(cx);
        }
    }

    /// Bytes that have been read and that the user has not received.
    pub(super) fn unreceived(&self) -> usize {
        let aside = self.reading.aside.as_ref().map_or(0, |aside| aside.bytes());
        self.reading.input.len().saturating_add(aside)
    }

    /// The first of the messages that were set aside.
    pub(super) fn take_aside(&mut self) -> Option<Message> {
        let aside = self.reading.aside.as_mut()?;
        let message = aside.pop();
        if aside.is_empty() {
            self.reading.aside = None;
        }
        message
    }

    fn set_aside(&mut self) {
        let budget = self.connection.config().max_read_ahead;
        // What was read around the input comes first, and is not to be overtaken.
        if self.reading.input.len() == 0 || self.reading.large.is_some() {
            return;
        }
        let Self { connection, reading: Reading { input, aside, .. }, .. } = self;
        let mut lease = input.lend();
        while aside.as_ref().is_none_or(|aside| aside.bytes() < budget) {
            let message = match connection.receive_ahead(&mut lease.unread) {
                // Copied, so that they take what they are charged for: what was inflated lies in more than it needs.
                Ok(Some(Event::Text(text))) => Message::from(&*text),
                Ok(Some(Event::Binary(bytes))) => Message::from(&*bytes),
                Ok(Some(Event::Ping(_) | Event::Pong(_) | Event::Close(_))) => continue,
                // Errors are the connection's to remember.
                Ok(None) | Err(_) => break,
            };
            aside.get_or_insert_default().push(message);
        }
        drop(lease);
        input.filled();
    }
}
