//! A WebSocket endpoint: a handler with its options and guards.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use ws_core::Config;

use crate::config::error::SettingError;
use crate::opening::options::EndpointOptions;
use crate::opening::origin::OriginPolicy;
use crate::web::handler::{AnyGuard, AnyHandler, Handler, any_guard, any_handler};
use crate::web::request::Request;
use crate::web::response::Response;

/// A handler, and what decides who may reach it and what a connection may cost.
///
/// ```
/// use ws_server::{Endpoint, OriginPolicy, WebSocket};
///
/// async fn chat(mut socket: WebSocket) { /* … */ }
///
/// let endpoint = Endpoint::new(chat)
///     .subprotocols(["chat.v2", "chat.v1"])
///     .origin(OriginPolicy::List(vec!["https://example.com".into()]));
/// ```
#[derive(Clone)]
pub struct Endpoint {
    handler: AnyHandler,
    guards: Vec<AnyGuard>,
    options: EndpointOptions,
}

impl Endpoint {
    /// An endpoint with default options.
    pub fn new<Args>(handler: impl Handler<Args>) -> Self {
        Self { handler: any_handler(handler), guards: Vec::new(), options: EndpointOptions::default() }
    }

    /// Sets all options at once.
    #[must_use]
    pub fn options(mut self, options: EndpointOptions) -> Self {
        self.options = options;
        self
    }

    /// Limits and deadlines of the open connections.
    #[must_use]
    #[doc(alias = "max_size")]
    #[doc(alias = "max_message_size")]
    #[doc(alias = "ping_interval")]
    pub fn connection(mut self, config: Config) -> Self {
        self.options.connection = config;
        self
    }

    /// The subprotocols spoken, in the server's order of preference.
    #[must_use]
    #[doc(alias = "protocols")]
    #[doc(alias = "select_subprotocol")]
    pub fn subprotocols<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.options.subprotocols = names.into_iter().map(Into::into).collect();
        self
    }

    /// Which pages of a browser may connect.
    #[must_use]
    #[doc(alias = "cors")]
    #[doc(alias = "check_origin")]
    pub fn origin(mut self, policy: OriginPolicy) -> Self {
        self.options.origin = policy;
        self
    }

    /// Turns permessage-deflate (RFC 7692) on, for clients that offer it; `Config::server()` of
    /// [`ws_core::deflate`] has good defaults. See there what compression does to secrets.
    #[cfg(feature = "deflate")]
    #[cfg_attr(docsrs, doc(cfg(feature = "deflate")))]
    #[must_use]
    pub fn deflate(mut self, config: ws_core::deflate::Config) -> Self {
        self.options.deflate = Some(config);
        self
    }

    /// Adds a guard: it sees each request before it is upgraded, after those added earlier. It lets
    /// the request pass by returning it, perhaps with something added for the handler (a user in
    /// [`Request::extensions_mut`]), or refuses it with any response. The time it takes counts
    /// towards the handshake's deadline.
    ///
    /// ```
    /// use ws_server::{Endpoint, Request, Response, WebSocket, response};
    ///
    /// async fn only_with_a_token(request: Request) -> Result<Request, Response> {
    ///     match request.query() {
    ///         Some("token=letmein") => Ok(request),
    ///         _ => Err(response::unauthorized()),
    ///     }
    /// }
    ///
    /// let endpoint = Endpoint::new(async |_: WebSocket| {}).guard(only_with_a_token);
    /// ```
    #[must_use]
    #[doc(alias = "process_request")]
    #[doc(alias = "basic auth")]
    #[doc(alias = "authenticate")]
    #[doc(alias = "middleware")]
    pub fn guard<F, Fut>(mut self, guard: F) -> Self
    where
        F: Fn(Request) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Request, Response>> + Send + 'static,
    {
        self.guards.push(any_guard(guard));
        self
    }

    pub(crate) fn build(self) -> Result<(AnyHandler, Gate), SettingError> {
        Ok((self.handler, Gate::new(self.options, self.guards)?))
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("options", &self.options).finish_non_exhaustive()
    }
}

/// What stands before an endpoint: checked options, and guards.
pub(crate) struct Gate {
    pub(crate) options: EndpointOptions,
    /// A copy of the options' own, to be shared by the connections.
    pub(crate) connection: Arc<Config>,
    pub(crate) guards: Vec<AnyGuard>,
}

impl Gate {
    pub(crate) fn new(options: EndpointOptions, guards: Vec<AnyGuard>) -> Result<Self, SettingError> {
        options.check()?;
        Ok(Self { connection: Arc::new(options.connection.clone()), options, guards })
    }
}

impl Default for Gate {
    fn default() -> Self {
        let options = EndpointOptions::default();
        Self { connection: Arc::new(options.connection.clone()), options, guards: Vec::new() }
    }
}
