use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::{Service, echo_sink};

pub async fn echo(stream: TcpStream, service: Service) -> anyhow::Result<()> {
    let websocket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
    echo_sink(websocket, service.batch, |message: &Message| message.is_text() || message.is_binary()).await
}
