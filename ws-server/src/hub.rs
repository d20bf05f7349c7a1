//! What is open, and how much may be: the registry, admission, the numbers.

pub(crate) mod admission;
pub(crate) mod handshakes;
pub(crate) mod rates;
pub(crate) mod registry;
pub(crate) mod stats;
