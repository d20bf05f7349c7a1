//! How long the messages of one client address take while another opens WebSockets as fast as it can, floods messages, or
//! holds hundreds of handshakes: `cargo bench -p ws-server --bench addresses`, some six minutes. Prints the median and the 99th
//! percentile of each round, with a quiet server before and after it, whose times show what else the machine does; and for each attack the
//! middle of the ratios to the quiet server, which the goal is 2 for. On Unix.
#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{interval, sleep};
use ws_server::{AddressLimits, Error, Server, ServerOptions, WebSocket};

const HONEST: [u8; 4] = [127, 0, 0, 2];
const FLOOD: [u8; 4] = [127, 0, 0, 1];
/// WebSockets of the honest address, and how often each sends.
const PEERS: usize = 50;
const PACE: Duration = Duration::from_millis(20);
const TIME: Duration = Duration::from_secs(5);
/// Of each attack.
const ROUNDS: usize = 5;
/// For how long an attacker holds a handshake.
const HELD: Duration = Duration::from_secs(2);

const OPENING: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
/// A masked text frame of five bytes; its echo has seven.
const HELLO: &[u8] = &[0x81, 0x85, 0, 0, 0, 0, b'h', b'e', b'l', b'l', b'o'];

async fn echo(mut socket: WebSocket) -> Result<(), Error> {
    while let Some(message) = socket.recv().await? {
        socket.feed(message).await?;
    }
    Ok(())
}

async fn connect(server: SocketAddr, from: [u8; 4]) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((from, 0)))?;
    socket.connect(server).await
}

async fn open(server: SocketAddr, from: [u8; 4]) -> std::io::Result<TcpStream> {
    let mut stream = connect(server, from).await?;
    stream.set_nodelay(true)?;
    stream.write_all(OPENING).await?;
    let mut head = [0; 4];
    while head != *b"\r\n\r\n" {
        head.rotate_left(1);
        head[3] = stream.read_u8().await?;
    }
    Ok(stream)
}

/// One WebSocket that sends at its pace; returns how long each message took.
async fn honest(server: SocketAddr) -> Vec<Duration> {
    let mut stream = open(server, HONEST).await.unwrap();
    let (mut times, mut pace, begin) = (Vec::new(), interval(PACE), Instant::now());
    while begin.elapsed() < TIME {
        pace.tick().await;
        let sent = Instant::now();
        stream.write_all(HELLO).await.unwrap();
        stream.read_exact(&mut [0; 7]).await.unwrap();
        times.push(sent.elapsed());
    }
    times
}

/// What the other address does.
#[derive(Debug, Clone, Copy)]
enum Attack {
    Open,
    Flood,
    Handshakes,
    /// All of them at the same moments: a hundredth of the messages may come then.
    Bursts,
}

impl Attack {
    const ALL: [Self; 4] = [Self::Open, Self::Flood, Self::Handshakes, Self::Bursts];

    const fn name(self) -> &'static str {
        match self {
            Self::Open => "opens as fast as it can",
            Self::Flood => "floods messages",
            Self::Handshakes => "holds handshakes",
            Self::Bursts => "holds handshakes that it begins all at once",
        }
    }

    const fn attackers(self) -> usize {
        match self {
            Self::Open => 8,
            Self::Flood => 20,
            Self::Handshakes | Self::Bursts => 300,
        }
    }
}

async fn attack(server: SocketAddr, how: Attack, number: usize) {
    match how {
        Attack::Open => loop {
            // Refused or not, it goes on at once.
            drop(open(server, FLOOD).await);
        },
        Attack::Flood => {
            let Ok(stream) = open(server, FLOOD).await else { return };
            let (mut read, mut write) = stream.into_split();
            let reading = async { while read.read(&mut [0; 4096]).await.is_ok_and(|length| length > 0) {} };
            let frames = HELLO.repeat(1000);
            let writing = async { while write.write_all(&frames).await.is_ok() {} };
            tokio::join!(reading, writing);
        }
        Attack::Handshakes | Attack::Bursts => {
            if matches!(how, Attack::Handshakes) {
                sleep(HELD.mul_f64(number as f64 / how.attackers() as f64)).await;
            }
            loop {
                let held = connect(server, FLOOD).await;
                sleep(HELD).await;
                drop(held);
            }
        }
    }
}

/// The attackers' process.
fn attack_from_here(server: SocketAddr, how: Attack) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async move {
        let mut tasks = JoinSet::new();
        for number in 0..how.attackers() {
            tasks.spawn(attack(server, how, number));
        }
        sleep(TIME + HELD + Duration::from_secs(2)).await;
    });
}

/// Starts it, with the lowest priority: attackers have machines of their own, and here they would take the processors from the clients
/// whose waiting is measured.
fn attack_from_elsewhere(server: SocketAddr, how: Attack) -> Child {
    let mut nice = Command::new("nice");
    nice.args(["-n", "19"]).arg(std::env::current_exe().unwrap());
    nice.args(["--bench", "--attack", how.name(), &server.to_string()]).spawn().unwrap()
}

fn main() {
    let arguments: Vec<_> = std::env::args().collect();
    // As one of the tests it has nothing to say.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return;
    }
    if let [_, _, _, how, server] = &*arguments {
        let how = Attack::ALL.into_iter().find(|attack| attack.name() == how).unwrap();
        return attack_from_here(server.parse().unwrap(), how);
    }
    let (report, address) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let limits = AddressLimits::default()
                .max_connections(Some(100))
                .handshakes_per_second(Some(100))
                .messages_per_second(Some(5_000));
            let options = ServerOptions::default().per_address(limits);
            let server =
                Server::builder().route("/", echo).options(options).bind("127.0.0.1:0").await.unwrap();
            report.send(server.local_addr().unwrap()).unwrap();
            server.serve().await;
        });
    });
    let server = address.recv().unwrap();
    let mut quiet = round(server, None);
    for how in Attack::ALL {
        let mut ratios = Vec::new();
        for _ in 0..ROUNDS {
            let attacked = round(server, Some(how));
            let next = round(server, None);
            ratios.push(attacked.as_secs_f64() * 2.0 / (quiet + next).as_secs_f64());
            quiet = next;
        }
        ratios.sort_by(f64::total_cmp);
        println!(
            "{}: p99 {:.2} times that of the quiet server; {ratios:.2?}",
            how.name(),
            ratios[ROUNDS / 2]
        );
    }
}

/// Has the honest clients send while somebody attacks; returns the 99th percentile of their times.
fn round(server: SocketAddr, how: Option<Attack>) -> Duration {
    let attacking = how.map(|how| attack_from_elsewhere(server, how));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut times = runtime.block_on(async move {
        // The attackers begin, and have all that they hold.
        sleep(Duration::from_secs(1) + HELD).await;
        let mut tasks = JoinSet::new();
        for _ in 0..PEERS {
            tasks.spawn(honest(server));
        }
        tasks.join_all().await.concat()
    });
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)];
    let name = how.map_or("quiet", Attack::name);
    println!("  {name}: {} messages, median {:?}, p99 {:?}", times.len(), at(50), at(99));
    if let Some(mut process) = attacking {
        process.wait().unwrap();
    }
    at(99)
}
