//! A histogram of durations that can be written as text and added up across processes.

use std::error::Error;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Counts of durations in buckets that are at most 3 % wide, from 1 µs to more than an hour.
#[derive(Debug, Clone, Default)]
pub(crate) struct Times {
    counts: Vec<u64>,
    total: u64,
    longest: u64,
}

/// The buckets of one power of two.
const STEPS: u64 = 32;

impl Times {
    pub(crate) fn record(&mut self, micros: u64) {
        self.count(bucket(micros), 1);
        self.longest = self.longest.max(micros);
    }

    fn count(&mut self, bucket: usize, times: u64) {
        if self.counts.len() <= bucket {
            self.counts.resize(bucket + 1, 0);
        }
        self.counts[bucket] += times;
        self.total += times;
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (bucket, &times) in other.counts.iter().enumerate().filter(|(_, times)| **times > 0) {
            self.count(bucket, times);
        }
        self.longest = self.longest.max(other.longest);
    }

    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    pub(crate) fn longest(&self) -> Duration {
        Duration::from_micros(self.longest)
    }

    /// Returns the duration that this share of all durations does not exceed.
    pub(crate) fn within(&self, share: f64) -> Duration {
        let mut sum = 0;
        let found = self.counts.iter().position(|times| {
            sum += times;
            sum as f64 >= share * self.total as f64
        });
        let micros = found.map_or(0, |bucket| start(bucket + 1).saturating_sub(1));
        Duration::from_micros(micros.min(self.longest))
    }
}

/// Returns the bucket of a duration: below `STEPS` one for each microsecond, then `STEPS` for each power of two.
fn bucket(micros: u64) -> usize {
    let octave = u64::from((micros | 1).ilog2()).saturating_sub(u64::from(STEPS.ilog2()));
    usize::try_from(octave * STEPS + (micros >> octave)).unwrap_or(usize::MAX)
}

/// Returns the shortest duration of a bucket.
fn start(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    let octave = (bucket / STEPS).saturating_sub(1);
    (bucket - octave * STEPS) << octave
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.longest)?;
        for (bucket, times) in self.counts.iter().enumerate().filter(|(_, times)| **times > 0) {
            write!(f, ",{bucket}:{times}")?;
        }
        Ok(())
    }
}

impl FromStr for Times {
    type Err = Box<dyn Error + Send + Sync>;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.split(',');
        let mut times = Self { longest: parts.next().ok_or("no times")?.parse()?, ..Self::default() };
        for part in parts {
            let (bucket, count) = part.split_once(':').ok_or("no count of times")?;
            times.count(bucket.parse()?, count.parse()?);
        }
        Ok(times)
    }
}
