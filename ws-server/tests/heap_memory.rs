//! What a thousand connections that hold unfinished messages cost on the heap, with a budget of memory for all of them.
#![cfg(feature = "deflate")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod common;

use std::alloc::System;
use std::sync::Arc;
use std::time::Duration;

use bytes::Buf;
use cap::Cap;
use common::{Peer, Running, echo, frame, opening, options, reply, run};
use ws_core::deflate::{self, PerMessageDeflate};
use ws_core::{Config, Connection};
use ws_server::{Endpoint, Server};

#[global_allocator]
static HEAP: Cap<System> = Cap::new(System, usize::MAX);

/// One test, so that nothing else allocates meanwhile.
#[tokio::test]
async fn a_thousand_connections_with_unfinished_messages_hold_less_than_one_and_a_half_times_max_memory() {
    // With this set, as many connections and 256 MiB: `evidence/connections.md` has the figures.
    let many = std::env::var("WS_MEMORY_CONNECTIONS").ok().map(|many| many.parse::<usize>().unwrap());
    let (attacks, max_memory) = many.map_or((1000, 25 << 20), |many| (many, 256 << 20));
    let wanted = 2 * (attacks + HONEST) as u64 + 200;
    let (ours, _) = rlimit::Resource::NOFILE.get().unwrap();
    let may = rlimit::increase_nofile_limit(wanted.max(ours)).unwrap();
    assert!(may >= wanted, "it needs {wanted} open files (ulimit -n), and may have {may}");
    let options = options(|options| {
        options.max_memory = Some(max_memory);
        options.max_connections = Some(attacks + HONEST);
    });
    let endpoint = Endpoint::new(echo).deflate(deflate::Config::server());
    let server = run(Server::builder().endpoint("/", endpoint).options(options)).await;
    let fragment = fragment();
    assert!(fragment.len() < 12_000, "{} bytes", fragment.len());
    let mut honest = Vec::new();
    for _ in 0..HONEST {
        honest.push(server.open("/").await);
    }
    let mut attackers = Vec::new();
    for _ in 0..attacks {
        attackers.push(open(&server).await);
    }
    let before = HEAP.allocated();
    // They send at once: all are ready before the first of them is read.
    for attacker in &mut attackers {
        attacker.send(&fragment).await;
    }
    // A message of nearly a mebibyte each.
    let most = (max_memory >> 20) as u64;
    // Many take longer than others of the tests do.
    let closing = async {
        while server.stats.closed_for_memory() < attacks as u64 - most {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(300), closing).await.unwrap();
    let (peak, closed) = (HEAP.max_allocated() - before, server.stats.closed_for_memory());
    println!("{peak} bytes at most of {max_memory}; {closed} of {attacks} closed with 1013; {}", resident());
    assert!(peak < max_memory * 3 / 2, "{peak} bytes");
    assert!(closed < attacks as u64, "all have been closed");
    for peer in &mut honest {
        peer.send(frame(0x81, b"hello")).await;
        assert_eq!(peer.bytes(7).await, reply(0x81, b"hello"));
    }
    assert_eq!(server.stats.open(), (HONEST + attacks) as u64 - closed);
    drop(attackers);
    server.until(|stats| stats.open() == HONEST as u64).await;
    assert!(server.stats.memory() <= (HONEST * 100) as u64 * 1024, "{}", server.stats.memory());
}

const HONEST: usize = 20;

/// The most memory that was resident, as the system reports it.
fn resident() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or("VmHWM is not known").to_owned()
}

/// A fragment that inflates to nearly a mebibyte, which is the limit of a message.
fn fragment() -> Vec<u8> {
    let config = deflate::Config::server();
    let mut client = Connection::client(Arc::new(Config::client()), [7; 32])
        .with_deflate(PerMessageDeflate::client(deflate::Agreed::PLAIN, &config));
    client.send_binary(&vec![0; (1 << 20) - 1]).unwrap();
    let mut output = client.output();
    let mut frame = output.copy_to_bytes(output.remaining()).to_vec();
    // FIN is cleared: more of the message is to come.
    frame[0] &= 0x7f;
    frame
}

async fn open(server: &Running) -> Peer {
    let mut peer = server.connect().await;
    peer.send(opening("/", "Sec-WebSocket-Extensions: permessage-deflate\r\n")).await;
    let head = peer.head().await;
    assert!(head.starts_with("HTTP/1.1 101 ") && head.contains("permessage-deflate"), "{head}");
    peer
}
