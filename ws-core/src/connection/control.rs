//! Control frames received: RFC 6455 section 5.5.

use alloc::borrow::Cow;

use super::Connection;
use super::receive::Step;
use crate::close::CloseFrame;
use crate::error::ProtocolError;
use crate::frame::OpCode;

impl Connection {
    pub(super) fn take_control<'b>(
        &mut self,
        opcode: OpCode,
        bytes: &'b [u8],
        last: bool,
    ) -> Result<Option<Step<'b>>, ProtocolError> {
        let payload: Cow<'b, [u8]> = match self.control.take() {
            None if last => Cow::Borrowed(bytes),
            partial => {
                let mut partial = partial.unwrap_or_default();
                partial.extend_from_slice(bytes);
                if !last {
                    if opcode == OpCode::Close {
                        CloseFrame::check_prefix(&partial)?;
                    }
                    self.control = Some(partial);
                    return Ok(None);
                }
                Cow::Owned(*partial)
            }
        };
        Ok(match opcode {
            OpCode::Ping => {
                self.queue_pong(&payload);
                Some(Step::Ping(payload))
            }
            OpCode::Close => {
                let frame = CloseFrame::parse(&payload)?;
                self.close_received(frame.as_ref());
                Some(Step::Close(frame))
            }
            other => {
                debug_assert_eq!(other, OpCode::Pong, "a data frame is no control frame");
                if self.is_keepalive_pong(&payload) { None } else { Some(Step::Pong(payload)) }
            }
        })
    }

    pub(super) fn count_control(&mut self) -> Result<(), ProtocolError> {
        let Some(limit) = self.config.max_control_rate else { return Ok(()) };
        self.control_count = self.control_count.saturating_add(1);
        self.timers.changed = true;
        if self.control_count > limit { Err(ProtocolError::TooManyControlFrames { limit }) } else { Ok(()) }
    }
}
