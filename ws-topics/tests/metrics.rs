//! What the metrics record.
#![cfg(feature = "metrics")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::cast_possible_truncation)]
#![allow(clippy::cast_precision_loss, dead_code, unreachable_pub)]

#[path = "servers/fake.rs"]
mod fake;
#[path = "topics/support.rs"]
mod peer;

use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use metrics::atomics::AtomicU64;
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use ws_topics::{History, SubscribeOptions, Topics, TopicsOptions};

use fake::{Health, Net};
use peer::Peer;

/// Keeps what is recorded on this thread.
#[derive(Default)]
struct Kept {
    numbers: Mutex<BTreeMap<String, Arc<AtomicU64>>>,
}

impl Kept {
    fn number(&self, key: &Key) -> Arc<AtomicU64> {
        assert_eq!(key.labels().len(), 0, "{key}");
        Arc::clone(self.numbers.lock().unwrap().entry(key.name().to_owned()).or_default())
    }

    /// What is not 0, without the beginning of the names.
    fn recorded(&self) -> BTreeMap<String, f64> {
        let numbers = self.numbers.lock().unwrap();
        let values = numbers.iter().map(|(name, number)| {
            let number = number.load(Relaxed);
            let value = if name.ends_with("_total") { number as f64 } else { f64::from_bits(number) };
            (name.strip_prefix("ws_topics_").unwrap().to_owned(), value)
        });
        values.filter(|(_, value)| *value != 0.0).collect()
    }
}

impl Recorder for Kept {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.number(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.number(key))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        panic!("{key} is not documented")
    }
}

fn numbers(expected: &[(&str, f64)]) -> BTreeMap<String, f64> {
    expected.iter().map(|(name, number)| ((*name).to_owned(), *number)).collect()
}

#[tokio::test(start_paused = true)]
async fn each_metric_is_the_number_of_what_has_happened_between_servers() {
    let kept = Kept::default();
    let _guard = metrics::set_default_local_recorder(&kept);
    let net = Net::new(1);
    let options = TopicsOptions::default().history("log/#", History::default().durable(true));
    let (topics, cluster) = Topics::clustered(options, net.server(0)).unwrap();
    let running = tokio::spawn(cluster.run());
    tokio::time::sleep(Duration::from_secs(3)).await;
    let mut peer = Peer::fast();
    let subscription = topics.subscribe(&peer.sender, "log/a", SubscribeOptions::default()).unwrap();
    subscription.begun().await;
    for text in ["a", "b", "c"] {
        topics.publish("news", text).unwrap();
    }
    topics.publish_confirmed("log/a", "d").await.unwrap();
    assert_eq!(peer.read().await, ["d"]);
    topics.record_metrics();
    let mut recorded = kept.recorded();
    assert!(recorded.remove("history_bytes").unwrap() > 0.0);
    let expected = numbers(&[
        ("published_total", 4.0),
        ("delivered_total", 1.0),
        ("topics", 1.0),
        ("connections", 1.0),
        ("backplane_up", 1.0),
        ("backplane_sent_total", 3.0),
        ("backplane_stored_total", 1.0),
    ]);
    assert_eq!(recorded, expected);
    // Again: nothing has happened since.
    topics.record_metrics();
    recorded = kept.recorded();
    recorded.remove("history_bytes");
    assert_eq!(recorded, expected);
    // It is sent, and its answer does not come.
    net.lose_next_answer(0);
    topics.publish("log/a", "e").unwrap();
    tokio::time::sleep(Duration::from_millis(1)).await;
    net.health(0, Health::Dead);
    tokio::time::sleep(Duration::from_secs(1)).await;
    topics.publish("news", "f").unwrap();
    drop(subscription);
    topics.record_metrics();
    recorded = kept.recorded();
    assert_eq!((recorded["backplane_unsent_total"], recorded["published_total"]), (1.0, 6.0));
    assert!(recorded["backplane_waiting_bytes"] > 512.0 && !recorded.contains_key("backplane_up"));
    // After the time in which it is sent again.
    tokio::time::sleep(Duration::from_secs(60)).await;
    topics.record_metrics();
    recorded = kept.recorded();
    assert_eq!(recorded["backplane_unconfirmed_total"], 1.0);
    assert!(!recorded.contains_key("backplane_waiting_bytes"));
    running.abort();
}
