//! The HTTP servers, each with the same endpoint at `/`.

use std::convert::Infallible;
use std::net::SocketAddr;

use axum::Router;
use axum::routing::any;
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use ws_server::{
    Endpoint, EndpointService, Request, Stats, WebSocket, WebSocketHub, WebSocketUpgrade, deflate,
};

use crate::common::{echo, soon};
use crate::peer::Client;

/// The ways to embed an endpoint.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Host {
    Hyper,
    Tower,
    Route,
    Extractor,
}

pub(crate) const HOSTS: [Host; 4] = [Host::Hyper, Host::Tower, Host::Route, Host::Extractor];

/// An endpoint in one of them.
pub(crate) struct Embedded {
    pub(crate) address: SocketAddr,
    pub(crate) sockets: WebSocketHub,
}

/// An echo with two subprotocols and compression.
pub(crate) fn endpoint() -> Endpoint {
    Endpoint::new(echo).subprotocols(["b", "a"]).deflate(deflate::Config::server())
}

impl Embedded {
    /// An endpoint; the extractor has the options of [`endpoint`] and its handler.
    pub(crate) async fn serve(host: Host, sockets: WebSocketHub, endpoint: Endpoint) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let service = sockets.endpoint(endpoint).unwrap();
        match host {
            Host::Hyper => drop(tokio::spawn(hyper(listener, service))),
            Host::Tower => drop(tokio::spawn(tower(listener, service))),
            Host::Route => {
                let app: Router = Router::new().route_service("/", service);
                let app = app.into_make_service_with_connect_info::<SocketAddr>();
                tokio::spawn(axum::serve(listener, app).into_future());
            }
            Host::Extractor => {
                let app: Router = Router::new().route("/", any(extracted)).with_state(sockets.clone());
                let app = app.into_make_service_with_connect_info::<SocketAddr>();
                tokio::spawn(axum::serve(listener, app).into_future());
            }
        }
        Self { address, sockets }
    }

    pub(crate) async fn client(&self) -> Client {
        client(self.address).await
    }

    /// Waits for a number to be reached.
    pub(crate) async fn until(&self, what: impl Fn(&Stats) -> bool) {
        let stats = self.sockets.stats();
        soon(async {
            while !what(&stats) {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        })
        .await;
    }
}

/// Connects over HTTP/2 and waits for the permission to open WebSockets (RFC 8441 section 3).
pub(crate) async fn client(address: SocketAddr) -> Client {
    let socket = TcpStream::connect(address).await.unwrap();
    let (requests, connection) = soon(h2::client::handshake(socket)).await.unwrap();
    let task = tokio::spawn(connection);
    soon(async {
        while !requests.is_extended_connect_protocol_enabled() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    Client { requests, task }
}

async fn hyper(listener: TcpListener, endpoint: EndpointService) {
    loop {
        let (stream, peer) = listener.accept().await.unwrap();
        let endpoint = endpoint.clone();
        let service = service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
            request.extensions_mut().insert(peer);
            let answering = endpoint.answer(request);
            async move { Ok::<_, Infallible>(answering.await.map(Full::new)) }
        });
        let mut builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        builder.enable_connect_protocol();
        tokio::spawn(builder.serve_connection(TokioIo::new(stream), service));
    }
}

async fn tower(listener: TcpListener, endpoint: EndpointService) {
    loop {
        let (stream, peer) = listener.accept().await.unwrap();
        let service = TowerToHyperService::new(endpoint.for_peer(peer));
        tokio::spawn(async move {
            let mut builder = auto::Builder::new(TokioExecutor::new());
            builder.http2().enable_connect_protocol();
            let _ = builder.serve_connection_with_upgrades(TokioIo::new(stream), service).await;
        });
    }
}

async fn extracted(upgrade: WebSocketUpgrade) -> axum::response::Response {
    upgrade.subprotocols(["b", "a"]).deflate(deflate::Config::server()).on_upgrade(echo)
}

/// What a handler can see of its request.
pub(crate) async fn facts(mut socket: WebSocket, request: Request) -> Result<(), ws_server::Error> {
    let stream = socket.get_ref();
    let facts = format!(
        "{:?} {} {:?} {} {}",
        request.version(),
        request.path(),
        request.query(),
        stream.peer_addr() == request.peer_addr() && stream.tcp().is_none(),
        stream.id() == Some(request.id()),
    );
    socket.send(facts).await
}
