use futures::StreamExt;
use tokio::net::TcpStream;
use tokio_websockets::{Config, Limits, Message, ServerBuilder};

use super::{Socket, echo_sink};
use crate::service::Service;

pub async fn echo(stream: impl Socket, service: Service) -> anyhow::Result<()> {
    let websocket = ServerBuilder::new()
        .config(Config::default().frame_size(usize::MAX))
        .limits(Limits::unlimited())
        .serve(stream);
    echo_sink(websocket, service.batch, |message: &Message| message.is_text() || message.is_binary()).await
}

pub async fn shake_hands(stream: TcpStream) -> anyhow::Result<()> {
    let (_request, mut websocket) = ServerBuilder::new().accept(stream).await?;
    websocket.next().await;
    Ok(())
}
