//! The load: connections on epoll that send prebuilt frames and count what comes back.

use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use tokio_rustls::rustls::{ClientConnection, StreamOwned};

use crate::answers::{Answers, Expected};
use crate::client;
use crate::peer::Peer;
use crate::rig::Server;
use crate::streams::{self, Streams};

/// What is sent, and what is to come back.
#[derive(Debug, Clone)]
pub struct Load {
    pub name: String,
    pub connections: usize,
    /// Messages in each batch: sent in one write, the next batch once all are answered.
    pub in_flight: usize,
    /// The batches that a connection sends in turn.
    pub batches: Arc<Vec<Vec<u8>>>,
    pub expected: Expected,
    /// Where HTTP/2 is spoken.
    pub spread: Spread,
    /// Only the first connection sends; all await what it sends.
    pub one_speaks: bool,
}

/// How the messages of a batch, all of which are the same, are spread over a connection of HTTP/2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spread {
    /// All in one DATA frame.
    OneData,
    /// A DATA frame for each, all of one WebSocket.
    ManyData,
    /// A WebSocket for each. Over HTTP/1.1 these are as many connections.
    Streams,
}

impl Load {
    /// The load for this peer.
    pub fn for_peer(&self, peer: Peer) -> Self {
        let mut load = self.clone();
        // They echo our own frames.
        load.expected.masked = matches!(peer, Peer::RawTcp | Peer::FloorHttp2);
        let spread = |batch: &Vec<u8>| {
            let message = batch.len() / self.in_flight;
            match (peer.speaks_http2(), self.spread) {
                (true, Spread::OneData) => streams::data(0, batch),
                (true, spread) => {
                    let frames = batch.chunks(message).enumerate();
                    let websocket = |index| if spread == Spread::Streams { index } else { 0 };
                    frames.flat_map(|(index, message)| streams::data(websocket(index), message)).collect()
                }
                (false, Spread::Streams) => batch[..message].to_vec(),
                (false, _) => batch.clone(),
            }
        };
        load.batches = Arc::new(self.batches.iter().map(spread).collect());
        if self.spread == Spread::Streams && !peer.speaks_http2() {
            load.connections *= self.in_flight;
            load.in_flight = 1;
        }
        load
    }

    /// The WebSockets of each connection.
    fn websockets(&self) -> usize {
        if self.spread == Spread::Streams { self.in_flight } else { 1 }
    }
}

/// Open connections to one server.
pub struct Clients {
    poll: Poll,
    events: Events,
    clients: Vec<Client>,
    load: Load,
    buffer: Vec<u8>,
}

struct Client {
    stream: Stream,
    incoming: Incoming,
    batch: usize,
    written: usize,
    awaited: usize,
    /// It sends nothing.
    listens: bool,
}

enum Incoming {
    Answers(Answers),
    Streams(Streams),
}

enum Stream {
    Tcp(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Clients {
    pub fn open(server: &Server, load: Load) -> Result<Self> {
        let open = |_| Stream::open(server, load.websockets());
        let streams = (0..load.connections).map(open).collect::<Result<_>>()?;
        Self::new(streams, server.speaks_http2(), load)
    }

    /// On connections that are open.
    pub fn over(streams: Vec<std::net::TcpStream>, load: Load) -> Result<Self> {
        let streams = streams.into_iter().map(|stream| Ok(Stream::Tcp(nonblocking(stream)?)));
        Self::new(streams.collect::<Result<_>>()?, false, load)
    }

    fn new(streams: Vec<Stream>, http2: bool, load: Load) -> Result<Self> {
        let poll = Poll::new()?;
        let mut clients = Vec::new();
        for (index, mut stream) in streams.into_iter().enumerate() {
            let interest = Interest::READABLE | Interest::WRITABLE;
            poll.registry().register(stream.tcp(), Token(index), interest)?;
            // They do not all send the same at the same time.
            let batch = index * 7 % load.batches.len();
            let listens = load.one_speaks && index > 0;
            let incoming = Incoming::new(http2, load.websockets());
            clients.push(Client { stream, incoming, batch, written: 0, awaited: 0, listens });
        }
        Ok(Self { poll, events: Events::with_capacity(1024), clients, load, buffer: vec![0; 256 << 10] })
    }

    /// Sends for `turn`, waits for the last answers; returns how many messages were answered.
    pub fn run(&mut self, turn: Duration) -> Result<u64> {
        if !self.load.one_speaks {
            return self.exchange(turn);
        }
        let begin = Instant::now();
        let mut delivered = 0;
        while begin.elapsed() < turn {
            // One batch to all, and the next once all have it.
            delivered += self.exchange(Duration::ZERO)?;
        }
        Ok(delivered)
    }

    fn exchange(&mut self, turn: Duration) -> Result<u64> {
        let begin = Instant::now();
        let mut answered = 0;
        let mut active = self.clients.len();
        // The one that speaks is the first, and begins last: all others listen by then.
        for client in self.clients.iter_mut().rev() {
            client.begin(&self.load)?;
        }
        while active > 0 {
            self.poll.poll(&mut self.events, Some(PATIENCE))?;
            if self.events.is_empty() {
                bail!("no answer for {PATIENCE:?} to {}", self.load.name);
            }
            let goes_on = begin.elapsed() < turn;
            for event in &self.events {
                let client = &mut self.clients[event.token().0];
                if client.awaited == 0 {
                    continue;
                }
                if event.is_writable() {
                    client.write(&self.load)?;
                }
                if event.is_readable() && client.read(&self.load, &mut self.buffer)? {
                    answered += self.load.in_flight as u64;
                    if goes_on {
                        client.begin(&self.load)?;
                    } else {
                        active -= 1;
                    }
                }
            }
        }
        Ok(answered)
    }
}

impl Client {
    fn begin(&mut self, load: &Load) -> Result<()> {
        self.batch = (self.batch + 1) % load.batches.len();
        self.awaited = load.in_flight;
        self.written = if self.listens { load.batches[self.batch].len() } else { 0 };
        self.write(load)
    }

    fn write(&mut self, load: &Load) -> Result<()> {
        let batch = &load.batches[self.batch];
        while self.written < batch.len() {
            match self.stream.write(&batch[self.written..]) {
                Ok(n) => self.written += n,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
        match self.stream.flush() {
            Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Reads what is there; whether the batch is answered.
    fn read(&mut self, load: &Load, buffer: &mut [u8]) -> Result<bool> {
        loop {
            let n = match self.stream.read(buffer) {
                Ok(0) => bail!("the server closed a connection of {}", load.name),
                Ok(n) => n,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error.into()),
            };
            let messages = self.incoming.take(&buffer[..n], load.expected)?;
            if messages > self.awaited {
                bail!("more answers than messages of {}", load.name);
            }
            self.awaited -= messages;
            if self.awaited == 0 {
                return Ok(true);
            }
            // Less than asked for: there is no more. Of TLS it may be the end of a record only.
            if n < buffer.len() && matches!(self.stream, Stream::Tcp(_)) {
                return Ok(false);
            }
        }
    }
}

impl Incoming {
    fn new(http2: bool, websockets: usize) -> Self {
        if http2 { Self::Streams(Streams::new(websockets)) } else { Self::Answers(Answers::default()) }
    }

    fn take(&mut self, bytes: &[u8], expected: Expected) -> Result<usize> {
        match self {
            Self::Answers(answers) => answers.take(bytes, expected),
            Self::Streams(streams) => streams.take(bytes, expected),
        }
    }
}

impl Stream {
    fn open(server: &Server, websockets: usize) -> Result<Self> {
        Ok(match server.tls() {
            None => Self::Tcp(nonblocking(client::open(server.port())?)?),
            Some(config) => {
                let websockets = server.speaks_http2().then_some(websockets);
                let (connection, stream) = client::open_tls(server.port(), config, websockets)?.into_parts();
                Self::Tls(Box::new(StreamOwned::new(connection, nonblocking(stream)?)))
            }
        })
    }

    fn tcp(&mut self) -> &mut TcpStream {
        match self {
            Self::Tcp(stream) => stream,
            Self::Tls(stream) => stream.get_mut(),
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(_) => Ok(()),
            Self::Tls(stream) => stream.flush(),
        }
    }
}

fn nonblocking(stream: std::net::TcpStream) -> io::Result<TcpStream> {
    stream.set_nonblocking(true)?;
    Ok(TcpStream::from_std(stream))
}

/// How long a server may be silent.
pub const PATIENCE: Duration = Duration::from_secs(20);
