//! `ws serve`: an echo server.

use ws_server::{
    BuildError, Config, Endpoint, Error, ForwardedFields, HostPolicy, OriginPolicy, ProxyOptions, Server,
    SettingError, Tls, WebSocket, deflate,
};

use crate::args::{Forwarded, Serve};
use crate::failure::{Failure, Status};
use crate::screen::print;
use crate::signal::Signals;

pub(crate) async fn run(serve: Serve) -> Result<Status, Failure> {
    let proxies = proxies(&serve).map_err(|error| Failure::usage(in_options(&error)))?;
    let mut builder = Server::builder().allowed_hosts(allowed_hosts(&serve)).proxies(proxies);
    let secure = serve.cert.is_some();
    if let (Some(cert), Some(key)) = (&serve.cert, &serve.key) {
        builder = builder.tls(Tls::from_pem_files(cert, key));
    }
    let endpoint = endpoint(&serve);
    let server = builder
        .endpoint("/", endpoint.clone())
        .endpoint("/{*path}", endpoint)
        .bind(serve.listen)
        .await
        .map_err(|error| match error {
            BuildError::Setting(error) => Failure::usage(in_options(&error)),
            error => Failure::new(Status::Network, error.to_string()),
        })?;
    // Only now: until here signals end the process, since nothing else ends a read of a file that waits.
    let mut signals = Signals::new()?;
    let address = server.local_addr().map_err(|e| Failure::other(e.to_string()))?;
    print(&format!("listening on {}://{address}\n", if secure { "wss" } else { "ws" }))?;
    // A signal is how a server is meant to end: that is no failure.
    server.serve_until(signals.next()).await;
    Ok(Status::Success)
}

/// A server on loopback answers for names of loopback only: otherwise a page whose name resolves to loopback could reach it.
fn allowed_hosts(serve: &Serve) -> HostPolicy {
    if serve.hosts.iter().any(|host| host == "any") {
        HostPolicy::Any
    } else if serve.hosts.is_empty() {
        HostPolicy::for_listener(serve.listen)
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

/// The error with the option that it is about instead of the setting of the library.
fn in_options(error: &SettingError) -> String {
    let SettingError { setting, value, must, .. } = error;
    match OPTIONS.iter().find(|(name, _)| name == setting) {
        Some((_, option)) => format!("{option} {value} is not possible: {must}"),
        None => error.to_string(),
    }
}

const OPTIONS: [(&str, &str); 8] = [
    ("handshake.proxies.trusted", "--trust-proxies"),
    ("networks", "--trust-proxies"),
    ("handshake.allowed_hosts", "--host"),
    ("max_message_size", "--max-size"),
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
