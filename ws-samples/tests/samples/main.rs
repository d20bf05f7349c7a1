//! The samples, each as its own process: what it prints, what it serves, what it refuses.
//!
//! They have to be built before: `cargo test --workspace` does, `cargo build --examples -p ws-samples -p ws-server`, too.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod chat;
mod echo;
mod feed;
mod pages;
mod process;
mod repl;
