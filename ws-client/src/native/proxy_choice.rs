//! The choice of a proxy, by code or by the environment.

mod environment;
mod exceptions;

use crate::proxy::Proxy;
use crate::proxy_error::ProxyUrlError;
use crate::request::Request;

/// Which proxy connections go through, if any.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub enum ProxyChoice {
    /// The proxy that the environment names, read at each connection: `HTTPS_PROXY` for `wss`, `HTTP_PROXY` for `ws`, then
    /// `ALL_PROXY`; the lower-case names win. `NO_PROXY` lists exceptions, separated by commas or spaces: host names
    /// (with all their subdomains; a leading `.` or `*.` and a final dot change nothing), addresses, networks
    /// (`10.0.0.0/8`), each with or without a port, or `*`. `localhost` and loopback addresses never go through a
    /// proxy. An IPv4-mapped address (`[::ffff:127.0.0.1]`) is the IPv4 address.
    ///
    /// In a CGI program (`REQUEST_METHOD` is set) the upper-case `HTTP_PROXY` is ignored, because a request could have set
    /// it; so is `http_proxy` on Windows, where the two are one variable.
    #[default]
    Environment,
    /// No proxy.
    Direct,
    /// Always this proxy.
    Always(Proxy),
}

impl From<Proxy> for ProxyChoice {
    fn from(proxy: Proxy) -> Self {
        Self::Always(proxy)
    }
}

impl ProxyChoice {
    /// Returns the proxy for a request, or `None` for a direct connection.
    pub(crate) fn pick(&self, request: &Request) -> Result<Option<Proxy>, ProxyUrlError> {
        match self {
            Self::Environment => environment::of_this_process().pick(request),
            Self::Direct => Ok(None),
            Self::Always(proxy) => Ok(Some(proxy.clone())),
        }
    }
}
