use std::sync::LazyLock;

use futures::{SinkExt, StreamExt};
use sockudo_ws::protocol::Message;
use sockudo_ws::{
    CompressedWebSocketStream, Config, DeflateConfig, Http2, PubSub, Role, WebSocketServer, WebSocketStream,
    handshake,
};
use tokio::net::TcpStream;
use tokio::select;
use tokio::sync::mpsc;
use tokio_rustls::server::TlsStream;

use super::{Socket, echo_sink};
use crate::service::Service;

pub async fn echo(stream: impl Socket, service: Service) -> anyhow::Result<()> {
    match service.deflate {
        None => {
            let websocket = WebSocketStream::server(stream, Config::default());
            echo_sink(websocket, service.batch, is_data).await
        }
        Some(level) => {
            let deflate = DeflateConfig {
                server_no_context_takeover: !service.takeover,
                client_no_context_takeover: !service.takeover,
                compression_level: level,
                compression_threshold: 0,
                ..DeflateConfig::default()
            };
            let websocket = CompressedWebSocketStream::server(stream, Config::default(), deflate);
            echo_sink(websocket, service.batch, is_data).await
        }
    }
}

/// On each stream of an HTTP/2 connection, with its own server.
pub async fn echo_http2(stream: TlsStream<TcpStream>) -> anyhow::Result<()> {
    let server = WebSocketServer::<Http2>::new(Config::default());
    let echo = |websocket, _request| async move {
        // The load ends without a Close: no error to look into.
        let _ = echo_sink(websocket, true, is_data).await;
    };
    Ok(server.serve(stream, echo).await?)
}

pub async fn shake_hands(mut stream: TcpStream) -> anyhow::Result<()> {
    let handshake = handshake::server_handshake(&mut stream).await?;
    let mut websocket =
        WebSocketStream::from_raw_with_leftover(stream, Role::Server, Config::default(), handshake.leftover);
    websocket.next().await;
    Ok(())
}

/// To all connections by its own publisher; what has piled up goes out in one flush.
pub async fn broadcast(stream: TcpStream, burst: usize) -> anyhow::Result<()> {
    const TOPIC: &str = "all";
    static ROOM: LazyLock<PubSub> = LazyLock::new(PubSub::new);
    let mut websocket = WebSocketStream::server(stream, Config::default());
    let (sender, mut waiting) = mpsc::unbounded_channel();
    ROOM.subscribe(ROOM.create_subscriber(sender), TOPIC);
    loop {
        select! {
            message = websocket.next() => match message {
                Some(message) => {
                    let message = message?;
                    for _ in 0..burst {
                        ROOM.publish(TOPIC, message.clone());
                    }
                }
                None => return Ok(()),
            },
            Some(message) = waiting.recv() => {
                websocket.feed(message).await?;
                while let Ok(message) = waiting.try_recv() {
                    websocket.feed(message).await?;
                }
                websocket.flush().await?;
            }
        }
    }
}

fn is_data(message: &Message) -> bool {
    matches!(message, Message::Text(_) | Message::Binary(_))
}
