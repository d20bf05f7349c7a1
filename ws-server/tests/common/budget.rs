//! The memory of all connections together, over any transport: some hold unfinished messages until they have to give way, some do not
//! read, and an honest one notices nothing.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::task::yield_now;
use ws_server::{Error, Message, ServerOptions, Stats, WebSocket};

use super::{frame, opening, reply, soon};

/// What the server is to have as options.
pub fn options() -> ServerOptions {
    let mut options = ServerOptions::default().max_memory(Some(MEBIBYTE));
    options.drain_timeout = Duration::from_secs(2);
    options
}

/// What the server is to have as its handler: echoes, and sends without end once it has been asked to.
pub async fn handler(mut socket: WebSocket) -> Result<(), Error> {
    while let Some(message) = socket.recv().await? {
        if message == Message::text("flood") {
            loop {
                socket.send(vec![7; FLOOD]).await?;
            }
        }
        socket.send(message).await?;
    }
    Ok(())
}

/// Opens a WebSocket on a transport.
async fn open<S: AsyncRead + AsyncWrite + Unpin>(mut peer: S) -> S {
    let head = ask(&mut peer).await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    peer
}

/// Asks for a WebSocket; returns the head of the answer.
async fn ask(peer: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> String {
    peer.write_all(opening("/", "").as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(soon(peer.read_u8()).await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

async fn echoes<S: AsyncRead + AsyncWrite + Unpin>(peer: &mut S) {
    peer.write_all(&frame(0x81, b"hello")).await.unwrap();
    let mut echo = [0; 7];
    soon(peer.read_exact(&mut echo)).await.unwrap();
    assert_eq!(echo[..], reply(0x81, b"hello"));
}

async fn until(stats: &Stats, what: impl Fn(&Stats) -> bool) {
    soon(async {
        while !what(stats) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

/// Connections with unfinished messages are closed with 1013, an honest one stays, and all is returned.
pub async fn unfinished_input_gives_way<S>(connect: impl AsyncFn() -> S, stats: &Stats)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut honest = open(connect().await).await;
    let mut heavy = Vec::new();
    for _ in 0..6 {
        heavy.push(open(connect().await).await);
    }
    // The first fragment of a message, masked with zeros.
    let mut fragment = vec![0x02, 0xFF, 0, 0, 0, 0, 0, 2, 0, 0];
    fragment.resize(14 + (2 << 16), 0);
    for peer in &mut heavy {
        peer.write_all(&fragment).await.unwrap();
    }
    until(stats, |stats| stats.closed_for_memory() >= 2).await;
    echoes(&mut honest).await;
    let mut closed = 0;
    for peer in &mut heavy {
        // The rest of the message; one that has been closed may not take it.
        let _ = peer.write_all(&frame(0x80, b"")).await;
        let mut first = [0; 4];
        soon(peer.read_exact(&mut first)).await.unwrap();
        match first {
            [0x82, ..] => {}
            [0x88, _, 0x03, 0xF5] => closed += 1,
            other => panic!("{other:x?}"),
        }
    }
    assert!((2..6).contains(&closed), "{closed} of 6 have been closed");
    until(stats, |stats| stats.closed_for_memory() == closed).await;
    drop((honest, heavy));
    until(stats, |stats| stats.memory() == 0).await;
}

/// Connections whose peers read nothing, with much that waits to be written, give way; those that read stay.
pub async fn output_that_stands_still_gives_way<S>(connect: impl AsyncFn() -> S, stats: &Stats)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut honest = open(connect().await).await;
    let mut reading = open(connect().await).await;
    let mut stuck = Vec::new();
    for _ in 0..3 {
        stuck.push(open(connect().await).await);
    }
    reading.write_all(&frame(0x81, b"flood")).await.unwrap();
    let reader = tokio::spawn(async move {
        let mut buffer = vec![0; FLOOD];
        loop {
            // Less at a time than the server has.
            if reading.read(&mut buffer).await.unwrap_or(0) == 0 {
                return;
            }
            yield_now().await;
        }
    });
    for peer in &mut stuck {
        peer.write_all(&frame(0x81, b"flood")).await.unwrap();
    }
    // Their memory is needed: requests are refused until it is there.
    until(stats, |stats| stats.memory() > MEBIBYTE as u64).await;
    soon(async {
        while stats.closed_for_memory() == 0 {
            ask(&mut connect().await).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    assert!(!reader.is_finished(), "the connection that reads has been closed");
    echoes(&mut honest).await;
    reader.abort();
    let _ = reader.await;
    assert!(stats.refused_for_memory() > 0);
    drop((honest, stuck));
    until(stats, |stats| stats.memory() == 0).await;
}

const MEBIBYTE: usize = 1 << 20;
/// More than a third of the limit.
const FLOOD: usize = 600_000;
