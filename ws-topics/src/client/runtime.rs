//! What differs between tokio and a browser: tasks, random numbers, and how a dead connection is noticed.

#[cfg(target_arch = "wasm32")]
mod browser;
#[cfg(not(target_arch = "wasm32"))]
mod native;

#[cfg(target_arch = "wasm32")]
pub(super) use browser::{Silence, random_bits, spawn};
#[cfg(not(target_arch = "wasm32"))]
pub(super) use native::{Silence, random_bits, spawn};

/// What to do about a server that has sent nothing for long.
pub(super) enum Silent {
    /// Ask it for an answer.
    #[cfg_attr(not(target_arch = "wasm32"), expect(dead_code, reason = "for browsers"))]
    Ask,
    /// It has not answered: the connection is of no use.
    #[cfg_attr(not(target_arch = "wasm32"), expect(dead_code, reason = "for browsers"))]
    GiveUp,
}
