//! Options of TCP sockets.

use std::time::Duration;

use crate::config::error::SettingError;
use crate::config::setters::setters;

/// Options of the TCP sockets of a server. Each field has a setter of the same name.
///
/// A dead peer is found by the pings of each WebSocket
/// ([`Config::keepalive`](ws_core::Config::keepalive)) and by `write_timeout` without any of these; they are for
/// connections before that, and for kernels that are to give up earlier.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TcpOptions {
    /// After how long without a byte the system probes whether the peer is there, and how often then (`SO_KEEPALIVE`,
    /// `TCP_KEEPIDLE`, `TCP_KEEPINTVL`); in whole seconds, rounded up. On Linux and Android only; elsewhere it is
    /// ignored. Default `None`: never.
    pub keepalive: Option<Duration>,
    /// How long sent bytes may stay unacknowledged before the system ends the connection (`TCP_USER_TIMEOUT`), to a
    /// millisecond. On Linux and Android only; elsewhere it is ignored. Default `None`: as long as the system waits,
    /// about a quarter of an hour.
    pub user_timeout: Option<Duration>,
    /// Whether other sockets may listen on the same address, and the system spreads connections over them
    /// (`SO_REUSEPORT`), for [`ServerBuilder::bind`](crate::ServerBuilder::bind). On Unix only; elsewhere it is
    /// ignored. Default no.
    pub reuse_port: bool,
}

impl TcpOptions {
    setters! {
        keepalive: Option<Duration>,
        user_timeout: Option<Duration>,
        reuse_port: bool,
    }

    pub(crate) fn check(&self) -> Result<(), SettingError> {
        for (setting, value) in [("tcp.keepalive", self.keepalive), ("tcp.user_timeout", self.user_timeout)] {
            if let Some(value) = value
                && (value < SHORTEST || value > LONGEST)
            {
                let must = "it must be between 1 ms and 9 hours; None turns it off";
                return Err(SettingError::new(setting, format!("{value:?}"), must));
            }
        }
        Ok(())
    }
}

const SHORTEST: Duration = Duration::from_millis(1);
/// Linux takes up to 32,767 seconds for the probes.
const LONGEST: Duration = Duration::from_secs(9 * 3600);
