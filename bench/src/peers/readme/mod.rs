//! Whole servers that echo, each with the lines of its own README or example, in place of what its documentation calls best.
//!
//! They differ from these lines only where all are the same here: the listener sets `TCP_NODELAY`, and nothing is printed.

mod hyper;
mod ours;

use anyhow::{Result, bail};
use axum::Router;
use axum::extract::ws::{self, WebSocketUpgrade};
use axum::response::Response;
use axum::routing::any;
use axum::serve::ListenerExt;
use futures::{SinkExt, StreamExt, TryStreamExt, future};
use sockudo_ws::protocol::Message;
use sockudo_ws::{CompressedWebSocketStream, Config, DeflateConfig, Role, WebSocketStream, handshake};
use tokio::net::{TcpListener, TcpStream};

use super::Socket;
use crate::peer::Peer;
use crate::service::Service;
use crate::tls;

/// Serves until the process ends; `ready` gets the port, and with TLS the certificate.
pub async fn serve(service: Service, ready: impl FnOnce(u16, &str) -> Result<()>) -> Result<()> {
    if matches!(service.peer, Peer::Server | Peer::ServerHttp2) {
        return ours::serve(service, ready).await;
    }
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    if service.peer == Peer::Axum {
        if service.tls {
            bail!("axum leaves TLS to others");
        }
        ready(port, "")?;
        return axum(listener).await;
    }
    let acceptor = service.tls.then(|| tls::acceptor(false)).transpose()?;
    let (acceptor, certificate) = acceptor.unzip();
    ready(port, &certificate.unwrap_or_default())?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        match acceptor.clone() {
            None => tokio::spawn(connection(stream, service)),
            Some(acceptor) => {
                tokio::spawn(async move { connection(acceptor.accept(stream).await?, service).await })
            }
        };
    }
}

/// Boxed one by one, so that none pays for the size of another's future.
async fn connection<S: Socket>(stream: S, service: Service) -> Result<()> {
    match service.peer {
        Peer::TungsteniteForward => Box::pin(tungstenite_forward(stream)).await,
        Peer::TokioTungstenite => Box::pin(tungstenite_send(stream)).await,
        Peer::Fastwebsockets => Box::pin(hyper::fastwebsockets(stream)).await,
        Peer::Yawc => Box::pin(hyper::yawc(stream, service)).await,
        Peer::Sockudo if service.deflate.is_some() => Box::pin(sockudo_deflate(stream)).await,
        Peer::Sockudo => Box::pin(sockudo(stream)).await,
        _ => bail!("{} has no README here", service.peer.name()),
    }
}

/// Its example `echo-server`.
async fn tungstenite_forward(stream: impl Socket) -> Result<()> {
    let (write, read) = tokio_tungstenite::accept_async(stream).await?.split();
    read.try_filter(|message| future::ready(message.is_text() || message.is_binary())).forward(write).await?;
    Ok(())
}

/// Its example `server-headers`, and what most of its users write.
async fn tungstenite_send(stream: impl Socket) -> Result<()> {
    let mut websocket = tokio_tungstenite::accept_async(stream).await?;
    while let Some(message) = websocket.next().await {
        let message = message?;
        if message.is_text() || message.is_binary() {
            websocket.send(message).await?;
        }
    }
    Ok(())
}

/// The first example of `axum::extract::ws`.
async fn axum(listener: TcpListener) -> Result<()> {
    async fn handler(ws: WebSocketUpgrade) -> Response {
        ws.on_upgrade(handle_socket)
    }
    async fn handle_socket(mut socket: ws::WebSocket) {
        while let Some(Ok(message)) = socket.recv().await {
            if socket.send(message).await.is_err() {
                return;
            }
        }
    }
    let listener = listener.tap_io(|stream: &mut TcpStream| {
        let _ = stream.set_nodelay(true);
    });
    Ok(axum::serve(listener, Router::new().route("/", any(handler))).await?)
}

/// Its example `simple_echo`, after its own opening handshake.
async fn sockudo(mut stream: impl Socket) -> Result<()> {
    let opening = handshake::server_handshake(&mut stream).await?;
    let websocket =
        WebSocketStream::from_raw_with_leftover(stream, Role::Server, Config::default(), opening.leftover);
    echo_sockudo(websocket).await
}

/// The rig's opening handshake: that of sockudo-ws without a server of HTTP's agrees to no extension.
async fn sockudo_deflate(stream: impl Socket) -> Result<()> {
    let stream = crate::serve::shake_hands(stream).await?;
    let deflate = DeflateConfig {
        server_no_context_takeover: true,
        client_no_context_takeover: true,
        ..DeflateConfig::default()
    };
    echo_sockudo(CompressedWebSocketStream::server(stream, Config::default(), deflate)).await
}

async fn echo_sockudo<W>(mut websocket: W) -> Result<()>
where
    W: futures::Stream<Item = Result<Message, sockudo_ws::Error>>
        + futures::Sink<Message, Error = sockudo_ws::Error>
        + Unpin,
{
    while let Some(message) = websocket.next().await {
        match message? {
            Message::Text(text) => websocket.send(Message::Text(text)).await?,
            Message::Binary(data) => websocket.send(Message::Binary(data)).await?,
            Message::Close(_) => return Ok(()),
            _ => {}
        }
    }
    Ok(())
}
