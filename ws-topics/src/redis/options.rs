//! What is settable for Redis.

use std::fmt;
use std::time::Duration;

use ws_tokio::ws_core::SettingError;

use crate::backplane::address::{Address, check_prefix};

/// The settings of a [`RedisBackplane`](crate::RedisBackplane), each with a default.
#[derive(Clone)]
#[non_exhaustive]
pub struct RedisOptions {
    /// Begins the names of all channels and keys: 1 to 32 letters, digits, `-` and `_`. Servers that share topics have the same; others, with the same Redis, another.
    /// Default: `ws-topics`.
    pub prefix: String,
    /// Whether live messages go through sharded channels (`SPUBLISH`). Default: `true`.
    pub sharded: bool,
    /// Whether live messages are published for subscriptions by filters, too, if they are sharded: a second command for each. Without that, only topics can be
    /// subscribed to, of those without a durable history. Default: `true`.
    pub filters: bool,
    /// Whether durable histories are possible. Default: `true`. Redis keeps what it has confirmed with `appendonly yes` only.
    pub durable: bool,
    /// How long after its last use, and the age of its last message, a log is forgotten. Default: one day.
    pub keep_unused: Duration,
    /// How long connecting may take. Default: 5 s.
    pub connect_timeout: Duration,
    /// How long an answer may take. Default: 5 s.
    pub request_timeout: Duration,
    /// How often the server is asked for a sign. The connection counts as lost if none comes within `request_timeout`. Default: 3 s.
    pub ping_interval: Duration,
    /// How many messages that were received may wait until they are taken. Default: 65,536.
    pub max_waiting_messages: usize,
    /// How many bytes they may have together. Default: 64 MiB.
    pub max_waiting_bytes: usize,
    /// How many bytes may wait to be written, or for an answer. Default: 8 MiB.
    pub max_unsent_bytes: usize,
    url: String,
}

impl RedisOptions {
    /// The settings for a server: `redis://HOST[:PORT][/DATABASE]`, with `USER:PASSWORD@` or `:PASSWORD@` before the host if it asks for that. With
    /// `rediss://` in place of `redis://`, and the feature `backplane-tls`, the connection is encrypted, and the certificate has to be of an authority that the
    /// system trusts, or of one in the file that the environment variable `SSL_CERT_FILE` names.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            prefix: "ws-topics".into(),
            sharded: true,
            filters: true,
            durable: true,
            keep_unused: Duration::from_secs(24 * 3_600),
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(5),
            ping_interval: Duration::from_secs(3),
            max_waiting_messages: 65_536,
            max_waiting_bytes: 64 << 20,
            max_unsent_bytes: 8 << 20,
            url: url.into(),
        }
    }

    /// Sets [`prefix`](Self::prefix).
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// The server and the number of the database.
    pub(super) fn check(&self) -> Result<(Address, i64), SettingError> {
        check_prefix(&self.prefix)?;
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
            ("max_unsent_bytes", self.max_unsent_bytes),
        ] {
            if value == 0 {
                return Err(SettingError::new(setting, value, "it must be at least 1"));
            }
        }
        let address = Address::parse("url", &self.url, ["redis", "rediss"], 6379)?;
        if address.tls && cfg!(not(feature = "backplane-tls")) {
            return Err(SettingError::new("url", "rediss://", "enable the feature `backplane-tls`"));
        }
        let database = match address.path.as_str() {
            "" => 0,
            path => path.parse().ok().filter(|number| *number >= 0).ok_or_else(|| {
                SettingError::new("url", "a URL with a path", "the path must be the number of a database")
            })?,
        };
        Ok((address, database))
    }
}

macro_rules! setters {
    ($($name:ident: $type:ty),*) => {
        impl RedisOptions {
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
    sharded: bool,
    filters: bool,
    durable: bool,
    keep_unused: Duration,
    connect_timeout: Duration,
    request_timeout: Duration,
    ping_interval: Duration,
    max_waiting_messages: usize,
    max_waiting_bytes: usize,
    max_unsent_bytes: usize
);

/// Without the address, which may contain a password.
impl fmt::Debug for RedisOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisOptions")
            .field("prefix", &self.prefix)
            .field("sharded", &self.sharded)
            .field("filters", &self.filters)
            .field("durable", &self.durable)
            .field("keep_unused", &self.keep_unused)
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
        let refused = |options: RedisOptions| options.check().unwrap_err().setting;
        let good = || RedisOptions::new("redis://127.0.0.1/2");
        assert_eq!(good().check().unwrap().1, 2);
        assert_eq!(refused(RedisOptions::new("127.0.0.1")), "url");
        assert_eq!(refused(RedisOptions::new("redis://a/b")), "url");
        assert_eq!(refused(good().prefix("a:b")), "prefix");
        assert_eq!(refused(good().request_timeout(Duration::ZERO)), "request_timeout");
        assert_eq!(refused(good().max_unsent_bytes(0)), "max_unsent_bytes");
    }

    #[test]
    fn what_is_printed_of_the_settings_has_no_password() {
        assert!(!format!("{:?}", RedisOptions::new("redis://:hidden@box")).contains("hidden"));
    }
}
