//! A process that is out of descriptors. The limit is the process's, so each test starts this program again as a process
//! of its own, which runs only that test.
#![cfg(unix)]
#![cfg_attr(not(target_os = "linux"), allow(dead_code, unused_imports))]
#![allow(clippy::unwrap_used)]

mod common;

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::{Peer, echo, frame, opening, options, reply, run, soon};
use rlimit::Resource;
use tokio::net::TcpStream;
use ws_server::Server;

const SERVE: &str = "WS_SERVER_TEST_DESCRIPTORS";
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
        let mut process = again(test, max_connections).stdout(Stdio::piped()).spawn().unwrap();
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

/// This program, to run `test` in another process.
fn again(test: &str, value: usize) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).env(SERVE, value.to_string());
    command
}

/// In the other process: serves until it is killed.
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

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_server_out_of_descriptors_rests_and_recovers() {
    if let Some(max_connections) = asked_to_serve() {
        return serve(max_connections).await;
    }
    let server = Starved::start("a_server_out_of_descriptors_rests_and_recovers", TOO_MANY);
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

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_default_limits_keep_a_server_from_running_out_of_descriptors() {
    if let Some(max_connections) = asked_to_serve() {
        return serve(max_connections).await;
    }
    let server = Starved::start("the_default_limits_keep_a_server_from_running_out_of_descriptors", 0);
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

#[tokio::test]
async fn accepting_pauses_without_descriptors_and_recovers() {
    if asked_to_serve().is_none() {
        let test = again("accepting_pauses_without_descriptors_and_recovers", 1).status();
        assert!(test.unwrap().success(), "the other process has said why");
        return;
    }
    let (_, hard) = rlimit::getrlimit(Resource::NOFILE).unwrap();
    rlimit::setrlimit(Resource::NOFILE, 64, hard).unwrap();
    let options = options(|options| options.max_connections = Some(1000));
    let server = run(Server::builder().route("/", echo).options(options)).await;
    let mut before = server.open("/").await;

    // One descriptor is left for a client of our own; then there is none for the server to accept with.
    let mut hoard = Vec::new();
    let client = loop {
        match File::open("/dev/null") {
            Ok(file) => hoard.push(file),
            Err(_) => {
                hoard.pop();
                break TcpStream::connect(server.address).await.unwrap();
            }
        }
    };
    server.until(|stats| stats.failed_accepts() >= 2).await;
    let attempts = server.stats.failed_accepts();
    let cpu = cpu_time();
    let begin = Instant::now();
    tokio::time::sleep(Duration::from_millis(1000)).await;
    let attempts = server.stats.failed_accepts() - attempts;
    assert!(attempts < 20, "{attempts} attempts in a second");
    let cpu = cpu_time() - cpu;
    assert!(cpu.as_secs_f64() < 0.05 * begin.elapsed().as_secs_f64(), "{cpu:?} of CPU");

    // A connection that is open is served as before.
    before.send(frame(0x81, b"x")).await;
    assert_eq!(before.bytes(3).await, reply(0x81, b"x"));

    drop(hoard);
    let mut client = Peer(client);
    client.send(opening("/", "")).await;
    assert!(client.head().await.starts_with("HTTP/1.1 101 "), "accepting has not recovered");
}

/// What this process has used of the processors, as Linux tells it; elsewhere nothing.
fn cpu_time() -> Duration {
    let Ok(stat) = std::fs::read_to_string("/proc/self/schedstat") else { return Duration::ZERO };
    Duration::from_nanos(stat.split_whitespace().next().and_then(|ns| ns.parse().ok()).unwrap_or(0))
}
