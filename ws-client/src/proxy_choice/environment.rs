//! `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`.

use std::net::IpAddr;

use url::Host;

use crate::proxy::Proxy;
use crate::proxy_error::ProxyUrlError;
use crate::request::Request;

/// The proxy that the variables name for a request.
pub(super) fn pick(
    request: &Request,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Option<Proxy>, ProxyUrlError> {
    let Some(host) = request.host() else { return Ok(None) };
    let set = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
    let no_proxy = set("no_proxy").or_else(|| set("NO_PROXY")).unwrap_or_default();
    if is_loopback(&host) || is_excepted(&host, request.port(), &no_proxy) {
        return Ok(None);
    }
    let own = if request.is_secure() {
        set("https_proxy").or_else(|| set("HTTPS_PROXY"))
    } else {
        // A request to a CGI program sets HTTP_PROXY by a header field `Proxy`.
        let upper = || if set("REQUEST_METHOD").is_none() { set("HTTP_PROXY") } else { None };
        set("http_proxy").or_else(upper)
    };
    own.or_else(|| set("all_proxy")).or_else(|| set("ALL_PROXY")).map(|url| Proxy::new(&url)).transpose()
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => {
            let name = name.strip_suffix('.').unwrap_or(name);
            // RFC 6761 §6.3: names under localhost are this machine.
            name == "localhost" || name.ends_with(".localhost")
        }
        Host::Ipv4(ip) => ip.is_loopback(),
        Host::Ipv6(ip) => ip.is_loopback(),
    }
}

/// Whether an entry of `NO_PROXY` covers the host.
fn is_excepted(host: &Host<&str>, port: u16, list: &str) -> bool {
    let (name, ip) = match host {
        Host::Domain(name) => (name.strip_suffix('.').unwrap_or(name), None),
        Host::Ipv4(ip) => ("", Some(IpAddr::V4(*ip))),
        Host::Ipv6(ip) => ("", Some(IpAddr::V6(*ip))),
    };
    list.split([',', ' ']).map(str::trim).filter(|entry| !entry.is_empty()).any(|entry| {
        if entry == "*" {
            return true;
        }
        let (entry, only_port) = split_port(entry);
        if only_port.is_some_and(|only| only != port) {
            return false;
        }
        match ip {
            Some(ip) => covers(entry, ip),
            None => {
                let entry = entry.trim_start_matches("*.").trim_start_matches('.').to_ascii_lowercase();
                name == entry || name.strip_suffix(entry.as_str()).is_some_and(|rest| rest.ends_with('.'))
            }
        }
    })
}

/// `host:port`, `[v6]:port`, or neither.
fn split_port(entry: &str) -> (&str, Option<u16>) {
    if let Some((literal, rest)) = entry.strip_prefix('[').and_then(|e| e.split_once(']')) {
        return (literal, rest.strip_prefix(':').and_then(|p| p.parse().ok()));
    }
    match entry.split_once(':') {
        // More than one colon is an IPv6 address.
        Some((host, port)) if !port.contains(':') => match port.parse() {
            Ok(port) => (host, Some(port)),
            Err(_) => (entry, None),
        },
        _ => (entry, None),
    }
}

/// Whether `entry`, an address or a network, covers `ip`.
fn covers(entry: &str, ip: IpAddr) -> bool {
    let (network, prefix) = match entry.split_once('/') {
        Some((network, prefix)) => (network, prefix.parse::<u32>().ok()),
        None => (entry, Some(128)),
    };
    let (Ok(network), Some(prefix)) = (network.parse::<IpAddr>(), prefix) else { return false };
    match (network, ip) {
        (IpAddr::V4(network), IpAddr::V4(ip)) => {
            let differing = network.to_bits() ^ ip.to_bits();
            differing.leading_zeros() >= prefix.min(32)
        }
        (IpAddr::V6(network), IpAddr::V6(ip)) => {
            let differing = network.to_bits() ^ ip.to_bits();
            differing.leading_zeros() >= prefix.min(128)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picked(url: &str, variables: &[(&str, &str)]) -> Option<String> {
        let request = Request::new(url).unwrap();
        let variable =
            |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
        pick(&request, variable).unwrap().map(|proxy| proxy.authority())
    }

    #[test]
    fn the_scheme_chooses_the_variable() {
        let all = [("HTTP_PROXY", "h:1"), ("HTTPS_PROXY", "s:2"), ("ALL_PROXY", "a:3")];
        assert_eq!(picked("ws://x", &all).as_deref(), Some("h:1"));
        assert_eq!(picked("wss://x", &all).as_deref(), Some("s:2"));
        assert_eq!(picked("wss://x", &all[2..]).as_deref(), Some("a:3"));
        assert_eq!(picked("ws://x", &[("http_proxy", "low:1"), all[0]]).as_deref(), Some("low:1"));
        assert_eq!(picked("ws://x", &[("HTTP_PROXY", "")]), None);
        assert_eq!(picked("ws://x", &[]), None);
    }

    #[test]
    fn a_cgi_program_does_not_believe_http_proxy() {
        assert_eq!(picked("ws://x", &[("HTTP_PROXY", "h:1"), ("REQUEST_METHOD", "GET")]), None);
        let lower = [("http_proxy", "h:1"), ("REQUEST_METHOD", "GET")];
        assert_eq!(picked("ws://x", &lower).as_deref(), Some("h:1"));
    }

    #[test]
    fn this_machine_is_reached_directly() {
        for url in
            ["ws://localhost:1", "ws://LOCALHOST.", "ws://a.localhost", "ws://127.9.9.9", "wss://[::1]:1"]
        {
            assert_eq!(picked(url, &[("ALL_PROXY", "a:3")]), None, "{url}");
        }
    }

    #[test]
    fn no_proxy_names_hosts_networks_and_ports() {
        let through =
            |url: &str, list: &str| picked(url, &[("ALL_PROXY", "a:3"), ("NO_PROXY", list)]).is_some();
        for (url, list) in [
            ("ws://example.com", "example.com"),
            ("ws://a.example.com", "other, example.com"),
            ("ws://a.example.com", ".example.com"),
            ("ws://a.example.com", "*.Example.com"),
            ("ws://a.example.com:81", "example.com:81"),
            ("ws://10.1.2.3", "10.0.0.0/8"),
            ("ws://10.1.2.3:8", "10.1.2.3:8"),
            ("ws://[2001:db8::1]", "2001:db8::/32"),
            ("ws://[2001:db8::1]:7", "[2001:db8::1]:7"),
            ("ws://anything", "*"),
        ] {
            assert!(!through(url, list), "{url} with {list}");
        }
        for (url, list) in [
            ("ws://badexample.com", "example.com"),
            ("ws://example.com", "a.example.com"),
            ("ws://example.com", "example.com:81"),
            ("ws://11.1.2.3", "10.0.0.0/8"),
            ("ws://10.1.2.3", "10.0.0.0/x"),
            ("ws://[2001:db9::1]", "2001:db8::/32"),
            ("ws://10.1.2.3", ""),
        ] {
            assert!(through(url, list), "{url} with {list}");
        }
    }
}
