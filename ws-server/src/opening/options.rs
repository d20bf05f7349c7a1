//! The settings of one endpoint.

use ws_core::Config;
use ws_core::handshake::is_token;

use crate::config::error::SettingError;
use crate::config::setters::setters;
use crate::opening::origin::OriginPolicy;

/// What holds for the WebSockets of one endpoint.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EndpointOptions {
    /// Limits and deadlines of the open connection. Default [`Config::server`].
    pub connection: Config,
    /// The subprotocols this endpoint speaks, in its order of preference: the first one that the
    /// client offers is chosen (RFC 6455 section 4.2.2); without a match the connection opens without
    /// one. Default none.
    pub subprotocols: Vec<String>,
    /// Which pages may connect. Default [`OriginPolicy::SameHost`]: absent, or the same host; else 403.
    pub origin: OriginPolicy,
    /// permessage-deflate (RFC 7692), agreed with clients that offer it. Default `None`: none.
    #[cfg(feature = "deflate")]
    #[cfg_attr(docsrs, doc(cfg(feature = "deflate")))]
    pub deflate: Option<ws_core::deflate::Config>,
}

impl Default for EndpointOptions {
    fn default() -> Self {
        Self {
            connection: Config::server(),
            subprotocols: Vec::new(),
            origin: OriginPolicy::default(),
            #[cfg(feature = "deflate")]
            deflate: None,
        }
    }
}

impl EndpointOptions {
    setters! {
        connection: Config,
        subprotocols: Vec<String>,
        origin: OriginPolicy,
    }

    #[cfg(feature = "deflate")]
    setters! { deflate: Option<ws_core::deflate::Config> }

    /// Whether the settings make sense.
    ///
    /// # Errors
    /// The first setting that does not, with its value and what it must be.
    pub fn check(&self) -> Result<(), SettingError> {
        self.connection.check()?;
        for name in &self.subprotocols {
            // §4.1: the elements of Sec-WebSocket-Protocol are tokens.
            if !is_token(name.as_bytes()) {
                let must = "a subprotocol is a non-empty HTTP token: letters, digits and !#$%&'*+-.^_`|~";
                return Err(SettingError::new("subprotocols", format!("{name:?}"), must));
            }
        }
        self.origin.check()?;
        #[cfg(feature = "deflate")]
        if let Some(deflate) = &self.deflate {
            deflate.check()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_defaults_of_an_endpoint_make_sense() {
        EndpointOptions::default().check().unwrap();
    }

    #[test]
    fn impossible_options_of_an_endpoint_are_named() {
        let mut options = EndpointOptions::default();
        for name in ["", "a b", "a,b", "ä"] {
            options.subprotocols = vec![name.into()];
            assert_eq!(options.check().unwrap_err().setting, "subprotocols", "{name:?}");
        }
        options.subprotocols = vec!["chat.v2".into()];
        options.check().unwrap();
        for origin in ["", "example.com", "https://example.com/", "https://a.example, https://b.example", "*"]
        {
            options.origin = OriginPolicy::List(vec![origin.into()]);
            assert_eq!(options.check().unwrap_err().setting, "origin", "{origin:?}");
        }
        options.origin =
            OriginPolicy::List(vec!["https://a.example".into(), "app://b:1".into(), "null".into()]);
        options.check().unwrap();
        #[cfg(feature = "deflate")]
        {
            let mut deflate = ws_core::deflate::Config::server();
            deflate.level = 10;
            options.deflate = Some(deflate);
            assert_eq!(options.check().unwrap_err().setting, "deflate.level");
        }
        options.connection.close_timeout = Duration::ZERO;
        assert_eq!(options.check().unwrap_err().setting, "close_timeout");
    }
}
