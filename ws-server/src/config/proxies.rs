//! Which proxies are believed when they name the address of a client.

use std::net::SocketAddr;
use std::time::Duration;

use crate::config::error::SettingError;
use crate::config::networks::Networks;
use crate::config::setters::setters;

/// How the addresses of clients are found behind reverse proxies and load balancers. Each field has a setter of the same
/// name. By default nothing is believed: the client is the peer of the connection.
///
/// ```
/// use ws_server::{ForwardedFields, ProxyOptions, Server};
///
/// // haproxy with `send-proxy-v2` in 10.0.0.0/8:
/// let haproxy = ProxyOptions::default().trusted("10.0.0.0/8".parse()?).proxy_protocol(true);
/// // nginx with `proxy_set_header X-Forwarded-For $remote_addr;` and the same for -Proto and -Host, on this machine:
/// let nginx = ProxyOptions::default().trusted("127.0.0.1, ::1".parse()?).fields(ForwardedFields::XForwarded);
/// let builder = Server::builder().proxies(nginx);
/// # let _ = (haproxy, builder);
/// # Ok::<(), ws_server::SettingError>(())
/// ```
///
/// [`Request::client_addr`](crate::Request::client_addr) returns what was found, and the limits of addresses count by it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProxyOptions {
    /// The addresses of the proxies. What others send is no source of addresses. Default none.
    pub trusted: Networks,
    /// Whether each connection from a trusted address begins with a header of the PROXY protocol, version 1 or 2, before
    /// TLS; the listeners of a [`Server`](crate::Server) read it. A connection from a trusted address without
    /// the header, or with a malformed one, gets status 400; connections from other addresses have none, and one that
    /// begins with it gets status 400 too. Default no.
    pub proxy_protocol: bool,
    /// How long the header of the PROXY protocol may take from when a connection has been accepted; then the connection
    /// is closed. The opening handshake's timeout counts too. Default 5 s.
    pub proxy_protocol_timeout: Duration,
    /// In which fields of a request trusted proxies name the client. Default none.
    pub fields: ForwardedFields,
}

/// The fields of a request in which trusted proxies name its client: one of the two families, because a proxy that sets
/// one of them passes the other on as the client has sent it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ForwardedFields {
    /// None: these fields are ignored. The default.
    #[default]
    None,
    /// `Forwarded` (RFC 7239): its parameters `for`, `proto` and `host`.
    Forwarded,
    /// `X-Forwarded-For`, `X-Forwarded-Proto` and `X-Forwarded-Host`. The proxy must add to the first, or set it, and must
    /// set or remove the other two, since it would pass on what the client has sent.
    XForwarded,
}

impl Default for ProxyOptions {
    fn default() -> Self {
        Self {
            trusted: Networks::default(),
            proxy_protocol: false,
            proxy_protocol_timeout: Duration::from_secs(5),
            fields: ForwardedFields::None,
        }
    }
}

impl ProxyOptions {
    setters! {
        trusted: Networks,
        proxy_protocol: bool,
        proxy_protocol_timeout: Duration,
        fields: ForwardedFields,
    }

    /// Whether the peer at this end of the way is a proxy whose fields are believed.
    pub(crate) fn believes_fields_of(&self, peer: Option<SocketAddr>) -> bool {
        self.fields != ForwardedFields::None && self.trusted.contains_peer(peer)
    }

    /// Whether a connection of this peer begins with a header of the PROXY protocol.
    pub(crate) fn expects_header_of(&self, peer: Option<SocketAddr>) -> bool {
        self.proxy_protocol && self.trusted.contains_peer(peer)
    }

    pub(crate) fn check(&self) -> Result<(), SettingError> {
        let trusts_fields = self.fields != ForwardedFields::None;
        if self.trusted.is_empty() && (self.proxy_protocol || trusts_fields) {
            let must = "proxy_protocol and fields apply to trusted proxies only; list their networks";
            return Err(SettingError::new("handshake.proxies.trusted", "\"\"", must));
        }
        if self.proxy_protocol_timeout.is_zero() {
            let setting = "handshake.proxies.proxy_protocol_timeout";
            return Err(SettingError::new(setting, "0ns", "it must be longer than zero"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_that_nobody_is_are_refused_as_a_setting() {
        ProxyOptions::default().check().unwrap();
        for options in [
            ProxyOptions::default().proxy_protocol(true),
            ProxyOptions::default().fields(ForwardedFields::Forwarded),
        ] {
            assert_eq!(options.check().unwrap_err().setting, "handshake.proxies.trusted");
            options.trusted("unix".parse().unwrap()).check().unwrap();
        }
        let options = ProxyOptions::default().proxy_protocol_timeout(Duration::ZERO);
        assert_eq!(options.check().unwrap_err().setting, "handshake.proxies.proxy_protocol_timeout");
    }
}
