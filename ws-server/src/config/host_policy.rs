//! Which hosts requests may be addressed to: a defence against DNS rebinding.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use http::StatusCode;
use ws_core::handshake::{Authority, Refusal, RequestHead};

use crate::config::error::SettingError;
use crate::config::host_pattern::HostPattern;

/// Which hosts a request may be addressed to (its `Host` field, or an absolute target).
///
/// A page of the web can reach a server that only its visitor can reach, on loopback or in a private network: its
/// domain is made to resolve to that server's address (DNS rebinding). For the browser the server then belongs to the
/// page, so that `Origin` and `Host` are the same; only the name gives it away. A request for another host gets
/// status 421.
///
/// ```
/// use ws_server::HostPolicy;
///
/// let policy = HostPolicy::List(vec!["example.com".into(), "*.example.com".into(), "10.0.0.7:9001".into()]);
/// assert!(policy.allows("example.com:8080") && policy.allows("a.b.example.com") && policy.allows("10.0.0.7:9001"));
/// assert!(!policy.allows("evil.example") && !policy.allows("10.0.0.7"));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum HostPolicy {
    /// Any host. The default, because a server on loopback often stands behind a proxy that passes its public name on.
    #[default]
    Any,
    /// Loopback only: `localhost`, names below it, 127.0.0.0/8 and `[::1]`, with any port.
    Loopback,
    /// One of these: `example.com` with any port, `example.com:8080` with that one; `*.example.com` is any name of one
    /// or more labels below `example.com`. Compared without regard to ASCII case.
    List(Vec<String>),
}

impl HostPolicy {
    /// The policy for a server that listens on `address` and is not behind a proxy: [`Loopback`](Self::Loopback) on
    /// a loopback address, and [`Any`](Self::Any) on others, where the server's names are not known.
    pub fn for_listener(address: SocketAddr) -> Self {
        if address.ip().to_canonical().is_loopback() { Self::Loopback } else { Self::Any }
    }

    /// Whether a request for `host` (the value of a `Host` field) may pass.
    pub fn allows(&self, host: &str) -> bool {
        if let Self::Any = self {
            return true;
        }
        let Some(authority) = Authority::parse(host) else { return false };
        let host = authority.normal_host();
        match self {
            Self::Any => true,
            Self::Loopback => is_loopback(&host),
            Self::List(list) => list.iter().filter_map(|one| HostPattern::parse(one).ok()).any(|pattern| {
                pattern.matches(&host) && pattern.port.is_none_or(|port| is_port(authority.port, port))
            }),
        }
    }

    /// Refuses a request that is addressed to another host.
    pub(crate) fn check_request(&self, request: &RequestHead) -> Result<(), Refusal> {
        let host = request.host().unwrap_or_default();
        if self.allows(host) {
            return Ok(());
        }
        // What is repeated has the characters of a host and nothing beside them.
        let host = Authority::parse(host).map_or("", |authority| authority.host);
        let host: String = host.chars().take(LONGEST_SHOWN).collect();
        let policy = self.name();
        let reason =
            format!("The host \"{host}\" is not allowed by the setting handshake.allowed_hosts ({policy}).");
        // RFC 9110 §15.5.20: 421 says that the request was directed at a server that does not answer for its host.
        Err(Refusal::new(StatusCode::MISDIRECTED_REQUEST, &reason))
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Any => "HostPolicy::Any",
            Self::Loopback => "HostPolicy::Loopback",
            Self::List(_) => "HostPolicy::List",
        }
    }

    /// That every entry of a list can match.
    pub(crate) fn check(&self) -> Result<(), SettingError> {
        const SETTING: &str = "handshake.allowed_hosts";
        let Self::List(list) = self else { return Ok(()) };
        if list.is_empty() {
            return Err(SettingError::new(SETTING, "[]", "an empty list refuses every request; name a host"));
        }
        for one in list {
            if one == "*" {
                return Err(SettingError::new(SETTING, "\"*\"", "HostPolicy::Any allows every host"));
            }
            HostPattern::parse(one).map_err(|must| SettingError::new(SETTING, format!("{one:?}"), must))?;
        }
        Ok(())
    }
}

/// Whether a host with this port, or without one, is addressed at `port`. Clients leave out the default port of their
/// scheme (RFC 9110 section 4.2).
fn is_port(named: Option<u16>, port: u16) -> bool {
    named.map_or(matches!(port, 80 | 443), |named| named == port)
}

fn is_loopback(host: &str) -> bool {
    let address = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let address = match address {
        Some(address) => address.parse::<Ipv6Addr>().map(IpAddr::V6).ok(),
        None => host.parse::<Ipv4Addr>().map(IpAddr::V4).ok(),
    };
    match address {
        Some(address) => address.to_canonical().is_loopback(),
        // RFC 6761 §6.3: the names below `localhost` resolve to loopback too.
        None => {
            host.split('.').all(|label| !label.is_empty())
                && (host == "localhost" || host.ends_with(".localhost"))
        }
    }
}

/// The most characters of a peer's words in an answer and in the log.
pub(crate) const LONGEST_SHOWN: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_has_names_and_addresses_with_any_port() {
        for host in [
            "localhost",
            "LocalHost:9001",
            "a.localhost",
            "127.0.0.1",
            "127.8.9.1:80",
            "[::1]:9001",
            "[0:0::1]",
            "[::ffff:127.0.0.1]",
        ] {
            assert!(HostPolicy::Loopback.allows(host), "{host}");
        }
        for host in [
            "",
            ".localhost",
            "evil.example",
            "localhost.evil.example",
            "notlocalhost",
            "128.0.0.1",
            "[::2]",
            "0.0.0.0",
        ] {
            assert!(!HostPolicy::Loopback.allows(host), "{host}");
        }
    }

    #[test]
    fn a_listener_on_loopback_gets_the_loopback_policy_and_another_gets_none() {
        for (address, policy) in [
            ("127.0.0.1:9001", HostPolicy::Loopback),
            ("[::1]:0", HostPolicy::Loopback),
            ("0.0.0.0:9001", HostPolicy::Any),
            ("[::]:9001", HostPolicy::Any),
            ("192.168.1.2:9001", HostPolicy::Any),
        ] {
            assert_eq!(HostPolicy::for_listener(address.parse().unwrap()), policy, "{address}");
        }
    }

    #[test]
    fn a_list_of_hosts_compares_names_and_the_ports_that_are_written() {
        let list =
            HostPolicy::List(vec!["Example.com".into(), "*.a.example:81".into(), "[2001:DB8::1]".into()]);
        for host in ["example.com", "EXAMPLE.com:1234", "x.y.a.example:81", "[2001:db8:0::1]:9"] {
            assert!(list.allows(host), "{host}");
        }
        for host in ["", "www.example.com", "a.example:81", "x.a.example", "x.a.example:82", "example.com:x"]
        {
            assert!(!list.allows(host), "{host}");
        }
    }

    #[test]
    fn the_default_port_of_a_list_is_matched_by_hosts_that_leave_it_out() {
        let list = HostPolicy::List(vec!["example.com:80".into(), "*.a.example:443".into()]);
        for host in ["example.com", "example.com:80", "x.a.example", "x.a.example:443"] {
            assert!(list.allows(host), "{host}");
        }
        for host in ["example.com:81", "x.a.example:80"] {
            assert!(!list.allows(host), "{host}");
        }
    }

    #[test]
    fn a_list_of_hosts_that_cannot_work_is_refused() {
        for (list, must) in [
            (vec![], "refuses every request"),
            (vec!["*"], "HostPolicy::Any"),
            (vec!["example.com", "http://localhost"], "it must be a host"),
        ] {
            let list = HostPolicy::List(list.into_iter().map(str::to_owned).collect());
            let error = list.check().unwrap_err().to_string();
            assert!(error.starts_with("handshake.allowed_hosts = ") && error.contains(must), "{error}");
        }
        HostPolicy::List(vec!["example.com".into()]).check().unwrap();
    }
}
