//! An origin as it stands in a list of settings.

use ws_core::handshake::Origin;

use crate::config::host_pattern::HostPattern;

/// What an entry of [`OriginPolicy::List`](crate::OriginPolicy::List) stands for.
#[derive(Debug)]
pub(crate) enum OriginPattern {
    /// `null`, the origin of pages that have none (RFC 6454 section 7.1).
    Opaque,
    One(Origin),
    /// `scheme://*.host`: the hosts below a name.
    Below {
        /// With the scheme and the port; its host is not looked at.
        like: Origin,
        host: HostPattern,
    },
}

impl OriginPattern {
    /// Reads an entry.
    ///
    /// # Errors
    /// Why no browser could ever send an origin that matches, and what to write instead.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        match text {
            "null" => return Ok(Self::Opaque),
            "*" => return Err("OriginPolicy::Any allows every origin"),
            _ => {}
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err("write the scheme too, as in https://example.com; pages without an origin send null");
        };
        match scheme.to_ascii_lowercase().as_str() {
            // RFC 6454 §7.3: the origin is that of the page, not of the WebSocket.
            "ws" | "wss" => {
                return Err("write the origin of the page, which begins with http:// or https://");
            }
            "file" if !rest.is_empty() => return Err("browsers send file:// alone, whatever the file"),
            "http" | "https" => drop(HostPattern::parse(rest)?),
            _ if rest.contains('*') => drop(HostPattern::parse(rest)?),
            "data" | "blob" | "about" | "javascript" => return Err("pages of this scheme send null"),
            _ => {}
        }
        let Some(below) = rest.strip_prefix("*.") else {
            return Origin::parse(text.as_bytes()).map(Self::One).ok_or(NOT_AN_ORIGIN);
        };
        let like = Origin::parse(format!("{scheme}://{below}").as_bytes()).ok_or(NOT_AN_ORIGIN)?;
        Ok(Self::Below { like, host: HostPattern::parse(rest)? })
    }

    /// Whether `origin`, the value of an `Origin` field, is meant.
    pub(crate) fn matches(&self, origin: &str) -> bool {
        match (self, Origin::parse(origin.as_bytes())) {
            (Self::Opaque, _) => origin == "null",
            (_, None) => false,
            (Self::One(one), Some(origin)) => *one == origin,
            (Self::Below { like, host }, Some(origin)) => {
                origin.scheme() == like.scheme()
                    && origin.port() == like.port()
                    && host.matches(origin.host())
            }
        }
    }
}

const NOT_AN_ORIGIN: &str =
    "an origin is scheme://host or scheme://host:port, as browsers send it, with nothing behind it";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_that_no_browser_can_send_is_refused_with_a_hint() {
        for (origin, hint) in [
            ("", "write the scheme"),
            ("*", "OriginPolicy::Any"),
            ("example.com", "write the scheme"),
            ("localhost:8080", "write the scheme"),
            ("NULL", "send null"),
            ("https://example.com/", "no final slash"),
            ("https://example.com/path", "nothing behind it"),
            ("https://a.example, https://b.example", "it must be a host"),
            ("https://", "it must be a host"),
            ("https://*", "whole labels"),
            ("https://a.*.example", "whole labels"),
            ("https://user@example.com", "it must be a host"),
            ("https://bücher.example", "xn--"),
            ("http://127.1", "four decimal parts"),
            ("http://example.com:0", "port 0"),
            ("wss://example.com", "http:// or https://"),
            ("ws://*.example.com", "http:// or https://"),
            ("*://example.com", "an origin is"),
            ("1app://x", "an origin is"),
            ("app://x/", "an origin is"),
            ("app://*", "whole labels"),
            ("file:///", "file:// alone"),
            ("file://*.example", "file:// alone"),
            ("data://x", "send null"),
        ] {
            let error = match OriginPattern::parse(origin) {
                Err(error) => error,
                Ok(pattern) => panic!("{origin} is {pattern:?}"),
            };
            assert!(error.contains(hint), "{origin}: {error}");
        }
    }

    #[test]
    fn origins_as_browsers_and_apps_send_them_are_valid_list_entries() {
        for origin in [
            "null",
            "file://",
            "content://",
            "https://example.com",
            "http://localhost:8080",
            "http://[::1]:9001",
            "http://127.0.0.1",
            "capacitor://localhost",
            "ionic://localhost",
            "tauri://localhost",
            "app://.",
            "app://123",
            "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
            "moz-extension://6a1b0b0e-0a0c-4d7e-8e38-000000000001",
            "vscode-webview://abc",
        ] {
            let pattern = OriginPattern::parse(origin).unwrap_or_else(|error| panic!("{origin}: {error}"));
            assert!(pattern.matches(origin), "{origin}");
        }
    }
}
