//! On tokio.

use super::Silent;
use crate::client::error::ClientError;

pub(in crate::client) fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(task);
}

/// Returns random bits for a key.
pub(in crate::client) fn random_bits() -> Result<[u8; 16], ClientError> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(ClientError::Random)?;
    Ok(bytes)
}

/// Nothing: the pings of `ws_client` notice a dead connection ([`Config::keepalive`](ws_tokio::Config::keepalive)).
pub(in crate::client) struct Silence;

impl Silence {
    pub(in crate::client) const fn new() -> Self {
        Self
    }

    /// The server has sent something.
    pub(in crate::client) const fn heard(&mut self) {}

    /// Waits until something is to be done.
    pub(in crate::client) async fn over(&mut self) -> Silent {
        std::future::pending().await
    }
}
