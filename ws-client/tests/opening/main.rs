//! From the request to the answer of the server: the handshake, refusals, the deadline, and the texts of errors.

#[path = "../common/mod.rs"]
mod common;
mod deadline;
mod errors;
mod handshake;
mod hyper;
mod refusal;
