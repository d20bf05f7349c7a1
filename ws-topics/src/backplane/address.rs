//! The address of a message bus, as a URL says it.

use std::fmt;

use ws_tokio::ws_core::SettingError;

/// `SCHEME://[USER[:PASSWORD]@]HOST[:PORT][/PATH]`. Neither `Debug` nor `Display` shows the user and the password.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) tls: bool,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) path: String,
}

impl Address {
    /// Parses a URL with one of two schemes, the second of which means TLS. No error contains the URL, which may contain a password.
    pub(crate) fn parse(
        setting: &'static str,
        url: &str,
        schemes: [&str; 2],
        port: u16,
    ) -> Result<Self, SettingError> {
        let wrong = |what: &str, must: String| SettingError::new(setting, what, must);
        let must = || format!("write it as {}://host:{port}", schemes[0]);
        let (scheme, rest) = url.split_once("://").ok_or_else(|| wrong("a URL without a scheme", must()))?;
        let tls = match schemes.iter().position(|known| known.eq_ignore_ascii_case(scheme)) {
            Some(place) => place == 1,
            None => return Err(wrong("a URL with another scheme", must())),
        };
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, place) = match authority.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, authority),
        };
        let (host, number) = match place.rsplit_once(':') {
            // An IPv6 address is in brackets, with or without a port after them.
            Some((host, number)) if !number.ends_with(']') => (host, Some(number)),
            _ => (place, None),
        };
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        if host.is_empty() || host.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(wrong("a URL without a host", must()));
        }
        let port = match number {
            None => port,
            Some(number) => number.parse().map_err(|_| {
                SettingError::new(setting, "a URL with a port", "the port must be a number below 65536")
            })?,
        };
        let (user, password) = match user.map(|user| user.split_once(':').unwrap_or((user, ""))) {
            None => (None, None),
            Some((user, password)) => (decoded(setting, user)?, decoded(setting, password)?),
        };
        Ok(Self { tls, user, password, host: host.to_owned(), port, path: path.to_owned() })
    }
}

/// Undoes percent-encoding; nothing for an empty text.
fn decoded(setting: &'static str, text: &str) -> Result<Option<String>, SettingError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
                match (digit(rest.next()), digit(rest.next())) {
                    (Some(high), Some(low)) => u8::try_from(high * 16 + low).unwrap_or_default(),
                    _ => {
                        return Err(SettingError::new(
                            setting,
                            "a URL with user or password",
                            "write % in them as %25",
                        ));
                    }
                }
            }
            byte => byte,
        });
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Some(text).filter(|text| !text.is_empty())),
        Err(_) => Err(SettingError::new(setting, "a URL with user or password", "they must be UTF-8")),
    }
}

/// Errors unless it can begin a name.
pub(crate) fn check_prefix(prefix: &str) -> Result<(), SettingError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if prefix.is_empty() || prefix.len() > 32 || !prefix.chars().all(plain) {
        return Err(SettingError::new(
            "prefix",
            format!("{prefix:?}"),
            "it must be 1 to 32 letters, digits, - and _",
        ));
    }
    Ok(())
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<Address, SettingError> {
        Address::parse("url", url, ["nats", "tls"], 4222)
    }

    #[test]
    fn a_url_is_taken_apart() {
        let all = parse("tls://us%65r:p%40%3Ass@[::1]:99/2").unwrap();
        assert_eq!(
            (all.tls, all.user.as_deref(), all.password.as_deref()),
            (true, Some("user"), Some("p@:ss"))
        );
        assert_eq!((all.host.as_str(), all.port, all.path.as_str()), ("::1", 99, "2"));
        let short = parse("nats://box").unwrap();
        assert_eq!((short.tls, short.user, short.host.as_str(), short.port), (false, None, "box", 4222));
        let token = parse("nats://secret@box").unwrap();
        assert_eq!((token.user.as_deref(), token.password), (Some("secret"), None));
        assert_eq!(parse("nats://[fe80::1]").unwrap().to_string(), "[fe80::1]:4222");
    }

    #[test]
    fn neither_an_address_nor_an_error_shows_the_password() {
        let address = parse("nats://user:hidden@box:1").unwrap();
        assert_eq!(format!("{address} {address:?}"), "box:1 box:1");
        for url in [
            "user:hidden@box",
            "ftp://user:hidden@box",
            "nats://user:hidden@",
            "nats://user:hidden@box:port",
            "nats://hidden%@box",
        ] {
            let error = parse(url).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hidden"), "{error}");
        }
    }
}
