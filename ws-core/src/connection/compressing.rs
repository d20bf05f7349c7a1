//! Large messages that are compressed in steps, between which other connections have their turn.

#[cfg(feature = "deflate")]
use alloc::sync::Arc;
#[cfg(feature = "deflate")]
use core::sync::atomic::{AtomicUsize, Ordering};

use super::Connection;
#[cfg(feature = "deflate")]
use super::compression::TURN;
#[cfg(feature = "deflate")]
use super::send::opcode_of;
#[cfg(feature = "deflate")]
use crate::deflate::Compressing;
use crate::error::SendError;
use crate::message::Message;

/// A large message that is being compressed, from [`Connection::start_compressing`].
///
/// It can be dropped at any time: no part of it has been queued, and no later message refers to it. Until then its memory counts as
/// [`queued`](crate::MemoryUsage::queued) in that of the connection.
#[derive(Debug)]
#[must_use = "nothing is sent before it is passed to `send_compressing`"]
pub struct CompressingMessage {
    message: Message,
    #[cfg(feature = "deflate")]
    compressing: Compressing,
    #[cfg(feature = "deflate")]
    held: Held,
}

/// Whether there is more to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Work {
    /// There is: continue after other connections have had their turn.
    More,
    /// There is not.
    Done,
}

impl CompressingMessage {
    /// Compresses the next 64 KiB, which takes a fraction of a millisecond.
    pub fn step(&mut self) -> Work {
        #[cfg(feature = "deflate")]
        {
            let done = self.compressing.step(self.message.as_bytes(), TURN);
            self.held.set(self.message.len().saturating_add(self.compressing.memory_usage()));
            if !done {
                return Work::More;
            }
        }
        Work::Done
    }
}

/// # For drivers that serve many connections: turns
impl Connection {
    /// Whether 64 KiB have been inflated and compressed since other connections had their turn. If so they get it now, before this
    /// connection does more: the count begins anew.
    ///
    /// A driver asks before it sends, and before it [receives in pieces](Self::receive_piece): small messages add up, and so do those that
    /// are compressed at once. [`receive_next`](Self::receive_next) asks by itself. Without compression the answer is always `false`: 64 KiB
    /// are unmasked, and checked to be UTF-8, in a few microseconds.
    #[inline]
    pub fn renew_turn(&mut self) -> bool {
        #[cfg(feature = "deflate")]
        return self.is_turn_over();
        #[cfg(not(feature = "deflate"))]
        return false;
    }

    /// Whether there is more to inflate of what has been received, although it may have been all of the input: the end of the transport
    /// is to be reported after that.
    pub fn is_unfinished(&self) -> bool {
        #[cfg(feature = "deflate")]
        return self.has_pending_input();
        #[cfg(not(feature = "deflate"))]
        return false;
    }

    /// Begins to compress a message of more than 64 KiB in steps; once the last [step](CompressingMessage::step) has been done it is
    /// passed to [`send_compressing`](Self::send_compressing). [`send`](Self::send) does all of that at once.
    ///
    /// # Errors
    /// The message, if it is to be passed to `send` instead: it is not that large, compression has not been agreed, or no message can
    /// be sent now.
    pub fn start_compressing(&mut self, message: Message) -> Result<CompressingMessage, Message> {
        #[cfg(feature = "deflate")]
        if message.len() > TURN
            && self.check_message().is_ok()
            && let Some(total) = self.under_way()
            && let Some(compressing) = self.begin_compressing(message.len())
        {
            let mut held = Held { total, bytes: 0 };
            held.set(message.len().saturating_add(compressing.memory_usage()));
            return Ok(CompressingMessage { message, compressing, held });
        }
        Err(message)
    }

    /// Queues a message that has been compressed in steps; uncompressed if it is not shorter compressed, if not all steps have been done,
    /// or if other messages that later ones refer to have been compressed meanwhile.
    ///
    /// # Errors
    /// As [`send_text`](Self::send_text).
    pub fn send_compressing(&mut self, compressing: CompressingMessage) -> Result<(), SendError> {
        #[cfg(feature = "deflate")]
        {
            let CompressingMessage { message, compressing, held } = compressing;
            // It is not to stand in its own way.
            drop(held);
            self.check_message()?;
            let opcode = opcode_of(message.data_type());
            match self.finish_compressing(compressing, message.as_bytes()) {
                Some(compressed) => self.queue_bytes(opcode, true, compressed),
                None => self.queue_bytes(opcode, false, message.into_bytes()),
            }
            Ok(())
        }
        #[cfg(not(feature = "deflate"))]
        self.send_uncompressed(compressing.message)
    }
}

/// The memory of one message, in the count of its connection for as long as this exists.
#[cfg(feature = "deflate")]
#[derive(Debug)]
struct Held {
    total: Arc<AtomicUsize>,
    bytes: usize,
}

#[cfg(feature = "deflate")]
impl Held {
    fn set(&mut self, bytes: usize) {
        if bytes > self.bytes {
            self.total.fetch_add(bytes.saturating_sub(self.bytes), Ordering::Relaxed);
        } else {
            self.total.fetch_sub(self.bytes.saturating_sub(bytes), Ordering::Relaxed);
        }
        self.bytes = bytes;
    }
}

#[cfg(feature = "deflate")]
impl Drop for Held {
    fn drop(&mut self) {
        self.set(0);
    }
}
