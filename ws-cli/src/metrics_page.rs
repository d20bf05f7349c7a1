//! The page of `ws serve --metrics`.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::sleep;
use ws_server::{
    Acceptor, AcceptorBuilder, HandshakeOptions, HostPolicy, Request, Response, Stats, response,
};

use crate::failure::{Failure, Status};
use crate::prometheus::Prometheus;

/// Answers requests for `/metrics`. It is no [`Server`](ws_server::Server), which would count its own connections among
/// the metrics.
pub(crate) struct MetricsPage {
    address: SocketAddr,
    /// `None` while a process that this one replaces still listens there.
    listener: Option<TcpListener>,
    acceptor: Acceptor,
}

impl MetricsPage {
    /// Listens on an address. When this process replaces another one, which may still listen there, [`serve`](Self::serve) waits until that has ended.
    ///
    /// # Errors
    /// [`Failure`] if the address cannot be listened on.
    pub(crate) async fn listen(
        address: SocketAddr,
        metrics: Prometheus,
        stats: Stats,
        is_successor: bool,
    ) -> Result<Self, Failure> {
        let listener = match TcpListener::bind(address).await {
            Ok(listener) => Some(listener),
            Err(error) if is_successor && error.kind() == ErrorKind::AddrInUse => None,
            Err(error) => {
                let what = format!(
                    "--metrics {address}: cannot listen there: {error}; choose another port (0 picks a free one)"
                );
                return Err(Failure::new(Status::Network, what));
            }
        };
        let address = listener.as_ref().and_then(|listener| listener.local_addr().ok()).unwrap_or(address);
        // Otherwise a page of a browser whose name resolves to loopback could read it.
        let options = HandshakeOptions::default().allowed_hosts(HostPolicy::for_listener(address));
        let options = options.timeout(REQUEST_TIMEOUT).answer_timeout(ANSWER_TIMEOUT);
        let page = move |request: Request| std::future::ready(answer(&request, &metrics, &stats));
        let nothing = async |_: Request| -> Result<Request, Response> { Err(not_found()) };
        let acceptor = AcceptorBuilder::default().handshake(options).guard(nothing).page(page).build();
        let acceptor = acceptor.map_err(|error| Failure::other(error.to_string()))?;
        Ok(Self { address, listener, acceptor })
    }

    /// Returns the address, once this listens there.
    pub(crate) fn local_addr(&self) -> Option<SocketAddr> {
        self.listener.is_some().then_some(self.address)
    }

    /// Answers requests for ever.
    pub(crate) async fn serve(self) {
        let listener = match self.listener {
            Some(listener) => listener,
            None => loop {
                match TcpListener::bind(self.address).await {
                    Ok(listener) => break listener,
                    Err(_) => sleep(LOOK_INTERVAL).await,
                }
            },
        };
        let (acceptor, places) = (Arc::new(self.acceptor), Arc::new(Semaphore::new(PLACES)));
        loop {
            // Those beyond wait in the backlog.
            let Ok(place) = places.clone().acquire_owned().await else { return };
            match listener.accept().await {
                Ok((stream, peer)) => {
                    let acceptor = acceptor.clone();
                    tokio::spawn(async move {
                        // The request has been answered, or its peer has gone.
                        let _ = acceptor.accept_from(stream, peer).await;
                        drop(place);
                    });
                }
                Err(_) => sleep(LOOK_INTERVAL).await,
            }
        }
    }
}

fn answer(request: &Request, metrics: &Prometheus, stats: &Stats) -> Response {
    if request.path() != "/metrics" {
        return not_found();
    }
    stats.record_metrics();
    let mut response = response::text(StatusCode::OK, &metrics.render());
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

fn not_found() -> Response {
    response::text(StatusCode::NOT_FOUND, "The metrics are at /metrics.")
}

/// How many requests are answered at a time.
const PLACES: usize = 16;
/// How long a request and its answer may take: connections that stand still have the places for less than Prometheus waits (10 s).
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);
/// How long to wait before another try when the address is taken or an accept fails.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);
