//! What a thousand connections that hold unfinished messages cost on the heap, with a budget of memory for all of them.
#![cfg(feature = "deflate")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod common;

use std::alloc::System;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use bytes::Buf;
use cap::Cap;
use common::{Peer, echo, frame, opening, options, reply, run};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::Command;
use ws_core::deflate::{self, PerMessageDeflate};
use ws_core::{Config, Connection};
use ws_server::{Endpoint, Server};

#[global_allocator]
static HEAP: Cap<System> = Cap::new(System, usize::MAX);

/// One test, so that nothing else allocates meanwhile.
#[tokio::test]
async fn a_thousand_connections_with_unfinished_messages_hold_less_than_one_and_a_half_times_max_memory() {
    // The attackers are another process, so that each has the descriptors of one: this program again.
    if let Ok(address) = std::env::var("WS_MEMORY_ATTACK") {
        return attack(&address).await;
    }
    // With this set, as many connections and 256 MiB: `evidence/connections.md` has the figures.
    let many = std::env::var("WS_MEMORY_CONNECTIONS").ok().map(|many| many.parse::<usize>().unwrap());
    let (attacks, max_memory) = many.map_or((1000, 25 << 20), |many| (many, 256 << 20));
    let wanted = (attacks + 2 * HONEST) as u64 + 200;
    let (ours, _) = rlimit::Resource::NOFILE.get().unwrap();
    let may = rlimit::increase_nofile_limit(wanted.max(ours)).unwrap();
    assert!(may >= wanted, "it needs {wanted} open files (ulimit -n), and may have {may}");
    let options = options(|options| {
        options.max_memory = Some(max_memory);
        options.max_connections = Some(attacks + HONEST);
    });
    let endpoint = Endpoint::new(echo).deflate(deflate::Config::server());
    let server = run(Server::builder().endpoint("/", endpoint).options(options)).await;
    let mut honest = Vec::new();
    for _ in 0..HONEST {
        honest.push(server.open("/").await);
    }
    let mut attackers = Command::new(std::env::current_exe().unwrap())
        .args(["--nocapture", "--test-threads=1"])
        .env("WS_MEMORY_ATTACK", format!("{} {attacks}", server.address))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let open = async {
        while server.stats.open() < (attacks + HONEST) as u64 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(300), open).await.unwrap();
    let before = HEAP.allocated();
    // Now they send.
    attackers.stdin.as_mut().unwrap().write_all(b"\n").await.unwrap();
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
        // They have been pinged if all of this has taken long.
        let echo = loop {
            let header = peer.bytes(2).await;
            let payload = peer.bytes(header[1].into()).await;
            if header[0] != 0x89 {
                break [header, payload].concat();
            }
        };
        assert_eq!(echo, reply(0x81, b"hello"));
    }
    // Some are counted once they have lingered.
    server.until(|stats| stats.open() + stats.closed_for_memory() == (HONEST + attacks) as u64).await;
    attackers.kill().await.unwrap();
    server.until(|stats| stats.open() == HONEST as u64).await;
    assert!(server.stats.memory() <= (HONEST * 100) as u64 * 1024, "{}", server.stats.memory());
}

const HONEST: usize = 20;

/// Opens connections, sends the fragment on each when a line comes, and holds them until it is ended.
async fn attack(order: &str) {
    let (address, attacks) = order.split_once(' ').unwrap();
    let attacks: usize = attacks.parse().unwrap();
    rlimit::increase_nofile_limit(attacks as u64 + 100).unwrap();
    let fragment = fragment();
    assert!(fragment.len() < 12_000, "{} bytes", fragment.len());
    let mut attackers = Vec::new();
    for _ in 0..attacks {
        attackers.push(open(address).await);
    }
    let mut orders = BufReader::new(tokio::io::stdin()).lines();
    orders.next_line().await.unwrap();
    for attacker in &mut attackers {
        // One that has been closed already takes nothing.
        let _ = attacker.0.write_all(&fragment).await;
    }
    std::future::pending::<()>().await;
}

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

async fn open(address: &str) -> Peer {
    let mut peer = Peer(TcpStream::connect(address).await.unwrap());
    peer.send(opening("/", "Sec-WebSocket-Extensions: permessage-deflate\r\n")).await;
    let head = peer.head().await;
    assert!(head.starts_with("HTTP/1.1 101 ") && head.contains("permessage-deflate"), "{head}");
    peer
}
