//! Topics over tokio's streams: one file per subject.

#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

mod access;
mod bounds;
mod compression;
mod delivery;
mod filters;
mod history;
mod layers;
mod lifecycle;
mod presence;
mod rows;
mod slow;
mod support;
mod threads;
