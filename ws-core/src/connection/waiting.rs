//! What a connection waits for: keepalive (RFC 6455 section 5.5.2), stalled writes, closing.

use core::mem;
use core::time::Duration;

use super::{Connection, Frame, Incoming, State};
use crate::close_info::{Deadline, Initiator};
use crate::error::ProtocolError;
use crate::timers::{Asking, Flow, RoundTrip, Time};

/// # Time
impl Connection {
    /// Whether [`next_timeout`](Self::next_timeout) would answer something new. Cheap: a driver asks
    /// before each wait, and looks at the clock only then.
    #[inline]
    pub fn timeout_changed(&self) -> bool {
        let timers = &self.timers;
        timers.changed
            || timers.flow != self.waits_for()
            || (self.heard && self.close_deadline().is_set())
            || self.incoming.as_ref().is_some_and(|incoming| incoming.seen != Some(self.arrived(incoming)))
    }

    /// Returns when [`handle_timeout`](Self::handle_timeout) must be called next: now if that is not in the
    /// future; `None` for never.
    ///
    /// `now`, like what is returned, is the time since an epoch the driver chose, on a clock that
    /// never goes back.
    ///
    /// Ask for it when about to wait: what is queued by then counts as refused by the transport, and that it takes some
    /// of it later counts as life of the peer. What a transport takes without having refused anything does not: an idle
    /// one takes bytes for a peer that is long gone.
    pub fn next_timeout(&mut self, now: Duration) -> Option<Duration> {
        let now = Time::at(now);
        self.timers.changed = false;
        self.settle(now);
        self.arm(now);
        let timers = &self.timers;
        let other = timers.write.min(self.close_deadline()).min(self.control_deadline());
        self.ping_deadline().min(self.message_deadline()).min(other).get()
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
        if time >= self.close_deadline() {
            return self.time_out(Deadline::Close);
        }
        if let Some(timeout) = self.config.message_timeout
            && time >= self.message_deadline()
        {
            return self.fail(ProtocolError::MessageStalled { timeout });
        }
        let (State::Open, Some(keepalive)) = (self.state, self.config.keepalive) else { return };
        if self.timers.asking == Asking::Written && time >= self.ping_deadline() {
            if !self.heard {
                return self.time_out(Deadline::Keepalive);
            }
            self.answered(keepalive.interval);
        }
        if self.timers.asking == Asking::Nothing && time >= self.timers.ping {
            self.heard = false;
            self.pings = self.pings.wrapping_add(1);
            // A full queue is a sign too: the write deadline is running.
            if self.ping(&keepalive_payload(self.pings)).is_ok() {
                self.queue.mark_ping();
                self.timers.asking = Asking::Queued;
                self.timers.ping = time;
            } else {
                self.timers.ping = time.after(keepalive.interval);
            }
        }
    }

    /// Whether the peer has to answer something: a keepalive ping, or a Close. The time for that begins when it has been
    /// written and [flushed](Self::set_unflushed).
    #[inline]
    pub fn awaits_answer(&self) -> bool {
        self.state != State::Open || self.timers.asking != Asking::Nothing
    }

    /// Returns the round trip of the last keepalive ping that was answered; `None` before the first.
    pub fn rtt(&self) -> Option<Duration> {
        self.timers.rtt.get()
    }

    /// Returns how many keepalive pings have been answered; with each of them [`rtt`](Self::rtt) is another. It wraps around.
    pub const fn round_trips(&self) -> u8 {
        self.round_trips
    }

    /// Reports that bytes came from the peer that are not received yet: it is alive.
    pub const fn heard_from_peer(&mut self) {
        self.heard = true;
    }

    /// Reports that bytes have moved on a transport that other connections share, as an HTTP/2 connection is shared: some came, or
    /// some went after it had refused some, whichever connection they are of. To be called before
    /// [`handle_timeout`](Self::handle_timeout), if they have moved since it was called last.
    ///
    /// What this connection waits for may be behind them. So the deadline of a write begins anew if the transport
    /// [holds](Self::set_held) some of it, and that of a Close or of a keepalive ping which has been written does too. For a ping
    /// that ends two minutes after it was written: the other connections may be those of a proxy, whose bytes say little of
    /// this peer.
    pub fn shared_transport_moved(&mut self, now: Duration) {
        let now = Time::at(now);
        if self.held > 0 && matches!(self.timers.flow, Flow::Unflushed | Flow::Refused) {
            self.output_moved();
        }
        let closes = self.close_deadline().is_set();
        let timers = &mut self.timers;
        if closes {
            self.heard = true;
        } else if timers.asking == Asking::Written && now < timers.ping.after(LONGEST_BACKLOG) {
            timers.drained = timers.drained.max(now);
            timers.changed = true;
        }
    }
}

impl Connection {
    /// When a keepalive ping is due, or its answer. Until it is written and flushed neither is: the write deadline is
    /// running.
    fn ping_deadline(&self) -> Time {
        let timers = &self.timers;
        match (timers.asking, self.config.keepalive) {
            (_, None) | (Asking::Queued, _) => Time::NEVER,
            (Asking::Nothing, _) => timers.ping,
            // Bytes that the peer takes are life, and those on their way before the ping have to arrive first.
            (Asking::Written, _) if timers.unflushed => Time::NEVER,
            (Asking::Written, Some(keepalive)) => timers.ping.max(timers.drained).after(keepalive.timeout),
        }
    }

    /// How much has arrived of the payload of the message being received.
    #[inline]
    fn arrived(&self, incoming: &Incoming) -> u64 {
        let lacking = if self.frame == Frame::Data { self.decoder.remaining() } else { 0 };
        incoming.wire.saturating_sub(lacking)
    }

    /// When the message being received has stood still for too long.
    fn message_deadline(&self) -> Time {
        self.incoming.as_ref().map_or(Time::NEVER, |incoming| incoming.deadline)
    }

    /// All of the message being received has arrived: it has no deadline any more.
    pub(super) fn end_message(&mut self) {
        if let Some(incoming) = self.incoming.take() {
            self.messages_received = self.messages_received.wrapping_add(1);
            self.timers.changed |= incoming.deadline.is_set();
        }
    }

    /// Nothing more is expected of the last keepalive ping.
    const fn answered(&mut self, interval: Duration) {
        self.timers.asking = Asking::Nothing;
        self.timers.ping = self.timers.ping.after(interval);
    }

    /// Whether a pong answers a keepalive ping: if it answers the latest, that is the round trip;
    /// a late pong for an abandoned ping is ignored.
    pub(super) fn is_keepalive_pong(&mut self, payload: &[u8]) -> bool {
        let Some((&KEEPALIVE, count)) = payload.split_first_chunk() else { return false };
        let Ok(count) = count.try_into().map(u32::from_be_bytes) else { return false };
        if count == self.pings && self.timers.asking != Asking::Nothing {
            self.pong_arrived = true;
            self.timers.changed = true;
        }
        (1..=self.pings).contains(&count)
    }

    /// Does what has waited for the time to be known: output that has moved, a ping that has been written, a pong that has
    /// arrived, bytes received while closing; and the second in which control frames are counted may be over.
    fn settle(&mut self, now: Time) {
        let timers = &mut self.timers;
        if timers.flow == Flow::Moved {
            timers.flow = Flow::Free;
            timers.drained = now.after(now.since(timers.full_since).min(LONGEST_BACKLOG));
        }
        if timers.asking == Asking::Queued {
            // Until it is seen to be written it was not before now.
            timers.ping = if self.pong_arrived { timers.ping } else { now };
            if !self.queue.ping_waits() {
                timers.asking = Asking::Written;
            }
        }
        if mem::take(&mut self.pong_arrived)
            && let Some(keepalive) = self.config.keepalive
        {
            let rtt = now.since(timers.ping);
            timers.rtt = RoundTrip::new(rtt);
            self.round_trips = self.round_trips.wrapping_add(1);
            // What was written before the ping has arrived. How long what was written since takes is no more than that
            // much longer.
            timers.full_since = timers.full_since.max(timers.ping.before(rtt));
            self.answered(keepalive.interval);
        }
        let awaits_peer = self.awaits_peer();
        if let Some(ending) = &mut self.ending
            && ending.deadline.is_set()
            && mem::take(&mut self.heard)
            && awaits_peer
        {
            ending.deadline = ending.deadline.max(now.after(self.config.close_timeout)).min(ending.latest);
        }
        self.settle_message();
        self.settle_control(now);
    }

    /// More of the message being received has arrived: its deadline begins anew.
    fn settle_message(&mut self) {
        let arrived = self.incoming.as_ref().map(|incoming| self.arrived(incoming));
        if let Some(incoming) = &mut self.incoming
            && incoming.seen != arrived
        {
            incoming.seen = arrived;
            incoming.deadline = Time::NEVER;
        }
    }

    /// Starts the deadlines that the state asks for and stops the others.
    fn arm(&mut self, now: Time) {
        self.arm_write(now);
        self.arm_message(now);
        self.arm_close(now);
        let timers = &mut self.timers;
        match (self.state, self.config.keepalive) {
            (State::Open, Some(keepalive)) if !timers.ping.is_set() => {
                timers.ping = now.after(keepalive.interval);
            }
            (State::Open, Some(_)) => {}
            _ => {
                timers.ping = Time::NEVER;
                timers.asking = Asking::Nothing;
            }
        }
        self.arm_control(now);
    }

    fn arm_write(&mut self, now: Time) {
        let flow = self.waits_for();
        let timers = &mut self.timers;
        timers.flow = flow;
        if flow == Flow::Free {
            timers.write = Time::NEVER;
        } else if !timers.write.is_set() {
            timers.write = now.after(self.config.write_timeout);
            if now >= timers.drained {
                timers.full_since = now;
            }
        }
    }

    fn arm_message(&mut self, now: Time) {
        let Some(incoming) = &mut self.incoming else { return };
        match self.config.message_timeout {
            // While something waits to be written a driver may have to leave unread what arrives. Closing has its own deadline.
            Some(timeout) if self.state == State::Open && self.timers.flow == Flow::Free => {
                if !incoming.deadline.is_set() {
                    incoming.deadline = now.after(timeout);
                }
            }
            _ => incoming.deadline = Time::NEVER,
        }
    }

    fn arm_close(&mut self, now: Time) {
        let config = &self.config;
        let timeout = match self.state {
            State::Open | State::Ended => None,
            State::Closed { shut_down: true } | State::Failed { shut_down: true } => {
                Some(config.linger_timeout)
            }
            // The peer waits for the reply, whatever of ours is still to be written.
            State::CloseReceived => Some(config.close_timeout),
            // The peer cannot answer what it has not been sent: until then the write deadline is running.
            _ if !self.is_all_written() => None,
            State::CloseSent | State::ReadOnly(_) | State::Closed { .. } | State::Failed { .. } => {
                Some(config.close_timeout)
            }
        };
        let Some(timeout) = timeout else {
            return self.stop_close_deadline();
        };
        if self.close_deadline().is_set() {
            return;
        }
        self.heard = false;
        let total = config.close_total_timeout;
        let (awaits_peer, drained) = (self.awaits_peer(), self.timers.drained);
        let ending = self.ending(Initiator::Local);
        ending.deadline = now.after(timeout);
        if awaits_peer {
            // What is on its way has to arrive first.
            ending.deadline = now.max(drained).after(timeout);
            if let Some(all) = total {
                ending.latest = ending.latest.min(now.after(all));
                ending.deadline = ending.deadline.min(ending.latest);
            }
        }
    }
}

/// The longest time that the transport is assumed to need for what it has taken, however long it has been offered more than
/// it took. A megabyte, which the system and a router with deep queues may well hold, takes a minute at 128 kbit/s.
const LONGEST_BACKLOG: Duration = Duration::from_secs(120);

/// What the payload of a keepalive ping begins with, so that it is not taken for one of the user's.
const KEEPALIVE: [u8; 4] = *b"live";

fn keepalive_payload(count: u32) -> [u8; 8] {
    let ([a, b, c, d], [e, f, g, h]) = (KEEPALIVE, count.to_be_bytes());
    [a, b, c, d, e, f, g, h]
}
