//! What a thousand connections that hold unfinished messages cost on the heap, with a budget of memory for all of them.
#![cfg(feature = "deflate")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod common;

use std::alloc::System;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use bytes::Buf;
use cap::Cap;
use common::{Peer, echo, frame, opening, options, reply, run};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::task::JoinHandle;
use ws_core::deflate::{self, PerMessageDeflate};
use ws_core::{Config, Connection};
use ws_server::{Endpoint, Server};

#[global_allocator]
static HEAP: Cap<System> = Cap::new(System, usize::MAX);

/// One test, so that nothing else allocates meanwhile. It runs this program again: for the server with each kind of fragment, so that what
/// one has left on the heap does not count for the other, and for the attackers, so that each process has the descriptors of one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_connections_with_unfinished_messages_hold_less_than_one_and_a_half_times_max_memory() {
    if let Ok(order) = std::env::var("WS_MEMORY_ATTACK") {
        return attack(&order).await;
    }
    if let Ok(kind) = std::env::var("WS_MEMORY_KIND") {
        return withstand(&kind).await;
    }
    for kind in [COMPRESSED, PLAIN] {
        let server = again().env("WS_MEMORY_KIND", kind).stderr(Stdio::piped()).spawn().unwrap();
        let ended = server.wait_with_output().await.unwrap();
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success(), "{kind}: {said}");
        print!("{said}");
    }
}

const COMPRESSED: &str = "compressed";
const PLAIN: &str = "plain";
const HONEST: usize = 20;

fn again() -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--nocapture", "--test-threads=1"]).stdout(Stdio::null()).kill_on_drop(true);
    command
}

/// A server, its honest clients, and the attackers, which send fragments of this kind.
async fn withstand(kind: &str) {
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
    // A thousand pings a second.
    let mut config = Config::server();
    let keepalive = config.keepalive.as_mut().unwrap();
    keepalive.interval = Duration::from_millis(attacks as u64);
    let endpoint = Endpoint::new(echo).connection(config).deflate(deflate::Config::server());
    let server = run(Server::builder().endpoint("/", endpoint).options(options)).await;
    let mut honest = Vec::new();
    for _ in 0..HONEST {
        honest.push(Honest::new(server.open("/").await));
    }
    let mut attackers = again()
        .env_remove("WS_MEMORY_KIND")
        .env("WS_MEMORY_ATTACK", format!("{} {attacks} {kind}", server.address))
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut orders = attackers.stdin.take().unwrap();
    let mut answers = BufReader::new(attackers.stderr.take().unwrap()).lines();
    let open = async {
        while server.stats.open() < (attacks + HONEST) as u64 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(300), open).await.unwrap();
    let before = HEAP.allocated();
    // Now they send.
    orders.write_all(b"send\n").await.unwrap();
    // No more than these can have been kept.
    let most = (max_memory / held_by_one(kind)) as u64;
    // Many take longer than others of the tests do.
    let closing = async {
        while server.stats.closed_for_memory() < attacks as u64 - most {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(300), closing).await.unwrap();
    // Those that are left have been pinged twice when the honest clients have been.
    let enough: Vec<u64> = honest.iter().map(|client| client.echoes.load(Relaxed) + 2).collect();
    for (client, enough) in honest.iter().zip(enough) {
        client.echoes(enough).await;
    }
    // Some are counted once they have lingered. Nobody has been closed for another reason.
    server.until(|stats| stats.open() + stats.closed_for_memory() == (HONEST + attacks) as u64).await;
    let (peak, closed) = (HEAP.max_allocated() - before, server.stats.closed_for_memory());
    let times = |bytes: usize| bytes as f64 / max_memory as f64;
    let resident = resident();
    eprintln!(
        "{kind}: {peak} bytes of heap at most, {:.2} times {max_memory}; {resident} resident, {:.2} times; {closed} of {attacks} closed with 1013",
        times(peak),
        times(resident)
    );
    assert!(peak < max_memory * 3 / 2, "{peak} bytes");
    // Beside a small budget, what is resident is the program.
    assert!(many.is_none() || resident < max_memory * 3 / 2, "{resident} bytes are resident");
    assert!(closed < attacks as u64, "all have been closed");
    // What the server has counted is what the attackers have got.
    let told = async {
        loop {
            orders.write_all(b"count\n").await.unwrap();
            let answer = answers.next_line().await.unwrap().unwrap();
            if answer == format!("{closed} closed with 1013, 0 ended otherwise") {
                return;
            }
            println!("{answer}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    common::soon(told).await;
    attackers.kill().await.unwrap();
    server.until(|stats| stats.open() == HONEST as u64).await;
    assert!(server.stats.memory() <= (HONEST * 100) as u64 * 1024, "{}", server.stats.memory());
    assert_eq!(server.stats.closed_for_memory(), closed);
}

/// The most memory that was resident, as the system reports it; 0 if it does not.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
    line.map_or(0, |kib| kib.parse::<usize>().unwrap() * 1024)
}

/// A client that sends a message whenever it is pinged, and counts the echoes.
struct Honest {
    echoes: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Honest {
    fn new(mut peer: Peer) -> Self {
        let echoes = Arc::new(AtomicU64::new(0));
        let counted = echoes.clone();
        let task = tokio::spawn(async move {
            loop {
                let mut header = [0; 2];
                peer.0.read_exact(&mut header).await.unwrap();
                let payload = peer.bytes(header[1].into()).await;
                if header[0] == 0x89 {
                    peer.send([frame(0x8a, &payload), frame(0x81, b"hello")].concat()).await;
                } else {
                    assert_eq!([&header[..], &payload].concat(), reply(0x81, b"hello"));
                    counted.fetch_add(1, Relaxed);
                }
            }
        });
        Self { echoes, task }
    }

    /// Waits for this many echoes.
    async fn echoes(&self, enough: u64) {
        let counted = async {
            while self.echoes.load(Relaxed) < enough {
                assert!(!self.task.is_finished(), "an honest client has been closed");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        common::soon(counted).await;
    }
}

/// Opens connections, sends the fragment on each when a line comes, and then only answers pings; says how many have been closed when another
/// line comes.
async fn attack(order: &str) {
    let mut order = order.split(' ');
    let mut next = || order.next().unwrap();
    let (address, attacks, kind) = (next(), next().parse::<usize>().unwrap(), next());
    rlimit::increase_nofile_limit(attacks as u64 + 100).unwrap();
    let fragment: Arc<[u8]> = fragment(kind).into();
    let mut attackers = Vec::new();
    for _ in 0..attacks {
        attackers.push(open(address).await);
    }
    let mut orders = BufReader::new(tokio::io::stdin()).lines();
    orders.next_line().await.unwrap();
    let counts = Arc::new([AtomicU64::new(0), AtomicU64::new(0)]);
    for mut attacker in attackers {
        let (counts, fragment) = (counts.clone(), fragment.clone());
        tokio::spawn(async move {
            // One that has been closed already takes nothing, or not all.
            let _ = attacker.0.write_all(&fragment).await;
            let is_closed = only_answer_pings(&mut attacker.0).await;
            counts[usize::from(!is_closed)].fetch_add(1, Relaxed);
        });
    }
    while orders.next_line().await.unwrap().is_some() {
        let [closed, otherwise] = [&counts[0], &counts[1]].map(|count| count.load(Relaxed));
        eprintln!("{closed} closed with 1013, {otherwise} ended otherwise");
    }
}

/// Until the end; whether that was a Close with 1013.
async fn only_answer_pings(stream: &mut TcpStream) -> bool {
    loop {
        let mut header = [0; 2];
        if stream.read_exact(&mut header).await.is_err() {
            return false;
        }
        let mut payload = vec![0; header[1].into()];
        if stream.read_exact(&mut payload).await.is_err() {
            return false;
        }
        match header[0] {
            0x89 => _ = stream.write_all(&frame(0x8a, &payload)).await,
            0x88 => {
                let _ = stream.write_all(&frame(0x88, &payload[..2])).await;
                return payload[..2] == 1013_u16.to_be_bytes();
            }
            _ => return false,
        }
    }
}

/// How many bytes of a message a connection holds with the fragment.
fn held_by_one(kind: &str) -> usize {
    match kind {
        // The limit of a message is a mebibyte.
        COMPRESSED => (1 << 20) - 1,
        _ => 128 << 10,
    }
}

/// A fragment with the first part of a message.
fn fragment(kind: &str) -> Vec<u8> {
    let payload = vec![0; held_by_one(kind)];
    if kind == PLAIN {
        return frame(0x02, &payload);
    }
    let mut config = deflate::Config::server();
    config.level = 9;
    let mut client = Connection::client(Arc::new(Config::client()), [7; 32])
        .with_deflate(PerMessageDeflate::client(deflate::Agreed::PLAIN, &config));
    client.send_binary(&payload).unwrap();
    let mut output = client.output();
    let mut frame = output.copy_to_bytes(output.remaining()).to_vec();
    // FIN is cleared: more of the message is to come.
    frame[0] &= 0x7f;
    assert_eq!(frame.len(), 1041);
    frame
}

async fn open(address: &str) -> Peer {
    let mut peer = Peer(TcpStream::connect(address).await.unwrap());
    peer.send(opening("/", "Sec-WebSocket-Extensions: permessage-deflate\r\n")).await;
    let head = peer.head().await;
    assert!(head.starts_with("HTTP/1.1 101 ") && head.contains("permessage-deflate"), "{head}");
    peer
}
