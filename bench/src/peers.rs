//! The implementations, each as its documentation calls best.

mod fastwebsockets;
mod floor;
mod ours;
mod sockudo;
mod soketto;
mod tokio_websockets;
mod tungstenite;
mod web_socket;
mod yawc;

use clap::{Args, ValueEnum};
use futures::{FutureExt, Sink, SinkExt, Stream, StreamExt};
use tokio::net::TcpStream;

/// An implementation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Peer {
    /// Bytes echoed over tokio, no protocol.
    RawTcp,
    /// The least that unmasks and answers; checks nothing.
    LeastWebsocket,
    /// `WebSocket::for_each`: messages lent where they were read.
    Ours,
    /// `WebSocket::recv` and `feed`: messages of one's own.
    OursOwned,
    TokioTungstenite,
    Fastwebsockets,
    TokioWebsockets,
    Sockudo,
    Yawc,
    Soketto,
    WebSocket,
}

/// What a server process does.
#[derive(Debug, Clone, Copy, Args)]
pub struct Service {
    #[arg(long, value_enum)]
    pub peer: Peer,
    /// The load sends many messages at once: answer them with one flush, where the API can.
    #[arg(long)]
    pub batch: bool,
    /// permessage-deflate at this level, windows of 15 bits.
    #[arg(long)]
    pub deflate: Option<u32>,
    /// ... with the context carried over from message to message.
    #[arg(long)]
    pub takeover: bool,
}

impl Peer {
    pub const ALL: [Self; 11] = [
        Self::RawTcp,
        Self::LeastWebsocket,
        Self::Ours,
        Self::OursOwned,
        Self::Fastwebsockets,
        Self::Sockudo,
        Self::TokioWebsockets,
        Self::Yawc,
        Self::WebSocket,
        Self::TokioTungstenite,
        Self::Soketto,
    ];

    /// Those that have permessage-deflate.
    pub const DEFLATING: [Self; 4] = [Self::Ours, Self::OursOwned, Self::Sockudo, Self::Yawc];

    /// Not an implementation, but what one can be measured against.
    pub fn is_floor(self) -> bool {
        matches!(self, Self::RawTcp | Self::LeastWebsocket)
    }

    /// Whether it is this library, in whichever way it is used.
    pub fn is_ours(self) -> bool {
        matches!(self, Self::Ours | Self::OursOwned)
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::RawTcp => "raw TCP (floor)",
            Self::LeastWebsocket => "least WebSocket (floor)",
            Self::Ours => "**ours**, lent",
            Self::OursOwned => "**ours**, owned",
            Self::TokioTungstenite => "tokio-tungstenite 0.30",
            Self::Fastwebsockets => "fastwebsockets 0.10",
            Self::TokioWebsockets => "tokio-websockets 0.13.3",
            Self::Sockudo => "sockudo-ws 3.1",
            Self::Yawc => "yawc 0.5",
            Self::Soketto => "soketto 0.8.1",
            Self::WebSocket => "web-socket 0.7",
        }
    }

    /// The name of the command line.
    pub fn argument(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

/// Echoes every message until the connection ends; how it ends does not matter here.
///
/// Boxed one by one, so that none pays for the size of another's future.
pub async fn echo(stream: TcpStream, service: Service) {
    let _ = match service.peer {
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
    };
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
