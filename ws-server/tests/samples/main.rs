//! The samples, each as its own process: what it prints, what it serves, what it refuses.
//!
//! `cargo test` builds them; `cargo test --test samples` alone does not, and takes what was built last.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod chat;
mod echo;
mod feed;
mod pages;
mod process;
mod repl;
