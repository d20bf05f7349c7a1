//! What is under test: ws-server and ws-client, each in a file of its own. Nothing else here knows them.

pub(crate) mod client;
pub(crate) mod server;
