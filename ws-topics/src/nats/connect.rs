//! Connecting to a NATS server.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use async_nats::{Auth, AuthError, Client, ConnectErrorKind, ConnectOptions, Event, ServerError};

use crate::backplane::address::Address;
use crate::backplane::queue::Queue;
use crate::backplane::{BackplaneError, tls};

use super::NatsOptions;

/// What the client queues for one subscription, in messages, until the task of that subscription has taken them.
const SUBSCRIPTION_CAPACITY: usize = 4_096;

/// Commands that the client queues; each has at most a payload, and all payloads are bounded by [`NatsOptions::max_unsent_bytes`].
const CLIENT_CAPACITY: usize = 256;

/// Connects once. The queue learns when messages, or the connection, are lost.
pub(super) async fn connect(
    options: &NatsOptions,
    server: &Address,
    queue: &Arc<Queue>,
) -> Result<Client, BackplaneError> {
    let failed = |why: String| failed(server, &why);
    prepare_tls(server);
    let url = format!("{}://{server}", if server.tls { "tls" } else { "nats" });
    let settings = settings(options, server, queue);
    // A task, for the client panics when the server asks for TLS and there is none in the build.
    let attempt = tokio::spawn(async move { settings.connect(url).await });
    match tokio::time::timeout(options.connect_timeout, Abort(attempt)).await {
        Ok(Ok(Ok(client))) => Ok(client),
        Ok(Ok(Err(error))) => Err(failed(reason(&error))),
        Ok(Err(_)) => Err(failed("it asks for TLS; enable the feature `backplane-tls`".into())),
        Err(_) => Err(failed(format!("no answer within {:?}", options.connect_timeout))),
    }
}

pub(super) fn failed(server: &Address, why: &str) -> BackplaneError {
    BackplaneError::new(format!("cannot connect to the NATS server at {server}: {why}"))
}

/// The client's own buffers are bounded, and it does not connect again: of that the caller decides.
fn settings(options: &NatsOptions, server: &Address, queue: &Arc<Queue>) -> ConnectOptions {
    let (user, password) = (server.user.clone(), server.password.clone());
    let connected = Arc::new(AtomicBool::new(false));
    // The client asks for the credentials at each connection: it gets them for the first one only, and fails at the second.
    let credentials = move |_| {
        let again = connected.swap(true, Ordering::Relaxed);
        let mut auth = Auth::new();
        match (user.clone(), password.clone()) {
            (user, None) => auth.token = user,
            (user, password) => (auth.username, auth.password) = (user, password),
        }
        async move { if again { Err(AuthError::new("the connection has ended")) } else { Ok(auth) } }
    };
    let queue = Arc::clone(queue);
    let place = server.to_string();
    ConnectOptions::with_auth_callback(credentials)
        .name("ws-topics")
        .max_reconnects(1)
        .ignore_discovered_servers()
        .reconnect_delay_callback(|_| Duration::ZERO)
        .connection_timeout(options.connect_timeout)
        .ping_interval(options.ping_interval)
        .subscription_capacity(SUBSCRIPTION_CAPACITY)
        .client_capacity(CLIENT_CAPACITY)
        .skip_subject_validation(true)
        .event_callback(move |event| {
            match event {
                Event::SlowConsumer(_) => queue.lost(),
                Event::Disconnected | Event::Closed => {
                    queue.close(&format!("the connection to the NATS server at {place} was lost"));
                }
                // A refused subscription would be silence otherwise.
                Event::ServerError(ServerError::Other(what)) => {
                    queue.close(&format!("the NATS server at {place} reports: {what}"));
                }
                _ => {}
            }
            async {}
        })
}

/// The reason of a failed attempt in one line.
fn reason(error: &async_nats::ConnectError) -> String {
    let cause = std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
    match error.kind() {
        ConnectErrorKind::Io | ConnectErrorKind::Tls => {
            let advice = tls::advice(&cause).unwrap_or("start nats-server there, or set another address");
            format!("{cause}; {advice}")
        }
        ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => {
            "it refuses user and password, or token: set them in the URL".into()
        }
        ConnectErrorKind::TimedOut => "no answer in time".into(),
        _ => format!("{}: {cause}", error.kind()),
    }
}

/// Aborts a task when it is dropped.
struct Abort<T>(tokio::task::JoinHandle<T>);

impl<T> Future for Abort<T> {
    type Output = Result<T, tokio::task::JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl<T> Drop for Abort<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The client takes the provider of cryptography that the process has installed, and panics if it cannot tell which one.
fn prepare_tls(server: &Address) {
    #[cfg(feature = "backplane-tls")]
    if server.tls {
        // If there is one already, that one counts.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
    let _ = server;
}
