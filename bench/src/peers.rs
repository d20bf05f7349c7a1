//! The implementations, each as its documentation calls best.

// Its `main` is not run here.
pub mod clients;
#[allow(dead_code)]
#[path = "../../ws-core/examples/event_loop.rs"]
pub mod event_loop;
mod fastwebsockets;
mod floor;
mod floor_http2;
mod ours;
pub mod readme;
mod sockudo;
mod soketto;
mod tokio_websockets;
mod tungstenite;
mod web_socket;
mod wtx;
mod yawc;

use futures::{FutureExt, Sink, SinkExt, Stream, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
// Unlike the names of the crates, those of the modules here are the peers'.
use ::wtx::stream::{StreamReader, StreamWriter};

use crate::peer::Peer;
use crate::service::Service;

/// What a WebSocket can be on: TCP, or TLS over it. wtx has a trait of its own for it.
pub trait Socket: AsyncRead + AsyncWrite + StreamReader + StreamWriter + Unpin + Send + 'static {}

impl Socket for TcpStream {}
impl Socket for TlsStream<TcpStream> {}

/// Does the opening handshake and waits for the end.
///
/// Boxed one by one, as in [`echo`].
pub async fn shake_hands(stream: TcpStream, peer: Peer) -> anyhow::Result<()> {
    match peer {
        Peer::Ours => Box::pin(ours::shake_hands(stream)).await,
        Peer::TokioTungstenite => Box::pin(tungstenite::shake_hands(stream)).await,
        Peer::TokioWebsockets => Box::pin(tokio_websockets::shake_hands(stream)).await,
        Peer::Soketto => Box::pin(soketto::shake_hands(stream)).await,
        Peer::Sockudo => Box::pin(sockudo::shake_hands(stream)).await,
        Peer::Wtx => Box::pin(wtx::shake_hands(stream)).await,
        _ => Box::pin(floor::raw(Box::pin(crate::serve::shake_hands(stream)).await?)).await,
    }
}

/// Sends every message to all connections until the connection ends, as often in a row as the service says.
pub async fn broadcast(stream: TcpStream, service: Service) -> anyhow::Result<()> {
    match service.peer {
        Peer::LeastWebsocket => floor::broadcast(stream).await,
        Peer::Ours | Peer::PublishAll => ours::broadcast(stream, service).await,
        Peer::Topics | Peer::TopicsBatch => ours::topics(stream, service).await,
        Peer::Sockudo => sockudo::broadcast(stream, service.burst.unwrap_or(1)).await,
        Peer::TokioTungstenite => tungstenite::broadcast(stream, service.burst.unwrap_or(1)).await,
        peer => anyhow::bail!("{} has no broadcast here", peer.name()),
    }
}

/// Echoes every message until the connection ends.
///
/// Boxed one by one, so that none pays for the size of another's future.
pub async fn echo(stream: impl Socket, service: Service) -> anyhow::Result<()> {
    match service.peer {
        Peer::RawTcp => Box::pin(floor::raw(stream)).await,
        Peer::LeastWebsocket => Box::pin(floor::websocket(stream)).await,
        Peer::Ours => Box::pin(ours::lent(stream, service)).await,
        Peer::OursOwned => Box::pin(ours::owned(stream, service)).await,
        Peer::TokioTungstenite => Box::pin(tungstenite::echo(stream, service)).await,
        Peer::Fastwebsockets => Box::pin(fastwebsockets::echo(stream)).await,
        Peer::TokioWebsockets => Box::pin(tokio_websockets::echo(stream, service)).await,
        Peer::Sockudo => Box::pin(sockudo::echo(stream, service)).await,
        Peer::Yawc => Box::pin(yawc::echo(stream, service)).await,
        Peer::Soketto => Box::pin(soketto::echo(stream)).await,
        Peer::WebSocket => Box::pin(web_socket::echo(stream, service)).await,
        Peer::Wtx => Box::pin(wtx::echo(stream)).await,
        _ => anyhow::bail!("{} does not echo on a stream here", service.peer.name()),
    }
}

/// Serves an HTTP/2 connection, and echoes every message on its streams.
pub async fn echo_http2(stream: TlsStream<TcpStream>, service: Service) -> anyhow::Result<()> {
    match service.peer {
        Peer::FloorHttp2 => Box::pin(floor_http2::echo(stream)).await,
        Peer::SockudoHttp2 => Box::pin(sockudo::echo_http2(stream)).await,
        _ => anyhow::bail!("{} does not echo on HTTP/2 here", service.peer.name()),
    }
}

/// Echo for those that are a `Stream` and a `Sink`: `send`, or `feed` for all that is there and one flush.
async fn echo_sink<W, M, E>(mut websocket: W, batch: bool, is_data: impl Fn(&M) -> bool) -> anyhow::Result<()>
where
    W: Stream<Item = Result<M, E>> + Sink<M> + Unpin,
    E: std::error::Error + Send + Sync + 'static,
    W::Error: std::error::Error + Send + Sync + 'static,
{
    while let Some(message) = websocket.next().await {
        let message = message?;
        if !is_data(&message) {
            continue;
        }
        if !batch {
            websocket.send(message).await?;
            continue;
        }
        websocket.feed(message).await?;
        while let Some(Some(message)) = websocket.next().now_or_never() {
            let message = message?;
            if is_data(&message) {
                websocket.feed(message).await?;
            }
        }
        websocket.flush().await?;
    }
    Ok(())
}
