//! A recorder that keeps what a test's thread records.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};

use metrics::atomics::AtomicU64;
use metrics::{Counter, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit};

/// Keeps what is recorded on this thread.
#[derive(Default)]
pub struct Kept {
    pub described: Mutex<Vec<String>>,
    pub series: Mutex<BTreeMap<Series, Value>>,
}

/// A name with its labels.
pub type Series = (String, Vec<(String, String)>);

#[derive(Clone)]
pub enum Value {
    Counter(Arc<AtomicU64>),
    Gauge(Arc<AtomicU64>),
    Histogram(Arc<Values>),
}

#[derive(Default)]
pub struct Values(Mutex<Vec<f64>>);

impl HistogramFn for Values {
    fn record(&self, value: f64) {
        self.0.lock().unwrap().push(value);
    }
}

impl Kept {
    fn value(&self, key: &Key, value: Value) -> Value {
        let labels = key.labels().map(|label| (label.key().to_owned(), label.value().to_owned())).collect();
        self.series.lock().unwrap().entry((key.name().to_owned(), labels)).or_insert(value).clone()
    }

    /// The number of a name and of these labels; how many values a histogram has.
    pub fn number(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        match self.series.lock().unwrap().get(&(format!("ws_server_{name}"), labels)) {
            Some(Value::Counter(value)) => value.load(Relaxed) as f64,
            Some(Value::Gauge(value)) => f64::from_bits(value.load(Relaxed)),
            Some(Value::Histogram(values)) => values.0.lock().unwrap().len() as f64,
            None => 0.0,
        }
    }

    /// All counters of a name that are not zero, by the values of their labels.
    pub fn counted(&self, name: &str) -> Vec<(String, u64)> {
        let series = self.series.lock().unwrap();
        let of_name = series.iter().filter(|((found, _), _)| *found == format!("ws_server_{name}"));
        let counted = of_name.filter_map(|((_, labels), value)| match value {
            Value::Counter(value) if value.load(Relaxed) > 0 => {
                let values: Vec<&str> = labels.iter().map(|(_, value)| value.as_str()).collect();
                Some((values.join(" "), value.load(Relaxed)))
            }
            _ => None,
        });
        counted.collect()
    }
}

impl Recorder for Kept {
    fn describe_counter(&self, name: KeyName, _: Option<Unit>, _: SharedString) {
        self.described.lock().unwrap().push(format!("{} counter", name.as_str()));
    }

    fn describe_gauge(&self, name: KeyName, _: Option<Unit>, _: SharedString) {
        self.described.lock().unwrap().push(format!("{} gauge", name.as_str()));
    }

    fn describe_histogram(&self, name: KeyName, _: Option<Unit>, _: SharedString) {
        self.described.lock().unwrap().push(format!("{} histogram", name.as_str()));
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        match self.value(key, Value::Counter(Arc::default())) {
            Value::Counter(counter) => Counter::from_arc(counter),
            _ => panic!("{key} is no counter"),
        }
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        match self.value(key, Value::Gauge(Arc::default())) {
            Value::Gauge(gauge) => Gauge::from_arc(gauge),
            _ => panic!("{key} is no gauge"),
        }
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        match self.value(key, Value::Histogram(Arc::default())) {
            Value::Histogram(values) => Histogram::from_arc(values),
            _ => panic!("{key} is no histogram"),
        }
    }
}
