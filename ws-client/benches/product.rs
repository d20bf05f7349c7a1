//! One load on a whole client over the loopback interface, this many times, for valgrind to count the instructions and the
//! allocations of: `ws-tokio/benches/bounds` runs it and compares both with `ws-tokio/benches/bounds.txt`. The server is in the same
//! process, and does as little as it can.
//!
//! ```text
//! cargo bench -p ws-client --bench product -- LOAD TIMES
//! ```

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use ws_client::Message;
use ws_client::ws_core::handshake::accept_key;

fn main() {
    // Cargo appends `--bench`.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let [load, times] = &arguments[..] else {
        // As one of the tests, or of the benchmarks that criterion runs, it has nothing to say.
        return;
    };
    let times = times.parse().expect("a number of times");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        match load.as_str() {
            "client-connect" => connect(times).await,
            "client-receive-1" => receive(times, 1).await,
            "client-receive-16" => receive(times, 16).await,
            "client-send-1" => send(times).await,
            "client-feed-16" => feed(times, 16).await,
            _ => panic!("no load is called {load}"),
        }
    });
}

const SIZE: usize = 20;
/// Of a frame of the client's: the header and the key.
const FRAME: usize = SIZE + 6;

/// A server for this many connections, which does this with each after the opening handshake.
fn serve(connections: u64, then: impl Fn(TcpStream) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    thread::spawn(move || {
        for _ in 0..connections {
            let (stream, _) = listener.accept().expect("a connection");
            then(shake_hands(stream));
        }
    });
    address
}

fn shake_hands(mut stream: TcpStream) -> TcpStream {
    stream.set_nodelay(true).expect("a socket");
    let mut head = [0; 1024];
    let mut length = 0;
    while !head[..length].ends_with(b"\r\n\r\n") {
        length += stream.read(&mut head[length..]).expect("a request");
    }
    let request = std::str::from_utf8(&head[..length]).expect("a request");
    let mut fields = request.lines().filter_map(|line| line.split_once(": "));
    let key = fields.find(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-key")).expect("a key").1;
    let response = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {}\r\n\r\n",
        accept_key(key.as_bytes())
    );
    stream.write_all(response.as_bytes()).expect("a write");
    stream
}

/// Opening handshakes, with default options, and the ends of their connections.
async fn connect(times: u64) {
    let address = serve(times, drop);
    let url = format!("ws://{address}/");
    for _ in 0..times {
        drop(ws_client::connect(&*url).await.expect("an open WebSocket"));
    }
}

/// Batches of messages, each answered with a message.
async fn receive(batches: u64, in_flight: usize) {
    let address = serve(1, move |mut stream| {
        // Binary, in one frame, of this length.
        let batch = [&[0x82, SIZE as u8][..], &[0x55; SIZE]].concat().repeat(in_flight);
        let mut answer = [0; FRAME];
        for _ in 0..batches {
            stream.write_all(&batch).expect("a write");
            stream.read_exact(&mut answer).expect("an answer");
        }
    });
    let (mut socket, _) = ws_client::connect(format!("ws://{address}/")).await.expect("an open WebSocket");
    let answer = Message::binary(vec![0x55; SIZE]);
    for _ in 0..batches {
        for _ in 0..in_flight {
            socket.recv().await.expect("an open connection").expect("a message");
        }
        socket.send(answer.clone()).await.expect("an open connection");
    }
}

/// Messages that are written one by one.
async fn send(messages: u64) {
    let address = serve(1, discard);
    let (mut socket, _) = ws_client::connect(format!("ws://{address}/")).await.expect("an open WebSocket");
    let message = Message::binary(vec![0x55; SIZE]);
    for _ in 0..messages {
        socket.send(message.clone()).await.expect("an open connection");
    }
}

/// Messages that are queued, and written together.
async fn feed(batches: u64, in_flight: usize) {
    let address = serve(1, discard);
    let (mut socket, _) = ws_client::connect(format!("ws://{address}/")).await.expect("an open WebSocket");
    let message = Message::binary(vec![0x55; SIZE]);
    for _ in 0..batches {
        for _ in 0..in_flight {
            socket.feed(message.clone()).await.expect("an open connection");
        }
        socket.flush().await.expect("an open connection");
    }
}

fn discard(mut stream: TcpStream) {
    let mut buffer = [0; 4096];
    while stream.read(&mut buffer).is_ok_and(|length| length > 0) {}
}
