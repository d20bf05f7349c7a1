//! Clients, each connected as its README shows.

use std::convert::Infallible;
use std::fmt::Display;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Result, bail};
use bytes::Bytes;
use fastwebsockets::{FragmentCollector, Frame, OpCode, Payload};
use futures::{Sink, SinkExt, Stream, StreamExt};
use http_body_util::Empty;
use hyper::Request;
use hyper::header::{CONNECTION, UPGRADE};
use sockudo_ws::client::WebSocketClient;
use sockudo_ws::{CompressedWebSocketStream, Config, DeflateConfig, Http1};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite;
use ws_client::Message;
use ws_core::{Connection, Event};

use crate::client;
use crate::drive::{Drive, Work};
use crate::frames::text;
use crate::peer::Peer;

/// Connects, and works until the connection ends.
///
/// Boxed one by one, so that none pays for the size of another's future.
pub async fn work(drive: Drive) -> Result<()> {
    match drive.peer {
        Peer::Ours => Box::pin(lent(drive)).await,
        Peer::OursOwned => Box::pin(owned(drive)).await,
        Peer::TokioTungstenite => Box::pin(tungstenite(drive)).await,
        Peer::Fastwebsockets => Box::pin(fastwebsockets(drive)).await,
        Peer::Sockudo if drive.deflate => Box::pin(sockudo_deflate(drive)).await,
        Peer::Sockudo => Box::pin(sockudo(drive)).await,
        Peer::Yawc => Box::pin(yawc(drive)).await,
        _ => bail!("{} has no client here", drive.peer.name()),
    }
}

/// What a client answers a batch with.
const RECEIVED: &[u8] = b".";

impl Drive {
    fn url(&self) -> String {
        format!("ws://{}/", self.address())
    }

    fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    fn payload(&self) -> Bytes {
        text(self.size).into()
    }

    fn string(&self) -> String {
        String::from_utf8_lossy(&self.payload()).into_owned()
    }
}

async fn connect_ours(drive: &Drive) -> Result<ws_client::WebSocket<ws_client::Stream>> {
    if drive.deflate {
        let options = ws_client::Options::default().deflate(ws_core::deflate::Config::client());
        return Ok(options.build()?.connect(&*drive.url()).await?.0);
    }
    Ok(ws_client::connect(&*drive.url()).await?.0)
}

async fn lent(drive: Drive) -> Result<()> {
    let mut socket = connect_ours(&drive).await?;
    let mut received = 0;
    let count = move |connection: &mut Connection, event: Event<'_>| match event {
        Event::Text(_) | Event::Binary(_) => {
            received += 1;
            if received % drive.batch == 0 { connection.send_binary(RECEIVED) } else { Ok(()) }
        }
        _ => Ok(()),
    };
    Ok(socket.for_each_event(count).await?)
}

async fn owned(drive: Drive) -> Result<()> {
    let mut socket = connect_ours(&drive).await?;
    let message = if drive.text { Message::text(drive.string()) } else { Message::binary(drive.payload()) };
    let mut received = 0;
    while socket.recv().await?.is_some() {
        match drive.work {
            Work::Receive => {
                received += 1;
                if received % drive.batch == 0 {
                    socket.feed(RECEIVED).await?;
                }
            }
            Work::Send => {
                for _ in 0..drive.batch {
                    socket.send(message.clone()).await?;
                }
            }
            // The next `recv` writes what is queued.
            Work::Feed => {
                for _ in 0..drive.batch {
                    socket.feed(message.clone()).await?;
                }
            }
        }
    }
    Ok(())
}

/// For those that are a `Stream` and a `Sink`.
async fn work_sink<W, M, E>(mut websocket: W, drive: Drive, message: M, received: M) -> Result<()>
where
    W: Stream<Item = Result<M, E>> + Sink<M> + Unpin,
    M: Clone,
    E: Display,
    W::Error: Display,
{
    let failed = |error: W::Error| anyhow::anyhow!("{error}");
    let mut count = 0;
    while let Some(next) = websocket.next().await {
        next.map_err(|error| anyhow::anyhow!("{error}"))?;
        match drive.work {
            Work::Receive => {
                count += 1;
                if count % drive.batch == 0 {
                    websocket.send(received.clone()).await.map_err(failed)?;
                }
            }
            Work::Send => {
                for _ in 0..drive.batch {
                    websocket.send(message.clone()).await.map_err(failed)?;
                }
            }
            Work::Feed => {
                for _ in 0..drive.batch {
                    websocket.feed(message.clone()).await.map_err(failed)?;
                }
                websocket.flush().await.map_err(failed)?;
            }
        }
    }
    Ok(())
}

async fn tungstenite(drive: Drive) -> Result<()> {
    use tungstenite::Message;
    let (websocket, _) = tokio_tungstenite::connect_async_with_config(drive.url(), None, true).await?;
    let message = if drive.text { Message::text(drive.string()) } else { Message::binary(drive.payload()) };
    work_sink(websocket, drive, message, Message::binary(RECEIVED)).await
}

async fn yawc(drive: Drive) -> Result<()> {
    use yawc::{CompressionLevel, Frame, Options, WebSocket};
    let mut options = Options::default().with_utf8().with_max_payload_read(2 << 20).with_no_delay();
    if drive.deflate {
        options = options.with_compression_level(CompressionLevel::new(6));
    }
    let websocket = WebSocket::connect(drive.url().parse()?).with_options(options).await?;
    let message = if drive.text { Frame::text(drive.payload()) } else { Frame::binary(drive.payload()) };
    // Its errors are the end of its stream.
    let websocket = websocket.map(Ok::<_, Infallible>);
    work_sink(websocket, drive, message, Frame::binary(RECEIVED)).await
}

fn sockudo_messages(drive: &Drive) -> (sockudo_ws::Message, sockudo_ws::Message) {
    use sockudo_ws::Message;
    let payload = drive.payload();
    let message = if drive.text { Message::Text(payload) } else { Message::Binary(payload) };
    (message, Message::Binary(Bytes::from_static(RECEIVED)))
}

async fn sockudo(drive: Drive) -> Result<()> {
    let client = WebSocketClient::<Http1>::new(Config::default());
    let (websocket, _) = client.connect_to_url(&drive.url(), None).await?;
    let (message, received) = sockudo_messages(&drive);
    work_sink(websocket, drive, message, received).await
}

/// After the rig's opening handshake: its client offers no extension.
async fn sockudo_deflate(drive: Drive) -> Result<()> {
    let mut stream = TcpStream::connect(drive.address()).await?;
    stream.set_nodelay(true)?;
    let request = client::request("Sec-WebSocket-Extensions: permessage-deflate\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let deflate = DeflateConfig::default();
    let (message, received) = sockudo_messages(&drive);
    let websocket = CompressedWebSocketStream::client(stream, Config::default(), deflate);
    work_sink(websocket, drive, message, received).await
}

async fn fastwebsockets(drive: Drive) -> Result<()> {
    let stream = TcpStream::connect(drive.address()).await?;
    stream.set_nodelay(true)?;
    let request = Request::get(drive.url())
        .header("Host", "127.0.0.1")
        .header(UPGRADE, "websocket")
        .header(CONNECTION, "upgrade")
        .header("Sec-WebSocket-Key", fastwebsockets::handshake::generate_key())
        .header("Sec-WebSocket-Version", "13")
        .body(Empty::<Bytes>::new())?;
    let (websocket, _) = fastwebsockets::handshake::client(&Spawn, request, stream).await?;
    let mut websocket = FragmentCollector::new(websocket);
    let payload = drive.payload();
    let mut received = 0;
    loop {
        let frame = websocket.read_frame().await?;
        match frame.opcode {
            OpCode::Close => return Ok(()),
            OpCode::Text | OpCode::Binary => {}
            _ => continue,
        }
        if drive.work == Work::Receive {
            received += 1;
            if received % drive.batch == 0 {
                websocket.write_frame(Frame::binary(Payload::Borrowed(RECEIVED))).await?;
            }
            continue;
        }
        for _ in 0..drive.batch {
            let payload = Payload::Borrowed(&payload);
            let frame = if drive.text { Frame::text(payload) } else { Frame::binary(payload) };
            websocket.write_frame(frame).await?;
        }
    }
}

/// Has hyper spawn with tokio.
struct Spawn;

impl<F: Future<Output: Send + 'static> + Send + 'static> hyper::rt::Executor<F> for Spawn {
    fn execute(&self, future: F) {
        tokio::spawn(future);
    }
}
