use sockudo_ws::protocol::Message;
use sockudo_ws::{CompressedWebSocketStream, Config, DeflateConfig, WebSocketStream};
use tokio::net::TcpStream;

use super::{Service, echo_sink};

pub async fn echo(stream: TcpStream, service: Service) -> anyhow::Result<()> {
    let is_data = |message: &Message| matches!(message, Message::Text(_) | Message::Binary(_));
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
