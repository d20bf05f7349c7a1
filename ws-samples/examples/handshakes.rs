//! Bursts and floods of opening handshakes: `cargo run --release -p ws-samples --example handshakes -- burst`, `…
//! burst --tls`, `… flood`. Exits with status 1 when a client of the burst is not served, or when fewer than 95 % of
//! the honest clients are served during a flood from one address.
//!
//! The server is a separate process with the default options.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::{ExitCode, Stdio};
use std::time::{Duration, Instant};

use clap::{Parser, Subcommand};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::{TcpSocket, TcpStream};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use ws_server::{Error, Server, ServerOptions, Tls, WebSocket};

/// Connects many clients at once to a server in a separate process, or floods it.
#[derive(Parser)]
#[command(name = "handshakes")]
struct Arguments {
    #[command(subcommand)]
    command: What,
}

#[derive(Subcommand)]
enum What {
    /// Connect many honest clients at once, from one address
    Burst {
        /// Number of clients
        #[arg(long, default_value_t = 10_000)]
        clients: usize,
        /// Use TLS
        #[arg(long)]
        tls: bool,
    },
    /// Open connections that never complete a handshake, and honest clients from other addresses
    Flood {
        /// Number of connections per second
        #[arg(long, default_value_t = 1_200)]
        rate: u64,
        /// Number of addresses that they come from
        #[arg(long, default_value_t = 1)]
        addresses: u32,
        /// max_handshakes of the server
        #[arg(long, default_value_t = 120)]
        seats: usize,
        /// Number of bytes of its request that each of them sends at once
        #[arg(long, default_value_t = 0)]
        first: usize,
        /// Milliseconds after which each of them sends another byte
        #[arg(long)]
        trickle: Option<u64>,
        /// Duration in seconds
        #[arg(long, default_value_t = 20)]
        seconds: u64,
    },
    /// Run the server (internal)
    #[command(hide = true)]
    Serve {
        #[arg(long)]
        tls: bool,
        #[arg(long)]
        seats: Option<usize>,
    },
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // One thread for all clients; the server has as many as there are processors.
    let mut builder = match arguments.command {
        What::Serve { .. } => tokio::runtime::Builder::new_multi_thread(),
        _ => tokio::runtime::Builder::new_current_thread(),
    };
    let ended = builder.enable_all().build().map_err(Failure::from).and_then(|runtime| {
        runtime.block_on(async {
            match arguments.command {
                What::Burst { clients, tls } => burst(clients, tls).await,
                What::Flood { rate, addresses, seats, first, trickle, seconds } => {
                    let flood = Flood { first, trickle: trickle.map(Duration::from_millis) };
                    flooded(flood, rate, addresses, seats, Duration::from_secs(seconds)).await
                }
                What::Serve { tls, seats } => serve(tls, seats).await,
            }
        })
    });
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("handshakes: {error}");
            ExitCode::FAILURE
        }
    }
}

// --- a burst -----------------------------------------------------------------------

async fn burst(clients: usize, tls: bool) -> Result<(), Failure> {
    let mut server = ServerProcess::start(tls, None).await?;
    println!("server: {}", server.usage().await?);
    let mut options = ws_client::Options::default();
    // The clients wait as long as necessary: the test is whether the server refuses one.
    options.opening_timeout = Duration::from_secs(300);
    if tls {
        options.tls = ws_client::Tls::from_root_pem(server.certificate.as_bytes())?;
    }
    let client = options.build()?;
    let scheme = if tls { "wss" } else { "ws" };
    let url = format!("{scheme}://{}/", server.address);
    let begin = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..clients {
        let (client, url) = (client.clone(), url.clone());
        tasks.spawn(async move {
            let (mut socket, _) = client.connect(&*url).await?;
            socket.send("hello").await?;
            let echo = socket.recv().await?;
            if echo.as_ref().and_then(ws_client::Message::as_text) != Some("hello") {
                return Err(format!("wrong echo: {echo:?}").into());
            }
            let opened = begin.elapsed();
            socket.close(ws_client::CloseCode::NORMAL_CLOSURE, "").await?;
            Ok::<_, Failure>(opened)
        });
    }
    let (mut times, mut failures) = (Vec::new(), Vec::new());
    while let Some(ended) = tasks.join_next().await {
        match ended? {
            Ok(time) => times.push(time),
            Err(error) => failures.push(error.to_string()),
        }
    }
    times.sort();
    let (half, all) = (times.get(times.len() / 2), times.last());
    println!("{} of {clients} served; half after {half:.1?}, all after {all:.1?}", times.len());
    println!("server: {}", server.usage().await?);
    match failures.first() {
        Some(first) => Err(format!("{} were not served; the first: {first}", failures.len()).into()),
        None => Ok(()),
    }
}

// --- a flood -----------------------------------------------------------------------

/// What a connection of the flood does.
#[derive(Clone, Copy)]
struct Flood {
    first: usize,
    trickle: Option<Duration>,
}

const REQUEST: &str = "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

impl Flood {
    async fn connection(self, from: Ipv4Addr, server: SocketAddr) -> std::io::Result<()> {
        let mut stream = connect(from, server).await?;
        let (first, rest) = REQUEST.as_bytes().split_at(self.first.min(REQUEST.len() - 1));
        stream.write_all(first).await?;
        if let Some(pause) = self.trickle {
            for byte in rest {
                sleep(pause).await;
                stream.write_all(&[*byte]).await?;
            }
        }
        // Until the server closes the connection.
        stream.read(&mut [0]).await.map(drop)
    }
}

async fn connect(from: Ipv4Addr, server: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((from, 0).into())?;
    socket.connect(server).await
}

/// A client whose handshake takes 250 ms and which waits at most 10 s for the answer.
async fn honest(from: Ipv4Addr, server: SocketAddr) -> Option<Duration> {
    let begin = Instant::now();
    let handshake = async {
        let mut stream = connect(from, server).await?;
        for half in [&REQUEST[..60], &REQUEST[60..]] {
            sleep(Duration::from_millis(125)).await;
            stream.write_all(half.as_bytes()).await?;
        }
        let mut status = [0; 12];
        stream.read_exact(&mut status).await?;
        std::io::Result::Ok(&status == b"HTTP/1.1 101")
    };
    matches!(timeout(Duration::from_secs(10), handshake).await, Ok(Ok(true))).then(|| begin.elapsed())
}

async fn flooded(
    flood: Flood,
    rate: u64,
    addresses: u32,
    seats: usize,
    time: Duration,
) -> Result<(), Failure> {
    let mut server = ServerProcess::start(false, Some(seats)).await?;
    let address = server.address;
    println!("server: {}", server.usage().await?);
    let flooding = tokio::spawn(async move {
        let mut connections = JoinSet::new();
        let mut ticks = interval(Duration::from_millis(10));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let (mut begun, mut failed) = (0u64, 0u64);
        for tick in 1.. {
            ticks.tick().await;
            while begun < tick * rate / 100 {
                // There is no room for more connections behind those that wait for the server.
                if connections.len() < 15_000 {
                    let from = Ipv4Addr::from_bits(0x7f02_0001 + (begun % u64::from(addresses)) as u32);
                    connections.spawn(flood.connection(from, address));
                } else {
                    failed += 1;
                }
                begun += 1;
            }
            while connections.try_join_next().is_some() {}
            if tick.is_multiple_of(500) {
                println!("flood: {begun} connections, {} open, {failed} not started", connections.len());
            }
        }
    });
    let mut clients = JoinSet::new();
    let mut ticks = interval(Duration::from_millis(50));
    let begin = Instant::now();
    let mut number = 0;
    while begin.elapsed() < time {
        ticks.tick().await;
        number += 1;
        let from = Ipv4Addr::from_bits(0x7f03_0001 + number % 50);
        clients.spawn(honest(from, address));
    }
    let all = clients.len();
    let mut times: Vec<Duration> = clients.join_all().await.into_iter().flatten().collect();
    flooding.abort();
    times.sort();
    let share = times.len() as f64 / all as f64;
    println!(
        "{} of {all} honest clients got in ({:.1} %); half within {:.2?}, all within {:.2?}",
        times.len(),
        100.0 * share,
        times.get(times.len() / 2),
        times.last()
    );
    println!("server: {}", server.usage().await?);
    if addresses == 1 && share < 0.95 {
        return Err("fewer than 95 % of the honest clients were served".into());
    }
    Ok(())
}

// --- the server --------------------------------------------------------------------

struct ServerProcess {
    commands: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    address: SocketAddr,
    certificate: String,
    /// The server process, which is killed when this is dropped.
    _process: Child,
}

impl ServerProcess {
    async fn start(tls: bool, seats: Option<usize>) -> Result<Self, Failure> {
        let mut process = Command::new(std::env::current_exe()?)
            .arg("serve")
            .args(tls.then_some("--tls"))
            .args(seats.map(|seats| format!("--seats={seats}")))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let commands = process.stdin.take().ok_or("no standard input")?;
        let mut answers = BufReader::new(process.stdout.take().ok_or("no standard output")?).lines();
        let line = answers.next_line().await?.ok_or("the server did not start")?;
        let (address, certificate) = line.split_once(' ').ok_or("unexpected output of the server")?;
        let (address, certificate) = (address.parse()?, certificate.replace('|', "\n"));
        Ok(Self { commands, answers, address, certificate, _process: process })
    }

    async fn usage(&mut self) -> Result<String, Failure> {
        self.commands.write_all(b"usage\n").await?;
        Ok(self.answers.next_line().await?.ok_or("the server has ended")?)
    }
}

async fn echo(mut socket: WebSocket) -> Result<(), Error> {
    while let Some(message) = socket.recv().await? {
        socket.feed(message).await?;
    }
    Ok(())
}

async fn serve(tls: bool, seats: Option<usize>) -> Result<(), Failure> {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["127.0.0.1".to_owned()])?;
    let mut options = ServerOptions::default();
    options.max_handshakes = seats;
    let seats = options.handshake_limit();
    let mut builder = Server::builder().route("/", echo).options(options);
    if tls {
        builder = builder.tls(Tls::from_pem(cert.pem(), signing_key.serialize_pem()));
    }
    let server = builder.bind("127.0.0.1:0").await?;
    println!("{} {}", server.local_addr()?, cert.pem().replace('\n', "|"));
    let stats = server.stats();
    let mut commands = BufReader::new(tokio::io::stdin()).lines();
    let stop = async {
        while let Ok(Some(_)) = commands.next_line().await {
            println!(
                "seats={seats} connections={} accepted={} opened={} failed={} {}",
                stats.connections(),
                stats.accepted(),
                stats.opened(),
                stats.failed_handshakes(),
                usage()
            );
        }
    };
    server.serve_until(stop).await;
    Ok(())
}

/// Returns the memory use of this process as Linux reports it; zeros elsewhere.
fn usage() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib = |name| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.trim().strip_suffix(" kB"));
        line.unwrap_or("0").trim()
    };
    format!("resident_kib={} most_kib={}", kib("VmRSS:"), kib("VmHWM:"))
}
