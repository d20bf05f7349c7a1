//! The programs with Prometheus and OpenTelemetry in the how-to of `ws-server` on metrics and the log: `cargo test --doc` compiles
//! them. The product's workspace ignores them, for it does not have the crates that they need.
#![doc = include_str!(concat!(env!("OUT_DIR"), "/observe.md"))]
