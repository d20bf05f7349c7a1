//! Which proxy to go through: from code, or from the environment.

mod environment;
mod exceptions;

use crate::proxy::Proxy;
use crate::proxy_error::ProxyUrlError;
use crate::request::Request;

/// Whether connections go through a proxy.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub enum ProxyChoice {
    /// As the environment says, read at each connection: `HTTPS_PROXY` for `wss`, `HTTP_PROXY` for `ws`, then
    /// `ALL_PROXY`; the lower-case names win. `NO_PROXY` lists exceptions, separated by commas or spaces: host names
    /// (with all below them; a leading `.` or `*.` and a final dot change nothing), addresses, networks
    /// (`10.0.0.0/8`), each with or without a port, or `*`. `localhost` and loopback addresses never go through a
    /// proxy. An IPv4-mapped address (`[::ffff:127.0.0.1]`) is the IPv4 address.
    ///
    /// In a CGI program (`REQUEST_METHOD` is set) the upper-case `HTTP_PROXY` is not looked at, because a request could
    /// have set it; neither is `http_proxy` on Windows, where the two are one variable.
    #[default]
    Environment,
    /// Never.
    Direct,
    /// Always this one.
    Always(Proxy),
}

impl From<Proxy> for ProxyChoice {
    fn from(proxy: Proxy) -> Self {
        Self::Always(proxy)
    }
}

impl ProxyChoice {
    /// The proxy for a request, or a direct connection.
    pub(crate) fn pick(&self, request: &Request) -> Result<Option<Proxy>, ProxyUrlError> {
        match self {
            Self::Environment => environment::of_this_process().pick(request),
            Self::Direct => Ok(None),
            Self::Always(proxy) => Ok(Some(proxy.clone())),
        }
    }
}
