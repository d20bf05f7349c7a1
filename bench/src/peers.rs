//! The implementations, each as its documentation calls best.

// Its `main` is not run here.
#[allow(dead_code)]
#[path = "../../ws-core/examples/event_loop.rs"]
pub mod event_loop;
mod fastwebsockets;
mod floor;
mod floor_http2;
mod ours;
pub mod product;
mod sockudo;
mod soketto;
mod tokio_websockets;
mod tungstenite;
mod web_socket;
mod wtx;
mod yawc;

use clap::{Args, ValueEnum};
use futures::{FutureExt, Sink, SinkExt, Stream, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
// Unlike the names of the crates, those of the modules here are the peers'.
use ::wtx::stream::{StreamReader, StreamWriter};

/// An implementation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Peer {
    /// Bytes echoed over tokio, no protocol.
    RawTcp,
    /// The least that unmasks and answers; checks nothing.
    LeastWebsocket,
    /// `WebSocket::for_each_event`: messages lent where they were read.
    Ours,
    /// `WebSocket::recv` and `feed`: owned messages.
    OursOwned,
    /// The example `event_loop` of ws-core: a driver on mio, through the public API.
    OursEventLoop,
    TokioTungstenite,
    Fastwebsockets,
    TokioWebsockets,
    Sockudo,
    Yawc,
    Soketto,
    WebSocket,
    Wtx,
    /// C++, on an event loop of its own: a process that this program builds, and is not.
    Uwebsockets,
    /// `h2` without a WebSocket: DATA frames echoed.
    FloorHttp2,
    /// A whole `Server`, over HTTP/1.1.
    Server,
    /// The same over HTTP/2.
    ServerHttp2,
    /// The server of sockudo-ws over HTTP/2.
    SockudoHttp2,
    /// Python, over HTTP/2: a process that is not this program.
    Hypercorn,
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
    /// No message is longer than 1 KiB.
    #[arg(skip)]
    pub short: bool,
    /// Over TLS.
    #[arg(long)]
    pub tls: bool,
    /// What it does with connections.
    #[arg(long, value_enum, default_value_t = Task::Echo)]
    pub task: Task,
    /// Threads of the runtime; more than one have the load's core, too.
    #[arg(long, default_value_t = 1)]
    pub workers: usize,
}

/// What a server does with connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Task {
    /// Sends every message back.
    Echo,
    /// Does the opening handshake with the implementation's own code, and nothing after it.
    Handshake,
    /// Sends every message to all connections.
    Broadcast,
}

impl Service {
    /// One that echoes, plainly.
    pub fn echo(peer: Peer) -> Self {
        Self {
            peer,
            batch: false,
            deflate: None,
            takeover: false,
            short: false,
            tls: false,
            task: Task::Echo,
            workers: 1,
        }
    }
}

impl Peer {
    pub const ALL: [Self; 14] = [
        Self::RawTcp,
        Self::LeastWebsocket,
        Self::Ours,
        Self::OursOwned,
        Self::OursEventLoop,
        Self::Fastwebsockets,
        Self::Sockudo,
        Self::TokioWebsockets,
        Self::Yawc,
        Self::WebSocket,
        Self::TokioTungstenite,
        Self::Soketto,
        Self::Wtx,
        Self::Uwebsockets,
    ];

    /// Those that are compared over HTTP/2.
    pub const HTTP2: [Self; 5] =
        [Self::FloorHttp2, Self::Server, Self::ServerHttp2, Self::SockudoHttp2, Self::Hypercorn];

    /// Those with an opening handshake of their own; fastwebsockets leaves it to hyper, web-socket to its user. Of
    /// yawc's only the client's half takes any stream.
    pub const SHAKING: [Self; 8] = [
        Self::LeastWebsocket,
        Self::Ours,
        Self::Sockudo,
        Self::TokioWebsockets,
        Self::TokioTungstenite,
        Self::Soketto,
        Self::Wtx,
        Self::Uwebsockets,
    ];

    /// Those with a way to send to all; tokio-tungstenite over a channel of tokio's, as its users do.
    pub const BROADCASTING: [Self; 5] =
        [Self::LeastWebsocket, Self::Ours, Self::Sockudo, Self::TokioTungstenite, Self::Uwebsockets];

    /// Those that have permessage-deflate.
    pub const DEFLATING: [Self; 5] =
        [Self::Ours, Self::OursOwned, Self::Sockudo, Self::Yawc, Self::Uwebsockets];

    /// Those that have it with takeover and windows of 15 bits. The handshake of uWebSockets 20.60 makes windows of
    /// 9 bits of all that are a connection's own.
    pub const TAKING_OVER: [Self; 4] = [Self::Ours, Self::OursOwned, Self::Sockudo, Self::Yawc];

    /// Not an implementation, but what one can be measured against.
    pub fn is_floor(self) -> bool {
        matches!(self, Self::RawTcp | Self::LeastWebsocket | Self::FloorHttp2)
    }

    /// Whether its load comes over HTTP/2.
    pub fn speaks_http2(self) -> bool {
        matches!(self, Self::FloorHttp2 | Self::ServerHttp2 | Self::SockudoHttp2 | Self::Hypercorn)
    }

    /// Whether it runs on tokio, and with that on rustls, within this program.
    pub fn is_rust(self) -> bool {
        !matches!(self, Self::Uwebsockets | Self::OursEventLoop | Self::Hypercorn)
    }

    /// Whether it is this library, in whichever way it is used.
    pub fn is_ours(self) -> bool {
        matches!(self, Self::Ours | Self::OursOwned | Self::OursEventLoop | Self::Server | Self::ServerHttp2)
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::RawTcp => "raw TCP (floor)",
            Self::LeastWebsocket => "least WebSocket (floor)",
            Self::Ours => "**ours**, lent",
            Self::OursOwned => "**ours**, owned",
            Self::OursEventLoop => "**ours**, event loop",
            Self::TokioTungstenite => "tokio-tungstenite 0.30",
            Self::Fastwebsockets => "fastwebsockets 0.10",
            Self::TokioWebsockets => "tokio-websockets 0.13.3",
            Self::Sockudo => "sockudo-ws 3.1",
            Self::Yawc => "yawc 0.5",
            Self::Soketto => "soketto 0.8.1",
            Self::WebSocket => "web-socket 0.7",
            Self::Wtx => "wtx 0.46",
            Self::Uwebsockets => "uWebSockets 20.60",
            Self::FloorHttp2 => "h2 0.4.20 alone (floor)",
            Self::Server => "**ours**, HTTP/1.1",
            Self::ServerHttp2 => "**ours**, HTTP/2",
            Self::SockudoHttp2 => "sockudo-ws 3.1, HTTP/2",
            Self::Hypercorn => "hypercorn 0.18",
        }
    }

    /// Ours in a word.
    pub fn way(self) -> &'static str {
        match self {
            Self::OursOwned => "owned",
            Self::OursEventLoop => "event loop",
            Self::Server => "HTTP/1.1",
            Self::ServerHttp2 => "HTTP/2",
            _ => "lent",
        }
    }

    /// In the plots.
    pub fn color(self) -> &'static str {
        match self {
            Self::RawTcp => "#999999",
            Self::LeastWebsocket => "#333333",
            Self::Ours => "#1c7c54",
            Self::OursOwned => "#7bd3a8",
            Self::OursEventLoop => "#2f9e9e",
            Self::TokioTungstenite => "#8c564b",
            Self::Fastwebsockets => "#d62728",
            Self::TokioWebsockets => "#1f77b4",
            Self::Sockudo => "#ff7f0e",
            Self::Yawc => "#e377c2",
            Self::Soketto => "#bcbd22",
            Self::WebSocket => "#9467bd",
            Self::Wtx => "#17becf",
            Self::Uwebsockets => "#0b3d91",
            Self::FloorHttp2 => "#333333",
            Self::Server => "#7bd3a8",
            Self::ServerHttp2 => "#1c7c54",
            Self::SockudoHttp2 => "#ff7f0e",
            Self::Hypercorn => "#1f77b4",
        }
    }

    /// The name of the command line.
    pub fn argument(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

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

/// Sends every message to all connections until the connection ends.
pub async fn broadcast(stream: TcpStream, peer: Peer) -> anyhow::Result<()> {
    match peer {
        Peer::LeastWebsocket => floor::broadcast(stream).await,
        Peer::Ours => ours::broadcast(stream).await,
        Peer::Sockudo => sockudo::broadcast(stream).await,
        Peer::TokioTungstenite => tungstenite::broadcast(stream).await,
        _ => anyhow::bail!("{} has no broadcast here", peer.name()),
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
