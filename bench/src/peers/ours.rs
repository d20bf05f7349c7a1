//! This library.

use std::sync::{Arc, LazyLock};

use tokio::net::TcpStream;
use ws_core::deflate::{self, PerMessageDeflate};
use ws_core::{Config, Connection, WebSocket};

use super::Service;

pub async fn echo(stream: TcpStream, service: Service) -> anyhow::Result<()> {
    static CONFIG: LazyLock<Arc<Config>> = LazyLock::new(|| Arc::new(Config::server()));
    let mut connection = Connection::server(Arc::clone(&CONFIG));
    if let Some(level) = service.deflate {
        connection = connection.with_deflate(codec(service.takeover, level));
    }
    let mut websocket = WebSocket::new(stream, connection, &[]);
    while let Some(message) = websocket.recv().await? {
        websocket.feed(message).await?;
    }
    Ok(())
}

fn codec(takeover: bool, level: u32) -> PerMessageDeflate {
    let config = deflate::Config {
        level: u8::try_from(level).unwrap_or(9),
        threshold: 0,
        ..deflate::Config::server()
    };
    let agreed = deflate::Agreed {
        server_no_context_takeover: !takeover,
        client_no_context_takeover: !takeover,
        ..deflate::Agreed::PLAIN
    };
    PerMessageDeflate::server(agreed, &config)
}
