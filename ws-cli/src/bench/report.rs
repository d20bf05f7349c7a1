//! The result of a load test: a table with a histogram, or JSON.

use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::{Value, json};

use super::tally::{Tally, milliseconds};
use crate::args;

/// How opening the connections went.
#[derive(Clone, Copy)]
pub(super) struct Opened {
    pub(super) connections: usize,
    pub(super) failed: u64,
    pub(super) took: Duration,
}

/// The result of a test.
pub(super) struct Report<'a> {
    args: &'a args::Bench,
    opened: Opened,
    measured: Duration,
    latencies: Histogram<u64>,
    failures: u64,
    first_failure: Option<String>,
}

impl<'a> Report<'a> {
    pub(super) fn new(args: &'a args::Bench, tally: &Tally, opened: Opened, measured: Duration) -> Self {
        Self {
            args,
            opened,
            measured,
            latencies: tally.latencies(),
            failures: tally.failures(),
            first_failure: tally.first_failure().map(|failure| failure.message),
        }
    }

    fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.measured.as_secs_f64()
    }

    /// Connections that ended before the test was over, or did not close properly at its end.
    fn lost(&self) -> u64 {
        self.failures.saturating_sub(self.opened.failed)
    }

    pub(super) fn to_json(&self) -> Value {
        if self.args.idle {
            return json!({
                "connections": self.opened.connections,
                "opening_ms": self.opened.took.as_secs_f64() * 1e3,
                "seconds": self.measured.as_secs_f64(),
                "lost": self.lost(),
                "failed": self.failures,
                "first_failure": self.first_failure,
            });
        }
        let ms = |nanos: u64| nanos as f64 / 1e6;
        let quantiles: serde_json::Map<_, _> = QUANTILES
            .iter()
            .map(|(name, q)| ((*name).to_owned(), ms(self.latencies.value_at_quantile(*q)).into()))
            .collect();
        let histogram: Vec<_> = rows(&self.latencies)
            .map(|(upto, count)| json!({ "upto_ms": ms(upto), "count": count }))
            .collect();
        json!({
            "connections": self.opened.connections,
            "opening_ms": self.opened.took.as_secs_f64() * 1e3,
            "seconds": self.measured.as_secs_f64(),
            "size": self.args.size,
            "messages": self.latencies.len(),
            "messages_per_second": self.rate(),
            "latency_ms": quantiles,
            "histogram": histogram,
            "failed": self.failures,
            "first_failure": self.first_failure,
        })
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { args, opened: Opened { connections, failed, took }, latencies, .. } = self;
        let opening = took.as_secs_f64() * 1e3;
        if args.idle {
            let (lost, seconds) = (self.lost(), self.measured.as_secs_f64());
            writeln!(f, "connections  {connections} opened in {opening:.1} ms, {failed} failed")?;
            let held = (*connections as u64).saturating_sub(lost);
            return writeln!(f, "held         {held} for {seconds:.1} s, {lost} lost");
        }
        writeln!(f, "connections  {connections} opened in {opening:.1} ms, {} failed", self.failures)?;
        let kind = if args.binary { "binary" } else { "text" };
        let bytes = self.rate() * f64::from(args.size) / 1e6;
        writeln!(
            f,
            "messages     {} of {} bytes ({kind}) in {:.1} s: {:.0} a second, {bytes:.1} MB/s each way",
            latencies.len(),
            args.size,
            self.measured.as_secs_f64(),
            self.rate(),
        )?;
        if latencies.is_empty() {
            return Ok(());
        }
        write!(f, "latency")?;
        for (name, q) in QUANTILES {
            write!(f, "  {name} {}", milliseconds(latencies.value_at_quantile(q)))?;
        }
        writeln!(f, "  ms\n")?;
        let most = rows(latencies).map(|(_, count)| count).max().unwrap_or(1);
        for (upto, count) in rows(latencies) {
            let bar = usize::try_from(count.saturating_mul(BAR as u64).div_ceil(most.max(1))).unwrap_or(BAR);
            let share = count as f64 * 100.0 / latencies.len() as f64;
            writeln!(
                f,
                "{:>12} ms  {:<BAR$}  {share:5.1} %",
                format!("≤ {}", milliseconds(upto)),
                "█".repeat(bar)
            )?;
        }
        Ok(())
    }
}

/// The histogram in steps that double: the upper end of each and how many there are.
fn rows(latencies: &Histogram<u64>) -> impl Iterator<Item = (u64, u64)> + '_ {
    latencies
        .iter_log(FIRST_STEP, 2.0)
        .map(|step| (step.value_iterated_to().saturating_add(1), step.count_since_last_iteration()))
        .skip_while(|(_, count)| *count == 0)
}

const QUANTILES: [(&str, f64); 6] =
    [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("p99.99", 0.9999), ("max", 1.0)];
/// In nanoseconds.
const FIRST_STEP: u64 = 1000;
/// Characters.
const BAR: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rows_hold_all_that_was_measured() {
        let mut latencies = Histogram::new_with_bounds(1, 3_600_000_000_000, 3).unwrap();
        for nanos in [50_000, 60_000, 100_000, 3_000_000] {
            latencies.record(nanos).unwrap();
        }
        let rows: Vec<_> = rows(&latencies).collect();
        assert_eq!(rows.iter().map(|(_, count)| count).sum::<u64>(), 4);
        assert!(rows.windows(2).all(|pair| pair[0].0 < pair[1].0), "{rows:?}");
        assert_eq!(rows[0], (64_000, 2));
    }
}
