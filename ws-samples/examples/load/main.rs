//! Ten thousand connections that echo once a second, then a shutdown while half of the peers are dead:
//! `cargo run --release -p ws-samples --example load`. Exits with status 1 when a connection is lost, the shutdown is
//! late, or a descriptor remains open.
//!
//! The server is a separate process, so that its resources are measured without those of the peers.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::{ExitCode, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::{TcpSocket, TcpStream};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval_at, timeout};
use ws_server::{Error, Server, ServerOptions, WebSocket};

/// Opens many connections to a server in a separate process, lets all of them echo once a second, and shuts the server
/// down while half of the peers are dead.
#[derive(Parser, Clone)]
#[command(name = "load")]
struct Arguments {
    /// Number of connections
    #[arg(long, default_value_t = 10_000)]
    connections: usize,
    /// Duration of the echoing in seconds
    #[arg(long, default_value_t = 120)]
    seconds: u64,
    /// drain_timeout of the server in seconds
    #[arg(long, default_value_t = 5)]
    drain: u64,
    /// Run the server, which reads commands from standard input (internal)
    #[arg(long, hide = true)]
    serve: bool,
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let ended = if arguments.serve { serve(&arguments).await } else { load(&arguments).await };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("load: {error}");
            ExitCode::FAILURE
        }
    }
}

// --- the peers ---------------------------------------------------------------------

async fn load(arguments: &Arguments) -> Result<(), Failure> {
    enough_files(arguments)?;
    let mut server = ServerProcess::start(arguments).await?;
    let before = server.ask("usage").await?;
    println!("server: {before}");

    let begin = Instant::now();
    let (phase, phases) = watch::channel(Phase::Open);
    let (echoing, mut all_quiet) = mpsc::channel(1);
    let mut peers = open_all(arguments, server.address, &phases, echoing).await?;
    println!("{} connections open after {:.1?}", arguments.connections, begin.elapsed());
    let idle = server.ask("usage").await?;
    println!("server: {idle}");
    println!("a connection: {:.1} KiB", kib_each(&before, &idle, arguments.connections)?);

    phase.send_replace(Phase::Echo);
    tokio::time::sleep(Duration::from_secs(arguments.seconds)).await;
    let busy = server.ask("usage").await?;
    println!("server: {busy}");
    println!("a connection that has echoed: {:.1} KiB", kib_each(&before, &busy, arguments.connections)?);
    phase.send_replace(Phase::Leave);
    // A peer that waits for an echo receives it first.
    let _ = all_quiet.recv().await;

    // Dead peers keep their sockets open and do not use them any more; the others answer the Close.
    let stopping = Instant::now();
    let drained = server.ask("stop").await?;
    let took = stopping.elapsed();
    println!("server: {drained}");
    phase.send_replace(Phase::Over);

    let mut all = Echoes::default();
    let mut lost = Vec::new();
    while let Some(ended) = peers.join_next().await {
        match ended? {
            Ok(echoes) => all.add(&echoes),
            Err(error) => lost.push(error),
        }
    }
    let most = arguments.connections as u64 * arguments.seconds;
    println!("{} messages echoed, of at most {most}; {}", all.count, all.times());
    if let Some(first) = lost.first() {
        return Err(format!("{} connections were lost; the first: {first}", lost.len()).into());
    }
    // A dead peer counts as closed when the connection's close_timeout ends before the server's drain_timeout.
    if number(&drained, "closed")? + number(&drained, "aborted")? != arguments.connections as u64 {
        return Err("the shutdown has not counted every connection".into());
    }
    let latest = Duration::from_secs(arguments.drain) + Duration::from_secs(1);
    if took > latest {
        return Err(format!("the shutdown took {took:?}, longer than {latest:?}").into());
    }
    if number(&drained, "descriptors")? > number(&before, "descriptors")? {
        return Err("descriptors of the server remain open".into());
    }
    println!(
        "nothing was lost; the shutdown took {took:.2?} of at most {latest:?}; no descriptor remains open"
    );
    Ok(())
}

/// The phase of all peers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    Echo,
    /// Half of the peers answer the Close; the others are dead.
    Leave,
    Over,
}

async fn open_all(
    arguments: &Arguments,
    server: SocketAddr,
    phases: &watch::Receiver<Phase>,
    echoing: mpsc::Sender<()>,
) -> Result<JoinSet<Result<Echoes, Failure>>, Failure> {
    let at_once = Arc::new(Semaphore::new(100));
    let (opened, mut openings) = mpsc::unbounded_channel();
    let mut peers = JoinSet::new();
    for index in 0..arguments.connections {
        let (at_once, opened, phases, echoing) =
            (at_once.clone(), opened.clone(), phases.clone(), echoing.clone());
        peers.spawn(async move {
            let ws = {
                let _turn = at_once.acquire().await?;
                open(index, server).await
            };
            let _ = opened.send(ws.as_ref().map(drop).map_err(ToString::to_string));
            peer(index, ws?, phases, echoing).await
        });
    }
    for _ in 0..arguments.connections {
        let opened = openings.recv().await.ok_or("the peers have ended")?;
        opened.map_err(|error| format!("a connection did not open: {error}"))?;
    }
    Ok(peers)
}

/// Connects from one of many loopback addresses, each with a hundred connections.
async fn open(index: usize, server: SocketAddr) -> Result<ws_client::WebSocket<TcpStream>, Failure> {
    let [high, low] = u16::try_from(index / 100).map_err(|_| "too many connections")?.to_be_bytes();
    let socket = TcpSocket::new_v4()?;
    socket.bind((Ipv4Addr::new(127, 1, high, low), 0).into())?;
    let stream = socket.connect(server).await?;
    stream.set_nodelay(true)?;
    let (ws, _) = ws_client::handshake(format!("ws://{server}/"), stream).await?;
    Ok(ws)
}

/// Runs one peer; fails when its connection is lost. Drops `echoing` after the last echo.
async fn peer(
    index: usize,
    mut ws: ws_client::WebSocket<TcpStream>,
    mut phases: watch::Receiver<Phase>,
    echoing: mpsc::Sender<()>,
) -> Result<Echoes, Failure> {
    phases.wait_for(|phase| *phase != Phase::Open).await?;
    // Spread over the second, like independent clients.
    let offset = Duration::from_micros(u64::try_from(index)? * 7919 % 1_000_000);
    let mut ticks = interval_at(tokio::time::Instant::now() + offset, Duration::from_secs(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut echoes = Echoes::default();
    loop {
        tokio::select! {
            biased;
            // `recv` also answers pings.
            received = ws.recv() => return Err(format!("unexpected: {received:?}").into()),
            changed = phases.wait_for(|phase| *phase != Phase::Echo) => { changed?; break }
            _ = ticks.tick() => {}
        }
        let sent = format!("{index:>16} {:>16} and so on to sixty-four.....", echoes.count);
        let begin = Instant::now();
        ws.send(sent.clone()).await?;
        let back = timeout(Duration::from_secs(20), ws.recv()).await.map_err(|_| "no echo in 20 s")??;
        if back.as_ref().and_then(ws_client::Message::as_text) != Some(&*sent) {
            return Err(format!("wrong echo: {back:?}").into());
        }
        echoes.record(begin.elapsed());
    }
    drop(echoing);
    if index.is_multiple_of(2) {
        phases.wait_for(|phase| *phase == Phase::Over).await?;
        drop(ws);
    } else if let Some(message) = timeout(Duration::from_secs(60), ws.recv()).await?? {
        return Err(format!("expected a Close, received {message:?}").into());
    } else if ws.close_info().is_none_or(|info| info.code() != ws_client::CloseCode::GOING_AWAY) {
        return Err(format!("not closed with 1001: {:?}", ws.close_info()).into());
    }
    Ok(echoes)
}

/// The number of echoes and their round-trip times.
#[derive(Default)]
struct Echoes {
    count: u64,
    /// Counts by the binary logarithm of the microseconds.
    buckets: [u64; 32],
    longest: Duration,
}

impl Echoes {
    fn record(&mut self, time: Duration) {
        self.count += 1;
        let micros = u32::try_from(time.as_micros()).unwrap_or(u32::MAX).max(1);
        self.buckets[micros.ilog2() as usize] += 1;
        self.longest = self.longest.max(time);
    }

    fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.longest = self.longest.max(other.longest);
        for (sum, more) in self.buckets.iter_mut().zip(other.buckets) {
            *sum += more;
        }
    }

    fn times(&self) -> String {
        let below = |share: f64| {
            let mut sum = 0;
            let bucket = self.buckets.iter().position(|n| {
                sum += n;
                sum as f64 >= share * self.count as f64
            });
            Duration::from_micros(2 << bucket.unwrap_or_default())
        };
        format!(
            "half within {:?}, 99 % within {:?}, all within {:.1?}",
            below(0.5),
            below(0.99),
            self.longest
        )
    }
}

fn kib_each(before: &str, after: &str, connections: usize) -> Result<f64, Failure> {
    let grown = number(after, "resident_kib")?.saturating_sub(number(before, "resident_kib")?);
    Ok(grown as f64 / connections as f64)
}

/// Returns the value of `name=value` in a line of the server.
fn number(line: &str, name: &str) -> Result<u64, Failure> {
    let value = line.split(' ').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    Ok(value.ok_or_else(|| format!("no {name} in {line:?}"))?.parse()?)
}

struct ServerProcess {
    commands: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    address: SocketAddr,
    /// The server process, which is killed when this is dropped.
    _process: Child,
}

impl ServerProcess {
    async fn start(arguments: &Arguments) -> Result<Self, Failure> {
        let mut process = Command::new(std::env::current_exe()?)
            .arg("--serve")
            .args(["--connections", &arguments.connections.to_string()])
            .args(["--drain", &arguments.drain.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let commands = process.stdin.take().ok_or("no standard input")?;
        let mut answers = BufReader::new(process.stdout.take().ok_or("no standard output")?).lines();
        let address = answers.next_line().await?.ok_or("the server did not start")?.parse()?;
        Ok(Self { commands, answers, address, _process: process })
    }

    async fn ask(&mut self, command: &str) -> Result<String, Failure> {
        self.commands.write_all(format!("{command}\n").as_bytes()).await?;
        Ok(self.answers.next_line().await?.ok_or("the server has ended")?)
    }
}

// --- the server --------------------------------------------------------------------

async fn echo(mut socket: WebSocket) -> Result<(), Error> {
    while let Some(message) = socket.recv().await? {
        socket.feed(message).await?;
    }
    Ok(())
}

async fn serve(arguments: &Arguments) -> Result<(), Failure> {
    enough_files(arguments)?;
    let mut options = ServerOptions::default();
    options.max_connections = Some(arguments.connections);
    options.drain_timeout = Duration::from_secs(arguments.drain);
    let server = Server::builder().route("/", echo).options(options).bind("127.0.0.1:0").await?;
    println!("{}", server.local_addr()?);
    let stats = server.stats();
    let mut commands = BufReader::new(tokio::io::stdin()).lines();
    let stop = async {
        while let Ok(Some(command)) = commands.next_line().await {
            match command.as_str() {
                "usage" => println!("open={} {}", stats.open(), usage()),
                _ => return,
            }
        }
    };
    let drained = server.serve_until(stop).await;
    println!("closed={} aborted={} {}", drained.closed, drained.aborted, usage());
    Ok(())
}

/// Returns the memory and descriptors of this process as Linux reports them; zeros elsewhere.
fn usage() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"));
    let descriptors = std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
    format!("resident_kib={} descriptors={descriptors}", resident.unwrap_or("0").trim())
}

fn enough_files(arguments: &Arguments) -> Result<(), Failure> {
    let needed = arguments.connections as u64 + 1200;
    let limit = rlimit::increase_nofile_limit(needed)?;
    if limit < needed {
        let text = format!("{needed} open files are needed and {limit} allowed: raise it with ulimit -n");
        return Err(text.into());
    }
    Ok(())
}
