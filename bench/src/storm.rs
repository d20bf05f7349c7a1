//! Many clients that connect at once: each connects, opens a WebSocket, sends a message, and is served when that is answered.

use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, StreamOwned};

use crate::frames::{BINARY, frame, text};
use crate::peer::Peer;
use crate::plan::Plan;
use crate::report::Report;
use crate::rig::{self, Server};
use crate::service::{Service, Task};
use crate::table::Table;
use crate::{client, machine, tls};

pub const TITLE: &str = "Storms";

/// How long a client waits.
const PATIENCE: Duration = Duration::from_secs(30);

pub fn run(plan: &Plan, clients: Option<usize>, report: &mut Report) -> Result<()> {
    let mut table = Table::new(TITLE, "clients, milliseconds, and µs of server CPU a client");
    let storms = match clients {
        Some(count) => vec![(count, false), (count, true)],
        None => vec![(8_000, false), (10_000, false), (10_000, true)],
    };
    for (count, tls) in storms {
        let name = name(count, tls);
        if !plan.wants_load(&name) {
            continue;
        }
        let peers = plan.peers(&Peer::PRODUCTS);
        // uWebSockets is built without TLS, and axum leaves it to others.
        let peers = peers.into_iter().filter(|peer| !tls || !matches!(peer, Peer::Uwebsockets | Peer::Axum));
        let task = |peer| if peer == Peer::Uwebsockets { Task::Echo } else { Task::Readme };
        let services: Vec<Service> = peers
            .map(|peer| Service { tls, task: task(peer), ..Service::readme(peer, plan.profile) })
            .collect();
        // A server for each storm: the connections of the one before would be its business still.
        let open = |service: &Service| Ok(*service);
        let rounds = plan.rounds.div_ceil(5);
        let [refused, last, cpu] = rig::take_turns(&name, &services, open, rounds, plan, |service| {
            let server = Server::start(*service)?;
            let before = machine::cpu_time(server.pid())?;
            let (served, time) = storm(&server, count)?;
            let used = machine::cpu_time(server.pid())? - before;
            let each = used.as_secs_f64() * 1e6 / served.max(1) as f64;
            Ok([(count - served) as f64, time.as_secs_f64() * 1e3, each])
        });
        table.push(&format!("{name}: not served"), refused);
        table.push(&format!("{name}: ms until the last"), last);
        table.push(&format!("{name}: µs each"), cpu);
    }
    report.add(
        table,
        "All connect at the same moment, from one address; a client that is not served within 30 s counts as not served. The \
         load is one thread, which is busier than most servers.",
    );
    Ok(())
}

pub fn name(count: usize, tls: bool) -> String {
    format!("{count} at once{}", if tls { ", TLS" } else { "" })
}

/// How many were served, and when the last of them was.
fn storm(server: &Server, count: usize) -> Result<(usize, Duration)> {
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(4096);
    let address = ([127, 0, 0, 1], server.port()).into();
    let exchange =
        Exchange { request: client::request("").into_bytes(), message: frame(BINARY, &text(SIZE)) };
    let begin = Instant::now();
    let mut clients = Vec::with_capacity(count);
    for index in 0..count {
        let mut stream = TcpStream::connect(address)?;
        poll.registry().register(&mut stream, Token(index), Interest::READABLE | Interest::WRITABLE)?;
        clients.push(Client::new(stream, server.tls())?);
    }
    let (mut served, mut ended, mut last) = (0, 0, Duration::ZERO);
    while ended < count && begin.elapsed() < PATIENCE {
        poll.poll(&mut events, Some(Duration::from_millis(100)))?;
        for event in &events {
            let client = &mut clients[event.token().0];
            if client.stage == Stage::Ended {
                continue;
            }
            match client.advance(&exchange) {
                Ok(()) => served += 1,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => {
                    continue;
                }
                Err(_) => {}
            }
            // Its connection stays open until all have ended.
            client.stage = Stage::Ended;
            (ended, last) = (ended + 1, begin.elapsed());
        }
    }
    Ok((served, last))
}

/// What all clients send.
struct Exchange {
    request: Vec<u8>,
    message: Vec<u8>,
}

struct Client {
    stream: Stream,
    stage: Stage,
    /// What has been read in this stage.
    input: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Request,
    Response,
    Answer,
    Ended,
}

/// A stream, over TLS or not.
pub trait Both: Read + Write {}
impl<T: Read + Write> Both for T {}
type Stream = Box<dyn Both>;

impl Client {
    fn new(stream: TcpStream, tls: Option<&Arc<ClientConfig>>) -> Result<Self> {
        let stream: Stream = match tls {
            None => Box::new(stream),
            Some(config) => {
                let name = tls::NAME.try_into().context("a name for TLS")?;
                Box::new(StreamOwned::new(ClientConnection::new(Arc::clone(config), name)?, stream))
            }
        };
        Ok(Self { stream, stage: Stage::Request, input: Vec::new() })
    }

    /// Goes on until it would have to wait, which is an error of the kind [`ErrorKind::WouldBlock`], or is served.
    fn advance(&mut self, exchange: &Exchange) -> io::Result<()> {
        loop {
            match self.stage {
                Stage::Request => {
                    // Less than the buffer of a socket, and of a TLS session: all of it or nothing.
                    self.stream.write_all(&exchange.request)?;
                    self.stage = Stage::Response;
                }
                Stage::Response => {
                    self.stream.flush()?;
                    while !self.input.ends_with(b"\r\n\r\n") {
                        self.read()?;
                    }
                    if !self.input.starts_with(b"HTTP/1.1 101 ") {
                        return Err(ErrorKind::ConnectionRefused.into());
                    }
                    self.input.clear();
                    self.stream.write_all(&exchange.message)?;
                    self.stage = Stage::Answer;
                }
                Stage::Answer => {
                    self.stream.flush()?;
                    while self.input.len() < SIZE + 2 {
                        self.read()?;
                    }
                    return Ok(());
                }
                Stage::Ended => return Ok(()),
            }
        }
    }

    fn read(&mut self) -> io::Result<()> {
        let mut buffer = [0; 1024];
        match self.stream.read(&mut buffer)? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            length => {
                self.input.extend_from_slice(&buffer[..length]);
                Ok(())
            }
        }
    }
}

const SIZE: usize = 20;
