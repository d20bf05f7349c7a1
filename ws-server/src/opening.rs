//! From a request to a decision: routes, endpoints, origins, the opening handshake.

pub(crate) mod accept;
pub(crate) mod decision;
pub(crate) mod endpoint;
pub(crate) mod handshake;
pub(crate) mod options;
pub(crate) mod origin;
pub(crate) mod origin_pattern;
pub(crate) mod routes;
