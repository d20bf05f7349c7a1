//! A host as it stands in a list of settings.

use std::net::Ipv4Addr;

use ws_core::handshake::Authority;

/// A name, an address, or `*.` before a name, which stands for one or more labels.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct HostPattern {
    /// In its normal spelling; behind the asterisk, with the dot in front.
    host: String,
    subdomains: bool,
    pub(crate) port: Option<u16>,
}

impl HostPattern {
    /// Reads `host`, `host:port`, `*.host` or `*.host:port`.
    ///
    /// # Errors
    /// Why no client could ever send a host that matches, and what to write instead.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let (subdomains, rest) = match text.strip_prefix("*.") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        if rest.contains('*') {
            return Err("an asterisk stands for whole labels at the front, as in *.example.com");
        }
        if !rest.is_ascii() {
            return Err("write an international name as browsers send it, as in xn--bcher-kva.example");
        }
        let Some(authority) = Authority::parse(rest) else {
            return Err("it must be a host, or host:port, with nothing behind it (no path, no final slash)");
        };
        if authority.port == Some(0) {
            return Err("nothing can be reached on port 0");
        }
        let host = authority.normal_host();
        if host.contains('%') {
            return Err("write the host without percent-encoding, as browsers send it");
        }
        // WHATWG URL, "ends in a number": browsers read such a host as an IPv4 address, in one spelling.
        let is_address = host.starts_with('[') || ends_in_a_number(&host);
        if is_address && !host.starts_with('[') && host.parse::<Ipv4Addr>().is_err() {
            return Err("write an IPv4 address in four decimal parts, as in 127.0.0.1");
        }
        if is_address && subdomains {
            return Err("an address has no names below it; leave out the asterisk");
        }
        let host = if subdomains { format!(".{host}") } else { host };
        Ok(Self { host, subdomains, port: authority.port })
    }

    /// Whether `host`, in its normal spelling and without a port, is meant.
    pub(crate) fn matches(&self, host: &str) -> bool {
        if !self.subdomains {
            return self.host == host;
        }
        // At least one label, and none of them empty.
        host.strip_suffix(&self.host).is_some_and(|labels| labels.split('.').all(|label| !label.is_empty()))
    }
}

fn ends_in_a_number(host: &str) -> bool {
    let last = host.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
    let hexadecimal =
        last.strip_prefix("0x").is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
    hexadecimal || (!last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_asterisk_stands_for_one_or_more_whole_labels() {
        let pattern = HostPattern::parse("*.Example.com").unwrap();
        for host in ["a.example.com", "a.b.example.com", "xn--a.example.com"] {
            assert!(pattern.matches(host), "{host}");
        }
        for host in ["example.com", ".example.com", "a..example.com", "aexample.com", "a.example.com.evil"] {
            assert!(!pattern.matches(host), "{host}");
        }
    }

    #[test]
    fn a_host_pattern_that_no_client_can_match_is_refused_with_a_hint() {
        for (pattern, hint) in [
            ("", "it must be a host"),
            ("*", "whole labels"),
            ("*.", "it must be a host"),
            ("a.*.example.com", "whole labels"),
            ("*a.example.com", "whole labels"),
            ("*.*.example.com", "whole labels"),
            ("example.com/", "no final slash"),
            ("http://example.com", "it must be a host"),
            ("user@example.com", "it must be a host"),
            ("bücher.example", "xn--"),
            ("example.com:0", "port 0"),
            ("example.com:65536", "it must be a host"),
            ("ex%61mple.com", "percent-encoding"),
            ("127.1", "four decimal parts"),
            ("127.000.0.1", "four decimal parts"),
            ("0x7f.0.0.0x1", "four decimal parts"),
            ("*.0.0.1", "four decimal parts"),
            ("*.127.0.0.1", "no names below it"),
            ("*.[::1]", "no names below it"),
            ("::1", "it must be a host"),
        ] {
            let error = HostPattern::parse(pattern).unwrap_err();
            assert!(error.contains(hint), "{pattern}: {error}");
        }
        for pattern in ["localhost", "127.0.0.1:9001", "[::1]:80", "*.localhost", "a_b.example", "a.b.", "."]
        {
            HostPattern::parse(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
        }
    }
}
