//! Memory of connections that wait.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::Result;

use crate::answers::{Answers, Expected};
use crate::frames::{BINARY, RSV1, TEXT, deflated, frame, json, text};
use crate::peers::{Peer, Service};
use crate::rig::Server;
use crate::{Plan, client, machine};

pub fn run(plan: &Plan, connections: usize) -> Result<()> {
    machine::pin(machine::LOAD_CORE)?;
    machine::raise_file_limit()?;
    println!("### Memory: private bytes of the server process for each of {connections} idle connections\n");
    println!("| implementation | opened | after one 1 KiB message each | after 16 at once each |");
    println!("|---|---:|---:|---:|");
    let plain = frame(BINARY, &text(1 << 10));
    for peer in Peer::ALL.into_iter().filter(|&peer| plan.wants_peer(peer) && plan.wants_load("idle")) {
        let service = Service { peer, batch: true, deflate: None, takeover: false };
        let expected = Expected { first: BINARY, length: Some(1 << 10), masked: peer == Peer::RawTcp };
        row(peer.name(), service, connections, &plain, expected)?;
    }
    println!("\nWith permessage-deflate (windows of 15 bits, level 6, JSON):\n");
    println!("| implementation | opened | after one 1 KiB message each | after 16 at once each |");
    println!("|---|---:|---:|---:|");
    let compressed = frame(TEXT | RSV1, &deflated(&json(1 << 10, 1)));
    let expected = Expected { first: TEXT | RSV1, length: None, masked: false };
    // The compressors of some peers take 300 KiB for each connection.
    let fewer = connections.min(1000);
    for takeover in [false, true] {
        for peer in Peer::DEFLATING.into_iter().filter(|&peer| plan.wants_peer(peer)) {
            let service = Service { peer, batch: true, deflate: Some(6), takeover };
            let name = format!("{}, {} takeover", peer.name(), if takeover { "with" } else { "no" });
            row(&name, service, fewer, &compressed, expected)?;
        }
    }
    println!();
    Ok(())
}

fn row(name: &str, service: Service, connections: usize, message: &[u8], expected: Expected) -> Result<()> {
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
        exchange(stream, message, 16, expected)?;
    }
    let after_burst = settled(&server)?;
    let each = |now: u64| now.saturating_sub(base) / connections as u64;
    println!("| {name} | {} | {} | {} |", each(opened), each(after_one), each(after_burst));
    Ok(())
}

fn settled(server: &Server) -> Result<u64> {
    std::thread::sleep(Duration::from_millis(100));
    machine::private_memory(server.pid())
}

/// Sends a message so many times in one write and waits for the answers.
fn exchange(stream: &mut TcpStream, message: &[u8], times: usize, expected: Expected) -> Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    stream.write_all(&message.repeat(times))?;
    let (mut answers, mut count) = (Answers::default(), 0);
    let mut buffer = [0; 16 << 10];
    while count < times {
        let n = stream.read(&mut buffer)?;
        anyhow::ensure!(n > 0, "the server closed an idle connection");
        count += answers.take(&buffer[..n], expected)?;
    }
    Ok(())
}
