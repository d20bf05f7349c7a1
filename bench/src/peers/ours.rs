//! This library.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use futures::FutureExt;
use tokio::net::TcpStream;
use ws_core::deflate::{self, PerMessageDeflate};
use ws_core::{Binary, Config, Connection, Event};
use ws_tokio::{Broadcast, SlowPolicy, WebSocket};
use ws_topics::{SubscribeOptions, Topics, TopicsOptions};

use super::Socket;
use crate::peer::Peer;
use crate::service::Service;

/// The cheapest way: messages are lent where they were read, and answered in one write a batch.
pub fn lent(stream: impl Socket, service: Service) -> impl Future<Output = anyhow::Result<()>> {
    let mut websocket = open(stream, service);
    let answer = |connection: &mut Connection, event: Event<'_>| match event {
        Event::Text(Cow::Owned(text)) => connection.send(text.into()),
        Event::Text(text) => connection.send_text(&text),
        // Large ones come owned, and go without a copy.
        Event::Binary(Binary::Owned(bytes)) => connection.send(bytes.into()),
        Event::Binary(bytes) => connection.send_binary(&bytes),
        _ => Ok(()),
    };
    async move { Ok(websocket.for_each_event(answer).await?) }
}

/// The common way: owned messages.
pub fn owned(stream: impl Socket, service: Service) -> impl Future<Output = anyhow::Result<()>> {
    let mut websocket = open(stream, service);
    async move {
        while let Some(message) = websocket.recv().await? {
            websocket.feed(message).await?;
        }
        Ok(())
    }
}

/// The opening handshake, as `ws-server` does it on any stream.
pub async fn shake_hands(stream: TcpStream) -> anyhow::Result<()> {
    let (mut websocket, _request) = ws_server::accept(stream).await?;
    // The load resets the connection: no error to look into.
    let _ = websocket.recv().await;
    Ok(())
}

/// To all connections, over [`Broadcast`].
pub async fn broadcast(stream: TcpStream, service: Service) -> anyhow::Result<()> {
    static ROOM: LazyLock<Broadcast> = LazyLock::new(Broadcast::new);
    let (sender, mut receiver) = open(stream, Service::echo(Peer::Ours)).split();
    let _member = ROOM.join(sender, SlowPolicy::Wait);
    while let Some(message) = receiver.recv().await? {
        let times = service.burst.unwrap_or(1);
        if service.burst.is_some() && service.peer == Peer::Ours {
            for _ in 0..times {
                ROOM.publish(message.clone()).await;
            }
            continue;
        }
        // All that has been read goes out together.
        let mut messages = vec![message; times];
        while let Some(message) = receiver.recv().now_or_never().transpose()?.flatten() {
            messages.push(message);
        }
        ROOM.publish_all(messages).await;
    }
    Ok(())
}

/// To all connections, over ws-topics without a history.
pub async fn topics(stream: TcpStream, service: Service) -> anyhow::Result<()> {
    const TOPIC: &str = "all";
    static TOPICS: LazyLock<Topics> =
        LazyLock::new(|| Topics::new(TopicsOptions::default()).expect("the defaults are valid"));
    let (sender, mut receiver) = open(stream, Service::echo(Peer::Ours)).split();
    let times = service.burst.unwrap_or(1);
    let _subscription = TOPICS.subscribe(&sender, TOPIC, SubscribeOptions::default())?;
    while let Some(message) = receiver.recv().await? {
        if service.peer == Peer::Topics {
            for _ in 0..times {
                TOPICS.publish(TOPIC, message.clone())?;
            }
            continue;
        }
        let mut batch = TOPICS.batch();
        for _ in 0..times {
            batch.publish(TOPIC, message.clone())?;
        }
        batch.finish();
    }
    Ok(())
}

fn open<S: Socket>(stream: S, service: Service) -> WebSocket<S> {
    static CONFIG: LazyLock<Arc<Config>> = LazyLock::new(|| Arc::new(Config::server()));
    let mut connection = Connection::server(Arc::clone(&CONFIG));
    if let Some(level) = service.deflate {
        connection = connection.with_deflate(codec(service.takeover, level));
    }
    WebSocket::new(stream, connection, &[])
}

fn codec(takeover: bool, level: u32) -> PerMessageDeflate {
    let config = deflate::Config::server().level(u8::try_from(level).unwrap_or(9)).threshold(0);
    let agreed = deflate::Agreed {
        server_no_context_takeover: !takeover,
        client_no_context_takeover: !takeover,
        ..deflate::Agreed::PLAIN
    };
    PerMessageDeflate::server(agreed, &config)
}
