//! Options, and the errors of what cannot work.

pub(crate) mod address_limits;
pub(crate) mod error;
pub(crate) mod handshake;
pub(crate) mod host_pattern;
pub(crate) mod host_policy;
#[cfg(feature = "http2")]
pub(crate) mod http2;
pub(crate) mod machine_memory;
pub(crate) mod networks;
pub(crate) mod open_files;
pub(crate) mod options;
pub(crate) mod proxies;
pub(crate) mod setters;
pub(crate) mod tcp;
