//! How long a message of 20 bytes waits on a server with one worker thread, while another connection echoes compressed messages of
//! 1 MiB without a pause.
//!
//! ```text
//! cargo bench -p ws-server --bench neighbour -- SECONDS
//! ```

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use bytes::Buf;
use ws_server::ws_core::deflate::{self, Agreed, PerMessageDeflate};
use ws_server::ws_core::{Config, Connection, Message};
use ws_server::{Endpoint, Error, Server, WebSocket};

fn main() {
    // Cargo appends `--bench`.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let [seconds] = &arguments[..] else {
        // As one of the tests, or of the benchmarks that criterion runs, it has nothing to say.
        return;
    };
    let duration = Duration::from_secs(seconds.parse().expect("a number of seconds"));
    let address = serve();
    report("alone", neighbour(address, duration));
    for load in [Load::Compressed, Load::Takeover, Load::NotAscii, Load::Uncompressed] {
        let stop = Arc::new(AtomicBool::new(false));
        let heavy = thread::spawn({
            let stop = stop.clone();
            move || heavy(address, load, &stop)
        });
        let times = neighbour(address, duration);
        stop.store(true, Ordering::Relaxed);
        let (echoes, elapsed) = heavy.join().expect("the heavy connection");
        let rate = f64::from(echoes) / elapsed.as_secs_f64();
        report(&format!("beside {load:?}, {rate:.1} messages of 1 MiB a second"), times);
    }
}

/// What the other connection has echoed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Load {
    /// Compressed text, each message by itself.
    Compressed,
    /// The same, and the server's answers refer back to earlier ones.
    Takeover,
    /// As `Compressed`, with characters of two bytes, which take longer to check.
    NotAscii,
    /// Text as it is.
    Uncompressed,
}

/// Echoes each message.
async fn handler(mut socket: WebSocket) -> Result<(), Error> {
    while let Some(message) = socket.recv().await? {
        socket.send(message).await?;
    }
    Ok(())
}

/// A server that compresses, in a thread.
fn serve() -> SocketAddr {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let endpoint = Endpoint::new(handler).deflate(deflate::Config::server());
            let server = Server::builder().endpoint("/", endpoint).bind("127.0.0.1:0").await.expect("a port");
            sender.send(server.local_addr().expect("its address")).expect("a client");
            server.serve().await;
        });
    });
    receiver.recv().expect("a server")
}

fn open(address: SocketAddr, extension: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.set_nodelay(true).expect("a socket");
    let request = format!("{REQUEST}{extension}\r\n");
    stream.write_all(request.as_bytes()).expect("a write");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("an answer");
        head.extend(byte);
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "));
    stream
}

/// The round trips of messages of 20 bytes, one after the other.
fn neighbour(address: SocketAddr, duration: Duration) -> Vec<Duration> {
    let mut stream = open(address, "");
    // Masked with zeros.
    let mut frame = vec![0x82, 0x80 | 20, 0, 0, 0, 0];
    frame.extend([0x55; 20]);
    let begin = Instant::now();
    let mut times = Vec::new();
    while begin.elapsed() < duration {
        // At moments that do not depend on what the server does.
        thread::sleep(PACE);
        let sent = Instant::now();
        stream.write_all(&frame).expect("a write");
        stream.read_exact(&mut [0; 22]).expect("an answer");
        times.push(sent.elapsed());
    }
    times
}

/// Has messages of 1 MiB echoed, two at a time, so that the server never waits; returns how many, and how long it took.
fn heavy(address: SocketAddr, load: Load, stop: &AtomicBool) -> (u32, Duration) {
    let extension = match load {
        Load::Compressed | Load::NotAscii => NO_TAKEOVER,
        Load::Takeover => TAKEOVER,
        Load::Uncompressed => "",
    };
    let mut client = Connection::client(Arc::new(Config::client()), [7; 32]);
    if load != Load::Uncompressed {
        client = client.with_deflate(PerMessageDeflate::client(Agreed::PLAIN, &deflate::Config::client()));
    }
    let separator = if load == Load::NotAscii { 'é' } else { ' ' };
    let words = (0u32..).flat_map(|n| format!("{n:x}{separator}").into_bytes());
    // A number may be cut off, a character not.
    let text: Vec<u8> = words.take((1 << 20) - 2).chain(*b"  ").collect();
    let text = String::from_utf8_lossy(&text).replace(char::REPLACEMENT_CHARACTER, " ");
    client.send(Message::text(text)).expect("a message");
    let mut output = client.output();
    let frame = output.copy_to_bytes(output.remaining());
    let mut stream = open(address, extension);
    let begin = Instant::now();
    let mut echoes = 0;
    let mut writer = stream.try_clone().expect("a socket");
    // By a thread: one that wrote and read by turns could wait for room on both sides.
    let (more, due) = mpsc::sync_channel::<()>(1);
    let writing = thread::spawn(move || {
        while due.recv().is_ok() {
            writer.write_all(&frame).expect("a write");
        }
    });
    more.send(()).expect("the writer");
    while !stop.load(Ordering::Relaxed) {
        more.send(()).expect("the writer");
        read_message(&mut stream);
        echoes += 1;
    }
    let elapsed = begin.elapsed();
    // What is still to come, so that nothing waits for room.
    drop(more);
    let _ = stream.set_read_timeout(Some(Duration::from_secs(1)));
    let _ = std::io::copy(&mut stream, &mut std::io::sink());
    writing.join().expect("the writer");
    (echoes, elapsed)
}

fn read_message(stream: &mut TcpStream) {
    loop {
        let mut header = [0; 2];
        stream.read_exact(&mut header).expect("a header");
        let mut length = [0; 8];
        let long = match header[1] {
            126 => &mut length[6..],
            127 => &mut length[..],
            short => {
                length[7] = short;
                &mut []
            }
        };
        stream.read_exact(long).expect("a length");
        let mut payload = vec![0; usize::try_from(u64::from_be_bytes(length)).expect("a payload")];
        stream.read_exact(&mut payload).expect("a payload");
        if header[0] & 0x80 != 0 {
            return;
        }
    }
}

fn report(what: &str, mut times: Vec<Duration>) {
    times.sort();
    let at = |share: usize| times.get(times.len() * share / 1000).copied().unwrap_or_default();
    println!("{what}: p50 {:?}, p99 {:?}, p99.9 {:?} of {}", at(500), at(990), at(999), times.len());
}

/// Between two messages of the neighbour.
const PACE: Duration = Duration::from_millis(1);

const REQUEST: &str = "GET / HTTP/1.1\r\n\
    Host: server.example.com\r\n\
    Upgrade: websocket\r\n\
    Connection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n";
const NO_TAKEOVER: &str = "Sec-WebSocket-Extensions: \
    permessage-deflate; server_no_context_takeover; client_no_context_takeover\r\n";
const TAKEOVER: &str = "Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover\r\n";
