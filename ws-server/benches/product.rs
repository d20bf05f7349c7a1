//! One load on a whole server over the loopback interface, this many times, for valgrind to count the instructions and the
//! allocations of: `ws-tokio/benches/bounds` runs it and compares both with `ws-tokio/benches/bounds.txt`. The client is in the same
//! process, and does as little as it can.
//!
//! ```text
//! cargo bench -p ws-server --bench product -- LOAD TIMES
//! ```

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc;
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
    let address = serve();
    match load.as_str() {
        "server-handshake" => {
            for _ in 0..times {
                // It ends without a Close: what that takes is in the figure.
                drop(open(address));
            }
        }
        "server-echo-1" => echo(address, times, 1),
        "server-echo-16" => echo(address, times, 16),
        _ => panic!("no load is called {load}"),
    }
}

/// As the README has it.
async fn handler(mut socket: WebSocket) -> Result<(), Error> {
    while let Some(message) = socket.recv().await? {
        socket.send(message).await?;
    }
    Ok(())
}

/// A server with default options, in a thread.
fn serve() -> SocketAddr {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let server = Server::builder().route("/", handler).bind("127.0.0.1:0").await.expect("a port");
            sender.send(server.local_addr().expect("its address")).expect("a client");
            server.serve().await;
        });
    });
    receiver.recv().expect("a server")
}

fn open(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.set_nodelay(true).expect("a socket");
    stream.write_all(REQUEST).expect("a write");
    let mut head = [0; 1024];
    let mut length = 0;
    while !head[..length].ends_with(b"\r\n\r\n") {
        length += stream.read(&mut head[length..]).expect("an answer");
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "));
    stream
}

/// This many batches of messages of 20 bytes, each after the answers to the one before.
fn echo(address: SocketAddr, batches: u64, in_flight: usize) {
    let mut stream = open(address);
    // Masked with zeros.
    let mut frame = vec![0x82, 0x80 | 20, 0, 0, 0, 0];
    frame.extend([0x55; 20]);
    let batch = frame.repeat(in_flight);
    let mut answers = vec![0; 22 * in_flight];
    for _ in 0..batches {
        stream.write_all(&batch).expect("a write");
        stream.read_exact(&mut answers).expect("the answers");
    }
}

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\n\
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
