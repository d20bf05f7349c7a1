//! Memory of connections that wait.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::answers::{Answers, Expected};
use crate::frames::{BINARY, RSV1, TEXT, deflated, frame, json, text};
use crate::peer::Peer;
use crate::report::Report;
use crate::rig::{Series, Server};
use crate::service::Service;
use crate::table::Table;
use crate::{Plan, client, compress, machine};

/// How many messages a burst has.
const BURST: usize = 16;

pub fn run(plan: &Plan, connections: usize, report: &mut Report) -> Result<()> {
    let mut rows = Rows::new("");
    let message = frame(BINARY, &text(1 << 10));
    for peer in plan.peers(&Peer::ALL) {
        let expected = Expected { first: BINARY, length: Some(1 << 10), masked: peer == Peer::RawTcp };
        rows.measure(Service { batch: true, ..Service::echo(peer) }, connections, &message, expected)?;
    }
    let mut table = Table::new("Memory", "private bytes of the server process a connection");
    rows.into_table(&mut table);
    report.add(
        table,
        "Of 10,000 idle connections, unless said otherwise: once open, and after echoes of 1 KiB.",
    );

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
            rows.measure(service, connections.min(1000), &message, expected)?;
        }
        rows.into_table(&mut table);
    }
    report.add(table, "Of 1,000 idle connections, windows of 15 bits, level 6, JSON.");
    Ok(())
}

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
    ) -> Result<()> {
        let server = Server::start(service)?;
        // What the process allocates once is not the connections'.
        let mut first = client::open(server.port())?;
        exchange(&mut first, message, 1, expected)?;
        let base = settled(&server)?;
        let mut streams = Vec::new();
        for _ in 0..connections {
            streams.push(client::open(server.port())?);
        }
        let opened = settled(&server)?;
        for stream in &mut streams {
            exchange(stream, message, 1, expected)?;
        }
        let after_one = settled(&server)?;
        for stream in &mut streams {
            exchange(stream, message, BURST, expected)?;
        }
        let after_burst = settled(&server)?;
        for (series, bytes) in self.series.iter_mut().zip([opened, after_one, after_burst]) {
            let each = bytes.saturating_sub(base) as f64 / connections as f64;
            series.push(Series { peer: service.peer, figures: vec![each] });
        }
        eprintln!("  memory of {}: done", service.peer.argument());
        Ok(())
    }

    fn into_table(self, table: &mut Table) {
        for (name, series) in self.names.iter().zip(self.series) {
            table.push(name, series);
        }
    }
}

fn settled(server: &Server) -> Result<u64> {
    std::thread::sleep(Duration::from_millis(100));
    machine::private_memory(server.pid())
}

/// Sends a message this many times in one write and waits for the answers.
fn exchange(stream: &mut TcpStream, message: &[u8], times: usize, expected: Expected) -> Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    stream.write_all(&message.repeat(times))?;
    let (mut answers, mut count) = (Answers::default(), 0);
    let mut buffer = [0; 16 << 10];
    while count < times {
        let n = stream.read(&mut buffer)?;
        ensure!(n > 0, "the server closed an idle connection");
        count += answers.take(&buffer[..n], expected)?;
    }
    Ok(())
}
