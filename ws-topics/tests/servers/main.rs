//! Several servers, which a backplane in memory connects: one file per subject.

#![allow(
    unreachable_pub,
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

mod durable;
mod fake;
mod hostile;
mod live;
mod names;
#[path = "../topics/support.rs"]
mod peer;
mod presence;
mod support;
