//! HTTP without WebSockets: requests, responses, and the functions that answer them. (The name `http` is the crate's.)

pub mod auth;
pub(crate) mod date;
pub(crate) mod denied;
pub(crate) mod exchange;
pub(crate) mod forwarded;
pub(crate) mod handler;
pub(crate) mod panic;
pub(crate) mod request;
pub mod response;
pub(crate) mod tickets;
