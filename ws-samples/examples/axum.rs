//! WebSockets in an axum application: `cargo run -p ws-samples --example axum`; `--listen` sets another address.
//!
//! `/rooms/{room}` uses the extractor, `/echo` an endpoint that was created once. When the program is stopped, it
//! closes both kinds with 1001 and waits for them.

use std::future::Future;
use std::io;
use std::net::SocketAddr;

use axum::Router;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::{any, get};
use tokio::net::TcpListener;
use ws_server::{Drained, Endpoint, Error, WebSocket, WebSocketHub, WebSocketUpgrade, shutdown_signal};

/// Can be combined with any other extractor; `WebSocketUpgrade` has the options of an `Endpoint`.
async fn room(upgrade: WebSocketUpgrade, Path(room): Path<String>) -> Response {
    upgrade.subprotocols(["chat.v1"]).open(move |socket| greet(socket, room)).await
}

async fn greet(mut socket: WebSocket, room: String) -> Result<(), Error> {
    socket.send(format!("welcome to {room}")).await?;
    echo(socket).await
}

async fn echo(mut socket: WebSocket) -> Result<(), Error> {
    while let Some(message) = socket.recv().await? {
        socket.feed(message).await?;
    }
    Ok(())
}

/// Serves until `stop` is ready, then closes the open WebSockets.
pub async fn serve(
    listener: TcpListener,
    sockets: WebSocketHub,
    stop: impl Future<Output = ()>,
) -> io::Result<Drained> {
    let echo = sockets.endpoint(Endpoint::new(echo)).map_err(io::Error::other)?;
    let app = Router::new()
        .route("/", get(async || "Connect to /rooms/NAME or /echo."))
        .route("/rooms/{room}", any(room))
        .route_service("/echo", echo)
        .with_state(sockets.clone());
    // Guards, the log and limits of addresses go by the address of the client.
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    sockets.serve_until(stop, |stopped| axum::serve(listener, app).with_graceful_shutdown(stopped)).await
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let listener = ws_samples::listen("axum").await;
    println!("listening on ws://{}/rooms/NAME and /echo", listener.local_addr()?);
    let drained = serve(listener, WebSocketHub::default(), shutdown_signal()).await?;
    println!("{} WebSockets closed, {} cut off", drained.closed, drained.aborted);
    Ok(())
}
