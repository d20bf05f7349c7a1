//! Cases whose verdict depends on the time or memory that the server needs.

use std::{
    fs,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tokio::time::sleep;

use super::{Course, connection, connections};
use crate::native::{
    probe::{Probe, want::Seen},
    target::Target,
};

/// How often the time of a case is measured before it counts as too long, because of other work on the machine.
const TRIES: usize = 4;
/// The shortest time that is compared; shorter times count as this long.
const LEAST: Duration = Duration::from_millis(40);

/// Compares the time of the second variant, which does twice the work, with that of the first. Repeats the
/// measurement until it is within the limit, `TRIES` times at most.
pub(super) async fn cost(target: &Target, probe: &Probe, patience: Duration, limit: u32) -> Vec<Course> {
    let mut courses = Vec::new();
    for _ in 0..TRIES {
        courses.clear();
        for variant in &probe.variants {
            courses.push(connection(target, probe, variant, patience).await);
        }
        if let [once, twice] = &mut courses[..] {
            let once = once.took.max(LEAST);
            let percent = twice.took.as_micros().saturating_mul(100) / once.as_micros().max(1);
            if percent <= u128::from(limit) {
                break;
            }
            let (once, double) = (once.as_millis(), twice.took.as_millis());
            twice.seen.push(Seen::TooMuch(format!(
                "{once} ms for the first, {double} ms for twice the work: more than {limit} %"
            )));
        }
    }
    courses
}

/// Runs the variants while measuring the memory of the process.
pub(super) async fn memory(
    target: &Target,
    probe: &Probe,
    patience: Duration,
    pid: Option<u32>,
    limit: u64,
) -> Vec<Course> {
    let Some((pid, before)) = pid.and_then(|pid| Some((pid, resident(pid)?))) else {
        return connections(target, probe, patience).await;
    };
    let most = AtomicU64::new(before);
    let watching = async {
        loop {
            most.fetch_max(resident(pid).unwrap_or_default(), Ordering::Relaxed);
            sleep(Duration::from_millis(5)).await;
        }
    };
    let mut courses = tokio::select! {
        courses = connections(target, probe, patience) => courses,
        never = watching => never,
    };
    let grown = most.load(Ordering::Relaxed).saturating_sub(before);
    if let Some(course) = courses.last_mut() {
        let words = format!("the memory of process {pid} grew by {} KiB", grown >> 10);
        if let Some(log) = &mut course.log {
            log.note(words.clone());
        }
        if grown > limit {
            course.seen.push(Seen::TooMuch(format!("{words}, more than {} KiB", limit >> 10)));
        }
    }
    courses
}

/// Returns the resident memory of a process in bytes; `None` where the system does not report it.
pub(crate) fn resident(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib << 10)
}
