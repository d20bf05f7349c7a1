//! A message that is prepared once and sent on many connections.

#[cfg(feature = "deflate")]
use alloc::boxed::Box;
use alloc::sync::Arc;

#[cfg(feature = "deflate")]
use bytes::Bytes;

#[cfg(feature = "deflate")]
use crate::connection::TURN;
use crate::connection::{Connection, Work, whole_header};
#[cfg(feature = "deflate")]
use crate::deflate::{Compressing, WindowBits};
use crate::error::SendError;
use crate::frame::EncodedHeader;
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
    /// Of its frame, as a server sends it in one and uncompressed.
    header: EncodedHeader,
    /// What it compresses to with a window of 8 to 15 bits; `None` inside where that does not pay. Boxed: most stay empty.
    #[cfg(feature = "deflate")]
    compressed: [std::sync::OnceLock<Option<Box<Bytes>>>; 8],
    /// What it is being compressed to, in steps that any of the connections may do.
    #[cfg(feature = "deflate")]
    under_way: std::sync::Mutex<Vec<(WindowBits, Compressing)>>,
}

impl PreparedMessage {
    /// Prepares a message.
    pub fn new(message: impl Into<Message>) -> Self {
        let message = message.into();
        let header = whole_header(&message);
        Self(Arc::new(Inner {
            message,
            header,
            #[cfg(feature = "deflate")]
            compressed: [const { std::sync::OnceLock::new() }; 8],
            #[cfg(feature = "deflate")]
            under_way: std::sync::Mutex::default(),
        }))
    }

    /// Returns the message.
    #[inline]
    pub fn message(&self) -> &Message {
        &self.0.message
    }

    /// The header of its frame, as a server sends it in one and uncompressed.
    #[inline]
    pub(crate) fn header(&self) -> &EncodedHeader {
        &self.0.header
    }
}

impl<T: Into<Message>> From<T> for PreparedMessage {
    fn from(message: T) -> Self {
        Self::new(message)
    }
}

#[cfg(feature = "deflate")]
impl PreparedMessage {
    /// The place of what it compresses to with this window.
    fn place(&self, bits: WindowBits) -> Option<&std::sync::OnceLock<Option<Box<Bytes>>>> {
        debug_assert!((8..=15).contains(&bits.get()), "a window of {} bits", bits.get());
        self.0.compressed.get(usize::from(bits.get().saturating_sub(8)))
    }
}

impl Connection {
    /// Compresses the next 64 KiB of a large prepared message, so that [`send_prepared`](Self::send_prepared) does not compress all of it at
    /// once. There is nothing to do for a message of at most 64 KiB, nor where messages are sent as they are, or are compressed already.
    ///
    /// Connections with the same window share the steps, whichever does them: a driver that stops in between leaves what has been done.
    pub fn prepare(&mut self, prepared: &PreparedMessage) -> Work {
        #[cfg(feature = "deflate")]
        if prepared.message().len() > TURN
            && let Some(bits) = self.shared_compression_window()
            && let Some(place) = prepared.place(bits)
            && place.get().is_none()
        {
            let message = prepared.message().as_bytes();
            // A step that panicked has left the list whole.
            let mut under_way =
                prepared.0.under_way.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            if place.get().is_some() {
                return Work::Done;
            }
            let begun = under_way
                .iter()
                .position(|(window, _)| *window == bits)
                .map(|at| under_way.swap_remove(at).1);
            let Some(mut compressing) = begun.or_else(|| self.begin_compressing(message.len())) else {
                // Below the threshold, or in the middle of another message.
                return Work::Done;
            };
            if !compressing.step(message, TURN) {
                under_way.push((bits, compressing));
                return Work::More;
            }
            let _ =
                place.set(compressing.finish(message.len()).map(|compressed| Box::new(compressed.into())));
        }
        let _ = prepared;
        Work::Done
    }

    /// Whether [`send_prepared`](Self::send_prepared) compresses none of a large message, because [`prepare`](Self::prepare) has.
    pub fn is_prepared(&self, prepared: &PreparedMessage) -> bool {
        #[cfg(feature = "deflate")]
        return prepared.message().len() <= TURN
            || self
                .shared_compression_window()
                .and_then(|bits| prepared.place(bits))
                .is_none_or(|place| place.get().is_some());
        #[cfg(not(feature = "deflate"))]
        let _ = prepared;
        #[cfg(not(feature = "deflate"))]
        true
    }

    /// Queues a prepared message.
    ///
    /// # Errors
    /// As [`send_text`](Self::send_text).
    pub fn send_prepared(&mut self, prepared: &PreparedMessage) -> Result<(), SendError> {
        self.check_message()?;
        #[cfg(feature = "deflate")]
        if let Some(bits) = self.shared_compression_window() {
            let payload = prepared.place(bits).and_then(|place| {
                place
                    .get_or_init(|| self.compress(prepared.message().as_bytes()).map(Box::new))
                    .as_deref()
                    .cloned()
            });
            if let Some(payload) = payload {
                return self.send_compressed(prepared.message().data_type(), payload);
            }
        }
        self.queue_shared(prepared.message(), &prepared.0.header);
        Ok(())
    }
}
