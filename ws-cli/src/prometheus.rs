//! Metrics as text for Prometheus.
//!
//! This is a custom exporter because that of the project `metrics` (`metrics-exporter-prometheus`) brings 23 more crates, several of them in a
//! second version: more than the rest of the server. `ws serve` has no use for what it does beyond this: summaries, gauges that
//! expire, pushing. A program that needs those installs it instead, as `ws_server::how_to::observe` shows.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use metrics::atomics::AtomicU64 as Cell;
use metrics::{Counter, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit};

use crate::failure::Failure;

/// Keeps the metrics of the process, and renders them. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Prometheus(Arc<Mutex<State>>);

/// By name, so that those of one name stand together, as the format requires.
#[derive(Default)]
struct State {
    help: BTreeMap<String, SharedString>,
    counters: BTreeMap<String, BTreeMap<String, Arc<Cell>>>,
    gauges: BTreeMap<String, BTreeMap<String, Arc<Cell>>>,
    histograms: BTreeMap<String, BTreeMap<String, Arc<Buckets>>>,
}

/// How many values are at most as large as each bound.
struct Buckets {
    /// Those that are larger than the bound before. The last is for all that are larger.
    counts: [AtomicU64; BOUNDS.len() + 1],
    /// In nanoseconds: all histograms are of times.
    sum: AtomicU64,
}

impl Prometheus {
    /// Keeps the metrics of the process from now on.
    pub(crate) fn install() -> Result<Self, Failure> {
        let this = Self::default();
        let failed = |error| Failure::other(format!("cannot keep metrics: {error}"));
        metrics::set_global_recorder(this.clone()).map_err(failed)?;
        Ok(this)
    }

    /// Returns all metrics in the text format of Prometheus, version 0.0.4.
    pub(crate) fn render(&self) -> String {
        let state = self.state();
        let mut text = String::new();
        // Writing to a string does not fail.
        for (name, series) in &state.counters {
            state.head(&mut text, name, "counter");
            for (labels, value) in series {
                let _ = writeln!(text, "{name}{} {}", braced(labels), value.load(Relaxed));
            }
        }
        for (name, series) in &state.gauges {
            state.head(&mut text, name, "gauge");
            for (labels, value) in series {
                let _ = writeln!(text, "{name}{} {}", braced(labels), f64::from_bits(value.load(Relaxed)));
            }
        }
        for (name, series) in &state.histograms {
            state.head(&mut text, name, "histogram");
            for (labels, buckets) in series {
                buckets.render(&mut text, name, labels);
            }
        }
        text
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn describe(&self, name: KeyName, description: SharedString) {
        self.state().help.insert(name.as_str().to_owned(), description);
    }
}

impl State {
    fn head(&self, text: &mut String, name: &str, kind: &str) {
        if let Some(help) = self.help.get(name) {
            let help = help.replace('\\', "\\\\").replace('\n', "\\n");
            let _ = writeln!(text, "# HELP {name} {help}");
        }
        let _ = writeln!(text, "# TYPE {name} {kind}");
    }
}

impl Recorder for Prometheus {
    fn describe_counter(&self, name: KeyName, _: Option<Unit>, description: SharedString) {
        self.describe(name, description);
    }

    fn describe_gauge(&self, name: KeyName, _: Option<Unit>, description: SharedString) {
        self.describe(name, description);
    }

    fn describe_histogram(&self, name: KeyName, _: Option<Unit>, description: SharedString) {
        self.describe(name, description);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(of(&mut self.state().counters, key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(of(&mut self.state().gauges, key))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(of(&mut self.state().histograms, key))
    }
}

/// Returns the value of a key, and makes it the first time.
fn of<T: Default>(series: &mut BTreeMap<String, BTreeMap<String, Arc<T>>>, key: &Key) -> Arc<T> {
    let labels = key.labels().map(|label| format!("{}=\"{}\"", label.key(), escaped(label.value())));
    let labels = labels.collect::<Vec<_>>().join(",");
    series.entry(key.name().to_owned()).or_default().entry(labels).or_default().clone()
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn braced(labels: &str) -> String {
    if labels.is_empty() { String::new() } else { format!("{{{labels}}}") }
}

impl Buckets {
    fn render(&self, text: &mut String, name: &str, labels: &str) {
        let comma = if labels.is_empty() { "" } else { "," };
        let mut count = 0u64;
        let bounds = BOUNDS.iter().map(|bound| bound.to_string()).chain(["+Inf".to_owned()]);
        for (bound, further) in bounds.zip(&self.counts) {
            count = count.wrapping_add(further.load(Relaxed));
            let _ = writeln!(text, "{name}_bucket{{{labels}{comma}le=\"{bound}\"}} {count}");
        }
        let labels = braced(labels);
        let sum = self.sum.load(Relaxed) as f64 / 1e9;
        let _ = writeln!(text, "{name}_sum{labels} {sum}\n{name}_count{labels} {count}");
    }
}

impl Default for Buckets {
    fn default() -> Self {
        Self { counts: std::array::from_fn(|_| AtomicU64::new(0)), sum: AtomicU64::new(0) }
    }
}

impl HistogramFn for Buckets {
    fn record(&self, value: f64) {
        let place = BOUNDS.iter().position(|bound| value <= *bound).unwrap_or(BOUNDS.len());
        self.counts[place].fetch_add(1, Relaxed);
        // Times are not negative.
        self.sum.fetch_add((value * 1e9) as u64, Relaxed);
    }
}

/// In seconds: from a handshake on loopback to one at its timeout.
const BOUNDS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_rendered_as_prometheus_reads_them() {
        let prometheus = Prometheus::default();
        metrics::with_local_recorder(&prometheus, || {
            metrics::describe_counter!("seen_total", "What was \\ seen.\nAll of it.");
            metrics::counter!("seen_total", "by" => "a \"b\"\\\n").increment(3);
            metrics::counter!("seen_total", "by" => "c").increment(1);
            metrics::gauge!("held").increment(2.5);
            metrics::gauge!("held").decrement(1.0);
            for seconds in [0.0005, 0.2, 100.0] {
                metrics::histogram!("took_seconds", "http" => "2").record(seconds);
            }
        });
        let text = prometheus.render();
        let (begin, histogram) = text.split_once("# TYPE took_seconds histogram\n").unwrap();
        assert_eq!(
            begin,
            "# HELP seen_total What was \\\\ seen.\\nAll of it.\n# TYPE seen_total counter\n\
             seen_total{by=\"a \\\"b\\\"\\\\\\n\"} 3\nseen_total{by=\"c\"} 1\n# TYPE held gauge\nheld 1.5\n"
        );
        let lines: Vec<&str> = histogram.lines().collect();
        assert_eq!(lines[0], "took_seconds_bucket{http=\"2\",le=\"0.0005\"} 1");
        assert_eq!(lines[8], "took_seconds_bucket{http=\"2\",le=\"0.25\"} 2");
        assert_eq!(lines[14], "took_seconds_bucket{http=\"2\",le=\"+Inf\"} 3");
        assert_eq!(
            lines[15..],
            ["took_seconds_sum{http=\"2\"} 100.2005", "took_seconds_count{http=\"2\"} 3"]
        );
    }
}
