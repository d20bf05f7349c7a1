//! `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`.

use std::net::IpAddr;

use super::exceptions::is_excepted;
use crate::address::Host;
use crate::proxy::Proxy;
use crate::proxy_error::ProxyUrlError;
use crate::request::Request;

/// The environment variables of a process that concern proxies.
pub(super) struct Environment<V> {
    /// The value of a variable.
    pub(super) variable: V,
    /// Whether `http_proxy` and `HTTP_PROXY` are one variable, as they are on Windows.
    pub(super) ignores_case: bool,
}

/// Returns the environment of this process.
pub(super) fn of_this_process() -> Environment<impl Fn(&str) -> Option<String>> {
    Environment {
        // A value that is not UTF-8 becomes an error later on, instead of counting as not set.
        variable: |name: &str| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned()),
        ignores_case: cfg!(windows),
    }
}

impl<V: Fn(&str) -> Option<String>> Environment<V> {
    /// Returns the proxy that the variables name for a request.
    pub(super) fn pick(&self, request: &Request) -> Result<Option<Proxy>, ProxyUrlError> {
        let host = request.host();
        let no_proxy = self.either("no_proxy", "NO_PROXY").unwrap_or_default();
        if is_loopback(&host) || is_excepted(&host, request.port(), &no_proxy) {
            return Ok(None);
        }
        let own =
            if request.is_secure() { self.either("https_proxy", "HTTPS_PROXY") } else { self.http_proxy() };
        own.or_else(|| self.either("all_proxy", "ALL_PROXY")).map(|url| Proxy::new(&url)).transpose()
    }

    /// A web server passes a request's field `Proxy` to a CGI program as `HTTP_PROXY` (RFC 3875 section 4.1.18): there
    /// the peer chooses the value of the variable, under each name that reads it. No field sets any of the others.
    fn http_proxy(&self) -> Option<String> {
        let is_cgi = (self.variable)("REQUEST_METHOD").is_some();
        match (is_cgi, self.ignores_case) {
            (false, _) => self.either("http_proxy", "HTTP_PROXY"),
            (true, false) => self.set("http_proxy"),
            (true, true) => None,
        }
    }

    /// Returns the value that is set; the lower-case name takes precedence.
    fn either(&self, lower: &str, upper: &str) -> Option<String> {
        self.set(lower).or_else(|| self.set(upper))
    }

    /// A variable, unless it is empty.
    fn set(&self, name: &str) -> Option<String> {
        (self.variable)(name).filter(|value| !value.trim().is_empty())
    }
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => {
            let name = name.strip_suffix('.').unwrap_or(name);
            // RFC 6761 §6.3: names under localhost are this machine.
            name == "localhost" || name.ends_with(".localhost")
        }
        Host::Ipv4(ip) => ip.is_loopback(),
        // RFC 4291 §2.5.5.2: ::ffff:127.0.0.1 is 127.0.0.1.
        Host::Ipv6(ip) => IpAddr::from(*ip).to_canonical().is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The proxy for `url`, where names have two cases (as on Unix) and where they have one (as on Windows).
    fn picked_on_each(url: &str, variables: &[(&str, &str)]) -> [Option<String>; 2] {
        [false, true].map(|ignores_case| {
            let variable = |name: &str| {
                let same = |n: &str| if ignores_case { n.eq_ignore_ascii_case(name) } else { n == name };
                variables.iter().find(|(n, _)| same(n)).map(|(_, value)| (*value).to_owned())
            };
            let picked = Environment { variable, ignores_case }.pick(&Request::new(url).unwrap());
            picked.unwrap().map(|proxy| proxy.authority())
        })
    }

    fn picked(url: &str, variables: &[(&str, &str)]) -> Option<String> {
        let [unix, windows] = picked_on_each(url, variables);
        assert_eq!(unix, windows, "{url}");
        unix
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
    fn a_cgi_program_ignores_http_proxy() {
        for method in ["GET", ""] {
            let cgi = ("REQUEST_METHOD", method);
            let upper = [("HTTP_PROXY", "h:1"), cgi];
            assert_eq!(picked("ws://x", &upper), None);
            let [unix, windows] = picked_on_each("ws://x", &[("http_proxy", "h:1"), cgi]);
            assert_eq!(unix.as_deref(), Some("h:1"), "a header field sets the upper-case name only");
            assert_eq!(windows, None, "a header field sets the only variable there is");
            // No header field sets these: a field's name becomes HTTP_….
            let others = [upper[0], cgi, ("ALL_PROXY", "a:3"), ("HTTPS_PROXY", "s:2")];
            assert_eq!(picked("ws://x", &others).as_deref(), Some("a:3"));
            assert_eq!(picked("wss://x", &others).as_deref(), Some("s:2"));
        }
    }

    #[test]
    fn loopback_addresses_and_names_are_reached_directly() {
        for url in [
            "ws://localhost:1",
            "ws://LOCALHOST.",
            "ws://a.localhost",
            "ws://127.9.9.9",
            "wss://[::1]:1",
            "ws://[::ffff:127.0.0.1]",
            "ws://[::ffff:7f00:1]:8",
        ] {
            assert_eq!(picked(url, &[("ALL_PROXY", "a:3")]), None, "{url}");
        }
        for url in ["ws://localhost.example", "ws://[::ffff:10.0.0.1]", "ws://[::2]"] {
            assert!(picked(url, &[("ALL_PROXY", "a:3")]).is_some(), "{url}");
        }
    }

    #[test]
    fn no_proxy_is_asked_before_any_proxy() {
        for name in ["NO_PROXY", "no_proxy"] {
            assert_eq!(picked("ws://x.example", &[("ALL_PROXY", "a:3"), (name, "x.example")]), None);
        }
    }
}
