//! The protocol once the connection is open: one file per topic.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::cast_possible_truncation)]

#[path = "../support/mod.rs"]
mod support;

mod borders;
mod close_codes;
mod close_handshake;
mod close_info;
mod close_linger;
mod close_reply;
mod config;
mod connection_size;
mod contract_frames;
mod frame_headers;
mod giving_way;
mod large_messages;
mod masking;
mod memory_usage;
mod message_limits;
mod message_timeout;
mod message_values;
mod messages;
mod pieces;
mod read_around;
mod receive_ahead;
mod rfc_examples;
mod send_errors;
mod send_queue;
mod sending;
mod slow_links;
mod utf8;
mod utf8_messages;
mod waiting;
mod write_failed;
