//! What a driver reports to an observer.

use std::mem;

use super::Driver;
use crate::buffer::Input;
use crate::closer::{Observer, Report};

impl<S> Driver<S> {
    /// Reports to `observer` from now on.
    pub(in super::super) fn set_observer(&mut self, observer: Box<dyn Observer>) {
        self.close_request.get_or_insert_default().set_observer(observer);
        self.report();
    }

    /// Reports what the connection holds now: before it waits, and when that has become less for good. Returns whether it has given
    /// way for it, so that there is something to write.
    #[inline]
    pub(super) fn report(&mut self) -> bool {
        self.close_request.as_ref().is_some_and(|request| request.is_observed()) && self.report_now()
    }

    /// Reports that input has been received that was reported as not received.
    #[inline]
    pub(super) fn report_received(&mut self) {
        if mem::take(&mut self.reported_input) {
            self.report();
        }
    }

    // Apart, so that connections without an observer pay for a comparison only.
    #[inline(never)]
    fn report_now(&mut self) -> bool {
        let mut memory = self.memory_usage();
        memory.read = memory.read.saturating_add(self.unread());
        let report = Report {
            memory,
            unfinished: self.unfinished(),
            queued: self.connection.queued(),
            rtt: self.connection.rtt(),
        };
        self.reported_input = report.unfinished > 0;
        let request = self.close_request.as_ref();
        let gives_way = request.is_some_and(|request| request.observe(&report)) && self.give_way();
        if gives_way {
            // What is left: on a connection that has failed it is not asked again.
            self.report_now();
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
