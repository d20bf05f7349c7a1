//! The settings of opening handshakes: a plain struct with defaults, checked when a server is built from it.

use std::time::Duration;

use ws_core::handshake::HeadLimits;

use crate::config::error::SettingError;
use crate::config::host_policy::HostPolicy;
use crate::config::proxies::ProxyOptions;
use crate::config::setters::setters;

/// What holds for every opening handshake, before it is known which endpoint it is for.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct HandshakeOptions {
    /// The largest request head. Default 16 KiB, 100 field lines, a target of 8 KiB.
    pub head: HeadLimits,
    /// From when a connection has been accepted and has a seat to the 101 response, TLS and guards included. Absolute: bytes that
    /// trickle in do not extend it. Default 10 s.
    pub timeout: Duration,
    /// How long an answer other than 101 may take to be written. Default 30 s.
    pub answer_timeout: Duration,
    /// After such an answer: how long the connection is read and what comes thrown away, so that the
    /// peer sees the answer and not a reset. Default 1 s.
    pub linger_timeout: Duration,
    /// How many bytes are thrown away at most while doing so. Default 4 MiB.
    pub max_linger_bytes: u64,
    /// Which hosts requests may be addressed to: a defence against DNS rebinding, see [`HostPolicy`]. Others get
    /// status 421, for endpoints and for pages; a [health check](crate::ServerBuilder::health) is answered
    /// whatever the host, because load balancers ask by address. Default [`HostPolicy::Any`].
    pub allowed_hosts: HostPolicy,
    /// Which proxies are believed when they name the address of a client. Default none.
    pub proxies: ProxyOptions,
}

impl Default for HandshakeOptions {
    fn default() -> Self {
        Self {
            head: HeadLimits::server(),
            timeout: Duration::from_secs(10),
            answer_timeout: Duration::from_secs(30),
            linger_timeout: Duration::from_secs(1),
            max_linger_bytes: 4 << 20,
            allowed_hosts: HostPolicy::Any,
            proxies: ProxyOptions::default(),
        }
    }
}

impl HandshakeOptions {
    setters! {
        head: HeadLimits,
        timeout: Duration,
        answer_timeout: Duration,
        linger_timeout: Duration,
        max_linger_bytes: u64,
        allowed_hosts: HostPolicy,
        proxies: ProxyOptions,
    }

    /// Whether the settings make sense.
    ///
    /// # Errors
    /// The first setting that does not, with its value and what it must be.
    pub fn check(&self) -> Result<(), SettingError> {
        let longer = "it must be longer than zero";
        for (setting, value) in [
            ("handshake.timeout", self.timeout),
            ("handshake.answer_timeout", self.answer_timeout),
            ("handshake.linger_timeout", self.linger_timeout),
        ] {
            if value.is_zero() {
                return Err(SettingError::new(setting, format!("{value:?}"), longer));
            }
        }
        self.allowed_hosts.check()?;
        self.proxies.check()?;
        if self.head.bytes < SHORTEST_HEAD {
            let must = format!("no opening handshake is shorter than {SHORTEST_HEAD} bytes");
            return Err(SettingError::new("handshake.head.bytes", self.head.bytes, must));
        }
        if self.head.fields < FEWEST_FIELDS {
            let must = format!("an opening handshake has at least {FEWEST_FIELDS} field lines");
            return Err(SettingError::new("handshake.head.fields", self.head.fields, must));
        }
        if self.head.target == 0 {
            return Err(SettingError::new("handshake.head.target", 0, "a target has at least one byte"));
        }
        Ok(())
    }
}

/// Request line, Host, Upgrade, Connection, Key, Version with the shortest values there are.
const SHORTEST_HEAD: usize = 128;
const FEWEST_FIELDS: usize = 5;
