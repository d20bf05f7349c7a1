//! Progress of a native run: on a terminal one line that is rewritten, elsewhere a line from time to time.

use std::{
    io::{IsTerminal, Write, stderr},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::{native::record::Record, role::Role, verdict::Behavior};

/// Shows how many cases are done.
#[derive(Debug)]
pub(crate) struct Progress {
    role: Role,
    cases: usize,
    live: bool,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    done: usize,
    not_ok: usize,
    start: Instant,
    shown: Option<Instant>,
}

impl Progress {
    /// Creates the progress of a run of this many cases.
    pub(crate) fn new(role: Role, cases: usize) -> Self {
        let state = State { done: 0, not_ok: 0, start: Instant::now(), shown: None };
        Self { role, cases, live: stderr().is_terminal(), state: Mutex::new(state) }
    }

    /// Records a result.
    pub(crate) fn done(&self, record: &Record) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let fine = matches!(record.verdict().behavior, Behavior::Ok | Behavior::Informational);
        state.done = state.done.saturating_add(1);
        state.not_ok = state.not_ok.saturating_add(usize::from(!fine));
        let pause = if self.live { Duration::from_millis(100) } else { Duration::from_secs(15) };
        let due = state.shown.unwrap_or(state.start);
        // A run that ends at once needs no line.
        if state.start.elapsed() < Duration::from_secs(1) {
            return;
        }
        if due.elapsed() < pause && state.done < self.cases {
            return;
        }
        state.shown = Some(Instant::now());
        let seconds = state.start.elapsed().as_secs();
        let (role, cases) = (self.role, self.cases);
        let line = format!(
            "{role}: {} of {cases} cases, {} not OK, {seconds} s; last {}",
            state.done, state.not_ok, record.id
        );
        let _ = match (self.live, state.done < self.cases) {
            (true, true) => write!(stderr(), "\r\x1b[2K{line}"),
            (true, false) => write!(stderr(), "\r\x1b[2K"),
            (false, _) => writeln!(stderr(), "{line}"),
        };
        let _ = stderr().flush();
    }
}
