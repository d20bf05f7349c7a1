//! Many WebSockets on few HTTP/2 connections, of which one in ten does not read.
//!
//! The whole of it, 5,000 on 50 connections for a minute, takes three minutes:
//!
//! ```sh
//! WS_HTTP2_LOAD=60 cargo test --release -p ws-samples --test http2_load -- --nocapture
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};
use ws_client::{Client, HttpVersion, Message, ProxyChoice, WebSocket};
use ws_server::{Config, Endpoint, Error, Server, ServerOptions};

/// How much is done, and how exactly it is judged.
struct Load {
    connections: usize,
    each: usize,
    seconds: u64,
    /// Between two messages of a WebSocket.
    interval: Duration,
    /// How long nothing is measured: until the buffers of the slow ones are full, whose bytes take time on the same cores.
    settle: Duration,
    /// What the slow ones may add to the 99th percentile, besides doubling it.
    noise: Duration,
}

impl Load {
    fn of_the_environment() -> Self {
        match std::env::var("WS_HTTP2_LOAD") {
            Ok(seconds) => Self {
                connections: 50,
                each: 100,
                seconds: seconds.parse().unwrap(),
                interval: Duration::from_secs(1),
                settle: Duration::from_secs(15),
                noise: Duration::from_millis(1),
            },
            // Others use the machine of a test, too.
            Err(_) => Self {
                connections: 5,
                each: 100,
                seconds: 3,
                interval: Duration::from_millis(500),
                settle: Duration::from_secs(1),
                noise: Duration::from_millis(500),
            },
        }
    }
}

async fn echo(mut socket: ws_server::WebSocket) -> Result<(), Error> {
    while let Some(message) = socket.recv().await? {
        socket.send(message).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn websockets_that_are_not_read_cost_those_that_share_their_connection_nothing() {
    let load = Load::of_the_environment();
    let count = load.connections * load.each;
    let options = ServerOptions::default().drain_timeout(Duration::from_secs(5));
    // A peer that does not read for half a minute would be cut off: here it is to be kept. What a send reads ahead is bounded,
    // so that every buffer on the way is full after half a mebibyte.
    let patient = |config: Config| {
        config.write_timeout(Duration::from_secs(300)).keepalive(None).max_read_ahead(64 << 10)
    };
    let server = Server::builder()
        .endpoint("/", Endpoint::new(echo).connection(patient(Config::server())))
        .options(options);
    let server = server.bind("127.0.0.1:0").await.unwrap();
    let (address, stats) = (server.local_addr().unwrap(), server.stats());
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(server.serve_until(stopped));

    let begin = Instant::now();
    let mut sockets = Vec::with_capacity(count);
    for _ in 0..load.connections {
        // The WebSockets of a client share a connection.
        let options =
            ws_client::Options::default().http_version(HttpVersion::Http2).proxy(ProxyChoice::Direct);
        let options = options.connection(patient(Config::client()));
        let client = options.build().unwrap();
        for _ in 0..load.each {
            sockets.push(open(&client, &format!("ws://{address}/")).await);
        }
    }
    assert_eq!((stats.open(), stats.connections()), (count as u64, load.connections as u64));
    println!("{count} WebSockets on {} connections after {:.1?}", load.connections, begin.elapsed());

    let (sockets, alone) = echoing(sockets, &load, 0).await;
    println!("all read: {alone}");
    let (sockets, beside) = echoing(sockets, &load, 10).await;
    println!("one in ten does not read: {beside}");
    assert_eq!(stats.open(), count as u64, "a WebSocket was lost");
    let limit = alone.p99 * 2 + load.noise;
    assert!(beside.p99 <= limit, "99 % within {:?}, more than {limit:?}", beside.p99);

    // Half of the peers answer the Close; the others do nothing any more.
    let begin = Instant::now();
    let mut leaving = JoinSet::new();
    let mut dead = Vec::new();
    for (n, mut socket) in sockets.into_iter().enumerate() {
        if n % 2 == 0 {
            dead.push(socket);
        } else {
            leaving.spawn(async move { while let Ok(Some(_)) = socket.recv().await {} });
        }
    }
    stop.send(()).unwrap();
    let drained = timeout(Duration::from_secs(30), serving).await.unwrap().unwrap();
    let took = begin.elapsed();
    println!("the shutdown took {took:.2?}: {} closed, {} cut off", drained.closed, drained.aborted);
    assert!(took <= Duration::from_secs(7), "the shutdown took {took:?}");
    assert_eq!(drained.closed + drained.aborted, count + load.connections);
    assert_eq!((stats.open(), stats.connections()), (0, 0));
    leaving.join_all().await;
}

async fn open(client: &Client, url: &str) -> WebSocket {
    let opening = timeout(Duration::from_secs(30), client.connect(url));
    opening.await.expect("timed out").unwrap().0
}

/// Times of echoes.
struct Times {
    count: usize,
    p50: Duration,
    p99: Duration,
    longest: Duration,
}

impl std::fmt::Display for Times {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { count, p50, p99, longest } = self;
        write!(f, "{count} echoes, half within {p50:.2?}, 99 % within {p99:.2?}, all within {longest:.2?}")
    }
}

/// Lets each WebSocket echo 64 bytes again and again. With `slow` = n, one of n only sends and reads nothing meanwhile, and then
/// reads all that it has sent.
async fn echoing(sockets: Vec<WebSocket>, load: &Load, slow: usize) -> (Vec<WebSocket>, Times) {
    let over = Arc::new(AtomicBool::new(false));
    let mut running = JoinSet::new();
    let count = sockets.len();
    for (n, socket) in sockets.into_iter().enumerate() {
        let over = over.clone();
        // So that the messages of all are spread over the time.
        let delay = load.interval.mul_f64(n as f64 / count as f64);
        if slow > 0 && n % slow == 0 {
            running.spawn(async move {
                let (socket, times) = not_reading(socket, over).await;
                (n, socket, times)
            });
        } else {
            let (interval, settle) = (load.interval, load.settle);
            running.spawn(async move {
                let (socket, times) = ping_pong(socket, over, interval, delay, settle).await;
                (n, socket, times)
            });
        }
    }
    tokio::time::sleep(load.settle + Duration::from_secs(load.seconds)).await;
    over.store(true, SeqCst);
    let (mut sockets, mut times) = (Vec::with_capacity(count), Vec::new());
    while let Some(ended) = timeout(Duration::from_secs(120), running.join_next()).await.expect("timed out") {
        let (n, socket, its_times) = ended.unwrap();
        sockets.push((n, socket));
        times.extend(its_times);
    }
    sockets.sort_unstable_by_key(|(n, _)| *n);
    times.sort_unstable();
    let at = |part: usize| times[(times.len() - 1) * part / 100];
    let measured = Times { count: times.len(), p50: at(50), p99: at(99), longest: at(100) };
    (sockets.into_iter().map(|(_, socket)| socket).collect(), measured)
}

async fn ping_pong(
    mut socket: WebSocket,
    over: Arc<AtomicBool>,
    every: Duration,
    delay: Duration,
    settle: Duration,
) -> (WebSocket, Vec<Duration>) {
    let message = Message::from(vec![7; 64]);
    let mut times = Vec::new();
    tokio::time::sleep(delay).await;
    let mut ticks = interval(every);
    let settled = Instant::now() + settle;
    loop {
        ticks.tick().await;
        // At the end the slow ones read all at once, which is not to be measured.
        if over.load(SeqCst) {
            break;
        }
        let begin = Instant::now();
        socket.send(message.clone()).await.unwrap();
        assert!(socket.recv().await.unwrap() == Some(message.clone()));
        if begin >= settled {
            times.push(begin.elapsed());
        }
    }
    (socket, times)
}

/// Sends until every buffer and window on the way is full, and waits; reads at the end.
async fn not_reading(mut socket: WebSocket, over: Arc<AtomicBool>) -> (WebSocket, Vec<Duration>) {
    let message = |n: u32| Message::from([&n.to_be_bytes()[..], &[9; 4096]].concat());
    let mut sent = 0;
    while !over.load(SeqCst) {
        // A feed that is dropped has queued nothing.
        if let Ok(fed) = timeout(Duration::from_millis(500), socket.feed(message(sent))).await {
            fed.unwrap();
            sent += 1;
        }
    }
    assert!(sent > 20, "the windows are closed from the beginning");
    for n in 0..sent {
        assert!(socket.recv().await.unwrap() == Some(message(n)), "message {n} of {sent} is lost");
    }
    (socket, Vec::new())
}
