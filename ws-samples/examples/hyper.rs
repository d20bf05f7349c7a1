//! A WebSocket in a hyper HTTP server, over HTTP/1.1 and HTTP/2: `cargo run -p ws-samples --example hyper`; `--listen` sets
//! another address.

use std::convert::Infallible;
use std::io;

use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;
use ws_server::response::html;
use ws_server::{Endpoint, EndpointService, Error, WebSocket, WebSocketHub, shutdown_signal};

async fn echo(mut socket: WebSocket) -> Result<(), Error> {
    while let Some(message) = socket.recv().await? {
        socket.feed(message).await?;
    }
    Ok(())
}

/// Serves without end: hyper answers `/`, the endpoint `/echo`.
pub async fn serve(listener: TcpListener, echo: EndpointService) -> io::Result<()> {
    loop {
        let (stream, peer) = listener.accept().await?;
        // Guards, the log and limits of addresses go by the address of the client.
        let echo = echo.for_peer(peer);
        let service = service_fn(move |request| {
            let echo = echo.clone();
            async move {
                let response = match request.uri().path() {
                    "/echo" => echo.answer(request).await,
                    _ => html("<p>The WebSocket is at <code>/echo</code>."),
                };
                Ok::<_, Infallible>(response.map(Full::new))
            }
        });
        tokio::spawn(async move {
            let mut builder = auto::Builder::new(TokioExecutor::new());
            // Without it no client may ask for a WebSocket over HTTP/2 (RFC 8441 section 3).
            builder.http2().enable_connect_protocol();
            // Without `_with_upgrades` hyper would never complete an upgrade of HTTP/1.1. An error is that of the peer.
            let _ = builder.serve_connection_with_upgrades(TokioIo::new(stream), service).await;
        });
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sockets = WebSocketHub::default();
    let echo = sockets.endpoint(Endpoint::new(echo))?;
    let listener = ws_samples::listen("hyper").await;
    println!("listening on ws://{}/echo", listener.local_addr()?);
    tokio::select! {
        ended = serve(listener, echo) => ended?,
        () = shutdown_signal() => {}
    }
    let drained = sockets.drain().await;
    println!("{} WebSockets closed, {} cut off", drained.closed, drained.aborted);
    Ok(())
}
