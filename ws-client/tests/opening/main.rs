//! From the request to the answer of the server: the handshake, refusals, the deadline, the texts of errors; and the layers
//! of the sources.

#[path = "../common/mod.rs"]
mod common;
mod deadline;
mod errors;
mod handshake;
mod hyper;
mod hyper_body;
mod layers;
mod refusal;
mod verdicts;
