//! The load: connections on epoll that send prebuilt frames and count what comes back.

use std::io::{ErrorKind, Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::answers::{Answers, Expected};
use crate::client;

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
    /// Payload bytes of a message before compression.
    pub bytes: usize,
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
    stream: TcpStream,
    answers: Answers,
    batch: usize,
    written: usize,
    awaited: usize,
}

impl Clients {
    pub fn open(port: u16, load: Load) -> Result<Self> {
        let poll = Poll::new()?;
        let mut clients = Vec::new();
        for index in 0..load.connections {
            let stream = client::open(port)?;
            stream.set_nonblocking(true)?;
            let mut stream = TcpStream::from_std(stream);
            poll.registry().register(&mut stream, Token(index), Interest::READABLE | Interest::WRITABLE)?;
            // They do not all send the same at the same time.
            let batch = index * 7 % load.batches.len();
            clients.push(Client { stream, answers: Answers::default(), batch, written: 0, awaited: 0 });
        }
        Ok(Self { poll, events: Events::with_capacity(1024), clients, load, buffer: vec![0; 256 << 10] })
    }

    /// Sends for `turn`, waits for the last answers; returns how many messages were answered.
    pub fn run(&mut self, turn: Duration) -> Result<u64> {
        let begin = Instant::now();
        let mut answered = 0;
        let mut active = self.clients.len();
        for client in &mut self.clients {
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
        self.written = 0;
        self.awaited = load.in_flight;
        self.write(load)
    }

    fn write(&mut self, load: &Load) -> Result<()> {
        let batch = &load.batches[self.batch];
        while self.written < batch.len() {
            match self.stream.write(&batch[self.written..]) {
                Ok(n) => self.written += n,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
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
            let frames = self.answers.take(&buffer[..n], load.expected)?;
            if frames > self.awaited {
                bail!("more answers than messages of {}", load.name);
            }
            self.awaited -= frames;
            if self.awaited == 0 {
                return Ok(true);
            }
            // Less than asked for: there is no more.
            if n < buffer.len() {
                return Ok(false);
            }
        }
    }
}

/// How long a server may be silent.
const PATIENCE: Duration = Duration::from_secs(20);
