//! The samples, each as a separate process: what it prints, serves and refuses.
//!
//! They must be built before: `cargo test --workspace` and `cargo build --examples -p ws-samples -p ws-server` do that.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod chat;
mod echo;
mod feed;
#[cfg(target_os = "linux")]
mod load;
mod pages;
mod process;
mod repl;
mod ticker;
