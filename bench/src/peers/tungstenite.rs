use std::sync::LazyLock;

use futures::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::select;
use tokio::sync::broadcast::Sender;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::{Socket, echo_sink};
use crate::service::Service;

pub async fn echo(stream: impl Socket, service: Service) -> anyhow::Result<()> {
    let websocket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
    echo_sink(websocket, service.batch, |message: &Message| message.is_text() || message.is_binary()).await
}

pub async fn shake_hands(stream: TcpStream) -> anyhow::Result<()> {
    let mut websocket = tokio_tungstenite::accept_async(stream).await?;
    websocket.next().await;
    Ok(())
}

/// To all connections over a channel of tokio's; what has piled up there goes out in one flush.
pub async fn broadcast(stream: TcpStream, burst: usize) -> anyhow::Result<()> {
    static ROOM: LazyLock<Sender<Message>> = LazyLock::new(|| Sender::new(1024));
    let mut waiting = ROOM.subscribe();
    let mut websocket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
    loop {
        select! {
            message = websocket.next() => match message {
                Some(message) => {
                    let message = message?;
                    for _ in 0..burst {
                        ROOM.send(message.clone())?;
                    }
                }
                None => return Ok(()),
            },
            message = waiting.recv() => {
                websocket.feed(message?).await?;
                while let Ok(message) = waiting.try_recv() {
                    websocket.feed(message).await?;
                }
                websocket.flush().await?;
            }
        }
    }
}
