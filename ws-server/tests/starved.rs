//! A server with 64 descriptors and 200 peers. The server is this program again, as a process of its own: the limit is
//! the process's.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod common;

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use common::{Peer, echo, opening, options, run, soon};
use rlimit::Resource;
use tokio::net::TcpStream;
use ws_server::Server;

const SERVE: &str = "WS_SERVER_TEST_STARVED";
const PEERS: usize = 200;
const TOO_MANY: usize = 1000;

/// The server's process; ended with the test.
struct Starved {
    process: Child,
    address: SocketAddr,
}

impl Starved {
    /// Starts `test` again, which then calls [`serve`].
    fn start(test: &str, max_connections: usize) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture"])
            .env(SERVE, max_connections.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let address = lines.map_while(Result::ok).find_map(|line| {
            let (_, address) = line.split_once("address ")?;
            address.parse().ok()
        });
        Self { process, address: address.unwrap() }
    }

    /// What it has used of the processors.
    fn cpu_time(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id())).unwrap();
        // Behind the name, which is in parentheses: user and system time are the 12th and 13th, in hundredths.
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        let ticks: u64 = fields[11..13].iter().map(|ticks| ticks.parse::<u64>().unwrap()).sum();
        Duration::from_millis(10 * ticks)
    }

    fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.process.id())).unwrap().count()
    }

    async fn peer(&self) -> Peer {
        let mut peer = Peer(TcpStream::connect(self.address).await.unwrap());
        peer.send(opening("/", "")).await;
        peer
    }
}

impl Drop for Starved {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// In the process of its own: serves until it is killed.
async fn serve(max_connections: usize) {
    rlimit::setrlimit(Resource::NOFILE, 64, 64).unwrap();
    let options = options(|options| {
        if max_connections > 0 {
            options.max_connections = Some(max_connections);
            options.max_handshakes = Some(max_connections);
        }
        options.overload_wait = Duration::ZERO;
    });
    let server = run(Server::builder().route("/", echo).options(options)).await;
    println!("address {}", server.address);
    std::future::pending::<()>().await;
}

fn asked_to_serve() -> Option<usize> {
    std::env::var(SERVE).ok()?.parse().ok()
}

#[tokio::test]
async fn out_of_descriptors_it_rests_and_recovers() {
    if let Some(max_connections) = asked_to_serve() {
        return serve(max_connections).await;
    }
    let server = Starved::start("out_of_descriptors_it_rests_and_recovers", TOO_MANY);
    let mut peers = Vec::new();
    for _ in 0..PEERS {
        peers.push(server.peer().await);
    }
    for peer in &mut peers[..40] {
        assert!(peer.head().await.starts_with("HTTP/1.1 101 "));
    }
    soon(async {
        while server.descriptors() < 64 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    let cpu = server.cpu_time();
    let span = Duration::from_secs(2);
    tokio::time::sleep(span).await;
    let cpu = server.cpu_time() - cpu;
    assert!(cpu.as_secs_f64() < 0.05 * span.as_secs_f64(), "{cpu:?} of CPU in {span:?}");
    assert!(server.descriptors() >= 64, "it is still short of them");

    // As the first ones leave the others come in, all of them.
    drop(peers.drain(..40));
    for mut peer in peers {
        assert!(peer.head().await.starts_with("HTTP/1.1 101 "));
    }
}

#[tokio::test]
async fn its_default_limits_keep_it_from_running_out() {
    if let Some(max_connections) = asked_to_serve() {
        return serve(max_connections).await;
    }
    let server = Starved::start("its_default_limits_keep_it_from_running_out", 0);
    let mut peers = Vec::new();
    let (mut opened, mut refused) = (0, 0);
    for _ in 0..PEERS {
        let mut peer = server.peer().await;
        let head = peer.head().await;
        opened += usize::from(head.starts_with("HTTP/1.1 101 "));
        refused += usize::from(head.starts_with("HTTP/1.1 503 "));
        assert!(server.descriptors() < 60);
        peers.push(peer);
    }
    // Of 64 half are for connections; an eighth of those for handshakes, an eighth for guards, a sixteenth for answers.
    assert_eq!((opened, refused), (22, PEERS - 22));
}
