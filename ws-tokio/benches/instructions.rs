//! One load, this many times, for callgrind to count the instructions of and strace the system calls:
//! `ws-tokio/benches/bounds` runs it and holds both against `bounds.txt`.
//!
//! ```text
//! cargo bench -p ws-tokio --bench instructions -- LOAD BATCHES
//! ```

mod script;

use std::fs::File;
use std::hint::black_box;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread;

use bytes::Buf;
use ws_core::decode::{FrameDecoder, FrameItem};
use ws_core::handshake::{Acceptance, HeadLimits, Opening, RequestReader};
use ws_core::{Binary, Config, Connection, Event, Role, SendError};
use ws_tokio::{Broadcast, SlowPolicy, WebSocket};

use script::{Script, batch};

fn main() {
    // Cargo appends `--bench`.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let [load, batches] = &arguments[..] else {
        // As one of the tests, or of the benchmarks that criterion runs, it has nothing to say.
        return;
    };
    let batches = batches.parse().expect("a number of batches");
    match load.as_str() {
        "decode" => decode(batches),
        "receive" => receive(batches),
        "echo" => echo(batches),
        "client" => client(batches),
        "handshake" => handshake(batches),
        "recv-1" => recv(batches, 1),
        "recv-16" => recv(batches, 16),
        "recv-128" => recv(batches, 128),
        "send-1" => send(batches),
        "publish-128" => publish(batches, 128),
        "push-1" => push(batches),
        "lent-1" => lent(batches, 1),
        "lent-16" => lent(batches, 16),
        "lent-128" => lent(batches, 128),
        "tcp-1" => tcp(batches, 1),
        "tcp-16" => tcp(batches, 16),
        _ => panic!("no load is called {load}"),
    }
}

const SIZE: usize = 20;

/// What most messages of most users are smaller than, in number.
const IN_FLIGHT: usize = 16;

/// The frames of a batch, by the decoder alone.
fn decode(batches: u64) {
    let batch = batch(SIZE, IN_FLIGHT);
    let mut decoder = FrameDecoder::new(Role::Server);
    let mut buffer = batch.clone();
    for _ in 0..batches {
        buffer.copy_from_slice(&batch);
        let mut input = black_box(&mut buffer[..]);
        while let Ok(Some(item)) = decoder.decode(&mut input) {
            black_box(matches!(item, FrameItem::Payload { last: true, .. }));
        }
    }
}

/// The messages of a batch.
fn receive(batches: u64) {
    let batch = batch(SIZE, IN_FLIGHT);
    let mut connection = Connection::server(Arc::new(Config::server()));
    let mut buffer = batch.clone();
    for _ in 0..batches {
        buffer.copy_from_slice(&batch);
        let mut input = black_box(&mut buffer[..]);
        while let Ok(Some(event)) = connection.receive(&mut input) {
            black_box(matches!(event, Event::Binary(_)));
        }
    }
}

/// Each received and sent back, without a driver.
fn echo(batches: u64) {
    let batch = batch(SIZE, IN_FLIGHT);
    let mut connection = Connection::server(Arc::new(Config::server()));
    connection.lend_buffer(Vec::with_capacity(64 << 10));
    let mut buffer = batch.clone();
    for _ in 0..batches {
        buffer.copy_from_slice(&batch);
        let mut input = black_box(&mut buffer[..]);
        while let Ok(Some(Event::Binary(bytes))) = connection.receive(&mut input) {
            connection.send_binary(&bytes).expect("an open connection");
        }
        let mut output = connection.output();
        let written = black_box(output.chunk()).len();
        output.advance(written);
    }
}

/// A client that sends: it masks, each with a key of its own.
fn client(batches: u64) {
    let mut connection = Connection::client(Arc::new(Config::client()), [7; 32]);
    connection.lend_buffer(Vec::with_capacity(64 << 10));
    let message = [0x55; SIZE];
    for _ in 0..batches {
        for _ in 0..IN_FLIGHT {
            connection.send_binary(black_box(&message)).expect("an open connection");
        }
        let mut output = connection.output();
        let written = black_box(output.chunk()).len();
        output.advance(written);
    }
}

/// A browser's request, read and accepted.
fn handshake(requests: u64) {
    for _ in 0..requests {
        let opening = RequestReader::new(HeadLimits::server()).receive(black_box(REQUEST));
        let Ok(Some((Opening::Upgrade(upgrade), _))) = opening else { panic!("{opening:?}") };
        black_box(upgrade.accept(Acceptance::default()).expect("an answer"));
    }
}

const REQUEST: &[u8] = b"GET /chat?room=1 HTTP/1.1\r\n\
    Host: server.example.com\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\n\
    Accept-Language: en-US,en;q=0.9\r\n\
    Cache-Control: no-cache\r\n\
    Pragma: no-cache\r\n\
    Origin: https://example.com\r\n\
    Upgrade: websocket\r\n\
    Connection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n";

fn websocket(batches: u64, in_flight: usize) -> WebSocket<Script> {
    let connection = Connection::server(Arc::new(Config::server()));
    WebSocket::new(Script::new(batch(SIZE, in_flight), batches), connection, &[])
}

/// The async echo with messages of its own.
fn recv(batches: u64, in_flight: usize) {
    block_on(async {
        let mut websocket = websocket(batches, in_flight);
        while let Ok(Some(message)) = websocket.recv().await {
            websocket.feed(message).await.expect("an open connection");
        }
    });
}

/// The async echo that waits until each answer is written.
fn send(batches: u64) {
    block_on(async {
        let mut websocket = websocket(batches, 1);
        while let Ok(Some(message)) = websocket.recv().await {
            // The last one takes the end of the script before it sends.
            if websocket.send(message).await.is_err() {
                break;
            }
        }
    });
}

/// A server over the loopback interface that only sends.
fn push(messages: u64) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    let client = thread::spawn(move || {
        let stream = TcpStream::connect(address).expect("a connection");
        let mut stream = File::from(OwnedFd::from(stream));
        std::io::copy(&mut stream, &mut std::io::sink()).expect("an end");
    });
    block_on(async {
        let (stream, _) = listener.accept().expect("a connection");
        stream.set_nonblocking(true).expect("a socket");
        let stream = tokio::net::TcpStream::from_std(stream).expect("a socket");
        let connection = Connection::server(Arc::new(Config::server()));
        let mut websocket = WebSocket::new(stream, connection, &[]);
        for _ in 0..messages {
            websocket.send(vec![0x55; SIZE]).await.expect("an open connection");
        }
    });
    client.join().expect("a client without a fault");
}

/// One message to this many members of a broadcast, again and again.
fn publish(messages: u64, members: usize) {
    block_on(async {
        let room = Broadcast::new();
        let halves: Vec<_> = (0..members).map(|_| websocket(0, 1).split()).collect();
        let _members: Vec<_> =
            halves.iter().map(|(sender, _)| room.join(sender.clone(), SlowPolicy::DropNewest)).collect();
        for _ in 0..messages {
            black_box(room.publish(vec![0x55; SIZE]).await);
        }
    });
}

/// The async echo with messages lent.
fn lent(batches: u64, in_flight: usize) {
    block_on(async {
        // The script ends without a Close.
        let _ = websocket(batches, in_flight).for_each_event(answer).await;
    });
}

/// The same over the loopback interface.
fn tcp(batches: u64, in_flight: usize) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    let client = thread::spawn(move || {
        let stream = TcpStream::connect(address).expect("a connection");
        stream.set_nodelay(true).expect("a socket");
        // As a file it is read and written with calls that a server makes none of: strace tells them apart.
        let mut stream = File::from(OwnedFd::from(stream));
        let batch = batch(SIZE, in_flight);
        let mut answers = vec![0; (SIZE + 2) * in_flight];
        for _ in 0..batches {
            stream.write_all(&batch).expect("a write");
            stream.read_exact(&mut answers).expect("the answers");
        }
    });
    block_on(async {
        let (stream, _) = listener.accept().expect("a connection");
        stream.set_nonblocking(true).expect("a socket");
        let stream = tokio::net::TcpStream::from_std(stream).expect("a socket");
        let connection = Connection::server(Arc::new(Config::server()));
        // The client ends without a Close.
        let _ = WebSocket::new(stream, connection, &[]).for_each_event(answer).await;
    });
    client.join().expect("a client without a fault");
}

fn answer(connection: &mut Connection, event: Event<'_>) -> Result<(), SendError> {
    match event {
        Event::Binary(Binary::Owned(bytes)) => connection.send(bytes.into()),
        Event::Binary(bytes) => connection.send_binary(&bytes),
        _ => Ok(()),
    }
}

fn block_on(future: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future);
}
