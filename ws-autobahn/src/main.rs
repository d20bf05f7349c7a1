//! Runs the Autobahn test suite against ws-server and ws-client.
fn main() {}
