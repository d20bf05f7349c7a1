//! What a driver reports to an observer.

use std::mem;

use super::Driver;
use crate::buffer::Input;
use crate::closer::{GiveWay, Observer, Report, TrafficReport};

/// How much a report said, rounded to what makes a further one worth its cost. Small, as each connection has it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Reported {
    /// What was held, in steps.
    steps: u16,
    /// The class of what was unfinished, and sixteen times that of what waited to be written.
    classes: u8,
    /// The transport has taken bytes since.
    pub(super) has_written: bool,
}

impl Reported {
    fn of(held: usize, unfinished: usize, waiting: usize) -> Self {
        Self {
            steps: u16::try_from(held.div_ceil(STEP)).unwrap_or(u16::MAX),
            classes: class(unfinished) | class(waiting) << 4,
            has_written: false,
        }
    }

    #[inline]
    const fn is_nothing(self) -> bool {
        self.steps == 0 && self.classes == 0
    }

    const fn has_unfinished(self) -> bool {
        self.classes & 15 != 0
    }

    /// Whether a report that says `self` adds something to one that said `before`.
    fn adds_to(self, before: Self) -> bool {
        // Beyond what can be counted it may. With unfinished input it does, because the observer may have it give way before that grows.
        // What waits is reported as it moves, too.
        (self.steps, self.classes) != (before.steps, before.classes)
            || self.has_unfinished()
            || self.steps == u16::MAX
            || (self.classes > 15 && before.has_written)
    }
}

/// The power of two of what is at least a step, from 1 up to what fits into four bits: 64 MiB.
fn class(bytes: usize) -> u8 {
    let log = bytes.checked_ilog2().unwrap_or(0);
    u8::try_from(log.saturating_sub(STEP.ilog2() - 1)).unwrap_or(15).min(15)
}

impl<S> Driver<S> {
    /// Reports to `observer` from now on.
    pub(in super::super) fn set_observer(&mut self, observer: Box<dyn Observer>) {
        self.close_request.get_or_insert_default().set_observer(observer);
        self.reported = Reported::default();
        self.report();
    }

    /// Reports what the connection holds now, if that is not what it has reported: before it waits, and when that has become less for
    /// good. Returns whether it has given way for it, so that there is something to write.
    #[inline]
    pub(super) fn report(&mut self) -> bool {
        if self.close_request.as_ref().is_some_and(|request| request.counts_traffic()) {
            self.report_traffic();
        }
        self.close_request.as_ref().is_some_and(|request| request.is_observed())
            && !(self.reported.is_nothing() && self.holds_nothing())
            && self.report_changed()
    }

    /// Reports that input has been received that was reported as not received.
    #[inline]
    pub(super) fn report_received(&mut self) {
        if self.reported.has_unfinished() {
            self.report();
        }
    }

    /// Whether it holds no memory: what is asked of nearly all connections that are about to wait.
    #[inline]
    fn holds_nothing(&self) -> bool {
        let (reading, writing) = (&self.reading, &self.writing);
        #[cfg(feature = "http2")]
        let has_stream = writing.held.is_some();
        #[cfg(not(feature = "http2"))]
        let has_stream = false;
        !reading.input.has_buffer()
            && reading.large.is_none()
            && reading.aside.is_none()
            && writing.backlog.is_none()
            && writing.outboxes.is_none()
            && !has_stream
            && self.connection.holds_nothing()
    }

    /// Reports what has gone through the connection, whether it has changed or not.
    #[inline(never)]
    fn report_traffic(&self) {
        let report = TrafficReport {
            traffic: self.traffic(),
            queued: self.connection.queued(),
            rtt: self.connection.rtt(),
            round_trips: self.connection.round_trips(),
        };
        if let Some(request) = &self.close_request {
            request.observe_traffic(&report);
        }
    }

    // Apart, so that connections without an observer pay for a comparison only.
    #[inline(never)]
    fn report_changed(&mut self) -> bool {
        let mut memory = self.memory_usage();
        memory.read = memory.read.saturating_add(self.unread());
        let unfinished = self.unfinished();
        let now = Reported::of(memory.total(), unfinished, memory.queued);
        if !now.adds_to(self.reported) {
            return false;
        }
        let has_written = mem::replace(&mut self.reported, now).has_written;
        if has_written && let Some(request) = &self.close_request {
            // The peer has begun to read before the connection had its turn to give way.
            request.keep_output();
        }
        self.send_report(&Report {
            memory,
            unfinished,
            has_written,
            queued: self.connection.queued(),
            rtt: self.connection.rtt(),
        })
    }

    #[inline(never)]
    fn send_report(&mut self, report: &Report) -> bool {
        let request = self.close_request.as_ref();
        let gives_way =
            request.is_some_and(|request| request.observe(report)) && self.give_way(GiveWay::Input);
        if gives_way {
            // What is left: on a connection that has failed it is not asked again.
            self.report_changed();
        }
        gives_way
    }

    /// Fails the connection for the sake of others, and drops the input that it holds, or all; returns `false` if there is nothing to drop.
    pub(super) fn give_way(&mut self, with: GiveWay) -> bool {
        let gives_way = match with {
            GiveWay::Input => self.unfinished() > 0 && self.connection.give_way(),
            // A peer that has begun to read stays.
            GiveWay::All if self.reported.has_written => false,
            GiveWay::Rate => self.connection.fail_over_rate(),
            GiveWay::All => self.holds_something() && self.connection.give_way_with_output(),
        };
        if gives_way {
            self.reading.input = Input::default();
            self.reading.large = None;
            self.reading.aside = None;
        }
        if gives_way && with == GiveWay::All {
            self.writing.backlog = None;
            self.close_outboxes();
        }
        gives_way
    }

    fn holds_something(&self) -> bool {
        self.unfinished() > 0 || self.memory_usage().queued > 0
    }

    /// Bytes of memory held for input that the user has not received.
    fn unfinished(&self) -> usize {
        let large = self.reading.large.as_ref().map_or(0, |large| large.len());
        let aside = self.reading.aside.as_ref().map_or(0, |aside| aside.bytes());
        let read = self.reading.input.capacity().saturating_add(large).saturating_add(aside);
        self.connection.unfinished().saturating_add(read).saturating_add(self.unread())
    }

    /// Bytes that a stream of HTTP/2 holds for it.
    fn unread(&self) -> usize {
        #[cfg(feature = "http2")]
        return self.writing.held.as_ref().map_or(0, crate::http2::Held::unread);
        #[cfg(not(feature = "http2"))]
        return 0;
    }
}

/// A change of what is held that does not pass a multiple of this many bytes is not reported.
const STEP: usize = 4 << 10;
