//! A message that is prepared once and sent on many connections.

use alloc::sync::Arc;

#[cfg(feature = "deflate")]
use bytes::Bytes;

use crate::connection::Connection;
use crate::error::SendError;
use crate::message::Message;

/// A message that is prepared to be sent on any number of connections; cheap to clone.
///
/// Its payload is shared by all of them. It is compressed at most once for each window size among
/// the connections without context takeover (RFC 7692 section 7.1.1); those with takeover, whose
/// compressed forms would differ, are sent it uncompressed.
#[derive(Debug, Clone)]
pub struct PreparedMessage(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    message: Message,
    /// What it compresses to with a window of 8 to 15 bits; `None` inside where that does not pay.
    #[cfg(feature = "deflate")]
    compressed: [std::sync::OnceLock<Option<Bytes>>; 8],
}

impl PreparedMessage {
    /// Prepares a message.
    pub fn new(message: impl Into<Message>) -> Self {
        Self(Arc::new(Inner {
            message: message.into(),
            #[cfg(feature = "deflate")]
            compressed: [const { std::sync::OnceLock::new() }; 8],
        }))
    }

    /// Returns the message.
    pub fn message(&self) -> &Message {
        &self.0.message
    }
}

impl<T: Into<Message>> From<T> for PreparedMessage {
    fn from(message: T) -> Self {
        Self::new(message)
    }
}

impl Connection {
    /// Queues a prepared message.
    ///
    /// # Errors
    /// As [`send_text`](Self::send_text).
    pub fn send_prepared(&mut self, prepared: &PreparedMessage) -> Result<(), SendError> {
        self.check_message()?;
        #[cfg(feature = "deflate")]
        if let Some(bits) = self.shared_compression_window() {
            debug_assert!((8..=15).contains(&bits.get()), "a window of {} bits", bits.get());
            let place = prepared.0.compressed.get(usize::from(bits.get().saturating_sub(8)));
            let payload = place
                .and_then(|place| place.get_or_init(|| self.compress(prepared.message().as_bytes())).clone());
            if let Some(payload) = payload {
                return self.send_compressed(prepared.message().data_type(), payload);
            }
        }
        self.queue_shared(prepared.message());
        Ok(())
    }
}
