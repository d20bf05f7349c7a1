//! A server over HTTP/2, and peers of bytes for it: for the targets `http2_bytes` and `http2_frames`.

use std::cell::RefCell;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;
use ws_server::{Endpoint, Error, Server, ServerOptions, Stats, WebSocket};

use crate::heap::Mark;

/// What a client begins with (RFC 9113 section 3.4), and empty SETTINGS.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// Kinds of frames (RFC 9113 section 6).
pub const DATA: u8 = 0;
/// A block of fields.
pub const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;

/// Flags (RFC 9113 section 6).
pub const END_STREAM: u8 = 1;
/// No CONTINUATION follows.
pub const END_HEADERS: u8 = 4;
/// The first byte of the payload is the length of the padding at its end.
pub const PADDED: u8 = 8;

/// How long anything may take, on a machine that does other things.
const LONGEST: Duration = Duration::from_secs(20);

/// The most that a connection may take of the heap: what arrives in a turn of 64 KiB inside of `h2`, and the WebSockets.
const MOST_HEAP: usize = 16 << 20;

/// A server, and the connection of a neighbour, which all inputs of a process share.
struct World {
    runtime: Runtime,
    address: std::net::SocketAddr,
    stats: Stats,
    neighbour: Peer,
}

/// A connection, frame by frame.
struct Peer(TcpStream);

/// A frame as it was received.
struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

thread_local! {
    static WORLD: RefCell<Option<World>> = const { RefCell::new(None) };
}

/// Lets a peer send these bytes, in these pieces, and end. Whatever they are: the server ends the connection and has
/// nothing left of it, and the WebSocket of a neighbour echoes.
///
/// With `aligned` the bytes are whole frames that leave stream 1 alone, which has a WebSocket: unless the server has ended the
/// connection, that still echoes, too.
pub fn check(pieces: &[&[u8]], aligned: bool) {
    WORLD.with_borrow_mut(|world| {
        let world = world.get_or_insert_with(World::new);
        let World { runtime, address, stats, neighbour } = world;
        let mark = Mark::set();
        runtime.block_on(async {
            let mut peer = Peer(TcpStream::connect(*address).await.unwrap());
            if aligned {
                peer.open().await;
            }
            // A server that has had enough takes no more.
            for piece in pieces {
                if peer.0.write_all(piece).await.is_err() {
                    break;
                }
                tokio::task::yield_now().await;
            }
            if aligned && peer.is_alive().await {
                assert!(peer.echoes().await, "the neighbour on the same connection is not served");
            }
            assert!(neighbour.echoes().await, "the neighbour on another connection is not served");
            let _ = peer.0.shutdown().await;
            let ends = async {
                let mut rest = Vec::new();
                let _ = peer.0.read_to_end(&mut rest).await;
                drop(peer);
                while (stats.connections(), stats.open()) != (1, 1) {
                    tokio::task::yield_now().await;
                }
            };
            assert!(timeout(LONGEST, ends).await.is_ok(), "the connection does not end");
        });
        let peak = mark.peak();
        assert!(peak <= MOST_HEAP, "a connection took {peak} bytes of the heap");
        let panicked = world.stats.panicked();
        assert_eq!(panicked, 0, "a task panicked");
    });
}

impl World {
    fn new() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let (address, stats, neighbour) = runtime.block_on(async {
            let mut options = ServerOptions::default();
            // Nothing waits in real time for a peer that has gone.
            options.handshake.linger_timeout = Duration::from_millis(1);
            // The neighbour answers no ping, and is to be served for as long as a campaign takes.
            let config = ws_core::Config::server().close_timeout(Duration::from_millis(1)).keepalive(None);
            let endpoint = Endpoint::new(echo).connection(config);
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let server = Server::builder().endpoint("/", endpoint).page("/page", "text/plain", "page");
            let server = server.options(options).listener(listener).build().unwrap();
            let (address, stats) = (server.local_addr().unwrap(), server.stats());
            tokio::spawn(server.serve_until(std::future::pending::<()>()));
            let mut neighbour = Peer(TcpStream::connect(address).await.unwrap());
            neighbour.open().await;
            (address, stats, neighbour)
        });
        Self { runtime, address, stats, neighbour }
    }
}

async fn echo(mut socket: WebSocket) -> Result<(), Error> {
    while let Some(message) = socket.recv().await? {
        socket.send(message).await?;
    }
    Ok(())
}

/// A frame in bytes.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend(stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// Fields as literals without indexing (RFC 7541 section 6.2.2), of at most 126 bytes each.
pub fn fields(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            block.push(text.len() as u8);
            block.extend_from_slice(text.as_bytes());
        }
    }
    block
}

/// The fields of an extended CONNECT (RFC 8441 section 4).
pub const CONNECT: [(&str, &str); 6] = [
    (":method", "CONNECT"),
    (":protocol", "websocket"),
    (":scheme", "http"),
    (":authority", "localhost"),
    (":path", "/"),
    ("sec-websocket-version", "13"),
];

impl Peer {
    /// Begins the connection with a WebSocket on stream 1.
    async fn open(&mut self) {
        let request = frame(HEADERS, END_HEADERS, 1, &fields(&CONNECT));
        self.0.write_all(&[PREFACE, &request].concat()).await.unwrap();
        let opens = async {
            loop {
                let frame = self.next().await.expect("the connection has ended");
                if frame.kind == HEADERS {
                    assert_eq!((frame.stream, frame.payload.first()), (1, Some(&0x88)), "status 200");
                    return;
                }
            }
        };
        timeout(LONGEST, opens).await.expect("a WebSocket does not open");
    }

    async fn next(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        self.0.read_exact(&mut head).await.ok()?;
        let [high, middle, low, kind, flags, stream @ ..] = head;
        let length = u32::from_be_bytes([0, high, middle, low]) as usize;
        let stream = u32::from_be_bytes(stream);
        let mut payload = vec![0; length];
        self.0.read_exact(&mut payload).await.ok()?;
        Some(Frame { kind, flags, stream, payload })
    }

    /// Whether the server answers a PING, and so has taken what came before; else it has ended the connection.
    async fn is_alive(&mut self) -> bool {
        let ping = b"the last";
        let _ = self.0.write_all(&frame(PING, 0, 0, ping)).await;
        let answered = async {
            while let Some(frame) = self.next().await {
                match frame.kind {
                    GOAWAY => return false,
                    PING if frame.flags == 1 && frame.payload == ping => return true,
                    _ => {}
                }
            }
            false
        };
        timeout(LONGEST, answered).await.expect("a PING is neither answered nor ends the connection")
    }

    /// Whether the WebSocket on stream 1 echoes.
    async fn echoes(&mut self) -> bool {
        // Whatever SETTINGS have made of the window.
        let mut bytes = frame(WINDOW_UPDATE, 0, 1, &100_000_u32.to_be_bytes());
        bytes.extend(frame(WINDOW_UPDATE, 0, 0, &100_000_u32.to_be_bytes()));
        bytes.extend(frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0xff, 0xff]));
        bytes.extend(frame(DATA, 0, 1, b"\x81\x85\0\0\0\0there"));
        if self.0.write_all(&bytes).await.is_err() {
            return false;
        }
        let mut echo = Vec::new();
        let echoes = async {
            while echo.len() < 7 {
                match self.next().await {
                    Some(frame) if (frame.kind, frame.stream) == (DATA, 1) => echo.extend(frame.payload),
                    Some(frame) if frame.kind == GOAWAY || frame.stream == 1 && frame.kind == 3 => {
                        return false;
                    }
                    Some(_) => {}
                    None => return false,
                }
            }
            echo == b"\x81\x05there"
        };
        timeout(LONGEST, echoes).await.unwrap_or(false)
    }
}
