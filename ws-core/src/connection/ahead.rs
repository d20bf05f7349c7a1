//! Receiving ahead of a user that does not receive now.

use core::mem;

use super::Connection;
use crate::error::ProtocolError;
use crate::event::Event;
use crate::frame::FrameHeader;

impl Connection {
    /// As [`receive`](Self::receive), but takes only what does not depend on how the user is going to receive the next
    /// message: control frames, and messages in one frame that lie whole in `input` and are within `max_message_size`,
    /// after inflation too, where a compressed one may not be larger than 1 MiB. `Ok(None)`, with the rest left in `input`, if anything else is next.
    ///
    /// For drivers that look for pings and for a Close while the user only sends: the messages are set aside, up to a
    /// limit, for the user to receive later. What is left in `input` can be received whole or in pieces, as always.
    ///
    /// # Errors
    /// As [`receive`](Self::receive).
    pub fn receive_ahead<'b>(
        &mut self,
        input: &mut &'b mut [u8],
    ) -> Result<Option<Event<'b>>, ProtocolError> {
        while self.may_begin_message() && self.decoder.at_frame_border() {
            let mut frame = match FrameHeader::parse(input, self.role()) {
                Ok(Some((header, used))) => match self.length_of_independent_frame(header, used) {
                    Some(length) if length <= input.len() => {
                        let (frame, rest) = mem::take(input).split_at_mut_checked(length).unwrap_or_default();
                        *input = rest;
                        frame
                    }
                    _ => return Ok(None),
                },
                Ok(None) => return Ok(None),
                // The same fault is found again, and the connection failed for it.
                Err(_) => mem::take(input),
            };
            if let Some(event) = self.receive(&mut frame)? {
                debug_assert!(frame.is_empty(), "an event takes its whole frame");
                return Ok(Some(event));
            }
            // A pong that was waited for.
            debug_assert!(frame.is_empty(), "a whole frame is taken");
        }
        Ok(None)
    }

    /// The length of a frame with this header, if it means the same however it is received.
    fn length_of_independent_frame(&self, header: FrameHeader, used: usize) -> Option<usize> {
        let (size, limit) = if header.rsv1 {
            let most = header.payload_len.saturating_mul(MOST_INFLATED);
            (most, self.config.max_message_size.min(MOST_AT_ONCE))
        } else {
            (header.payload_len, self.config.max_message_size)
        };
        let is_control = header.opcode.is_control();
        // A message over the limit, or in fragments, is still legal for a user that takes it in pieces.
        let is_independent = is_control || (header.fin && size <= limit);
        let length = used.checked_add(usize::try_from(header.payload_len).ok()?);
        length.filter(|_| is_independent)
    }
}

/// This many bytes DEFLATE makes of one at most (RFC 1951 section 3.2.5): two bits can stand for 258 bytes.
const MOST_INFLATED: u64 = 258 * 4;

/// A message is inflated at once here, which is to delay no other connection for long: 1 KiB that inflates to this takes less than a
/// millisecond.
const MOST_AT_ONCE: u64 = 1 << 20;
