//! WebSockets in an axum application: `cargo run -p ws-samples --example axum`; `--listen` sets another address.
//!
//! `/rooms/{room}` uses the extractor, `/echo` an endpoint that was created once, `/topics/{user}` serves topics by `topics.v1`. When the program is stopped, it
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
use ws_topics::{EndpointOptions, History, SUBPROTOCOL, TopicsEndpoint, TopicsOptions};

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

/// Topics with a history, which clients may publish to.
fn topics() -> io::Result<TopicsEndpoint> {
    let topics = TopicsOptions::default().history("#", History::default());
    TopicsEndpoint::new(topics, EndpointOptions::default().publish(true)).map_err(io::Error::other)
}

/// Serves until `stop` is ready, then closes the open WebSockets.
pub async fn serve(
    listener: TcpListener,
    sockets: WebSocketHub,
    stop: impl Future<Output = ()>,
) -> io::Result<Drained> {
    let echo = sockets.endpoint(Endpoint::new(echo)).map_err(io::Error::other)?;
    let topics = topics()?;
    // Whom the client is, any other extractor can say: one that reads a session.
    let topics = async move |upgrade: WebSocketUpgrade, Path(user): Path<String>| {
        upgrade
            .subprotocols([SUBPROTOCOL])
            .open(move |socket| async move { topics.run(socket, user).await })
            .await
    };
    let app = Router::new()
        .route("/", get(async || "Connect to /rooms/NAME, /echo or /topics/USER."))
        .route("/rooms/{room}", any(room))
        .route("/topics/{user}", any(topics))
        .route_service("/echo", echo)
        .with_state(sockets.clone());
    // Guards, the log and limits of addresses go by the address of the client.
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    sockets.serve_until(stop, |stopped| axum::serve(listener, app).with_graceful_shutdown(stopped)).await
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let listener = ws_samples::listen("axum").await;
    println!("listening on ws://{}/rooms/NAME, /echo and /topics/USER", listener.local_addr()?);
    let drained = serve(listener, WebSocketHub::default(), shutdown_signal()).await?;
    println!("{} WebSockets closed, {} cut off", drained.closed, drained.aborted);
    Ok(())
}
