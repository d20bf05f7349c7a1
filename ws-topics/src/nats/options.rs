//! What is settable for NATS.

use std::fmt;
use std::time::Duration;

use ws_tokio::ws_core::SettingError;

use crate::backplane::address::{Address, check_prefix};

/// The settings of a [`NatsBackplane`](crate::NatsBackplane), each with a default.
#[derive(Clone)]
#[non_exhaustive]
pub struct NatsOptions {
    /// Begins the names of all subjects and streams: 1 to 32 letters, digits, `-` and `_`. Servers that share topics have the same; others, with the same NATS, another.
    /// Default: `ws-topics`.
    pub prefix: String,
    /// Whether durable histories are possible, by JetStream. Default: `true`.
    pub durable: bool,
    /// On how many NATS servers a stream is stored: 1 to 5, of a cluster with as many. Default: 1.
    pub replicas: u8,
    /// How long connecting may take. Default: 5 s.
    pub connect_timeout: Duration,
    /// How long an answer may take. Default: 5 s.
    pub request_timeout: Duration,
    /// After how long without a sign of the server it is asked for one. The connection counts as lost after the third interval. Default: 3 s.
    pub ping_interval: Duration,
    /// How many messages that were received may wait until they are taken. Default: 65,536.
    pub max_waiting_messages: usize,
    /// How many bytes they may have together. Default: 64 MiB.
    pub max_waiting_bytes: usize,
    /// How many bytes may wait to be written. Default: 8 MiB.
    pub max_unsent_bytes: usize,
    urls: String,
}

impl NatsOptions {
    /// The settings for a server: `nats://HOST[:PORT]`, with `USER:PASSWORD@` or `TOKEN@` before the host if it asks for that. With
    /// `tls://` in place of `nats://`, and the feature `backplane-tls`, the connection is encrypted, and the certificate has to be of an authority that the
    /// system trusts, or of one in the file that the environment variable `SSL_CERT_FILE` names. Several, with commas between them, are the servers of
    /// one NATS cluster: each attempt to connect is with the next of them.
    pub fn new(urls: impl Into<String>) -> Self {
        Self {
            prefix: "ws-topics".into(),
            durable: true,
            replicas: 1,
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(5),
            ping_interval: Duration::from_secs(3),
            max_waiting_messages: 65_536,
            max_waiting_bytes: 64 << 20,
            max_unsent_bytes: 8 << 20,
            urls: urls.into(),
        }
    }

    /// Sets [`prefix`](Self::prefix).
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    pub(super) fn check(&self) -> Result<Vec<Address>, SettingError> {
        check_prefix(&self.prefix)?;
        if !(1..=5).contains(&self.replicas) {
            return Err(SettingError::new("replicas", self.replicas, "it must be 1 to 5"));
        }
        for (setting, value) in [
            ("connect_timeout", self.connect_timeout),
            ("request_timeout", self.request_timeout),
            ("ping_interval", self.ping_interval),
        ] {
            if value < Duration::from_millis(10) {
                return Err(SettingError::new(setting, format!("{value:?}"), "it must be at least 10 ms"));
            }
        }
        for (setting, value) in [
            ("max_waiting_messages", self.max_waiting_messages),
            ("max_waiting_bytes", self.max_waiting_bytes),
        ] {
            if value == 0 {
                return Err(SettingError::new(setting, value, "it must be at least 1"));
            }
        }
        self.urls.split(',').map(|url| server(url.trim())).collect()
    }
}

fn server(url: &str) -> Result<Address, SettingError> {
    let address = Address::parse("urls", url, ["nats", "tls"], 4222)?;
    if address.tls && cfg!(not(feature = "backplane-tls")) {
        return Err(SettingError::new("urls", "tls://", "enable the feature `backplane-tls`"));
    }
    Ok(address)
}

macro_rules! setters {
    ($($name:ident: $type:ty),*) => {
        impl NatsOptions {
            $(
                #[doc = concat!("Sets [`", stringify!($name), "`](Self::", stringify!($name), ").")]
                #[must_use]
                pub const fn $name(mut self, value: $type) -> Self {
                    self.$name = value;
                    self
                }
            )*
        }
    };
}

setters!(
    durable: bool,
    replicas: u8,
    connect_timeout: Duration,
    request_timeout: Duration,
    ping_interval: Duration,
    max_waiting_messages: usize,
    max_waiting_bytes: usize,
    max_unsent_bytes: usize
);

/// Without the addresses, which may contain passwords.
impl fmt::Debug for NatsOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsOptions")
            .field("prefix", &self.prefix)
            .field("durable", &self.durable)
            .field("replicas", &self.replicas)
            .field("connect_timeout", &self.connect_timeout)
            .field("request_timeout", &self.request_timeout)
            .field("ping_interval", &self.ping_interval)
            .field("max_waiting_messages", &self.max_waiting_messages)
            .field("max_waiting_bytes", &self.max_waiting_bytes)
            .field("max_unsent_bytes", &self.max_unsent_bytes)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_are_not_possible_are_refused_by_name() {
        let refused = |options: NatsOptions| options.check().unwrap_err().setting;
        let good = || NatsOptions::new("nats://127.0.0.1");
        assert!(good().check().is_ok());
        assert_eq!(NatsOptions::new("nats://a, nats://u:p@b:1").check().unwrap().len(), 2);
        assert_eq!(refused(NatsOptions::new("127.0.0.1")), "urls");
        assert_eq!(refused(good().prefix("a.b")), "prefix");
        assert_eq!(refused(good().replicas(6)), "replicas");
        assert_eq!(refused(good().ping_interval(Duration::ZERO)), "ping_interval");
        assert_eq!(refused(good().max_waiting_bytes(0)), "max_waiting_bytes");
    }

    #[test]
    fn what_is_printed_of_the_settings_has_no_password() {
        assert!(!format!("{:?}", NatsOptions::new("nats://user:hidden@box")).contains("hidden"));
    }
}
