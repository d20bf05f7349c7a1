//! What a connection waits for: keepalive (RFC 6455 section 5.5.2), stalled writes, closing.

use core::time::Duration;

use super::{Connection, State};
use crate::close_info::Deadline;
use crate::timers::Time;

impl Connection {
    /// Whether [`next_timeout`](Self::next_timeout) would answer something new. Cheap: a driver asks
    /// before each wait, and looks at the clock only then.
    #[inline]
    pub fn timeout_changed(&self) -> bool {
        self.timers.changed || (!self.timers.write.is_set() && !self.queue.is_empty())
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called next: now if that is not in the
    /// future; `None` for never.
    ///
    /// `now`, like what is returned, is the time since an epoch the driver chose, on a clock that
    /// never goes back.
    pub fn next_timeout(&mut self, now: Duration) -> Option<Duration> {
        let now = Time::at(now);
        self.timers.changed = false;
        self.settle(now);
        self.arm(now);
        let timers = &self.timers;
        let answer = match self.config.keepalive {
            Some(keepalive) => timers.ping_sent.after(keepalive.timeout),
            None => Time::NEVER,
        };
        timers.ping.min(answer).min(timers.write).min(timers.close).min(timers.control).get()
    }

    /// Does what is due at `now`; afterwards there may be something to write, or the connection may
    /// have ended. Doing it early is harmless.
    pub fn handle_timeout(&mut self, now: Duration) {
        let time = Time::at(now);
        self.timers.changed = true;
        self.settle(time);
        if time >= self.timers.write {
            return self.time_out(Deadline::Write);
        }
        if time >= self.timers.close {
            return self.time_out(Deadline::Close);
        }
        let Some(keepalive) = self.config.keepalive else { return };
        if self.timers.ping_sent.is_set() && time >= self.timers.ping_sent.after(keepalive.timeout) {
            // Only what comes from the peer proves that it lives.
            if !self.heard {
                return self.time_out(Deadline::Keepalive);
            }
            self.timers.ping_sent = Time::NEVER;
        }
        if time >= self.timers.ping && self.state == State::Open {
            self.timers.ping = time.after(keepalive.interval);
            if !self.timers.ping_sent.is_set() {
                self.heard = false;
                self.pings = self.pings.wrapping_add(1);
                // A full queue is a sign of its own: the write deadline is running.
                if self.ping(&keepalive_payload(self.pings)).is_ok() {
                    self.timers.ping_sent = time;
                }
            }
        }
    }

    /// The round trip of the last keepalive ping that was answered; `None` before the first.
    pub fn rtt(&self) -> Option<Duration> {
        self.timers.rtt.get()
    }

    /// Tells that something came from the peer that is not received yet: it lives.
    pub const fn heard_from_peer(&mut self) {
        self.heard = true;
    }

    /// Whether a pong answers a keepalive ping: if it is the one that is on its way, that tells the round trip;
    /// an older one, given up because the peer sent other things meanwhile, is nobody's affair either.
    pub(super) fn is_keepalive_pong(&mut self, payload: &[u8]) -> bool {
        let Some((&KEEPALIVE, count)) = payload.split_first_chunk() else { return false };
        let Ok(count) = count.try_into().map(u32::from_be_bytes) else { return false };
        if count == self.pings && self.timers.ping_sent.is_set() {
            self.pong_arrived = true;
            self.timers.changed = true;
        }
        (1..=self.pings).contains(&count)
    }

    /// Does what has waited for the time to be known: a pong that has arrived answers the ping that was
    /// sent before it, and the second in which control frames are counted may be over.
    fn settle(&mut self, now: Time) {
        if self.pong_arrived {
            self.pong_arrived = false;
            self.timers.rtt = Time::at(now.since(self.timers.ping_sent));
            self.timers.ping_sent = Time::NEVER;
        }
        if now >= self.timers.control {
            self.control_count = 0;
            self.timers.control = Time::NEVER;
        }
    }

    /// Starts the deadlines that the state asks for and stops the others.
    fn arm(&mut self, now: Time) {
        let config = &self.config;
        let timers = &mut self.timers;
        timers.write = match (self.queue.is_empty(), timers.write.is_set()) {
            (true, _) => Time::NEVER,
            (false, true) => timers.write,
            (false, false) => now.after(config.write_timeout),
        };
        let close = match self.state {
            State::Open | State::Ended => None,
            State::CloseSent | State::ReadOnly(_) => Some(config.close_timeout),
            State::Closed { shut_down: false } | State::Failed { shut_down: false } => {
                Some(config.close_timeout)
            }
            State::Closed { shut_down: true } | State::Failed { shut_down: true } => {
                Some(config.linger_timeout)
            }
        };
        timers.close = match close {
            None => Time::NEVER,
            Some(_) if timers.close.is_set() => timers.close,
            Some(timeout) => now.after(timeout),
        };
        match (self.state, config.keepalive) {
            (State::Open, Some(keepalive)) if !timers.ping.is_set() => {
                timers.ping = now.after(keepalive.interval);
            }
            (State::Open, Some(_)) => {}
            _ => {
                timers.ping = Time::NEVER;
                timers.ping_sent = Time::NEVER;
            }
        }
        match self.state {
            State::Open | State::CloseSent | State::ReadOnly(_) if self.control_count > 0 => {
                timers.control = timers.control.min(now.after(Duration::from_secs(1)));
            }
            State::Open | State::CloseSent | State::ReadOnly(_) => {}
            State::Closed { .. } | State::Failed { .. } => timers.control = Time::NEVER,
            State::Ended => {
                timers.control = Time::NEVER;
                timers.write = Time::NEVER;
            }
        }
    }
}

/// What the payload of a keepalive ping begins with, so that it is not taken for one of the user's.
const KEEPALIVE: [u8; 4] = *b"live";

fn keepalive_payload(count: u32) -> [u8; 8] {
    let ([a, b, c, d], [e, f, g, h]) = (KEEPALIVE, count.to_be_bytes());
    [a, b, c, d, e, f, g, h]
}
