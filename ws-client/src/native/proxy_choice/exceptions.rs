//! The entries of `NO_PROXY`: hosts that are reached without a proxy.

use std::net::IpAddr;

use crate::address::Host;

/// Returns whether an entry of `list` covers the host.
pub(super) fn is_excepted(host: &Host<&str>, port: u16, list: &str) -> bool {
    let entries = list.split(|c: char| c == ',' || c.is_whitespace()).filter(|entry| !entry.is_empty());
    entries.filter_map(for_port(port)).any(|entry| {
        entry == "*"
            || match host {
                Host::Domain(name) => covers_name(entry, name),
                Host::Ipv4(ip) => covers_address(entry, (*ip).into()),
                // RFC 4291 §2.5.5.2: an IPv4-mapped address is the IPv4 address.
                Host::Ipv6(ip) => covers_address(entry, IpAddr::from(*ip).to_canonical()),
            }
    })
}

/// Returns the host of an entry: `host`, `host:port`, `[v6]` or `[v6]:port`; `None` if the entry is for another port.
fn for_port<'e>(port: u16) -> impl Fn(&'e str) -> Option<&'e str> {
    let is_it = move |only: &str| only.parse() == Ok(port);
    move |entry| {
        if let Some((literal, rest)) = entry.strip_prefix('[').and_then(|entry| entry.split_once(']')) {
            let fits = rest.is_empty() || rest.strip_prefix(':').is_some_and(is_it);
            return fits.then_some(literal);
        }
        match entry.split_once(':') {
            // More than one colon is an IPv6 address.
            Some((host, only)) if !only.contains(':') => is_it(only).then_some(host),
            _ => Some(entry),
        }
    }
}

/// Returns whether `entry`, a name with all its subdomains, covers `name`. A final dot marks a name as complete and does not
/// change it; a leading `.` or `*.` adds nothing.
fn covers_name(entry: &str, name: &str) -> bool {
    let entry = entry.trim_start_matches("*.").trim_start_matches('.');
    // In the form of the host: in lower case, and in Punycode.
    let Ok(Host::Domain(entry)) = Host::parse(entry) else { return false };
    let entry = entry.strip_suffix('.').unwrap_or(&entry);
    let name = name.strip_suffix('.').unwrap_or(name);
    name.strip_suffix(entry).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// Returns whether `entry`, an address or a network such as `10.0.0.0/8`, covers `ip`.
fn covers_address(entry: &str, ip: IpAddr) -> bool {
    let (network, prefix) = match entry.split_once('/') {
        Some((network, prefix)) => (network, Some(prefix)),
        None => (entry, None),
    };
    // As in a URL, where a final dot after an IPv4 address is no part of it.
    let Ok(network) = network.strip_suffix('.').unwrap_or(network).parse::<IpAddr>() else { return false };
    let full: u32 = if network.is_ipv4() { 32 } else { 128 };
    let Ok(prefix) = prefix.map_or(Ok(full), str::parse) else { return false };
    // A network of IPv4-mapped addresses is one of IPv4 addresses, with a prefix shorter by what maps it.
    let (network, prefix) = match network.to_canonical() {
        mapped if mapped.is_ipv4() && full == 128 && prefix >= MAPPED_PREFIX => {
            (mapped, prefix - MAPPED_PREFIX)
        }
        _ => (network, prefix),
    };
    // How many leading bits agree: never more than an address has, so that a longer prefix covers nothing.
    let agreeing = match (network, ip) {
        (IpAddr::V4(network), IpAddr::V4(ip)) => (network.to_bits() ^ ip.to_bits()).leading_zeros(),
        (IpAddr::V6(network), IpAddr::V6(ip)) => (network.to_bits() ^ ip.to_bits()).leading_zeros(),
        _ => return false,
    };
    agreeing >= prefix
}

/// The bits of `::ffff:0:0` before the IPv4 address (RFC 4291 section 2.5.5.2).
const MAPPED_PREFIX: u32 = 96;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Request;

    fn is_direct(url: &str, list: &str) -> bool {
        let request = Request::new(url).unwrap();
        is_excepted(&request.host(), request.port(), list)
    }

    #[test]
    fn an_entry_of_no_proxy_covers_names_networks_and_ports() {
        for (url, list) in [
            ("ws://example.com", "example.com"),
            ("ws://a.example.com", "other, example.com"),
            ("ws://a.example.com", "other\texample.com"),
            ("ws://a.example.com", ".example.com"),
            ("ws://example.com", ".example.com"),
            ("ws://a.example.com", "*.Example.com"),
            ("ws://EXAMPLE.com", "Example.COM"),
            ("ws://example.com.", "example.com"),
            ("ws://example.com", "example.com."),
            ("ws://example.com.", "example.com."),
            ("ws://a.example.com.", ".example.com.:80"),
            #[cfg(feature = "url")]
            ("ws://bücher.example", "Bücher.example"),
            #[cfg(feature = "url")]
            ("ws://bücher.example", "xn--bcher-kva.example"),
            ("ws://a.example.com:81", "example.com:81"),
            ("wss://a.example.com", "example.com:443"),
            ("ws://10.1.2.3", "10.0.0.0/8"),
            ("ws://10.1.2.3", "10.1.2.3/32"),
            ("ws://10.1.2.3", "0.0.0.0/0"),
            ("ws://10.1.2.3.", "10.1.2.3"),
            ("ws://10.1.2.3", "10.1.2.3."),
            ("ws://10.1.2.3:8", "10.1.2.3:8"),
            ("ws://10.1.2.3:8", "10.0.0.0/8:8"),
            ("ws://[2001:db8::1]", "2001:db8::/32"),
            ("ws://[2001:db8::1]", "2001:DB8:0::1"),
            ("ws://[2001:db8::1]:7", "[2001:db8::1]:7"),
            ("ws://[2001:db8::1]:7", "[2001:db8::1]"),
            ("ws://[::ffff:10.1.2.3]", "10.0.0.0/8"),
            ("ws://[::ffff:10.1.2.3]", "10.1.2.3"),
            ("ws://10.1.2.3", "::ffff:10.1.2.3"),
            ("ws://10.1.2.3", "[::ffff:10.1.2.3]:80"),
            ("ws://10.1.2.3", "::ffff:10.0.0.0/104"),
            ("ws://[::ffff:10.1.2.3]", "::ffff:10.0.0.0/104"),
            ("ws://anything", "*"),
            ("ws://[2001:db8::1]", "example.com *"),
            ("ws://anything:8080", "*:8080"),
        ] {
            assert!(is_direct(url, list), "{url} with {list}");
        }
    }

    #[test]
    fn what_no_entry_of_no_proxy_covers_goes_through_the_proxy() {
        for (url, list) in [
            ("ws://badexample.com", "example.com"),
            ("ws://badexample.com.", "example.com."),
            ("ws://example.com", "a.example.com"),
            ("ws://example.com", "example.com:81"),
            ("ws://example.com", "example.com:x"),
            ("ws://example.com", "."),
            ("ws://example.com", "*:81"),
            ("ws://11.1.2.3", "10.0.0.0/8"),
            ("ws://10.1.2.3", "10.0.0.0/x"),
            ("ws://10.1.2.3", "10.1.2.3/33"),
            ("ws://10.1.2.3", "10.0.0.0/-1"),
            ("ws://10.1.2.3", "1.2.3"),
            ("ws://[2001:db9::1]", "2001:db8::/32"),
            ("ws://[2001:db8::1]", "2001:db8::1/129"),
            ("ws://[2001:db8::1]:7", "[2001:db8::1]:x"),
            ("ws://[::ffff:11.1.2.3]", "10.0.0.0/8"),
            ("ws://11.1.2.3", "::ffff:10.0.0.0/104"),
            ("ws://[2001:db8::a01:203]", "10.0.0.0/8"),
            ("ws://10.1.2.3", ""),
        ] {
            assert!(!is_direct(url, list), "{url} with {list}");
        }
    }
}
