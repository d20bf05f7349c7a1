//! Ten thousand connections that echo once a second, then a shutdown while half of the peers are dead.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval_at, timeout};

use crate::children::{Answer, Worker};
use crate::times::Times;
use crate::{Arguments, Failure};

/// Runs the load.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    tokio::runtime::Runtime::new()?.block_on(load(arguments))
}

async fn load(arguments: &Arguments) -> Result<(), Failure> {
    enough_files(arguments)?;
    let seconds = arguments.seconds.unwrap_or(120);
    let mut server = start(arguments)?;
    let address = server.hear()?.get("address")?;
    let before = ask(&mut server, "usage")?;
    println!("server: {}", before.0);

    let begin = Instant::now();
    let (phase, phases) = watch::channel(Phase::Open);
    let (echoing, mut all_quiet) = mpsc::channel(1);
    let mut peers = open_all(arguments, address, &phases, echoing).await?;
    println!("{} connections open after {:.1?}", arguments.connections, begin.elapsed());
    let idle = ask(&mut server, "usage")?;
    println!("server: {}", idle.0);
    println!("a connection: {:.1} KiB", kib_each(&before, &idle, arguments.connections)?);

    phase.send_replace(Phase::Echo);
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let busy = ask(&mut server, "usage")?;
    println!("server: {}", busy.0);
    println!("a connection that has echoed: {:.1} KiB", kib_each(&before, &busy, arguments.connections)?);
    phase.send_replace(Phase::Leave);
    // A peer that waits for an echo receives it first.
    let _ = all_quiet.recv().await;

    // Dead peers keep their sockets open and do not use them any more; the others answer the Close.
    let stopping = Instant::now();
    let drained = tokio::task::block_in_place(|| ask(&mut server, "stop"))?;
    let took = stopping.elapsed();
    println!("server: {}", drained.0);
    phase.send_replace(Phase::Over);

    let mut all = Times::default();
    let mut lost = Vec::new();
    while let Some(ended) = peers.join_next().await {
        match ended? {
            Ok(echoes) => all.add(&echoes),
            Err(error) => lost.push(error),
        }
    }
    let most = arguments.connections as u64 * seconds;
    println!(
        "{} messages echoed, of at most {most}; half within {:.1?}, 99 % within {:.1?}, all within {:.1?}",
        all.total(),
        all.within(0.5),
        all.within(0.99),
        all.longest()
    );
    if let Some(first) = lost.first() {
        return Err(format!("{} connections were lost; the first: {first}", lost.len()).into());
    }
    // A dead peer counts as closed when the connection's close_timeout ends before the server's drain_timeout.
    if drained.get::<u64>("closed")? + drained.get::<u64>("aborted")? != arguments.connections as u64 {
        return Err("the shutdown has not counted every connection".into());
    }
    let latest = Duration::from_secs(arguments.drain) + Duration::from_secs(1);
    if took > latest {
        return Err(format!("the shutdown took {took:?}, longer than {latest:?}").into());
    }
    if drained.get::<u64>("descriptors")? > before.get::<u64>("descriptors")? {
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
) -> Result<JoinSet<Result<Times, Failure>>, Failure> {
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
) -> Result<Times, Failure> {
    phases.wait_for(|phase| *phase != Phase::Open).await?;
    // Spread over the second, like independent clients.
    let offset = Duration::from_micros(u64::try_from(index)? * 7919 % 1_000_000);
    let mut ticks = interval_at(tokio::time::Instant::now() + offset, Duration::from_secs(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut echoes = Times::default();
    loop {
        tokio::select! {
            biased;
            // `recv` also answers pings.
            received = ws.recv() => return Err(format!("unexpected: {received:?}").into()),
            changed = phases.wait_for(|phase| *phase != Phase::Echo) => { changed?; break }
            _ = ticks.tick() => {}
        }
        let sent = format!("{index:>16} {:>16} and so on to sixty-four.....", echoes.total());
        let begin = Instant::now();
        ws.send(sent.clone()).await?;
        let back = timeout(Duration::from_secs(20), ws.recv()).await.map_err(|_| "no echo in 20 s")??;
        if back.as_ref().and_then(ws_client::Message::as_text) != Some(&*sent) {
            return Err(format!("wrong echo: {back:?}").into());
        }
        echoes.record(u64::try_from(begin.elapsed().as_micros())?);
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

/// Starts the server in a process.
fn start(arguments: &Arguments) -> Result<Worker, Failure> {
    let (connections, drain) = (arguments.connections.to_string(), arguments.drain.to_string());
    let options = ["--serve", "--connections", &connections, "--drain", &drain];
    Worker::start(&options.map(str::to_owned))
}

fn ask(server: &mut Worker, command: &str) -> Result<Answer, Failure> {
    server.tell(command)?;
    server.hear()
}

fn kib_each(before: &Answer, after: &Answer, connections: usize) -> Result<f64, Failure> {
    let grown = after.get::<u64>("resident_kib")?.saturating_sub(before.get::<u64>("resident_kib")?);
    Ok(grown as f64 / connections as f64)
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
