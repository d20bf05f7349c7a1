//! A server that does what the scenarios ask for by the path of the request. Pages of any origin may.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicU16, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use ws_client::ws_core::Connection;
use ws_client::ws_core::handshake::{Acceptance, HeadLimits, Opening, RequestReader};
use ws_client::{CloseCode, Config, Error, WebSocket};

/// What connections know of others.
#[derive(Default)]
struct State {
    last_close: AtomicU16,
    slow: Mutex<HashMap<usize, oneshot::Sender<()>>>,
    next: AtomicUsize,
    /// Messages of the last flood that were sent.
    flooded: AtomicU32,
    /// Bytes that the last slow connection has taken.
    taken: AtomicUsize,
}

/// Serves until it is dropped.
pub(crate) async fn serve(listener: TcpListener) {
    let state = Arc::new(State::default());
    loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            if let Err(error) = connection(stream, &state).await {
                eprintln!("{error}");
            }
        });
    }
}

async fn connection(mut stream: TcpStream, state: &State) -> Result<(), Error> {
    stream.set_nodelay(true)?;
    let Some(target) = open(&mut stream).await? else { return Ok(()) };
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let number = query.parse().unwrap_or(0);
    let config = Config::server().max_message_size(16 << 20);
    let mut ws = WebSocket::new(stream, Connection::server(Arc::new(config)), &[]);
    match path {
        "/close" => drop(ws.close(CloseCode(query.parse().unwrap_or(1000)), "as asked").await?),
        "/flood" => flood(&mut ws, number, state).await?,
        "/flooded" => ws.send(state.flooded.load(Ordering::SeqCst).to_string()).await?,
        "/taken" => ws.send(state.taken.load(Ordering::SeqCst).to_string()).await?,
        "/slow" => slow(&mut ws, state).await?,
        "/read" => {
            let waiting =
                state.slow.lock().unwrap_or_else(PoisonError::into_inner).remove(&(number as usize));
            let _ = waiting.is_some_and(|waiting| waiting.send(()).is_ok());
        }
        "/last" => ws.send(state.last_close.load(Ordering::SeqCst).to_string()).await?,
        "/drop" => {
            drop(ws.into_inner());
            return Ok(());
        }
        "/die" => std::process::exit(0),
        _ => {}
    }
    let ended = echo(&mut ws).await;
    if let Some(code) = ws.close_info().and_then(|info| info.received) {
        state.last_close.store(code.0, Ordering::SeqCst);
    }
    ended
}

async fn echo(ws: &mut WebSocket<TcpStream>) -> Result<(), Error> {
    while let Some(message) = ws.recv().await? {
        ws.feed(message).await?;
    }
    Ok(())
}

/// Messages of 4 KiB, which begin with their number; then a Close.
async fn flood(ws: &mut WebSocket<TcpStream>, count: u32, state: &State) -> Result<(), Error> {
    let mut message = vec![0; 4096];
    for number in 0..count {
        message[..4].copy_from_slice(&number.to_be_bytes());
        state.flooded.store(number, Ordering::SeqCst);
        // Closed by the client: what `echo` reports next.
        if ws.feed(message.as_slice()).await.is_err() {
            return Ok(());
        }
    }
    let _ = ws.start_close(CloseCode::NORMAL_CLOSURE, "");
    Ok(())
}

/// Sends a number, and reads nothing until another connection asks for it by that; then sends how many bytes there were before
/// a text.
async fn slow(ws: &mut WebSocket<TcpStream>, state: &State) -> Result<(), Error> {
    let number = state.next.fetch_add(1, Ordering::SeqCst);
    let (sender, asked) = oneshot::channel();
    state.slow.lock().unwrap_or_else(PoisonError::into_inner).insert(number, sender);
    ws.send(number.to_string()).await?;
    let _ = asked.await;
    let mut bytes = 0;
    while let Some(message) = ws.recv().await? {
        if message.is_text() {
            return ws.send(bytes.to_string()).await;
        }
        bytes += message.len();
    }
    state.taken.store(bytes, Ordering::SeqCst);
    Ok(())
}

/// Performs the opening handshake; returns the target, if it is that of a WebSocket.
async fn open(stream: &mut TcpStream) -> io::Result<Option<String>> {
    let mut reader = RequestReader::new(HeadLimits::server());
    let mut head = Vec::new();
    loop {
        match reader.receive(&head) {
            Ok(Some((Opening::Upgrade(upgrade), _))) => {
                let target = upgrade.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
                if target == "/silent" {
                    return tokio::io::copy(stream, &mut tokio::io::sink()).await.map(|_| None);
                }
                if target == "/refuse" {
                    stream
                        .write_all(
                            b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
                        )
                        .await?;
                    return Ok(None);
                }
                let subprotocol = upgrade.select_subprotocol(["echo"]);
                let response = upgrade.accept(Acceptance::default().subprotocol(subprotocol));
                stream.write_all(&response.map_err(io::Error::other)?).await?;
                return Ok(Some(target));
            }
            Ok(None) => head.push(stream.read_u8().await?),
            // A page asks for plain HTTP only by mistake.
            Ok(Some(_)) => return Ok(None),
            Err(refusal) => return stream.write_all(&refusal.encode()).await.map(|()| None),
        }
    }
}
