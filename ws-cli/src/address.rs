//! Where to connect: what a user writes, as a URL and perhaps a Unix socket.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use ws_client::{Connecting, Connector, Request};

use crate::failure::Failure;

/// Where to connect.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) url: String,
    pub(crate) socket: Option<PathBuf>,
}

impl Address {
    /// Reads the URL, which may lack its scheme or name a Unix socket, and `--unix`.
    pub(crate) fn new(written: Option<&str>, unix: Option<&Path>) -> Result<Self, Failure> {
        let named = written.and_then(|written| written.strip_prefix("unix:"));
        let socket = unix.map(Path::to_owned).or_else(|| named.map(PathBuf::from));
        if socket.as_ref().is_some_and(|path| path.as_os_str().is_empty()) {
            return Err(Failure::usage(
                "the path is empty: name a socket: unix:/path/to/socket or --unix PATH",
            ));
        }
        // A socket has no host: any that a server on this machine answers for is as good.
        let written = written.filter(|_| named.is_none()).unwrap_or("ws://localhost/");
        Ok(Self { url: with_scheme(written.trim()), socket })
    }
}

/// Adds the scheme if there is none: that of TLS for the port of HTTPS, as browsers do.
fn with_scheme(written: &str) -> String {
    let (before, after) = written.split_once(':').unwrap_or((written, ""));
    if after.starts_with("//")
        || ["ws", "wss", "http", "https"].iter().any(|s| before.eq_ignore_ascii_case(s))
    {
        return written.to_owned();
    }
    let end = written.find(['/', '?', '#']).unwrap_or(written.len());
    let (authority, rest) = written.split_at(end);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let port = host.rsplit_once(':').map(|(_, port)| port);
    let scheme = if port == Some("443") { "wss" } else { "ws" };
    // A port alone is one of this machine, as for `ws serve`.
    if !authority.is_empty() && authority.bytes().all(|byte| byte.is_ascii_digit()) {
        return format!("{scheme}://localhost:{authority}{rest}");
    }
    let localhost = if host.starts_with(':') { "localhost" } else { "" };
    let (credentials, host) = authority.split_at(authority.len() - host.len());
    format!("{scheme}://{credentials}{localhost}{host}{rest}")
}

/// Reaches the server through a Unix socket.
#[derive(Debug)]
pub(crate) struct UnixSocket(pub(crate) PathBuf);

impl Connector for UnixSocket {
    #[cfg(unix)]
    fn connect<'a>(&'a self, _: &'a Request) -> Connecting<'a> {
        Box::pin(async {
            let opened = tokio::net::UnixStream::connect(&self.0).await;
            opened.map(ws_client::Stream::from).map_err(|error| self.fault(&error))
        })
    }

    #[cfg(not(unix))]
    fn connect<'a>(&'a self, _: &'a Request) -> Connecting<'a> {
        let unsupported = io::Error::from(io::ErrorKind::Unsupported);
        Box::pin(async move { Err(self.fault(&unsupported)) })
    }
}

impl UnixSocket {
    /// The error with the path, and with what to do about it.
    fn fault(&self, error: &io::Error) -> io::Error {
        let advice: &dyn fmt::Display = match error.kind() {
            io::ErrorKind::NotFound => &"no such file: check the path; is the server running?",
            io::ErrorKind::ConnectionRefused => &"nothing listens there: is the server running?",
            io::ErrorKind::PermissionDenied => &"not permitted: you need write access to the socket",
            _ => error,
        };
        io::Error::new(error.kind(), format!("Unix socket {}: {advice}", self.0.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_without_a_scheme_gets_that_of_its_port() {
        for (written, url) in [
            ("example.org", "ws://example.org"),
            ("example.org:8080/chat?a=b:443", "ws://example.org:8080/chat?a=b:443"),
            ("example.org:443", "wss://example.org:443"),
            ("example.org:443/chat", "wss://example.org:443/chat"),
            ("user:443@example.org", "ws://user:443@example.org"),
            ("user:secret@example.org:443", "wss://user:secret@example.org:443"),
            ("localhost:9001", "ws://localhost:9001"),
            ("[::1]:9001", "ws://[::1]:9001"),
            ("[::443]", "ws://[::443]"),
            (":9001/chat", "ws://localhost:9001/chat"),
            ("9001", "ws://localhost:9001"),
            (" localhost ", "ws://localhost"),
        ] {
            assert_eq!(Address::new(Some(written), None).unwrap().url, url, "{written}");
        }
    }

    #[test]
    fn an_address_with_a_scheme_stays_as_it_is() {
        for written in ["ws://h:443/", "WSS://h", "http://h", "https:h", "ftp://h", "ws:h"] {
            assert_eq!(Address::new(Some(written), None).unwrap().url, written);
        }
    }

    #[test]
    fn an_international_host_name_is_an_address() {
        let url = Address::new(Some("bücher.example"), None).unwrap().url;
        assert_eq!(ws_client::Request::new(&url).unwrap().url(), "ws://xn--bcher-kva.example/");
    }

    #[test]
    fn a_unix_socket_is_named_by_its_scheme_or_by_the_option() {
        let socket = |address: Address| (address.url, address.socket.unwrap().display().to_string());
        let expected = |url: &str, path: &str| (url.to_owned(), path.to_owned());
        let by_scheme = Address::new(Some("unix:/run/a b.sock"), None).unwrap();
        assert_eq!(socket(by_scheme), expected("ws://localhost/", "/run/a b.sock"));
        let by_option = Address::new(None, Some(Path::new("a.sock"))).unwrap();
        assert_eq!(socket(by_option), expected("ws://localhost/", "a.sock"));
        let with_url = Address::new(Some("example.org/chat"), Some(Path::new("a.sock"))).unwrap();
        assert_eq!(socket(with_url), expected("ws://example.org/chat", "a.sock"));
    }
}
