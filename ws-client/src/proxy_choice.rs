//! Which proxy to go through: from code, or from the environment.

mod environment;

use crate::proxy::Proxy;
use crate::proxy_error::ProxyUrlError;
use crate::request::Request;

/// Whether connections go through a proxy.
#[derive(Debug, Clone, Default)]
pub enum ProxyChoice {
    /// As the environment says, read at each connection: `HTTPS_PROXY` for `wss`, `HTTP_PROXY` for `ws`, then
    /// `ALL_PROXY`; the lower-case names win. `NO_PROXY` lists exceptions: host names (with all below them),
    /// addresses, networks (`10.0.0.0/8`), each with or without a port, or `*`. `localhost` and loopback
    /// addresses never go through a proxy. In a CGI program (`REQUEST_METHOD` is set) the upper-case `HTTP_PROXY` is
    /// not looked at: a request could have set it.
    #[default]
    Environment,
    /// Never.
    Direct,
    /// Always this one.
    Always(Proxy),
}

impl ProxyChoice {
    /// The proxy for a request, or a direct connection.
    pub(crate) fn pick(&self, request: &Request) -> Result<Option<Proxy>, ProxyUrlError> {
        match self {
            Self::Environment => environment::pick(request, |name| std::env::var(name).ok()),
            Self::Direct => Ok(None),
            Self::Always(proxy) => Ok(Some(proxy.clone())),
        }
    }
}
