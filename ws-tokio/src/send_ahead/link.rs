//! Whether the link of a socket is fast, by how long the socket is full.

use std::time::Duration;

/// What is known of a link.
///
/// With 32 KiB ahead the system lets a full socket be written to when less than half of that is unsent: 16 KiB have gone. If
/// that took at most [`SHORT`], 48 times as much, the most that the system takes ahead, is gone after [`LONG`]. A longer wait ends
/// that, and so does one that has not ended, until the next short one. Only a write that is refused, the next that is not, and large
/// ones between them look at the clock.
#[derive(Debug)]
pub(super) struct Link {
    speed: Speed,
    /// Since when the socket is full, in [`ticks`]; 0 while it is not. Small: each connection has it.
    full_since: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Speed {
    /// Nothing is to be known of it.
    Unknown,
    Slow,
    Fast,
}

impl Link {
    pub(super) const fn new() -> Self {
        Self { speed: Speed::Slow, full_since: 0 }
    }

    /// Of a socket that does not have the option.
    pub(super) const fn unknown() -> Self {
        Self { speed: Speed::Unknown, full_since: 0 }
    }

    /// Whether the system is to take much of a large write now. A link that is waited for for long is slow already, although only the
    /// write that ends the wait shows how long that was.
    #[inline]
    pub(super) fn is_fast(&self, now: impl FnOnce() -> Duration) -> bool {
        self.speed == Speed::Fast && (!self.waits() || self.waited(now()) <= LONG)
    }

    /// Whether the socket was full at the last write.
    pub(super) const fn waits(&self) -> bool {
        self.full_since != 0
    }

    /// The socket is full, at a time since some epoch.
    pub(super) fn refused(&mut self, now: Duration) {
        if self.speed != Speed::Unknown && !self.waits() {
            self.full_since = ticks(now);
        }
    }

    /// It takes bytes again.
    pub(super) fn took(&mut self, now: Duration) {
        let waited = self.waited(now);
        self.full_since = 0;
        if waited <= SHORT {
            self.speed = Speed::Fast;
        } else if waited > LONG {
            self.speed = Speed::Slow;
        }
    }

    /// How long the socket has been full.
    fn waited(&self, now: Duration) -> Duration {
        TICK.saturating_mul(ticks(now).wrapping_sub(self.full_since))
    }
}

/// A time in units of 0.1 ms, rounded to an odd number, which is not 0. They begin anew after five days: a wait that long would seem
/// to be short.
fn ticks(time: Duration) -> u32 {
    #[allow(clippy::cast_possible_truncation, reason = "it begins anew")]
    let ticks = (time.as_micros() / TICK.as_micros()) as u32;
    ticks | 1
}

const TICK: Duration = Duration::from_micros(100);

/// A wait for 16 KiB on a link of 26 Mbit/s.
const SHORT: Duration = Duration::from_millis(5);

/// A wait for 768 KiB on that link, or for 16 KiB on one of 0.5 Mbit/s.
const LONG: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests {
    use super::*;

    const START: Duration = Duration::from_secs(1000);

    /// A link of which the socket has been full for these times, one after the other.
    fn after(waits: &[Duration]) -> Link {
        let (mut link, mut now) = (Link::new(), START);
        for wait in waits {
            link.refused(now);
            now += *wait;
            link.took(now);
            assert!(!link.waits());
        }
        link
    }

    #[test]
    fn a_link_is_fast_from_a_short_wait_to_a_long_one() {
        let (short, between, long) = (SHORT, SHORT + 2 * TICK, LONG + 2 * TICK);
        assert!(!after(&[]).is_fast(|| START));
        assert!(!after(&[between]).is_fast(|| START));
        assert!(after(&[short]).is_fast(|| START));
        assert!(after(&[short, between, LONG]).is_fast(|| START));
        assert!(!after(&[short, long]).is_fast(|| START));
        assert!(!after(&[short, long, between]).is_fast(|| START));
        assert!(after(&[short, long, Duration::ZERO]).is_fast(|| START));
    }

    #[test]
    fn a_fast_link_that_is_waited_for_for_long_is_slow_before_the_wait_ends() {
        let mut link = after(&[SHORT]);
        link.refused(START);
        for (waited, is_fast) in [(Duration::ZERO, true), (LONG, true), (LONG + 2 * TICK, false)] {
            assert_eq!(link.is_fast(|| START + waited), is_fast, "{waited:?}");
        }
        link.took(START + LONG);
        assert!(link.is_fast(|| panic!("the clock is for a wait")));
    }

    #[test]
    fn a_wait_lasts_from_the_first_refusal_to_the_next_write_that_is_taken() {
        let mut link = Link::new();
        for step in 0..100 {
            link.refused(START + SHORT * step);
            assert!(link.waits());
        }
        link.took(START + SHORT * 100);
        assert!(!link.is_fast(|| START));
    }

    #[test]
    fn a_wait_may_begin_at_any_tick() {
        let wraps = TICK * u32::MAX;
        for begin in [Duration::ZERO, TICK, wraps - SHORT, wraps, wraps + TICK] {
            for (wait, is_fast) in [(Duration::ZERO, true), (SHORT, true), (SHORT * 3, false)] {
                let mut link = Link::new();
                link.refused(begin);
                link.took(begin + wait);
                assert_eq!(link.is_fast(|| begin), is_fast, "{begin:?} {wait:?}");
            }
        }
    }

    #[test]
    fn nothing_is_learned_of_a_socket_without_the_option() {
        let mut link = Link::unknown();
        link.refused(START);
        assert!(!link.waits());
        assert!(!link.is_fast(|| START));
    }
}
