//! `ws serve`: an echo server.

use std::net::SocketAddr;

use ws_server::{
    AddressLimits, BuildError, Config, Drained, Endpoint, Error, Excess, ForwardedFields, HostPolicy,
    Listener, OriginPolicy, ProxyOptions, Server, ServerBuilder, ServerOptions, SettingError, Tls, WebSocket,
    deflate,
};

use crate::args::{ExcessOf, Forwarded, Serve};
use crate::failure::{Failure, Status};
use crate::metrics_page::MetricsPage;
use crate::prometheus::Prometheus;
use crate::screen::print;
#[cfg(not(unix))]
use crate::signal::Signals;

pub(crate) async fn run(serve: Serve) -> Result<Status, Failure> {
    let inherited = inherited()?;
    let listen = inherited.iter().find_map(Listener::local_addr).unwrap_or(serve.listen);
    let proxies = proxies(&serve).map_err(|error| Failure::usage(in_options(&error)))?;
    // Before the server is built, which counts from then on.
    let metrics = serve.metrics.is_some().then(Prometheus::install).transpose()?;
    let mut builder = Server::builder()
        .options(options(&serve))
        .allowed_hosts(allowed_hosts(&serve, listen))
        .proxies(proxies);
    let secure = serve.cert.is_some();
    if let (Some(cert), Some(key)) = (&serve.cert, &serve.key) {
        builder = builder.tls(Tls::from_pem_files(cert, key));
    }
    let endpoint = endpoint(&serve);
    // The manifest of the how-to asks for the health page.
    builder = builder.health("/healthz").endpoint("/", endpoint.clone()).endpoint("/{*path}", endpoint);
    let is_successor = !inherited.is_empty();
    let building = if inherited.is_empty() {
        builder.bind(serve.listen).await
    } else {
        inherited.into_iter().fold(builder, ServerBuilder::listener).build().map_err(BuildError::Setting)
    };
    let server = building.map_err(|error| match error {
        BuildError::Setting(error) => Failure::usage(in_options(&error)),
        error => Failure::new(Status::Network, error.to_string()),
    })?;
    let scheme = if secure { "wss" } else { "ws" };
    let listening = match server.local_addr() {
        Ok(address) => format!("listening on {scheme}://{address}\n"),
        Err(_) => "listening on a Unix socket\n".into(),
    };
    let page = match (serve.metrics, metrics) {
        (Some(address), Some(metrics)) => {
            Some(MetricsPage::listen(address, metrics, server.stats(), is_successor).await?)
        }
        _ => None,
    };
    // Only now are signals awaited: until here they end the process, since nothing else ends a read of a file that waits.
    let serving = serving(server)?;
    print(&listening)?;
    if let Some(page) = page {
        if let Some(address) = page.local_addr() {
            print(&format!("metrics at http://{address}/metrics\n"))?;
        }
        tokio::spawn(page.serve());
    }
    // A signal is how a server is meant to end: that is no failure.
    serving.await;
    Ok(Status::Success)
}

/// The sockets that systemd has passed, or the server that this one replaces.
#[cfg(unix)]
fn inherited() -> Result<Vec<Listener>, Failure> {
    let failed = |error| Failure::new(Status::Network, BuildError::Inherit(error).to_string());
    Listener::inherited().map_err(failed)
}

#[cfg(not(unix))]
fn inherited() -> Result<Vec<Listener>, Failure> {
    Ok(Vec::new())
}

#[cfg(unix)]
fn serving(server: Server) -> Result<impl Future<Output = Drained>, Failure> {
    server.serve_as_service().map_err(|error| Failure::other(format!("cannot serve: {error}")))
}

#[cfg(not(unix))]
fn serving(server: Server) -> Result<impl Future<Output = Drained>, Failure> {
    let mut signals = Signals::new()?;
    Ok(async move { server.serve_until(signals.next()).await })
}

/// A server on loopback answers for names of loopback only: otherwise a page whose name resolves to loopback could reach it.
fn allowed_hosts(serve: &Serve, listen: SocketAddr) -> HostPolicy {
    if serve.hosts.iter().any(|host| host == "any") {
        HostPolicy::Any
    } else if serve.hosts.is_empty() {
        HostPolicy::for_listener(listen)
    } else {
        HostPolicy::List(serve.hosts.clone())
    }
}

fn proxies(serve: &Serve) -> Result<ProxyOptions, SettingError> {
    let fields = match serve.forwarded {
        None => ForwardedFields::None,
        Some(Forwarded::XForwarded) => ForwardedFields::XForwarded,
        Some(Forwarded::Forwarded) => ForwardedFields::Forwarded,
    };
    let trusted = serve.trust_proxies.as_deref().unwrap_or_default().parse()?;
    Ok(ProxyOptions::default().trusted(trusted).proxy_protocol(serve.proxy_protocol).fields(fields))
}

fn options(serve: &Serve) -> ServerOptions {
    let mut options = ServerOptions::default().max_memory(serve.max_memory).per_address(
        AddressLimits::default()
            .max_connections(serve.per_address_max_connections)
            .handshakes_per_second(serve.per_address_handshakes_per_second)
            .messages_per_second(serve.per_address_messages_per_second)
            .bytes_per_second(serve.per_address_bytes_per_second)
            .excess(match serve.per_address_excess {
                ExcessOf::Delay => Excess::Delay,
                ExcessOf::Close => Excess::Close,
            }),
    );
    if serve.max_connections.is_some() {
        options.max_connections = serve.max_connections;
    }
    options
}

/// The error with the option that it is about instead of the setting of the library.
fn in_options(error: &SettingError) -> String {
    let SettingError { setting, value, must, .. } = error;
    match OPTIONS.iter().find(|(name, _)| name == setting) {
        Some((_, option)) => format!("{option} {value} is not possible: {must}"),
        None => error.to_string(),
    }
}

const OPTIONS: [(&str, &str); 10] = [
    ("handshake.proxies.trusted", "--trust-proxies"),
    ("networks", "--trust-proxies"),
    ("handshake.allowed_hosts", "--host"),
    ("max_message_size", "--max-size"),
    ("max_connections", "--max-connections"),
    ("max_memory", "--max-memory"),
    ("origin", "--origin"),
    ("subprotocols", "--subprotocol"),
    ("tls certificate", "--cert"),
    ("tls key", "--key"),
];

fn endpoint(serve: &Serve) -> Endpoint {
    let mut config = Config::server();
    config.max_message_size = serve.max_size;
    let mut endpoint = Endpoint::new(echo).connection(config).subprotocols(&serve.subprotocols);
    if serve.origins.iter().any(|origin| origin == "any") {
        endpoint = endpoint.origin(OriginPolicy::Any);
    } else if !serve.origins.is_empty() {
        endpoint = endpoint.origin(OriginPolicy::List(serve.origins.clone()));
    }
    if serve.compress {
        endpoint = endpoint.deflate(deflate::Config::server());
    }
    endpoint
}

async fn echo(mut socket: WebSocket) -> Result<(), Error> {
    while let Some(message) = socket.recv().await? {
        // What arrived in one piece goes back in one write: `feed` leaves writing to the next `recv`.
        socket.feed(message).await?;
    }
    Ok(())
}
