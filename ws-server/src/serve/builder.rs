//! How a server is built.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
#[cfg(feature = "metrics")]
use std::sync::OnceLock;

use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use tokio::net::ToSocketAddrs;

use crate::config::error::{BuildError, SettingError};
use crate::config::host_policy::HostPolicy;
use crate::config::options::ServerOptions;
use crate::config::proxies::ProxyOptions;
use crate::hub::Hub;
use crate::hub::connections::Connections;
#[cfg(feature = "metrics")]
use crate::hub::stats::Stats;
use crate::opening::endpoint::Endpoint;
use crate::opening::routes::RouteList;
use crate::serve::server::Server;
use crate::serve::state::ServerState;
#[cfg(feature = "tls")]
use crate::transport::current_tls::CurrentTls;
use crate::transport::listener::{Listener, listen};
#[cfg(feature = "tls")]
use crate::transport::tls::Tls;
use crate::web::handler::{AnyPage, Handler, any_page};
use crate::web::request::Request;
use crate::web::response::{Response, content, text};
/// Builds a [`Server`].
#[derive(Default)]
#[must_use]
pub struct ServerBuilder {
    options: ServerOptions,
    routes: RouteList,
    fallback: Option<AnyPage>,
    listeners: Vec<Listener>,
    connections: Connections,
    lists_connections: bool,
    /// Those of the server, once it is built.
    #[cfg(feature = "metrics")]
    stats: Arc<OnceLock<Stats>>,
    #[cfg(feature = "tls")]
    tls: Option<Tls>,
}

impl ServerBuilder {
    /// Sets the options of the server as a whole.
    pub fn options(mut self, options: ServerOptions) -> Self {
        self.options = options;
        self
    }

    /// Sets which hosts requests may be addressed to, in the options of the handshake: a defence against DNS
    /// rebinding, see [`HostPolicy`]. To be called after [`options`](Self::options), which sets all of them.
    ///
    /// ```
    /// use ws_server::{HostPolicy, Server};
    ///
    /// let listen = "127.0.0.1:9001".parse()?;
    /// let builder = Server::builder().allowed_hosts(HostPolicy::for_listener(listen));
    /// # let _ = builder;
    /// # Ok::<(), std::net::AddrParseError>(())
    /// ```
    pub fn allowed_hosts(mut self, policy: HostPolicy) -> Self {
        self.options.handshake.allowed_hosts = policy;
        self
    }

    /// Sets which proxies are believed when they name the address of a client, in the options of the handshake; see
    /// [`ProxyOptions`]. To be called after [`options`](Self::options), which sets all of them.
    #[doc(alias = "proxy_protocol")]
    #[doc(alias = "x-forwarded-for")]
    pub fn proxies(mut self, proxies: ProxyOptions) -> Self {
        self.options.handshake.proxies = proxies;
        self
    }

    /// Adds a WebSocket endpoint with default options. The path may have parameters: `/rooms/{room}`,
    /// `/files/{*path}`. What is not a parameter matches as it is sent, percent-encoded.
    pub fn route<Args>(self, path: &str, handler: impl Handler<Args>) -> Self {
        self.endpoint(path, Endpoint::new(handler))
    }

    /// Adds a WebSocket endpoint with custom options and guards.
    pub fn endpoint(mut self, path: &str, endpoint: Endpoint) -> Self {
        self.routes.endpoint(path, endpoint);
        self
    }

    /// Adds a page that is always the same, for plain GETs; an endpoint may be at the same path.
    pub fn page(mut self, path: &str, content_type: &str, body: impl Into<Bytes>) -> Self {
        let Ok(content_type) = HeaderValue::from_str(content_type) else {
            let must = "it must be a header value: visible characters, no line break";
            self.routes.fault(SettingError::new("content_type", format!("{content_type:?}"), must));
            return self;
        };
        let response = content(StatusCode::OK, content_type, body.into());
        self.get(path, move |_| std::future::ready(response.clone()))
    }

    /// Adds a function that answers plain GETs; an endpoint may be at the same path.
    pub fn get<F, Fut>(mut self, path: &str, page: F) -> Self
    where
        F: Fn(Request) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Response> + Send + 'static,
    {
        self.routes.page(path, any_page(page));
        self
    }

    /// Adds a health check: 200 and `ok` for as long as the server takes connections. It is answered for any host,
    /// whatever [`allowed_hosts`](Self::allowed_hosts) says: load balancers ask by address, and there is nothing to
    /// read.
    pub fn health(mut self, path: &str) -> Self {
        let response = text(StatusCode::OK, "ok");
        self.routes.health(path, any_page(move |_| std::future::ready(response.clone())));
        self
    }

    /// Adds a page that lists the open WebSockets as JSON ([`Connections::to_json`]), for requests that `guard` lets pass:
    /// as a guard of an [`Endpoint`], it returns the request, or the response to refuse it with.
    ///
    /// ```
    /// use ws_server::{Request, Server, response};
    ///
    /// let builder = Server::builder().connections_page("/connections", async |request: Request| {
    ///     match request.header("authorization") {
    ///         Some("Basic b3BzOnNlY3JldA==") => Ok(request),
    ///         _ => Err(response::unauthorized()),
    ///     }
    /// });
    /// # let _ = builder;
    /// ```
    pub fn connections_page<F, Fut>(mut self, path: &str, guard: F) -> Self
    where
        F: Fn(Request) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Request, Response>> + Send + 'static,
    {
        self.lists_connections = true;
        let connections = self.connections.clone();
        self.get(path, move |request| {
            let (guarding, connections) = (guard(request), connections.clone());
            async move { guarding.await.map_or_else(|refusal| refusal, |_| connections.page()) }
        })
    }

    /// Adds a page with the metrics, as `render` returns them: as text, for Prometheus to collect. They are [brought up to
    /// date](Stats::record_metrics) before. `guard` decides who may see it, as for an endpoint: they say how much the server is used, and when it
    /// refuses.
    ///
    /// ```no_run
    /// # fn render() -> String { String::new() }
    /// use ws_server::{Request, Response, Server, auth, response};
    ///
    /// /// Prometheus sends it, as `authorization` with `credentials_file` says in its configuration.
    /// async fn scraper(request: Request) -> Result<Request, Response> {
    ///     let token = request.bearer_token().unwrap_or_default();
    ///     if auth::is_same_secret(token, "…") { Ok(request) } else { Err(response::token_required()) }
    /// }
    ///
    /// let builder = Server::builder().metrics_page("/metrics", scraper, render);
    /// # let _ = builder;
    /// ```
    #[cfg(feature = "metrics")]
    #[cfg_attr(docsrs, doc(cfg(feature = "metrics")))]
    #[doc(alias = "prometheus")]
    pub fn metrics_page<G, Fut>(
        self,
        path: &str,
        guard: G,
        render: impl Fn() -> String + Send + Sync + 'static,
    ) -> Self
    where
        G: Fn(Request) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Request, Response>> + Send + 'static,
    {
        let (stats, render) = (self.stats.clone(), Arc::new(render));
        self.get(path, move |request| {
            let (guarding, stats, render) = (guard(request), stats.clone(), render.clone());
            async move {
                if let Err(refusal) = guarding.await {
                    return refusal;
                }
                if let Some(stats) = stats.get() {
                    stats.record_metrics();
                }
                // The text format of Prometheus, in the version that all of its releases read.
                let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
                content(StatusCode::OK, kind, Bytes::from(render()))
            }
        })
    }

    /// Sets the function that answers plain GETs to which no route leads, in place of 404.
    pub fn fallback<F, Fut>(mut self, page: F) -> Self
    where
        F: Fn(Request) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Response> + Send + 'static,
    {
        self.fallback = Some(any_page(page));
        self
    }

    /// Speaks TLS, and nothing else, on all listeners: `wss://` and `https://`.
    #[cfg(feature = "tls")]
    #[cfg_attr(docsrs, doc(cfg(feature = "tls")))]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Adds a socket that already listens.
    pub fn listener(mut self, listener: impl Into<Listener>) -> Self {
        self.listeners.push(listener.into());
        self
    }

    /// Listens on an address (port 0 picks a free port) and finishes the server.
    ///
    /// # Errors
    /// [`BuildError`]: a setting that cannot work, an address that cannot be listened on.
    pub async fn bind(self, address: impl ToSocketAddrs + fmt::Debug) -> Result<Server, BuildError> {
        let text = format!("{address:?}").trim_matches('"').to_owned();
        self.options.check()?;
        let listener = listen(address, &self.options)
            .await
            .map_err(|source| BuildError::Bind { address: text, source })?;
        Ok(self.listener(listener).build()?)
    }

    /// As [`bind`](Self::bind), unless sockets have been passed to this process, by systemd or by the server that it replaces:
    /// then the server listens on those ([`Listener::inherited`]), and not on `address`. On Unix only.
    ///
    /// # Errors
    /// Those of `bind`; [`BuildError::Inherit`]: a descriptor that has been passed is no socket that listens.
    #[cfg(all(unix, feature = "service"))]
    #[cfg_attr(docsrs, doc(cfg(all(unix, feature = "service"))))]
    #[doc(alias = "socket activation")]
    #[doc(alias = "LISTEN_FDS")]
    pub async fn bind_or_inherit(
        mut self,
        address: impl ToSocketAddrs + fmt::Debug,
    ) -> Result<Server, BuildError> {
        let inherited = Listener::inherited().map_err(BuildError::Inherit)?;
        if inherited.is_empty() {
            return self.bind(address).await;
        }
        self.listeners.extend(inherited);
        Ok(self.build()?)
    }

    /// Finishes the server with the listeners it has been given.
    ///
    /// # Errors
    /// [`SettingError`] for the first setting that cannot work.
    pub fn build(self) -> Result<Server, SettingError> {
        self.options.check()?;
        if self.listeners.is_empty() {
            let must = "a server needs a socket to listen on; call bind() or listener()";
            return Err(SettingError::new("listeners", "none", must));
        }
        self.options.warn_of_few_files();
        #[cfg(all(feature = "tls", feature = "http2"))]
        let offers_http2 = self.options.http2.is_some();
        #[cfg(all(feature = "tls", not(feature = "http2")))]
        let offers_http2 = false;
        let hub = Hub::new(self.options);
        self.connections.set(hub.registry());
        // This is done once.
        #[cfg(feature = "metrics")]
        let _ = self.stats.set(hub.stats.clone());
        if self.lists_connections {
            hub.registry().begin_to_list();
        }
        let state = ServerState {
            routes: self.routes.build(self.fallback)?,
            hub,
            #[cfg(feature = "tls")]
            tls: self
                .tls
                .map(|tls| CurrentTls::new(tls.offer_http2(offers_http2)))
                .transpose()?
                .map(Arc::new),
        };
        Ok(Server { listeners: self.listeners, connections: self.connections, state: Arc::new(state) })
    }
}

impl fmt::Debug for ServerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerBuilder").field("options", &self.options).finish_non_exhaustive()
    }
}
