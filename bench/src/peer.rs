//! The implementations, their names and what they can do.

use clap::ValueEnum;

/// An implementation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Peer {
    /// A copy by the C library.
    Memcpy,
    /// Sessions of rustls, without sockets.
    Rustls,
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
    /// A whole `Server` with the handler of the README; over TLS with HTTP/1.1.
    Server,
    /// `Broadcast::publish_all`.
    PublishAll,
    /// `Topics::publish` of ws-topics.
    Topics,
    /// `Topics::batch`.
    TopicsBatch,
    /// The echo server of its examples, which is a `forward` from one half to the other.
    TungsteniteForward,
    /// `next` and `send`.
    TokioTungstenite,
    Axum,
    Fastwebsockets,
    TokioWebsockets,
    Sockudo,
    Yawc,
    Soketto,
    WebSocket,
    Wtx,
    /// C++, on an event loop of its own: a process that this program builds, and is not.
    Uwebsockets,
    /// ws on Node.js: a process that is not this program.
    NodeWs,
    /// `h2` without a WebSocket: DATA frames echoed.
    FloorHttp2,
    /// A whole `Server` over HTTP/2.
    ServerHttp2,
    /// The server of sockudo-ws over HTTP/2.
    SockudoHttp2,
    /// Python, over HTTP/2: a process that is not this program.
    Hypercorn,
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

    /// Those that are compared as whole servers, by the lines of their READMEs.
    pub const PRODUCTS: [Self; 9] = [
        Self::Server,
        Self::TungsteniteForward,
        Self::TokioTungstenite,
        Self::Axum,
        Self::Fastwebsockets,
        Self::Sockudo,
        Self::Yawc,
        Self::Uwebsockets,
        Self::NodeWs,
    ];

    /// Those that are compared over HTTP/2.
    pub const HTTP2: [Self; 5] =
        [Self::FloorHttp2, Self::Server, Self::ServerHttp2, Self::SockudoHttp2, Self::Hypercorn];

    /// Those with an opening handshake, of their own or hyper's; web-socket leaves it to its user.
    pub const SHAKING: [Self; 13] = [
        Self::LeastWebsocket,
        Self::Ours,
        Self::Server,
        Self::Axum,
        Self::Fastwebsockets,
        Self::Yawc,
        Self::NodeWs,
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

    /// Those that publish one message, or several in a row, at the command of one connection.
    pub const PUBLISHING: [Self; 7] = [
        Self::Ours,
        Self::PublishAll,
        Self::Topics,
        Self::TopicsBatch,
        Self::Sockudo,
        Self::TokioTungstenite,
        Self::Uwebsockets,
    ];

    /// Those with a client.
    pub const CLIENTS: [Self; 6] = [
        Self::Ours,
        Self::OursOwned,
        Self::TokioTungstenite,
        Self::Fastwebsockets,
        Self::Sockudo,
        Self::Yawc,
    ];

    /// Those that have permessage-deflate.
    pub const DEFLATING: [Self; 5] =
        [Self::Ours, Self::OursOwned, Self::Sockudo, Self::Yawc, Self::Uwebsockets];

    /// Those that have it with takeover and windows of 15 bits. The handshake of uWebSockets 20.60 makes windows of
    /// 9 bits of all that are a connection's own.
    pub const TAKING_OVER: [Self; 4] = [Self::Ours, Self::OursOwned, Self::Sockudo, Self::Yawc];

    /// Not an implementation, but what one can be measured against.
    pub fn is_floor(self) -> bool {
        matches!(self, Self::Memcpy | Self::Rustls | Self::RawTcp | Self::LeastWebsocket | Self::FloorHttp2)
    }

    /// Whether its load comes over HTTP/2.
    pub fn speaks_http2(self) -> bool {
        matches!(self, Self::FloorHttp2 | Self::ServerHttp2 | Self::SockudoHttp2 | Self::Hypercorn)
    }

    /// Whether it runs on tokio, and with that on rustls, within this program.
    pub fn is_rust(self) -> bool {
        !matches!(self, Self::Uwebsockets | Self::OursEventLoop | Self::Hypercorn | Self::NodeWs)
    }

    /// Whether it is this library, in whichever way it is used.
    pub fn is_ours(self) -> bool {
        matches!(
            self,
            Self::Ours
                | Self::OursOwned
                | Self::OursEventLoop
                | Self::Server
                | Self::PublishAll
                | Self::Topics
                | Self::TopicsBatch
                | Self::ServerHttp2
        )
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Memcpy => "memcpy (floor)",
            Self::Rustls => "rustls alone (floor)",
            Self::RawTcp => "raw TCP (floor)",
            Self::LeastWebsocket => "least WebSocket (floor)",
            Self::Ours => "**ours**, lent",
            Self::OursOwned => "**ours**, owned",
            Self::OursEventLoop => "**ours**, event loop",
            Self::Server => "**ours**, Server",
            Self::PublishAll => "**ours**, publish_all",
            Self::Topics => "**ours**, topics",
            Self::TopicsBatch => "**ours**, topics' batch",
            Self::TungsteniteForward => "tokio-tungstenite 0.30, forward",
            Self::TokioTungstenite => "tokio-tungstenite 0.30",
            Self::Axum => "axum 0.8.9",
            Self::Fastwebsockets => "fastwebsockets 0.10",
            Self::TokioWebsockets => "tokio-websockets 0.13.3",
            Self::Sockudo => "sockudo-ws 3.1",
            Self::Yawc => "yawc 0.5",
            Self::Soketto => "soketto 0.8.1",
            Self::WebSocket => "web-socket 0.7",
            Self::Wtx => "wtx 0.46",
            Self::Uwebsockets => "uWebSockets 20.60",
            Self::NodeWs => "Node ws 8.18",
            Self::FloorHttp2 => "h2 0.4.20 alone (floor)",
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
            Self::Server => "Server",
            Self::PublishAll => "publish_all",
            Self::Topics => "topics",
            Self::TopicsBatch => "topics' batch",
            Self::ServerHttp2 => "HTTP/2",
            _ => "lent",
        }
    }

    /// In the plots.
    pub fn color(self) -> &'static str {
        match self {
            Self::Memcpy => "#bbbbbb",
            Self::Rustls => "#cccccc",
            Self::RawTcp => "#999999",
            Self::LeastWebsocket => "#333333",
            Self::Ours => "#1c7c54",
            Self::OursOwned => "#7bd3a8",
            Self::OursEventLoop => "#2f9e9e",
            Self::Server => "#1c7c54",
            Self::PublishAll => "#7bd3a8",
            Self::Topics => "#2f9e9e",
            Self::TopicsBatch => "#5fd3d3",
            Self::TungsteniteForward => "#c49c94",
            Self::TokioTungstenite => "#8c564b",
            Self::Axum => "#9467bd",
            Self::Fastwebsockets => "#d62728",
            Self::TokioWebsockets => "#1f77b4",
            Self::Sockudo => "#ff7f0e",
            Self::Yawc => "#e377c2",
            Self::Soketto => "#bcbd22",
            Self::WebSocket => "#9467bd",
            Self::Wtx => "#17becf",
            Self::Uwebsockets => "#0b3d91",
            Self::NodeWs => "#2ca02c",
            Self::FloorHttp2 => "#333333",
            Self::ServerHttp2 => "#7bd3a8",
            Self::SockudoHttp2 => "#ff7f0e",
            Self::Hypercorn => "#1f77b4",
        }
    }

    /// The name of the command line.
    pub fn argument(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}
