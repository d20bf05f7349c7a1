//! Memory of connections that wait.

use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use tokio_rustls::rustls::ServerConnection;

use crate::answers::{Answers, Expected};
use crate::frames::{BINARY, RSV1, TEXT, deflated, frame, json, text};
use crate::peer::Peer;
use crate::plan::Plan;
use crate::report::Report;
use crate::rig::{Series, Server};
use crate::service::{Service, Task};
use crate::storm::Both;
use crate::table::Table;
use crate::{client, compress, machine, tls};

/// How many messages a burst has.
const BURST: usize = 16;

pub fn run(plan: &Plan, connections: usize, report: &mut Report) -> Result<()> {
    let mut rows = Rows::new("");
    let message = frame(BINARY, &text(1 << 10));
    for peer in plan.peers(&Peer::ALL) {
        let expected = Expected { first: BINARY, length: Some(1 << 10), masked: peer == Peer::RawTcp };
        let service = Service { batch: true, ..Service::echo(peer) };
        rows.measure(service, connections, &message, expected, plan);
    }
    let mut table = Table::new("Memory", "private bytes of the server process a connection");
    rows.into_table(&mut table);
    report.add(
        table,
        "Of 10,000 idle connections, unless said otherwise: once open, and after echoes of 1 KiB.",
    );

    report.add(products(connections.min(4000), plan), PRODUCT_NOTE);

    let mut table = Table::new("Memory with compression", "private bytes of the server process a connection");
    let message = frame(TEXT | RSV1, &deflated(&json(1 << 10, 1)));
    let expected = Expected { first: TEXT | RSV1, length: None, masked: false };
    for takeover in [false, true] {
        let mut rows = Rows::new(if takeover { ", with takeover" } else { ", no takeover" });
        for peer in plan.peers(compress::peers(takeover)) {
            let service = Service {
                batch: true,
                deflate: Some(compress::LEVEL),
                takeover,
                short: true,
                ..Service::echo(peer)
            };
            // The compressors of some peers take 300 KiB for each connection.
            rows.measure(service, connections.min(1000), &message, expected, plan);
        }
        rows.into_table(&mut table);
    }
    report.add(table, "Of 1,000 idle connections, windows of 15 bits, level 6, JSON.");
    Ok(())
}

pub const PRODUCT: &str = "Memory of whole servers";

/// Whole servers by the lines of their READMEs, beside a connection that is no WebSocket.
fn products(connections: usize, plan: &Plan) -> Table {
    let mut table = Table::new(PRODUCT, "private bytes of the server process a connection");
    let message = frame(BINARY, &text(1 << 10));
    for tls in [false, true] {
        let mut rows = Rows::new(if tls { ", TLS" } else { "" });
        // A handshake of TLS takes a millisecond.
        let connections = if tls { connections.min(1000) } else { connections };
        for peer in [Peer::RawTcp].into_iter().chain(Peer::PRODUCTS) {
            if !plan.peers.contains(&peer) || tls && matches!(peer, Peer::Uwebsockets | Peer::Axum) {
                continue;
            }
            let task = if peer == Peer::RawTcp { Task::Echo } else { Task::Readme };
            let service = Service { tls, task, ..Service::readme(peer, plan.profile) };
            let expected = Expected { first: BINARY, length: Some(1 << 10), masked: peer == Peer::RawTcp };
            rows.measure(service, connections, &message, expected, plan);
        }
        if tls && plan.peers.contains(&Peer::Rustls) {
            match rustls_alone(connections) {
                Ok(each) => rows.series[0].push(Series { peer: Peer::Rustls, figures: vec![each] }),
                Err(error) => plan.leave_out(Peer::Rustls.name(), PRODUCT, &error),
            }
        }
        rows.into_table(&mut table);
    }
    table
}

/// The bytes of a server's session of TLS. By a process that has done nothing else: this one may have room for all of them.
fn rustls_alone(count: usize) -> Result<f64> {
    let output = Command::new(std::env::current_exe()?).args(["sessions", &count.to_string()]).output()?;
    ensure!(output.status.success(), "sessions: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?.trim().parse()?)
}

/// The bytes of each of this many sessions.
pub fn sessions(count: usize) -> Result<f64> {
    let (acceptor, certificate) = tls::acceptor(false)?;
    let client = tls::connector(certificate.as_bytes(), false)?;
    let session = || -> Result<ServerConnection> { Ok(tls::session(acceptor.config(), &client)?.0) };
    let mut sessions: Vec<ServerConnection> = Vec::with_capacity(2 * count);
    // The first fill what the allocator has free.
    for _ in 0..count {
        sessions.push(session()?);
    }
    let before = machine::private_memory(std::process::id())?;
    for _ in 0..count {
        sessions.push(session()?);
    }
    let after = machine::private_memory(std::process::id())?;
    // Those of the vector are touched as it fills.
    Ok(after.saturating_sub(before) as f64 / count as f64)
}

const PRODUCT_NOTE: &str = "Of 4,000 idle connections, over TLS 1.3 of 1,000: once open, and after echoes of 1 KiB. The floor is bytes echoed \
                            on tokio, over TLS with rustls, in futures that have its session twice.";

/// What the connections of each implementation hold, once in each state.
struct Rows {
    names: [String; 3],
    series: [Vec<Series>; 3],
}

impl Rows {
    fn new(suffix: &str) -> Self {
        let states = ["opened", "after one message each", "after a burst of 16 each"];
        Self { names: states.map(|state| format!("{state}{suffix}")), series: Default::default() }
    }

    fn measure(
        &mut self,
        service: Service,
        connections: usize,
        message: &[u8],
        expected: Expected,
        plan: &Plan,
    ) {
        if !plan.wants_load(&format!("memory of {}: {}", service.peer.argument(), self.names[0])) {
            return;
        }
        match states(service, connections, message, expected) {
            Ok(states) => {
                for (series, each) in self.series.iter_mut().zip(states) {
                    series.push(Series { peer: service.peer, figures: vec![each] });
                }
                eprintln!("  memory of {}: done", service.peer.argument());
            }
            Err(error) => plan.leave_out(service.peer.name(), &self.names[0], &error),
        }
    }

    fn into_table(self, table: &mut Table) {
        for (name, series) in self.names.iter().zip(self.series) {
            table.push(name, series);
        }
    }
}

/// The bytes of each connection in each state.
fn states(service: Service, connections: usize, message: &[u8], expected: Expected) -> Result<[f64; 3]> {
    let server = Server::start(service)?;
    let open = || -> Result<Box<dyn Both>> {
        Ok(match server.tls() {
            None => Box::new(client::open(server.port())?),
            Some(config) => Box::new(client::open_tls(server.port(), config, None)?),
        })
    };
    // What the process allocates once is not the connections'.
    let mut first = open()?;
    exchange(&mut first, message, 1, expected)?;
    let base = settled(&server)?;
    let mut streams = (0..connections).map(|_| open()).collect::<Result<Vec<_>>>()?;
    let opened = settled(&server)?;
    let [after_one, after_burst] = [1, BURST].map(|times| {
        streams.iter_mut().try_for_each(|stream| exchange(stream, message, times, expected))?;
        settled(&server)
    });
    let each = |bytes: u64| bytes.saturating_sub(base) as f64 / connections as f64;
    Ok([each(opened), each(after_one?), each(after_burst?)])
}

fn settled(server: &Server) -> Result<u64> {
    std::thread::sleep(Duration::from_millis(100));
    machine::private_memory(server.pid())
}

/// Sends a message this many times in one write and waits for the answers.
fn exchange(stream: &mut impl Both, message: &[u8], times: usize, expected: Expected) -> Result<()> {
    stream.write_all(&message.repeat(times))?;
    stream.flush()?;
    let (mut answers, mut count) = (Answers::default(), 0);
    let mut buffer = [0; 16 << 10];
    while count < times {
        let n = stream.read(&mut buffer)?;
        ensure!(n > 0, "the server closed an idle connection");
        count += answers.take(&buffer[..n], expected)?;
    }
    Ok(())
}
