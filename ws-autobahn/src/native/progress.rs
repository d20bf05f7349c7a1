//! Progress of a native run: a line that changes on a terminal, elsewhere a line now and then.

use std::{
    io::{IsTerminal, Write, stderr},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::{native::record::Record, role::Role, verdict::Behavior};

/// Where the runners say what they do.
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
    /// For a run of this many cases.
    pub(crate) fn new(role: Role, cases: usize) -> Self {
        let state = State { done: 0, not_ok: 0, start: Instant::now(), shown: None };
        Self { role, cases, live: stderr().is_terminal(), state: Mutex::new(state) }
    }

    /// A case is done.
    pub(crate) fn done(&self, record: &Record) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let fine = matches!(record.verdict().behavior, Behavior::Ok | Behavior::Informational);
        state.done = state.done.saturating_add(1);
        state.not_ok = state.not_ok.saturating_add(usize::from(!fine));
        let pause = if self.live { Duration::from_millis(100) } else { Duration::from_secs(15) };
        let due = state.shown.unwrap_or(state.start);
        // A run that is over at once needs no line.
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
