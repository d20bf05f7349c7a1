//! What one client address may use.

use crate::config::error::SettingError;
use crate::config::setters::setters;

/// What one client address may use of a server; of IPv6 one network of 64 bits counts as one address, and all peers without
/// an address count as one: those of Unix sockets, and of another HTTP server that reports none
/// (the [how-to](crate::how_to) has the line that does). The address is [`Request::client_addr`](crate::Request::client_addr):
/// behind a proxy that is not [trusted](crate::ProxyOptions) all clients have the proxy's. Each limit is off by
/// default; each field has a setter of the same name.
///
/// A request beyond a limit is answered with status 429 and `Retry-After`, before the guards are asked, and by a
/// [`Server`](crate::Server) after 50 ms, so that a client that asks again as soon as it is refused costs the others little. Besides, one
/// address may always have at most four times as many requests in guards as there is room for more, so that others find
/// a place.
///
/// ```
/// use ws_server::{AddressLimits, ServerOptions};
///
/// let limits = AddressLimits::default()
///     .max_connections(Some(50))
///     .handshakes_per_second(Some(10))
///     .messages_per_second(Some(200))
///     .bytes_per_second(Some(1 << 20));
/// ServerOptions::default().per_address(limits).check()?;
/// # Ok::<(), ws_server::SettingError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AddressLimits {
    /// The most WebSockets that an address has open at one time. The refusal of one more says
    /// [`ServerOptions::retry_after`](crate::ServerOptions::retry_after). Default `None`: no limit but that of the server.
    pub max_connections: Option<usize>,
    /// The most requests for a WebSocket by an address, per second, with a burst of as many as in one second. The refusal
    /// of one more says when there is room for the next. Default `None`: no limit.
    pub handshakes_per_second: Option<u32>,
    /// The most frames that are read from all WebSockets of an address, per second, with a burst of as many as in one
    /// second. A message is one frame in most clients; a fragment, a ping and a pong are one each. What is done beyond is
    /// [`excess`](Self::excess). Default `None`: no limit.
    #[doc(alias = "rate limit")]
    pub messages_per_second: Option<u32>,
    /// The most bytes that are read from all WebSockets of an address, per second, compressed and with frame headers, without
    /// TLS, with a burst of as many as in one second. What is done beyond is [`excess`](Self::excess). Default `None`: no limit.
    pub bytes_per_second: Option<u64>,
    /// What is done with messages and bytes beyond these two limits. Default [`Excess::Delay`].
    pub excess: Excess,
    /// The most addresses that are remembered. The one that has been idle for longest is forgotten for another, and may
    /// begin anew; addresses with open WebSockets and with requests in guards are not forgotten, and may be more, up to
    /// the limits of those. Default 65,536: about 10 MB.
    pub max_addresses: usize,
}

/// What is done with messages and bytes that an address sends beyond its limits for a second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Excess {
    /// They are read later: the peers have to wait with sending, and nothing is lost.
    #[default]
    Delay,
    /// The WebSocket on which the first of them comes is closed with 1008, and they are thrown away. The log has [`ProtocolError::OverRate`]
    /// as the cause. The other WebSockets of the address stay open until more comes on them, too.
    ///
    /// [`ProtocolError::OverRate`]: ws_tokio::ws_core::ProtocolError::OverRate
    Close,
}

impl Default for AddressLimits {
    fn default() -> Self {
        Self {
            max_connections: None,
            handshakes_per_second: None,
            messages_per_second: None,
            bytes_per_second: None,
            excess: Excess::Delay,
            max_addresses: 65_536,
        }
    }
}

impl AddressLimits {
    setters! {
        max_connections: Option<usize>,
        handshakes_per_second: Option<u32>,
        messages_per_second: Option<u32>,
        bytes_per_second: Option<u64>,
        excess: Excess,
        max_addresses: usize,
    }

    pub(crate) fn check(&self) -> Result<(), SettingError> {
        for (setting, is_zero) in [
            ("per_address.max_connections", self.max_connections == Some(0)),
            ("per_address.handshakes_per_second", self.handshakes_per_second == Some(0)),
            ("per_address.messages_per_second", self.messages_per_second == Some(0)),
            ("per_address.bytes_per_second", self.bytes_per_second == Some(0)),
            ("per_address.max_addresses", self.max_addresses == 0),
        ] {
            if is_zero {
                return Err(SettingError::new(setting, 0, "it must be at least 1; None is no limit"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_of_zero_are_named() {
        AddressLimits::default().check().unwrap();
        let limits = AddressLimits::default();
        for (limits, setting) in [
            (limits.clone().max_connections(Some(0)), "per_address.max_connections"),
            (limits.clone().handshakes_per_second(Some(0)), "per_address.handshakes_per_second"),
            (limits.clone().messages_per_second(Some(0)), "per_address.messages_per_second"),
            (limits.clone().bytes_per_second(Some(0)), "per_address.bytes_per_second"),
            (limits.max_addresses(0), "per_address.max_addresses"),
        ] {
            assert_eq!(limits.check().unwrap_err().setting, setting);
        }
    }
}
