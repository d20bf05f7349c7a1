//! This library.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use tokio::net::TcpStream;
use ws_core::deflate::{self, PerMessageDeflate};
use ws_core::{Config, Connection, Event, WebSocket};

use super::Service;

/// The cheapest way: messages are lent where they were read, and answered in one write a batch.
pub async fn lent(stream: TcpStream, service: Service) -> anyhow::Result<()> {
    let answer = |connection: &mut Connection, event: Event<'_>| match event {
        Event::Text(Cow::Owned(text)) => connection.send(text.into()),
        Event::Text(text) => connection.send_text(&text),
        // Large ones come owned, and go without a copy.
        Event::Binary(Cow::Owned(bytes)) => connection.send(bytes.into()),
        Event::Binary(bytes) => connection.send_binary(&bytes),
        _ => Ok(()),
    };
    Ok(open(stream, service).for_each(answer).await?)
}

/// The common way: messages of one's own.
pub async fn owned(stream: TcpStream, service: Service) -> anyhow::Result<()> {
    let mut websocket = open(stream, service);
    while let Some(message) = websocket.recv().await? {
        websocket.feed(message).await?;
    }
    Ok(())
}

fn open(stream: TcpStream, service: Service) -> WebSocket<TcpStream> {
    static CONFIG: LazyLock<Arc<Config>> = LazyLock::new(|| Arc::new(Config::server()));
    let mut connection = Connection::server(Arc::clone(&CONFIG));
    if let Some(level) = service.deflate {
        connection = connection.with_deflate(codec(service.takeover, level));
    }
    WebSocket::new(stream, connection, &[])
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
