//! Every future is dropped at every await point, and the operation tried again: nothing is lost, nothing
//! doubled, no half frame written.

use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use ws_core::deflate::{self, Agreed, PerMessageDeflate};
use ws_core::{CloseCode, Config, Connection, DataType, Message};
use ws_tokio::{MessageReader, Sender, WebSocket};

use crate::chance::Chance;
use crate::dropped::dropped_after;
use crate::network::Shape;
use crate::transport::{Transport, over_http2};

fn connection(end: usize, compress: bool) -> Connection {
    let mut config = Config::server();
    config.send_high_water = 50;
    config.max_frame_size = 125;
    let config = Arc::new(config);
    let mut deflate = deflate::Config::server();
    deflate.threshold = 0;
    let connection = match end {
        0 => Connection::client(config, [3; 32]),
        _ => Connection::server(config),
    };
    match (end, compress) {
        (_, false) => connection,
        (0, true) => connection.with_deflate(PerMessageDeflate::client(Agreed::PLAIN, &deflate)),
        (_, true) => connection.with_deflate(PerMessageDeflate::server(Agreed::PLAIN, &deflate)),
    }
}

fn text(n: usize) -> Message {
    Message::text(format!("{n}: {}", "größer als gedacht, ".repeat(3 + n % 9)))
}

fn number(bytes: &[u8]) -> usize {
    std::str::from_utf8(bytes).unwrap().split_once(':').unwrap().0.parse().unwrap()
}

/// What a whole WebSocket and a Sender have in common.
trait Sends {
    async fn send(&mut self, message: Message) -> Result<(), ws_tokio::Error>;
    async fn feed(&mut self, message: Message) -> Result<(), ws_tokio::Error>;
    async fn flush(&mut self) -> Result<(), ws_tokio::Error>;
    async fn ping(&mut self, payload: &[u8]) -> Result<(), ws_tokio::Error>;
    async fn close(&mut self) -> Result<ws_core::CloseInfo, ws_tokio::Error>;
}

macro_rules! sends {
    ($socket:ty) => {
        impl Sends for $socket {
            async fn send(&mut self, message: Message) -> Result<(), ws_tokio::Error> {
                <$socket>::send(self, message).await
            }
            async fn feed(&mut self, message: Message) -> Result<(), ws_tokio::Error> {
                <$socket>::feed(self, message).await
            }
            async fn flush(&mut self) -> Result<(), ws_tokio::Error> {
                <$socket>::flush(self).await
            }
            async fn ping(&mut self, payload: &[u8]) -> Result<(), ws_tokio::Error> {
                <$socket>::ping(self, payload).await
            }
            async fn close(&mut self) -> Result<ws_core::CloseInfo, ws_tokio::Error> {
                <$socket>::close(self, CloseCode::NORMAL_CLOSURE, "").await
            }
        }
    };
}
sends!(WebSocket<Transport>);
sends!(Sender);

/// Sends messages 0 to 29, each future dropped after `polls` polls, more with each attempt; then closes.
/// Messages 10 to 19 are fed, and so never duplicated; any other may arrive twice, because its sender cannot see that it was queued.
async fn send_all(socket: &mut impl Sends, polls: usize) {
    for n in 0..30 {
        let mut patience = polls;
        loop {
            let done = match n {
                10..20 => dropped_after(patience, socket.feed(text(n))).await,
                _ => dropped_after(patience, socket.send(text(n))).await,
            };
            if let Some(done) = done {
                break done.unwrap();
            }
            let _ = dropped_after(polls, socket.flush()).await;
            let _ = dropped_after(polls, socket.ping(b"?")).await;
            patience += 1;
        }
    }
    let mut patience = polls;
    while dropped_after(patience, socket.close()).await.is_none_or(|info| !info.unwrap().is_clean()) {
        patience += 1;
    }
}

/// Receives until the end, in turn whole and in pieces, each future dropped after `polls` polls.
async fn receive_all<S: AsyncRead + AsyncWrite + Unpin + Send>(socket: &mut WebSocket<S>, polls: usize) {
    let mut seen = Vec::new();
    let mut patience = polls;
    loop {
        patience += 1;
        let bytes = if seen.len().is_multiple_of(2) {
            match dropped_after(patience, socket.recv()).await {
                None => continue,
                Some(message) => message.unwrap().map(|message| message.into_bytes().to_vec()),
            }
        } else {
            match dropped_after(patience, socket.recv_stream()).await {
                None => continue,
                Some(Ok(None)) => None,
                Some(reader) => Some(read(reader.unwrap().unwrap(), polls).await),
            }
        };
        patience = polls;
        let Some(bytes) = bytes else { break };
        let n = number(&bytes);
        assert_eq!(bytes, text(n).as_bytes());
        seen.push(n);
    }
    let once: Vec<usize> = seen.iter().copied().filter(|n| (10..20).contains(n)).collect();
    assert_eq!(once, (10..20).collect::<Vec<_>>(), "fed messages are lost or duplicated: {seen:?}");
    seen.dedup();
    assert_eq!(seen, (0..30).collect::<Vec<_>>());
}

async fn read(mut reader: MessageReader<'_>, polls: usize) -> Vec<u8> {
    assert_eq!(reader.data_type(), DataType::Text);
    let mut all = Vec::new();
    let mut patience = polls;
    loop {
        match dropped_after(patience, reader.next()).await {
            None => patience += 1,
            Some(piece) => match piece.unwrap() {
                Some(piece) => all.extend_from_slice(piece.as_bytes()),
                None => return all,
            },
        }
    }
}

/// Joins two ends and has one send and the other receive, each dropping its futures.
async fn run(polls: usize, compress: bool, split: bool, sending_end: usize, http2: bool) {
    let shape = Shape { room: 40, grain: 30, delay: 0, hesitation: 5, held: polls % 2 * 64, link: None };
    let (net, [client, server]) = crate::network::streams(shape, Chance::new(polls as u64));
    let [client, server] = if http2 {
        over_http2([client, server], 100).await.map(|(stream, driver)| {
            tokio::spawn(driver.run());
            stream
        })
    } else {
        [Transport::Direct(client), Transport::Direct(server)]
    };
    let mut sockets = [
        WebSocket::new(client, connection(0, compress), &[]),
        WebSocket::new(server, connection(1, compress), &[]),
    ];
    if sending_end == 1 {
        sockets.reverse();
    }
    let [mut sending, mut receiving] = sockets;
    let sender = async {
        if split {
            let (mut sender, receiver) = sending.split();
            tokio::join!(send_all(&mut sender, polls), async { receiver.discard().await.unwrap() });
        } else {
            send_all(&mut sending, polls).await;
        }
    };
    tokio::join!(sender, receive_all(&mut receiving, polls));
    let net = net.lock().unwrap();
    for end in [0, 1] {
        let written = if http2 { crate::wire::data(net.wire(end)) } else { net.wire(end).to_vec() };
        let wire = crate::wire::check(&written, end == 0, compress).unwrap();
        assert_eq!((wire.half, wire.close), (0, Some(1000)));
    }
}

#[test]
fn every_future_can_be_dropped_at_every_await() {
    at_every_await(false);
}

#[test]
fn every_future_can_be_dropped_at_every_await_over_http_2() {
    at_every_await(true);
}

fn at_every_await(http2: bool) {
    for polls in 0..25 {
        for (compress, split, end) in
            [false, true].into_iter().flat_map(|c| [(c, false, 0), (c, true, 1), (c, false, 1), (c, true, 0)])
        {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .start_paused(true)
                .build()
                .unwrap();
            let limit = std::time::Duration::from_secs(60);
            let run = run(polls, compress, split, end, http2);
            let done = runtime.block_on(async { tokio::time::timeout(limit, run).await });
            assert!(done.is_ok(), "hangs with {polls} polls, compress {compress}, split {split}, end {end}");
        }
    }
}
