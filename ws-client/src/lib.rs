//! A WebSocket client on tokio.
