//! Control frames received: RFC 6455 section 5.5.

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::mem;
use core::time::Duration;

use super::receive::Step;
use super::{Connection, State};
use crate::close::CloseFrame;
use crate::error::ProtocolError;
use crate::frame::OpCode;
use crate::timers::Time;

/// What a connection keeps of control frames received.
#[derive(Debug)]
pub(super) struct ControlFrames {
    /// The payload so far of one that straddles inputs.
    pub(super) partial: Vec<u8>,
    /// How many came in the current second, where a rate is set.
    count: u32,
    /// The end of that second.
    pub(super) second: Time,
}

impl Default for ControlFrames {
    fn default() -> Self {
        Self { partial: Vec::new(), count: 0, second: Time::NEVER }
    }
}

impl Connection {
    pub(super) fn take_control<'b>(
        &mut self,
        opcode: OpCode,
        bytes: &'b [u8],
        last: bool,
    ) -> Result<Option<Step<'b>>, ProtocolError> {
        let payload: Cow<'b, [u8]> =
            if last && self.control.as_ref().is_none_or(|control| control.partial.is_empty()) {
                Cow::Borrowed(bytes)
            } else {
                let partial = &mut self.control.get_or_insert_default().partial;
                partial.extend_from_slice(bytes);
                if !last {
                    if opcode == OpCode::Close {
                        CloseFrame::check_prefix(partial)?;
                    }
                    return Ok(None);
                }
                let payload = mem::take(partial);
                self.control.take_if(|control| control.count == 0);
                Cow::Owned(payload)
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
        let control = self.control.get_or_insert_default();
        control.count = control.count.saturating_add(1);
        self.timers.changed = true;
        if control.count > limit { Err(ProtocolError::TooManyControlFrames { limit }) } else { Ok(()) }
    }

    /// When the second ends in which control frames are counted.
    pub(super) fn control_deadline(&self) -> Time {
        self.control.as_ref().map_or(Time::NEVER, |control| control.second)
    }

    /// Begins to count afresh when the second is over.
    pub(super) fn settle_control(&mut self, now: Time) {
        let Some(control) = &mut self.control else { return };
        if now >= control.second {
            control.count = 0;
            control.second = Time::NEVER;
            self.control.take_if(|control| control.partial.is_empty());
        }
    }

    /// Lets the second begin with the first control frame that counts in the state.
    pub(super) fn arm_control(&mut self, now: Time) {
        let Some(control) = &mut self.control else { return };
        match self.state {
            State::Open | State::CloseSent | State::ReadOnly(_) if control.count > 0 => {
                control.second = control.second.min(now.after(Duration::from_secs(1)));
            }
            State::Open | State::CloseSent | State::ReadOnly(_) => {}
            State::CloseReceived | State::Closed { .. } | State::Failed { .. } | State::Ended => {
                control.second = Time::NEVER;
            }
        }
    }
}
