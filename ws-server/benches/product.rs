//! One load on a whole server over the loopback interface, this many times, for valgrind to count the instructions and the
//! allocations of: `ws-tokio/benches/bounds` runs it and compares both with `ws-tokio/benches/bounds.txt`. The client is in the same
//! process, and does as little as it can.
//!
//! ```text
//! cargo bench -p ws-server --bench product -- LOAD TIMES
//! ```

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::thread;

use ws_server::{Error, Server, WebSocket};

fn main() {
    // Cargo appends `--bench`.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let [load, times] = &arguments[..] else {
        // As one of the tests, or of the benchmarks that criterion runs, it has nothing to say.
        return;
    };
    let times = times.parse().expect("a number of times");
    if load == "server-handshake" {
        return handshakes(times);
    }
    let address = serve(None);
    match load.as_str() {
        "server-echo-1" => echo(address, "/", times, 1),
        "server-echo-16" => echo(address, "/", times, 16),
        "server-feed-1" => echo(address, "/feed", times, 1),
        "server-feed-16" => echo(address, "/feed", times, 16),
        "server-http2-echo-1" => echo_http2(address, times, 1, 1),
        "server-http2-echo-16" => echo_http2(address, times, 1, 16),
        "server-http2-data-16" => echo_http2(address, times, 16, 1),
        _ => panic!("no load is called {load}"),
    }
}

/// Each answer is written by itself.
async fn handler(mut socket: WebSocket) -> Result<(), Error> {
    while let Some(message) = socket.recv().await? {
        socket.send(message).await?;
    }
    Ok(())
}

/// As the README has it: answers to messages that arrive together are written together.
async fn feeding(mut socket: WebSocket) -> Result<(), Error> {
    while let Some(message) = socket.recv().await? {
        socket.feed(message).await?;
    }
    Ok(())
}

/// How often a server has fallen asleep.
#[derive(Default)]
struct Sleeps {
    count: Mutex<u64>,
    another: Condvar,
}

impl Sleeps {
    fn count(&self) -> u64 {
        *self.count.lock().expect("no panic")
    }

    fn begin(&self) {
        *self.count.lock().expect("no panic") += 1;
        self.another.notify_one();
    }

    fn wait_beyond(&self, count: u64) {
        let now = self.count.lock().expect("no panic");
        drop(self.another.wait_while(now, |now| *now <= count).expect("no panic"));
    }

    /// Does a step of a client, and waits until the server, which was asleep, is asleep again.
    fn beside<T>(&self, step: impl FnOnce() -> T) -> T {
        let before = self.count();
        let outcome = step();
        self.wait_beyond(before);
        outcome
    }
}

/// A server with default options, in a thread.
fn serve(sleeps: Option<Arc<Sleeps>>) -> SocketAddr {
    let (sender, receiver) = mpsc::channel();
    let watched = sleeps.clone();
    thread::spawn(move || {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        if let Some(sleeps) = watched.clone() {
            runtime.on_thread_park(move || sleeps.begin());
        }
        let runtime = runtime.enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let server =
                Server::builder().route("/", handler).route("/feed", feeding).bind("127.0.0.1:0").await;
            let server = server.expect("a port");
            let slept = watched.map_or(0, |sleeps| sleeps.count());
            sender.send((server.local_addr().expect("its address"), slept)).expect("a client");
            server.serve().await;
        });
    });
    let (address, slept) = receiver.recv().expect("a server");
    if let Some(sleeps) = sleeps {
        sleeps.wait_beyond(slept);
    }
    address
}

/// Each ends without a Close: what that takes is in the figure.
///
/// The server sleeps before each step of the client, as it does when a network is between them. Otherwise it would depend on the machine
/// whether a request is there when its connection is accepted, and a turn of the runtime is 1,500 instructions.
fn handshakes(times: u64) {
    let sleeps = Arc::new(Sleeps::default());
    let (address, request) = (serve(Some(sleeps.clone())), request("/"));
    for _ in 0..times {
        let mut stream = sleeps.beside(|| connect(address));
        sleeps.beside(|| shake_hands(&mut stream, &request));
        sleeps.beside(|| drop(stream));
    }
}

fn open(address: SocketAddr, request: &str) -> TcpStream {
    let mut stream = connect(address);
    shake_hands(&mut stream, request);
    stream
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("a connection");
    stream.set_nodelay(true).expect("a socket");
    stream
}

fn shake_hands(stream: &mut TcpStream, request: &str) {
    stream.write_all(request.as_bytes()).expect("a write");
    let mut head = [0; 1024];
    let mut length = 0;
    while !head[..length].ends_with(b"\r\n\r\n") {
        length += stream.read(&mut head[length..]).expect("an answer");
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "));
}

fn request(path: &str) -> String {
    format!("GET {path} {REQUEST}")
}

/// This many batches of messages of 20 bytes, each after the answers to the one before.
fn echo(address: SocketAddr, path: &str, batches: u64, in_flight: usize) {
    let mut stream = open(address, &request(path));
    let batch = message().repeat(in_flight);
    let mut answers = vec![0; 22 * in_flight];
    for _ in 0..batches {
        stream.write_all(&batch).expect("a write");
        stream.read_exact(&mut answers).expect("the answers");
    }
}

/// Masked with zeros.
fn message() -> Vec<u8> {
    ws_wire::frame(0x82, &[0x55; 20], Some([0; 4]))
}

/// The same on a stream of HTTP/2 (RFC 8441), without TLS: each batch is one write of this many DATA frames with this many
/// messages each.
fn echo_http2(address: SocketAddr, batches: u64, frames: usize, messages: usize) {
    let mut stream = connect(address);
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").expect("a write");
    // SETTINGS_INITIAL_WINDOW_SIZE, and as much for the connection: the answers need no WINDOW_UPDATE.
    stream.write_all(&http2_frame(4, 0, 0, &[0, 4, 0x7F, 0xFF, 0xFF, 0xFF])).expect("a write");
    stream.write_all(&http2_frame(8, 0, 0, &[0x7F, 0xFF, 0, 0])).expect("a write");
    stream.write_all(&http2_frame(1, 4, 1, &request_http2())).expect("a write");
    while read_http2_frame(&mut stream).0 != 1 {}
    let batch = http2_frame(0, 0, 1, &message().repeat(messages)).repeat(frames);
    for _ in 0..batches {
        stream.write_all(&batch).expect("a write");
        let mut answered = 0;
        while answered < 22 * frames * messages {
            let (kind, payload) = read_http2_frame(&mut stream);
            answered += if kind == 0 { payload.len() } else { 0 };
        }
    }
}

/// The fields of an extended CONNECT, as literals without indexing (RFC 7541 section 6.2.2).
fn request_http2() -> Vec<u8> {
    let fields = [
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        (":scheme", "http"),
        (":path", "/feed"),
        (":authority", "server.example.com"),
        ("sec-websocket-version", "13"),
    ];
    let text = |text: &str| [&[u8::try_from(text.len()).expect("short")][..], text.as_bytes()].concat();
    fields.map(|(name, value)| [&[0][..], &text(name), &text(value)].concat()).concat()
}

fn http2_frame(kind: u8, flags: u8, id: u32, payload: &[u8]) -> Vec<u8> {
    let [_, length @ ..] = u32::try_from(payload.len()).expect("short").to_be_bytes();
    [&length[..], &[kind, flags], &id.to_be_bytes(), payload].concat()
}

/// The type of a frame, and its payload.
fn read_http2_frame(stream: &mut TcpStream) -> (u8, Vec<u8>) {
    let mut header = [0; 9];
    stream.read_exact(&mut header).expect("a frame");
    let [a, b, c, kind, ..] = header;
    let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
    stream.read_exact(&mut payload).expect("its payload");
    (kind, payload)
}

// After the method and the path.
const REQUEST: &str = "HTTP/1.1\r\n\
    Host: server.example.com\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\n\
    Accept-Language: en-US,en;q=0.9\r\n\
    Cache-Control: no-cache\r\n\
    Pragma: no-cache\r\n\
    Upgrade: websocket\r\n\
    Connection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n";
