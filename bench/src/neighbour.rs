//! How long a message of 20 bytes waits on a server with one thread, while another connection has compressed messages of 1 MiB
//! echoed without a pause.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::answers::Expected;
use crate::frames::{BINARY, RSV1, TEXT, deflated, frame, json, text};
use crate::load::{Clients, Load, Spread};
use crate::peer::Peer;
use crate::plan::Plan;
use crate::report::Report;
use crate::rig::{self, Server};
use crate::service::Service;
use crate::table::Table;
use crate::{client, compress, open_loop};

pub const TITLE: &str = "Neighbour";
pub const MEDIAN: &str = "beside compressed 1 MiB: p50";

pub fn run(plan: &Plan, report: &mut Report) -> Result<()> {
    if !plan.wants_load(MEDIAN) {
        return Ok(());
    }
    let service = |peer| Service { deflate: Some(compress::LEVEL), ..Service::readme(peer, plan.profile) };
    let services: Vec<Service> = plan.peers(&PEERS).into_iter().map(service).collect();
    let open = |service: &Service| {
        let server = Server::start(*service)?;
        let heavy = vec![client::open_with(server.port(), OFFER)?];
        let mut heavy = Clients::over(heavy, load())?;
        heavy.run(plan.turn)?;
        let light = client::open(server.port())?;
        Ok((server, heavy, light))
    };
    let rounds = plan.rounds.min(5);
    let turn = plan.turn * 6;
    let [median, late] = rig::take_turns(MEDIAN, &services, open, rounds, plan, |(_, heavy, light)| {
        let light = light.try_clone()?;
        let waiting = thread::spawn(move || waits(light, turn));
        heavy.run(turn)?;
        let mut times = waiting.join().ok().context("a thread that panicked")??;
        Ok([500, 990].map(|share| open_loop::percentile(&mut times, share)))
    });
    let mut table = Table::new(TITLE, "µs until a message of 20 B is answered");
    table.push(MEDIAN, median);
    table.push("beside compressed 1 MiB: p99", late);
    report.add(
        table,
        "Four messages of 1 MiB are in flight on the other connection. ws on Node.js compresses on threads of its own, \
         here on the same core.",
    );
    Ok(())
}

fn load() -> Load {
    let message = frame(TEXT | RSV1, &deflated(&json(1 << 20, 1)));
    Load {
        name: "compressed 1 MiB".to_owned(),
        connections: 1,
        in_flight: 4,
        batches: Arc::new(vec![message.repeat(4)]),
        expected: Expected { first: TEXT | RSV1, length: None, masked: false },
        spread: Spread::OneData,
        one_speaks: false,
    }
}

/// The times of messages that are sent a millisecond after the answer to the one before, in microseconds.
fn waits(mut stream: TcpStream, turn: Duration) -> Result<Vec<f64>> {
    let message = frame(BINARY, &text(20));
    let begin = Instant::now();
    let mut times = Vec::new();
    while begin.elapsed() < turn {
        thread::sleep(Duration::from_millis(1));
        let sent = Instant::now();
        stream.write_all(&message)?;
        stream.read_exact(&mut [0; 22])?;
        times.push(sent.elapsed().as_secs_f64() * 1e6);
    }
    Ok(times)
}

const PEERS: [Peer; 5] = [Peer::Server, Peer::Sockudo, Peer::Yawc, Peer::Uwebsockets, Peer::NodeWs];

const OFFER: &str = "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; \
                     client_no_context_takeover\r\n";
