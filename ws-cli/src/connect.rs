//! From the options of the command line to an open WebSocket.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use ws_client::{
    Client, ConnectError, HttpVersion, Opened, Options, Proxy, ProxyChoice, Reconnect, Request, Tls,
};

use crate::address::{Address, UnixSocket};
use crate::args::Connect;
use crate::failure::{Failure, in_options};
use crate::signal::Signals;

/// What the connections of a command have in common.
pub(crate) struct Connecting {
    client: Client,
    request: Request,
}

impl Connecting {
    /// Reads the options; `adjust` may change the settings that follow from them.
    pub(crate) fn new(
        url: Option<&str>,
        connect: &Connect,
        adjust: impl FnOnce(&mut Options),
    ) -> Result<Self, Failure> {
        let address = Address::new(url, connect.unix.as_deref())?;
        let mut options = options(connect)?;
        if let Some(path) = address.socket {
            options.connector = Some(Arc::new(UnixSocket(path)));
        }
        adjust(&mut options);
        Ok(Self { request: request(&address.url, connect)?, client: options.build()? })
    }

    /// The request, without credentials in its URL.
    pub(crate) fn request(&self) -> &Request {
        &self.request
    }

    pub(crate) async fn open(&self) -> Result<Opened, Failure> {
        Ok(self.client.connect(&self.request).await?)
    }

    /// Opens connections one after another; calls `begin` when an attempt begins.
    pub(crate) fn reconnect(&self, begin: impl Fn() + Send + 'static) -> Reconnect {
        let request = self.request.clone();
        self.client.reconnect_with(move || {
            begin();
            std::future::ready(Ok::<_, ConnectError>(request.clone()))
        })
    }

    /// Opens a connection, unless a signal arrives first.
    pub(crate) async fn open_unless(&self, signals: &mut Signals) -> Result<Opened, Failure> {
        tokio::select! {
            opened = self.open() => opened,
            signal = signals.next() => Err(Failure::interrupted(signal)),
        }
    }
}

fn options(connect: &Connect) -> Result<Options, Failure> {
    let mut options = Options::default();
    options.opening_timeout = connect.timeout;
    options.max_redirects = connect.redirects;
    options.connection.max_message_size = connect.max_size;
    if !connect.compress {
        options.deflate = None;
    }
    if connect.http2 {
        options.http_version = HttpVersion::Http2;
    }
    match connect.proxy.as_deref() {
        None => {}
        Some("none") => options.proxy = ProxyChoice::Direct,
        Some(url) => {
            let proxy = Proxy::new(url).map_err(|e| Failure::usage(e.to_string()))?;
            options.proxy = ProxyChoice::Always(proxy);
        }
    }
    options.tls = match &connect.cacert {
        Some(path) => in_file("--cacert", path, Tls::from_root_pem(&read("--cacert", path)?))?,
        None if connect.system_roots => Tls::platform(),
        None => Tls::webpki(),
    };
    if let (Some(cert), Some(key)) = (&connect.cert, &connect.key) {
        let chain = read("--cert", cert)?;
        options.tls = in_file("--cert", cert, options.tls.client_certificate(&chain, &read("--key", key)?))?;
    }
    Ok(options)
}

fn request(url: &str, connect: &Connect) -> Result<Request, Failure> {
    let failure = |error: ws_client::HeaderError| Failure::usage(in_options(format!("--header: {error}")));
    let mut request = Request::new(url).map_err(|e| Failure::usage(e.to_string()))?;
    for field in &connect.headers {
        let Some((name, value)) = field.split_once(':') else {
            let name = field.split(['=', ' ']).next().unwrap_or_default();
            return Err(Failure::usage(format!("--header {name}… has no colon: write 'Name: value'")));
        };
        request = request.header(name.trim(), value.trim()).map_err(failure)?;
    }
    if !connect.headers.iter().any(|field| is_user_agent(field)) {
        request = request.header("User-Agent", USER_AGENT).map_err(failure)?;
    }
    if let Some(origin) = &connect.origin {
        request = request.header("Origin", origin).map_err(|e| Failure::usage(format!("--origin: {e}")))?;
    }
    Ok(connect.subprotocols.iter().fold(request, Request::subprotocol))
}

/// Whether a field is a `User-Agent` that the user gives.
fn is_user_agent(field: &str) -> bool {
    field.split(':').next().is_some_and(|name| name.trim().eq_ignore_ascii_case("user-agent"))
}

fn read(option: &str, path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|e| Failure::usage(format!("{option} {} cannot be read: {e}", path.display())))
}

fn in_file<T>(option: &str, path: &Path, made: Result<T, ws_client::SettingError>) -> Result<T, Failure> {
    made.map_err(|e| Failure::usage(format!("{option} {}: {e}", path.display())))
}

/// Some servers and firewalls refuse requests without this field.
const USER_AGENT: &str = concat!("ws/", env!("CARGO_PKG_VERSION"));
