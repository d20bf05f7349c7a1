//! What all connections of a load test have measured, in constant memory.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::failure::Failure;

/// The figures, shared by the connections.
pub(super) struct Tally(Mutex<Figures>);

struct Figures {
    /// Nanoseconds from message to answer.
    latencies: Histogram<u64>,
    /// The same since the last look.
    recent: Histogram<u64>,
    looked: Instant,
    last_answer: Instant,
    failures: u64,
    first_failure: Option<Failure>,
}

impl Tally {
    pub(super) fn new(failures: Vec<Failure>) -> Self {
        Self(Mutex::new(Figures {
            latencies: histogram(),
            recent: histogram(),
            looked: Instant::now(),
            last_answer: Instant::now(),
            failures: failures.len() as u64,
            first_failure: failures.into_iter().next(),
        }))
    }

    pub(super) fn answer(&self, latency: Duration) {
        let nanos = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        let mut figures = self.lock();
        figures.latencies.saturating_record(nanos);
        figures.recent.saturating_record(nanos);
        figures.last_answer = Instant::now();
    }

    pub(super) fn fail(&self, failure: Failure) {
        let mut figures = self.lock();
        figures.failures += 1;
        figures.first_failure.get_or_insert(failure);
    }

    pub(super) fn first_failure(&self) -> Option<Failure> {
        self.lock().first_failure.clone()
    }

    pub(super) fn failures(&self) -> u64 {
        self.lock().failures
    }

    pub(super) fn latencies(&self) -> Histogram<u64> {
        self.lock().latencies.clone()
    }

    /// When the last answer came, if one did.
    pub(super) fn last_answer(&self) -> Option<Instant> {
        let figures = self.lock();
        (!figures.latencies.is_empty()).then_some(figures.last_answer)
    }

    /// The rate and latencies since the last call, in a line.
    pub(super) fn last_second(&self) -> String {
        let mut figures = self.lock();
        let took = figures.looked.elapsed();
        let rate = figures.recent.len() as f64 / took.as_secs_f64();
        let [p50, p99, max] = [0.50, 0.99, 1.0].map(|q| milliseconds(figures.recent.value_at_quantile(q)));
        let failures = figures.failures;
        figures.recent.reset();
        figures.looked = Instant::now();
        format!("{rate:9.0} messages/s   p50 {p50} ms   p99 {p99} ms   max {max} ms   {failures} failed")
    }

    fn lock(&self) -> MutexGuard<'_, Figures> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Nanoseconds as milliseconds with three figures after the point.
pub(super) fn milliseconds(nanos: u64) -> String {
    format!("{:.3}", nanos as f64 / 1e6)
}

/// From a nanosecond to an hour, to three figures: some hundred KiB.
fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 3_600_000_000_000, 3)
        .unwrap_or_else(|_| unreachable!("the bounds are in order"))
}
