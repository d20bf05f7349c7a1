//! Echo on an event loop of `mio`: one thread, any number of connections, no async runtime.
//!
//! ```sh
//! cargo run --release -p ws-core --example event_loop -- 127.0.0.1:9002
//! ```
//!
//! It is a driver that pools its buffers, through the public API only, and so costs what ws-tokio's does. Both side by side, 16
//! messages of 20 bytes in flight on each of 16 connections:
//!
//! ```sh
//! cargo run --release --manifest-path bench/Cargo.toml -- echo --load "16 in flight" --peer ours,ours-event-loop
//! ```

use std::collections::BTreeSet;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::{self, Shutdown};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Buf;
use http::StatusCode;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use ws_core::handshake::{Acceptance, HeadLimits, Opening, Refusal, RequestReader};
use ws_core::{Config, Connection, Event, TransportEnd};

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9002".to_owned());
    let listener = net::TcpListener::bind(address)?;
    println!("echo on ws://{}", listener.local_addr()?);
    serve(listener)
}

/// Serves all connections of `listener`.
///
/// # Errors
/// What `poll` reports. An error of a connection ends that connection only.
pub fn serve(listener: net::TcpListener) -> io::Result<()> {
    let mut server = Server::new(listener)?;
    let mut events = Events::with_capacity(1024);
    loop {
        let next = server.deadlines.first().map(|&(at, _)| at.saturating_sub(server.shared.epoch.elapsed()));
        let wait = if server.rests { Some(next.unwrap_or(RETRY).min(RETRY)) } else { next };
        match server.poll.poll(&mut events, wait) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            polled => polled?,
        }
        for event in &events {
            match event.token() {
                LISTENER => server.accept(),
                Token(index) => server.turn(index),
            }
        }
        if server.rests {
            server.accept();
        }
        let now = server.shared.epoch.elapsed();
        while let Some(&(at, index)) = server.deadlines.first().filter(|(at, _)| *at <= now) {
            server.deadlines.remove(&(at, index));
            if let Some(client) = &mut server.clients[index] {
                client.deadline = None;
                client.timed_out(now);
            }
            server.turn(index);
        }
    }
}

const LISTENER: Token = Token(usize::MAX);

/// The time a client has for its opening handshake.
const OPENING: Duration = Duration::from_secs(10);

/// The time it has to read a refusal.
const LINGER: Duration = Duration::from_secs(1);

/// When accepting is tried again after it has failed.
const RETRY: Duration = Duration::from_millis(100);

/// A client that sends faster than this is read from has its next turn after the others.
const READS_A_TURN: usize = 16;

struct Server {
    poll: Poll,
    listener: TcpListener,
    /// Accepting has failed, as it does without a free descriptor: no event says when it works again.
    rests: bool,
    clients: Vec<Option<Client>>,
    free: Vec<usize>,
    /// When the clients want to be called, the next first.
    deadlines: BTreeSet<(Duration, usize)>,
    shared: Shared,
}

/// What the connections of a thread share, so that one that waits owns no buffer.
struct Shared {
    epoch: Instant,
    config: Arc<Config>,
    input: Box<[u8]>,
    output: Option<Vec<u8>>,
}

impl Server {
    fn new(listener: net::TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let (poll, mut listener) = (Poll::new()?, TcpListener::from_std(listener));
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        let shared = Shared {
            epoch: Instant::now(),
            config: Arc::new(Config::server()),
            input: vec![0; 64 << 10].into(),
            output: None,
        };
        Ok(Self {
            poll,
            listener,
            rests: false,
            clients: Vec::new(),
            free: Vec::new(),
            deadlines: BTreeSet::new(),
            shared,
        })
    }

    fn accept(&mut self) {
        loop {
            let mut stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => continue,
                Err(error) => {
                    self.rests = error.kind() != ErrorKind::WouldBlock;
                    return;
                }
            };
            // Without it answers may come later, and no worse.
            let _ = stream.set_nodelay(true);
            let index = self.free.pop().unwrap_or_else(|| {
                self.clients.push(None);
                self.clients.len() - 1
            });
            let interest = Interest::READABLE | Interest::WRITABLE;
            if self.poll.registry().register(&mut stream, Token(index), interest).is_err() {
                self.free.push(index);
                continue;
            }
            let reader = Box::new((RequestReader::new(HeadLimits::server()), Vec::new()));
            let deadline = self.shared.epoch.elapsed() + OPENING;
            self.deadlines.insert((deadline, index));
            self.clients[index] =
                Some(Client { stream, stage: Stage::Opening(reader), deadline: Some(deadline) });
            self.turn(index);
        }
    }

    /// Lets a client do all that it can without waiting, and removes it when it is done.
    fn turn(&mut self, index: usize) {
        let Some(client) = &mut self.clients[index] else { return };
        let before = client.deadline;
        let goes_on = client.turn(&mut self.shared).unwrap_or(false);
        let after = client.deadline.filter(|_| goes_on);
        if before != after {
            before.map(|at| self.deadlines.remove(&(at, index)));
            after.map(|at| self.deadlines.insert((at, index)));
        }
        if !goes_on {
            self.clients[index] = None;
            self.free.push(index);
        }
    }
}

struct Client {
    stream: TcpStream,
    stage: Stage,
    deadline: Option<Duration>,
}

enum Stage {
    Opening(Box<(RequestReader, Vec<u8>)>),
    /// What is still sent is read and discarded: closing with bytes unread would take the refusal back.
    Refused,
    Open(Connection),
}

impl Client {
    /// Returns whether the client goes on, and is to be called at `deadline` at the latest.
    fn turn(&mut self, shared: &mut Shared) -> io::Result<bool> {
        if let Stage::Opening(reader) = &mut self.stage {
            match open(&mut self.stream, reader, shared)? {
                None => return Ok(true),
                Some(Ok(connection)) => {
                    let mut rest = std::mem::take(&mut reader.1);
                    self.stage = Stage::Open(connection);
                    // Frames may have come together with the head.
                    self.receive(&mut rest, &mut shared.output);
                }
                Some(Err(refusal)) => {
                    self.stream.write_all(&refusal.encode())?;
                    self.stream.shutdown(Shutdown::Write)?;
                    self.stage = Stage::Refused;
                    self.deadline = Some(shared.epoch.elapsed() + LINGER);
                }
            }
        }
        let mut reads = 0;
        loop {
            // A client that reads nothing is not read from: what waits to be written is then bounded by one read.
            let is_written = self.write(shared);
            let Stage::Open(connection) = &mut self.stage else { return discard(&mut self.stream, shared) };
            if connection.wants_shutdown() {
                let _ = self.stream.shutdown(Shutdown::Write);
                connection.shutdown_done();
            }
            if connection.is_ended() {
                return Ok(false);
            }
            let read = if is_written {
                self.stream.read(&mut shared.input)
            } else {
                Err(ErrorKind::WouldBlock.into())
            };
            match read {
                Ok(0) => connection.transport_ended(TransportEnd::Eof),
                Ok(n) => {
                    self.receive(&mut shared.input[..n], &mut shared.output);
                    // A short read has emptied the socket: the next event says when there is more. On Windows mio waits for
                    // events again only after `WouldBlock`.
                    if cfg!(unix) && n < shared.input.len() && self.write(shared) && !self.is_closing() {
                        break;
                    }
                    reads += 1;
                    if reads == READS_A_TURN {
                        self.deadline = Some(shared.epoch.elapsed());
                        return Ok(true);
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => connection.transport_ended(how(&error)),
            }
        }
        if let Stage::Open(connection) = &mut self.stage
            && connection.timeout_changed()
        {
            self.deadline = connection.next_timeout(shared.epoch.elapsed());
        }
        Ok(true)
    }

    /// Echoes the messages in `input`.
    fn receive(&mut self, mut input: &mut [u8], output: &mut Option<Vec<u8>>) {
        let Stage::Open(connection) = &mut self.stage else { return };
        if connection.wants_buffer() {
            connection.lend_buffer(output.take().unwrap_or_default());
        }
        loop {
            // Once the peer is sent a Close, what else it sends is of no concern: a refused `send` is no fault.
            let _ = match connection.receive(&mut input) {
                Ok(Some(Event::Text(text))) => connection.send_text(&text),
                Ok(Some(Event::Binary(bytes))) => connection.send_binary(&bytes),
                // A ping has been answered.
                Ok(Some(Event::Ping(_) | Event::Pong(_) | Event::Close(_))) => Ok(()),
                Ok(None) => return,
                // The Close that reports the error is queued; what follows in the input is discarded.
                Err(_) => continue,
            };
        }
    }

    /// Writes what is queued; returns whether all of it is written.
    fn write(&mut self, shared: &mut Shared) -> bool {
        let Stage::Open(connection) = &mut self.stage else { return false };
        while connection.queued() > 0 {
            let mut output = connection.output();
            let mut slices = [IoSlice::new(&[]); 16];
            let used = output.chunks_vectored(&mut slices);
            match self.stream.write_vectored(&slices[..used]) {
                Ok(n) => output.advance(n),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
                Err(error) => connection.write_failed(how(&error)),
            }
        }
        if let Some(buffer) = connection.reclaim_buffer() {
            shared.output = Some(buffer);
        }
        true
    }

    fn timed_out(&mut self, now: Duration) {
        match &mut self.stage {
            Stage::Open(connection) => connection.handle_timeout(now),
            // Its next read finds the end.
            Stage::Opening(_) | Stage::Refused => drop(self.stream.shutdown(Shutdown::Both)),
        }
    }

    fn is_closing(&self) -> bool {
        matches!(&self.stage, Stage::Open(connection) if !connection.is_open())
    }
}

/// The opening handshake, as far as it goes without waiting. What follows the head stays in the reader's buffer.
fn open(
    stream: &mut TcpStream,
    (reader, head): &mut (RequestReader, Vec<u8>),
    shared: &mut Shared,
) -> io::Result<Option<Result<Connection, Refusal>>> {
    loop {
        match reader.receive(head) {
            Ok(Some((Opening::Upgrade(upgrade), used))) => {
                head.drain(..used);
                // The first bytes on a connection find room in its socket.
                stream.write_all(&upgrade.accept(Acceptance::default()).map_err(io::Error::other)?)?;
                return Ok(Some(Ok(Connection::server(Arc::clone(&shared.config)))));
            }
            Ok(Some((Opening::Plain(_), _))) => {
                let refusal = Refusal::new(StatusCode::UPGRADE_REQUIRED, "this is a WebSocket endpoint");
                return Ok(Some(Err(refusal)));
            }
            Err(refusal) => return Ok(Some(Err(refusal))),
            Ok(None) => {}
        }
        match stream.read(&mut shared.input) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(n) => head.extend_from_slice(&shared.input[..n]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error),
        }
    }
}

/// Reads what is there; returns whether more may come.
fn discard(stream: &mut TcpStream, shared: &mut Shared) -> io::Result<bool> {
    for _ in 0..READS_A_TURN {
        match stream.read(&mut shared.input) {
            Ok(0) => return Ok(false),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

fn how(error: &io::Error) -> TransportEnd {
    match error.kind() {
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => TransportEnd::Reset,
        _ => TransportEnd::Failed,
    }
}
