//! Tokio's budget of a task.

use std::pin::pin;
use std::task::{Context, Waker};

use tokio::task::unconstrained;

/// Does something that tokio's budget of a task is not to interrupt.
///
/// With none left a socket says that it takes nothing, although it does: each further connection would be written to by a
/// separate task, which has to be woken for it.
pub(super) fn without_budget(act: impl FnOnce()) {
    // There is no await in it: one poll is all.
    let _ = pin!(unconstrained(async { act() })).poll(&mut Context::from_waker(Waker::noop()));
}
