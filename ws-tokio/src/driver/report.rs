//! What a driver reports to an observer.

use super::Driver;
use crate::buffer::Input;
use crate::closer::{Observer, Report};

/// How much a report said, rounded to what makes a further one worth its cost. Small, as each connection has it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Reported {
    /// What was held, in steps.
    steps: u16,
    /// The binary logarithm of what was unfinished; 0 for less than a step.
    unfinished: u8,
}

impl Reported {
    fn of(held: usize, unfinished: usize) -> Self {
        let log = unfinished.checked_ilog2().filter(|log| *log >= STEP.ilog2());
        Self {
            steps: u16::try_from(held.div_ceil(STEP)).unwrap_or(u16::MAX),
            unfinished: log.and_then(|log| u8::try_from(log).ok()).unwrap_or(0),
        }
    }

    #[inline]
    fn is_nothing(self) -> bool {
        self == Self::default()
    }

    /// Whether a report that says `self` adds something to one that said `before`.
    fn adds_to(self, before: Self) -> bool {
        // Beyond what can be counted it may.
        self != before || self.steps == u16::MAX
    }
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
        self.close_request.as_ref().is_some_and(|request| request.is_observed())
            && !(self.reported.is_nothing() && self.holds_nothing())
            && self.report_changed()
    }

    /// Reports that input has been received that was reported as not received.
    #[inline]
    pub(super) fn report_received(&mut self) {
        if self.reported.unfinished > 0 {
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

    // Apart, so that connections without an observer pay for a comparison only.
    #[inline(never)]
    fn report_changed(&mut self) -> bool {
        let mut memory = self.memory_usage();
        memory.read = memory.read.saturating_add(self.unread());
        let unfinished = self.unfinished();
        let now = Reported::of(memory.total(), unfinished);
        if !now.adds_to(self.reported) {
            return false;
        }
        self.reported = now;
        self.send_report(&Report {
            memory,
            unfinished,
            queued: self.connection.queued(),
            rtt: self.connection.rtt(),
        })
    }

    #[inline(never)]
    fn send_report(&mut self, report: &Report) -> bool {
        let request = self.close_request.as_ref();
        let gives_way = request.is_some_and(|request| request.observe(report)) && self.give_way();
        if gives_way {
            // What is left: on a connection that has failed it is not asked again.
            self.report_changed();
        }
        gives_way
    }

    /// Fails the connection for want of memory, and drops the input that it holds; returns `false` if it holds none.
    pub(super) fn give_way(&mut self) -> bool {
        if self.unfinished() == 0 || !self.connection.give_way() {
            return false;
        }
        self.reading.input = Input::default();
        self.reading.large = None;
        self.reading.aside = None;
        true
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
