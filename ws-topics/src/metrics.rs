//! Metrics by the facade `metrics`.

use std::sync::PoisonError;

use metrics::{counter, gauge};

use crate::topics::Topics;

/// What is counted, in the order in which it is recorded.
const COUNTERS: [&str; 16] = [
    "ws_topics_published_total",
    "ws_topics_delivered_total",
    "ws_topics_dropped_total",
    "ws_topics_ended_total",
    "ws_topics_missed_total",
    "ws_topics_gaps_total",
    "ws_topics_resumed_total",
    "ws_topics_backplane_sent_total",
    "ws_topics_backplane_unsent_total",
    "ws_topics_backplane_received_total",
    "ws_topics_backplane_foreign_total",
    "ws_topics_backplane_same_name_total",
    "ws_topics_backplane_forged_total",
    "ws_topics_backplane_gaps_total",
    "ws_topics_backplane_stored_total",
    "ws_topics_backplane_unconfirmed_total",
];

/// What rises and falls.
const GAUGES: [&str; 8] = [
    "ws_topics_topics",
    "ws_topics_connections",
    "ws_topics_waiting_messages",
    "ws_topics_waiting_bytes",
    "ws_topics_history_bytes",
    "ws_topics_backplane_up",
    "ws_topics_backplane_delay_seconds",
    "ws_topics_backplane_waiting_bytes",
];

impl Topics {
    /// Brings the metrics up to date, with what has happened since the last call: to be called at each scrape, or every few seconds. Feature
    /// `metrics`; [`how_to::metrics`](crate::how_to::metrics) lists them. Several `Topics` of a process add to the same metrics.
    pub fn record_metrics(&self) {
        let stats = self.stats();
        let counts = self.cluster_counts().unwrap_or_default();
        let backplane = self.backplane();
        let now = [
            stats.published,
            stats.delivered,
            stats.dropped,
            stats.ended,
            stats.missed,
            stats.gaps,
            stats.resumed,
            counts.sent,
            counts.unsent,
            counts.received,
            counts.foreign,
            counts.same_name,
            counts.forged,
            counts.gaps,
            counts.stored,
            counts.unconfirmed,
        ];
        let recorded = self.recorded();
        let mut last = recorded.last.lock().unwrap_or_else(PoisonError::into_inner);
        for ((name, now), last) in COUNTERS.into_iter().zip(now).zip(last.iter_mut()) {
            counter!(name).increment(now.saturating_sub(*last));
            *last = now.max(*last);
        }
        drop(last);
        let delay = backplane.as_ref().and_then(|state| state.delay).unwrap_or_default();
        #[expect(clippy::cast_precision_loss, reason = "gauges are floating-point numbers")]
        let now = [
            stats.topics as f64,
            stats.connections as f64,
            stats.waiting as f64,
            stats.waiting_bytes as f64,
            stats.history_bytes as f64,
            f64::from(u8::from(backplane.is_some_and(|state| state.up))),
            delay.as_secs_f64(),
            counts.outgoing_bytes.saturating_add(counts.unstored_bytes) as f64,
        ];
        let mut last = recorded.gauges.lock().unwrap_or_else(PoisonError::into_inner);
        for ((name, now), last) in GAUGES.into_iter().zip(now).zip(last.iter_mut()) {
            gauge!(name).increment(now - *last);
            *last = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_the_documentation_names_what_is_recorded_and_nothing_else() {
        let page = include_str!("../docs/metrics.md");
        let mut documented: Vec<_> =
            page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
        let mut recorded: Vec<_> = COUNTERS.into_iter().chain(GAUGES).collect();
        documented.sort_unstable();
        recorded.sort_unstable();
        assert_eq!(documented, recorded);
    }
}
