//! Progress of a run of Autobahn's suite: the current cases, how many there are, and the time left.

use std::{
    collections::BTreeMap,
    io::{IsTerminal, Write, stderr},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::{
    case::CaseId,
    group::{Group, seconds},
    role::Role,
};

/// Shows what the workers do: on a terminal in one line that is rewritten, elsewhere in a line from time to time.
#[derive(Debug)]
pub(crate) struct Board {
    state: Mutex<State>,
    live: bool,
}

#[derive(Debug)]
struct State {
    /// When the first case began.
    since: Option<Instant>,
    cases: usize,
    begun: usize,
    /// In the unit of the groups' estimates.
    seconds: f64,
    seconds_done: f64,
    now: BTreeMap<usize, (Role, CaseId)>,
    shown: Instant,
}

impl Board {
    /// Creates a board for these groups.
    pub(crate) fn new<'a>(groups: impl IntoIterator<Item = &'a Group>) -> Self {
        let (cases, seconds) = groups
            .into_iter()
            .fold((0, 0.0), |(cases, seconds), g| (cases + g.cases.len(), seconds + g.seconds()));
        let (now, shown) = (BTreeMap::new(), Instant::now());
        let state = State { since: None, cases, begun: 0, seconds, seconds_done: 0.0, now, shown };
        Self { state: Mutex::new(state), live: stderr().is_terminal() }
    }

    /// Records that a worker begins a case.
    pub(crate) fn begin(&self, worker: usize, role: Role, id: CaseId) {
        let mut state = self.state();
        state.since.get_or_insert_with(Instant::now);
        state.begun += 1;
        state.now.insert(worker, (role, id));
    }

    /// Records that a worker has finished its current case.
    pub(crate) fn end(&self, id: CaseId) {
        self.state().seconds_done += seconds(id);
    }

    /// Records that a worker has finished a group, and prints `words` in a line that stays.
    pub(crate) fn leave(&self, worker: usize, words: &str) {
        self.state().now.remove(&worker);
        self.wipe();
        eprintln!("{words}");
    }

    /// Shows the progress if it is due.
    pub(crate) fn show(&self) {
        let mut state = self.state();
        if self.live {
            let _ = write!(stderr(), "\r\x1b[2K{}", state.words(Instant::now()));
            let _ = stderr().flush();
        } else if state.shown.elapsed() >= PAUSE {
            state.shown = Instant::now();
            eprintln!("{}", state.words(Instant::now()));
        }
    }

    /// Clears the progress line.
    pub(crate) fn wipe(&self) {
        if self.live {
            let _ = write!(stderr(), "\r\x1b[2K");
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn words(&self, now: Instant) -> String {
        let at: Vec<String> = self.now.values().map(|(role, id)| format!("{role} {id}")).collect();
        let at = if at.is_empty() { "the suite starts".to_owned() } else { at.join(", ") };
        let left = match self.left(now) {
            Some(left) => format!("about {} left", clock(left)),
            None => "time left unknown".to_owned(),
        };
        format!("case {} of {}: {at}; {left}", self.begun, self.cases)
    }

    fn left(&self, now: Instant) -> Option<Duration> {
        let spent = now.saturating_duration_since(self.since?);
        let share = self.seconds_done / self.seconds;
        (share > 0.01).then(|| spent.mul_f64(((1.0 - share) / share).max(0.0)))
    }
}

/// Formats a duration in minutes and seconds.
pub(crate) fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    format!("{}:{:02} min", seconds / 60, seconds % 60)
}

/// The interval between progress lines where a line cannot be rewritten.
const PAUSE: Duration = Duration::from_secs(15);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_remaining_time_is_estimated_from_the_work_done() {
        let start = Instant::now();
        let mut state = State {
            since: Some(start),
            cases: 1034,
            begun: 312,
            seconds: 400.0,
            seconds_done: 100.0,
            now: BTreeMap::from([(0, (Role::Server, "12.2.3".parse().unwrap()))]),
            shown: start,
        };
        let words = state.words(start + Duration::from_secs(60));
        assert_eq!(words, "case 312 of 1034: server 12.2.3; about 3:00 min left");
        state.seconds_done = 0.0;
        assert!(state.words(start).ends_with("time left unknown"));
    }
}
