//! Prepared messages that are queued in a row.

use alloc::vec::Vec;

use crate::connection::{BY_REFERENCE, Connection};
use crate::frame::Role;
use crate::prepared_message::PreparedMessage;

/// The frames of several small messages, as a server sends them uncompressed. They are encoded once for all connections, and each
/// connection appends them to its queue with one copy, by [`PreparedRow::push_frames`].
#[derive(Debug)]
pub struct PreparedFrames {
    encoded: Vec<u8>,
    messages: u64,
    /// Bytes of the longest payload.
    longest: usize,
}

impl PreparedFrames {
    /// Encodes the frames of these messages. `None` if one of them has a payload of 4 KiB or more, which connections share, or all frames
    /// together have more than 64 KiB.
    pub fn new<'m, I>(messages: I) -> Option<Self>
    where
        I: IntoIterator<Item = &'m PreparedMessage, IntoIter: Clone>,
    {
        let messages = messages.into_iter();
        let (mut size, mut longest) = (0usize, 0);
        for prepared in messages.clone() {
            let length = prepared.message().len();
            size = size.saturating_add(prepared.header().len()).saturating_add(length);
            longest = longest.max(length);
            if longest >= BY_REFERENCE || size > MOST {
                return None;
            }
        }
        let mut frames = Self { encoded: Vec::with_capacity(size), messages: 0, longest };
        for prepared in messages {
            frames.encoded.extend_from_slice(prepared.header());
            frames.encoded.extend_from_slice(prepared.message().as_bytes());
            frames.messages = frames.messages.wrapping_add(1);
        }
        Some(frames)
    }
}

impl Connection {
    /// Begins to queue prepared messages in a row.
    #[inline]
    pub fn prepared_row(&mut self) -> PreparedRow<'_> {
        let room = self.room_for_prepared_frames();
        // A larger one is queued by reference.
        let most = self.config().max_frame_size.min(BY_REFERENCE - 1);
        PreparedRow { connection: self, room, most }
    }

    /// How many bytes may be in the queue before a message that goes out as it is prepared: 0 where none does, or where more has to be
    /// looked at for each.
    fn room_for_prepared_frames(&self) -> usize {
        #[cfg(feature = "deflate")]
        let is_compressed = self.shared_compression_window().is_some();
        #[cfg(not(feature = "deflate"))]
        let is_compressed = false;
        let config = self.config();
        let as_it_is = self.role() == Role::Server && !is_compressed && config.max_memory.is_none();
        if as_it_is && self.check_message().is_ok() {
            config.send_high_water.min(config.max_queued).saturating_sub(self.held())
        } else {
            0
        }
    }
}

/// Prepared messages that are queued in a row, from [`Connection::prepared_row`]: what is the same for all of them is looked at once.
#[derive(Debug)]
pub struct PreparedRow<'c> {
    connection: &'c mut Connection,
    /// With fewer bytes than these in the queue a small message is appended as it is prepared.
    room: usize,
    /// With at most this much payload.
    most: usize,
}

impl PreparedRow<'_> {
    /// Queues a message, if the connection [has room](Connection::has_room) and that takes little: neither compression nor a copy
    /// of more than 64 KiB. Returns whether it is queued.
    #[inline]
    pub fn push(&mut self, prepared: &PreparedMessage) -> bool {
        let message = prepared.message();
        if self.connection.queued() < self.room && message.len() <= self.most {
            self.connection.queue_shared(message, prepared.header());
            return true;
        }
        self.push_another(prepared)
    }

    /// Queues all messages of `frames`, if each of them would be queued as it is, and all have room. Otherwise it queues none and returns
    /// false: [`push`](Self::push) tells how many of them are.
    #[inline]
    pub fn push_frames(&mut self, frames: &PreparedFrames) -> bool {
        let PreparedFrames { encoded, messages, longest } = frames;
        let fits =
            self.connection.queued().saturating_add(encoded.len()) <= self.room && *longest <= self.most;
        if fits {
            self.connection.queue_encoded(encoded, *messages);
        }
        fits
    }

    #[inline(never)]
    fn push_another(&mut self, prepared: &PreparedMessage) -> bool {
        self.connection.has_room()
            && !self.connection.is_compressing()
            && prepared.message().len() <= MOST
            && self.connection.send_prepared(prepared).is_ok()
    }

    /// As [`Connection::wants_buffer`].
    #[inline]
    pub fn wants_buffer(&self) -> bool {
        self.connection.wants_buffer()
    }

    /// As [`Connection::lend_buffer`].
    pub fn lend_buffer(&mut self, buffer: Vec<u8>) {
        self.connection.lend_buffer(buffer);
    }
}

/// The most that is queued without a look at other connections.
const MOST: usize = 64 << 10;
