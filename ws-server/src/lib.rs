//! A WebSocket server on tokio.
