//! The WebSocket and its parts over tokio's streams: one file per topic.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::cast_possible_truncation)]

mod backpressure;
mod broadcast;
mod broadcast_batch;
mod broadcast_locks;
mod byte_stream;
mod cancellation_streams;
#[allow(dead_code, unreachable_pub, reason = "the simulation uses all of it")]
#[path = "../simulation/chance.rs"]
mod chance;
mod close_reply;
mod closed;
mod closer;
mod debug_output;
#[path = "../simulation/dropped.rs"]
mod dropped;
mod ends;
mod error_text;
mod large;
mod memory_usage;
mod observer;
mod outbox;
mod outside_runtime;
mod panics;
mod regressions;
mod same_names;
mod send_only;
mod shared_sender;
mod smallest_settings;
mod split;
mod stream_sink;
mod take_over;
mod transport;
mod turns;
mod turns_dropped;
mod wakers;
mod websocket;
mod write_failed;
