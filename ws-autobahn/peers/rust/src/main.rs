//! Echo servers and clients by other Rust libraries.
//!
//! Usage: echo-peers LIBRARY server PORT, echo-peers LIBRARY client PORT (Autobahn's protocol for testees), or
//! echo-peers LIBRARY once URL (one connection).

use std::{env::args, error::Error};

use fastwebsockets::{FragmentCollector, OpCode, WebSocket, WebSocketError, handshake, upgrade};
use futures_util::{SinkExt, StreamExt};
use http_body_util::Empty;
use hyper::{
    Request, Response, Uri,
    body::{Bytes, Incoming},
    header::{CONNECTION, HOST, UPGRADE},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
};
use tokio_tungstenite::tungstenite::{Message, protocol::WebSocketConfig};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Result<()> {
    let args: Vec<String> = args().skip(1).collect();
    let [library, mode, to] = &args[..] else { return Err("LIBRARY server|client|once PORT|URL".into()) };
    match &mode[..] {
        "server" => server(library.clone(), to.parse()?).await,
        "client" => client(library, to).await,
        _ => once(library, to).await,
    }
}

async fn server(library: String, port: u16) -> Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        let library = library.clone();
        tokio::spawn(async move {
            match &library[..] {
                "tokio-tungstenite" => tungstenite_server(stream).await,
                "fastwebsockets" => fast_server(stream).await,
                _ => websockets_server(stream).await,
            }
        });
    }
}

/// Without `max_frame_size` case 25.2.6 aborts the process: tungstenite's `FrameCodec::read_frame` reserves memory for
/// the declared length of a frame.
fn config() -> WebSocketConfig {
    WebSocketConfig::default().max_message_size(Some(64 << 20)).max_frame_size(Some(64 << 20))
}

async fn tungstenite_server(stream: TcpStream) -> Result<()> {
    let mut socket = tokio_tungstenite::accept_async_with_config(stream, Some(config())).await?;
    while let Some(message) = socket.next().await {
        match message? {
            message @ (Message::Text(_) | Message::Binary(_)) => socket.send(message).await?,
            _ => {}
        }
    }
    Ok(())
}

async fn websockets_server(stream: TcpStream) -> Result<()> {
    let limits = tokio_websockets::Limits::default().max_payload_len(Some(64 << 20));
    let (_, mut socket) = tokio_websockets::ServerBuilder::new().limits(limits).accept(stream).await?;
    while let Some(message) = socket.next().await {
        let message = message?;
        if message.is_text() || message.is_binary() {
            socket.send(message).await?;
        }
    }
    Ok(())
}

async fn fast_server(stream: TcpStream) -> Result<()> {
    let service = service_fn(|mut request: Request<Incoming>| async move {
        let (response, upgraded) = upgrade::upgrade(&mut request)?;
        tokio::spawn(async move { fast_echo(upgraded.await?).await });
        Ok::<Response<Empty<Bytes>>, WebSocketError>(response)
    });
    Ok(http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades().await?)
}

async fn fast_echo(socket: WebSocket<impl AsyncRead + AsyncWrite + Unpin>) -> std::result::Result<(), WebSocketError> {
    let mut socket = FragmentCollector::new(socket);
    loop {
        let frame = socket.read_frame().await?;
        match frame.opcode {
            OpCode::Close => return Ok(()),
            OpCode::Text | OpCode::Binary => socket.write_frame(frame).await?,
            _ => {}
        }
    }
}

async fn client(library: &str, port: &str) -> Result<()> {
    let base = format!("ws://127.0.0.1:{port}");
    let (mut socket, _) = tokio_tungstenite::connect_async(format!("{base}/getCaseCount")).await?;
    let count: usize = socket.next().await.ok_or("no count")??.to_text()?.parse()?;
    while socket.next().await.is_some() {}
    for case in 1..=count {
        let url = format!("{base}/runCase?case={case}&agent={library}");
        // The verdict is the suite's.
        let _ = once(library, &url).await;
    }
    let _ = tokio_tungstenite::connect_async(format!("{base}/updateReports?agent={library}")).await?;
    Ok(())
}

async fn once(library: &str, url: &str) -> Result<()> {
    match library {
        "tokio-tungstenite" => tungstenite_client(url).await,
        "fastwebsockets" => fast_client(url).await,
        _ => websockets_client(url).await,
    }
}

async fn fast_client(url: &str) -> Result<()> {
    let host = url.parse::<Uri>()?.authority().ok_or("no authority")?.to_string();
    let request = Request::get(url.replacen("ws://", "http://", 1))
        .header(HOST, &host)
        .header(UPGRADE, "websocket")
        .header(CONNECTION, "upgrade")
        .header("Sec-WebSocket-Key", handshake::generate_key())
        .header("Sec-WebSocket-Version", "13")
        .body(Empty::<Bytes>::new())?;
    let stream = TcpStream::connect(host).await?;
    let (socket, _) = handshake::client(&TokioExecutor::new(), request, stream).await?;
    Ok(fast_echo(socket).await?)
}

async fn tungstenite_client(url: &str) -> Result<()> {
    let (mut socket, _) = tokio_tungstenite::connect_async_with_config(url, Some(config()), false).await?;
    while let Some(message) = socket.next().await {
        match message? {
            message @ (Message::Text(_) | Message::Binary(_)) => socket.send(message).await?,
            _ => {}
        }
    }
    Ok(())
}

async fn websockets_client(url: &str) -> Result<()> {
    let limits = tokio_websockets::Limits::default().max_payload_len(Some(64 << 20));
    let (mut socket, _) = tokio_websockets::ClientBuilder::new().uri(url)?.limits(limits).connect().await?;
    while let Some(message) = socket.next().await {
        let message = message?;
        if message.is_text() || message.is_binary() {
            socket.send(message).await?;
        }
    }
    Ok(())
}
