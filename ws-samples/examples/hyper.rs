//! A WebSocket in a hyper HTTP server: `cargo run -p ws-samples --example hyper`; `--listen` sets another address.

use std::convert::Infallible;
use std::io;

use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
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
        let echo = echo.clone();
        let service = service_fn(move |mut request| {
            // Gives the address of the client to the endpoint's guards and log.
            request.extensions_mut().insert(peer);
            let echo = echo.clone();
            async move {
                let response = match request.uri().path() {
                    "/echo" => echo.answer(request).await,
                    _ => html("<p>The WebSocket is at <code>/echo</code>."),
                };
                Ok::<_, Infallible>(response.map(Full::new))
            }
        });
        // Without `with_upgrades` hyper would never complete the upgrade.
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades());
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
