//! Latency at a fixed rate: a message is sent when its time has come, whether or not those before it are answered, and its latency
//! counts from that time. A server that stalls delays what a user would have sent meanwhile.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::answers::{Answers, Expected};
use crate::client;
use crate::frames::{BINARY, frame, text};
use crate::load::PATIENCE;
use crate::peer::Peer;
use crate::plan::Plan;
use crate::report::Report;
use crate::rig::{self, Server};
use crate::service::Service;
use crate::table::Table;

/// Messages a second.
const RATES: [u32; 2] = [10_000, 40_000];
const CONNECTIONS: usize = 64;
const SIZE: usize = 20;

pub fn run(plan: &Plan, report: &mut Report) -> Result<()> {
    let mut table = Table::new("Open loop", "µs from when a message of 20 B is due to its answer");
    for rate in RATES {
        let load = format!("{rate} a second");
        if !plan.wants_load(&load) {
            continue;
        }
        let services: Vec<Service> =
            plan.peers(&Peer::PRODUCTS).into_iter().map(|peer| Service::readme(peer, plan.profile)).collect();
        let open = |service: &Service| {
            let server = Server::start(*service)?;
            let mut arrivals = Arrivals::open(&server)?;
            arrivals.run(rate, plan.turn)?;
            Ok((server, arrivals))
        };
        let (rounds, turn) = (plan.rounds.min(5), plan.turn * 4);
        let [median, late, later, last] =
            rig::take_turns(&load, &services, open, rounds, plan, |(_, arrivals)| {
                let mut times = arrivals.run(rate, turn)?;
                Ok([500, 990, 999, 1000].map(|share| percentile(&mut times, share)))
            });
        for (name, series) in [("p50", median), ("p99", late), ("p99.9", later), ("most", last)] {
            table.push(&format!("{load}: {name}"), series);
        }
    }
    report.add(
        table,
        "64 connections, one after the other. A percentile is the median of those of the rounds. The load polls without a pause.",
    );
    Ok(())
}

/// The value that this many in 1,000 are below.
pub fn percentile(values: &mut [f64], share: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    let index = (values.len() * share / 1000).min(values.len().saturating_sub(1));
    values.get(index).copied().unwrap_or(f64::NAN)
}

/// Open connections that are sent to at a rate.
struct Arrivals {
    poll: Poll,
    events: Events,
    connections: Vec<Connection>,
    message: Vec<u8>,
}

struct Connection {
    stream: TcpStream,
    answers: Answers,
    /// When the messages that are not answered were due.
    due: VecDeque<Instant>,
}

impl Arrivals {
    fn open(server: &Server) -> Result<Self> {
        let poll = Poll::new()?;
        let mut connections = Vec::new();
        for index in 0..CONNECTIONS {
            let stream = client::open(server.port())?;
            stream.set_nonblocking(true)?;
            let mut stream = TcpStream::from_std(stream);
            poll.registry().register(&mut stream, Token(index), Interest::READABLE)?;
            connections.push(Connection { stream, answers: Answers::default(), due: VecDeque::new() });
        }
        let message = frame(BINARY, &text(SIZE));
        Ok(Self { poll, events: Events::with_capacity(CONNECTIONS), connections, message })
    }

    /// Sends for `turn`; returns the latencies in microseconds.
    fn run(&mut self, rate: u32, turn: Duration) -> Result<Vec<f64>> {
        let count = (f64::from(rate) * turn.as_secs_f64()) as u32;
        let begin = Instant::now();
        let (mut sent, mut times) = (0, Vec::with_capacity(count as usize));
        while times.len() < count as usize {
            ensure!(begin.elapsed() < turn + PATIENCE, "{} of {count} messages were answered", times.len());
            while sent < count {
                let due = begin + Duration::from_secs_f64(f64::from(sent) / f64::from(rate));
                if due > Instant::now() {
                    break;
                }
                let connection = &mut self.connections[sent as usize % CONNECTIONS];
                // The buffers of a socket hold more than can be in flight here.
                ensure!(connection.stream.write(&self.message)? == self.message.len(), "a full socket");
                connection.due.push_back(due);
                sent += 1;
            }
            self.poll.poll(&mut self.events, Some(Duration::ZERO))?;
            for event in &self.events {
                self.connections[event.token().0].read(&mut times)?;
            }
        }
        Ok(times)
    }
}

impl Connection {
    fn read(&mut self, times: &mut Vec<f64>) -> Result<()> {
        let expected = Expected { first: BINARY, length: Some(SIZE as u64), masked: false };
        let mut buffer = [0; 16 << 10];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => bail!("the server closed a connection"),
                Ok(length) => {
                    let now = Instant::now();
                    for due in self.due.drain(..self.answers.take(&buffer[..length], expected)?) {
                        times.push((now - due).as_secs_f64() * 1e6);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }
}
