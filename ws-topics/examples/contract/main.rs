//! Holds NATS or Redis to what every backplane has to do: `contract nats://127.0.0.1:4222 redis://127.0.0.1:6379`.
//!
//! It also cuts connections, by a proxy in between, and writes what no server has sent to channels, subjects, streams and keys while servers
//! run. With one of these words in front it does something else:
//!
//! - `--accepted` and `--refused` only connect, and have a message sent back: the server is to accept user and password, or to refuse them.
//!   Over TLS (`tls://`, `rediss://`) it is accepted, or refused for its certificate, which `--untrusted` checks as well;
//! - `--store` has entries confirmed, and `--stored` finds them, after a crash for instance;
//! - `--full` has it refuse what it has no room for: one entry of a batch (NATS), or all (Redis);
//! - `--slow` (Redis) has a connection that does not read.
//!
//! `interop/85-topics.sh` runs all of it against servers that it starts.

use std::cell::Cell;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use ws_topics::bytes::Bytes;
use ws_topics::{
    Backplane, BackplaneError, Channel, Entry, History, Inbox, Incoming, Interest, Link, NatsBackplane,
    NatsOptions, RedisBackplane, RedisOptions,
};

#[path = "../../tests/backplane/contract.rs"]
mod contract;
mod cuts;
#[path = "../../tests/backplane/garbage.rs"]
mod garbage;
mod losses;

use contract::{Limits, Names, check};
use cuts::cuts;
use garbage::what_no_server_has_sent_is_counted_and_ends_nothing;

const PING: Duration = Duration::from_millis(200);
const REQUEST: Duration = Duration::from_millis(800);

#[tokio::main]
async fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).peekable();
    let mode = arguments.next_if(|first| first.starts_with("--")).unwrap_or_default();
    let urls: Vec<String> = arguments.collect();
    if urls.is_empty() {
        eprintln!("contract: give the URL of a server: nats://127.0.0.1:4222 or redis://127.0.0.1:6379");
        return ExitCode::from(2);
    }
    for url in &urls {
        match mode.as_str() {
            "" => whole(url).await,
            "--accepted" | "--refused" | "--untrusted" => connects(&mode, url).await,
            "--store" if is_nats(url) => losses::store(&nats_at(url)).await,
            "--store" => losses::store(&redis_at(url)).await,
            "--stored" if is_nats(url) => losses::stored(&nats_at(url)).await,
            "--stored" => losses::stored(&redis_at(url)).await,
            "--full" if is_nats(url) => losses::nats_refuses_one_of_a_batch(url).await,
            "--full" => losses::redis_refuses_what_it_has_no_memory_for(url).await,
            "--slow" if !is_nats(url) => losses::a_slow_connection_is_dropped(url).await,
            _ => {
                eprintln!("contract: {mode} is none of its words, or not for {url}");
                return ExitCode::from(2);
            }
        }
    }
    ExitCode::SUCCESS
}

async fn whole(url: &str) {
    let begun = Instant::now();
    let steps = if is_nats(url) { nats(url).await } else { redis(url).await };
    let scheme = url.split(':').next().unwrap_or_default();
    println!("{scheme}: {steps} steps in {:.1} s", begun.elapsed().as_secs_f32());
}

async fn connects(mode: &str, url: &str) {
    let outcome = if is_nats(url) { exchange(&nats_at(url)).await } else { exchange(&redis_at(url)).await };
    let error = outcome.err().map(|error| error.to_string());
    println!("{}", error.as_deref().unwrap_or("connected"));
    match mode {
        "--accepted" => assert_eq!(error, None),
        "--refused" => assert!(error.is_some()),
        _ => assert!(error.as_ref().is_some_and(|it| it.contains("SSL_CERT_FILE")), "{error:?}"),
    }
    // The URLs of the script have this password.
    assert!(!format!("{error:?}").contains("sesame"), "the password is shown");
}

fn nats_at(url: &str) -> NatsBackplane {
    NatsBackplane::new(NatsOptions::new(url)).expect("possible")
}

fn redis_at(url: &str) -> RedisBackplane {
    RedisBackplane::new(RedisOptions::new(url)).expect("possible")
}

/// Host and port of a URL.
fn address(url: &str) -> &str {
    url.rsplit(['/', '@']).next().unwrap_or_default()
}

fn is_nats(url: &str) -> bool {
    url.starts_with("nats:") || url.starts_with("tls:")
}

/// Connects, and has a message sent back.
async fn exchange<B: Backplane>(backplane: &B) -> Result<(), BackplaneError> {
    let (link, mut inbox) = backplane.connect().await?;
    let channel = Channel::Topic("contract/exchange".into());
    link.subscribe(&Interest::Channel(channel.clone())).await?;
    link.publish(&channel, Bytes::from_static(b"back")).await?;
    match timeout(Duration::from_secs(5), inbox.next()).await.expect("it comes back")? {
        Incoming::Message(payload) => assert_eq!(payload, "back"),
        other => panic!("{other:?}"),
    }
    Ok(())
}

async fn nats(url: &str) -> usize {
    let address = address(url);
    let new = |options: NatsOptions| NatsBackplane::new(options).expect("these settings are possible");
    let names = Names::new();
    let delete = async |topic: &str| {
        let stream = format!("ws-topics=={}", topic.replace('/', "=2F"));
        let request = format!("CONNECT {{}}\r\nPUB $JS.API.STREAM.DELETE.{stream} 0\r\n\r\nPING\r\n");
        raw(address, &request, "PONG").await;
        // The server has begun with it; it is done a moment later.
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    let limits = Limits { payload: 1 << 20, exact_filters: true };
    let steps = check(&new(NatsOptions::new(url)), limits, delete).await;
    let through = |place: SocketAddr| {
        let options =
            NatsOptions::new(format!("nats://{place}")).ping_interval(PING).request_timeout(REQUEST);
        new(options.connect_timeout(REQUEST).max_waiting_messages(100))
    };
    let too_long = new(NatsOptions::new(url));
    let (link, _inbox) = too_long.connect().await.expect("the server is there");
    let error = link
        .publish(&Channel::Servers, vec![0; (1 << 20) + 1].into())
        .await
        .expect_err("over the server's limit");
    assert!(error.is_refusal(), "{error}");
    // Into the stream, past its server: without an id, and with headers of others.
    let spoil = async |topic: &str, epoch: u64| {
        let subject = format!("ws-topics.l.{epoch}.{}", topic.replace('/', "=2F"));
        let headers = "NATS/1.0\r\nNats-Msg-Size: x\r\n: \r\n\r\n";
        let request = format!(
            "CONNECT {{\"headers\":true}}\r\nPUB {subject} 7\r\ngarbage\r\nHPUB {subject} {} {}\r\n{headers}x\r\nPING\r\n",
            headers.len(),
            headers.len() + 1
        );
        raw(address, &request, "PONG").await;
    };
    let garbage = || new(NatsOptions::new(url));
    let steps = steps + what_no_server_has_sent_is_counted_and_ends_nothing(garbage, 1 << 20, spoil).await;
    steps + cuts(&through, address, &names).await
}

async fn redis(url: &str) -> usize {
    let address = address(url);
    let new = |options: RedisOptions| RedisBackplane::new(options).expect("these settings are possible");
    let names = Names::new();
    let delete = async |topic: &str| {
        let keys = ["meta", "entries", "ids"].map(|what| format!("ws-topics:l:{{{topic}}}:{what}"));
        raw(address, &format!("DEL {}\r\n", keys.join(" ")), ":").await;
    };
    let limits = Limits { payload: 1 << 20, exact_filters: false };
    let mut steps = check(&new(RedisOptions::new(url)), limits, &delete).await;
    // Channels that are not sharded.
    steps += check(&new(RedisOptions::new(url).sharded(false)), limits, &delete).await;
    // Only the entries are gone; or only what is known of them.
    for what in ["entries", "meta"] {
        let part =
            async |topic: &str| raw(address, &format!("DEL ws-topics:l:{{{topic}}}:{what}\r\n"), ":").await;
        let backplane = new(RedisOptions::new(url));
        let (link, _inbox) = backplane.connect().await.expect("the server is there");
        let (name, history) = (names.topic(what), History::default());
        let entry = |id| [Entry { id, payload: "x".into() }];
        let first = link.append(&name, &history, &entry(1)).await.expect("stored");
        part(&name).await;
        let second = link.append(&name, &history, &entry(2)).await.expect("stored");
        assert!(first.epoch != second.epoch && second.offsets == [1], "{what}: {first:?} {second:?}");
    }
    a_log_that_is_shorter_than_before_has_another_epoch(&new(RedisOptions::new(url)), address, &names).await;
    a_clock_that_was_set_back_is_noted(&new(RedisOptions::new(url)), address, &names).await;
    let number = Cell::new(0);
    // Into the keys of a log, past the scripts: entries with other fields, ids that are far ahead, and keys that are something else.
    let spoil = async |topic: &str, _: u64| {
        let [meta, entries, ids] =
            ["meta", "entries", "ids"].map(|what| format!("ws-topics:l:{{{topic}}}:{what}"));
        number.set(number.get() + 1);
        let (request, answer) = match number.get() {
            1 | 5 => (format!("XADD {entries} * x y"), "$"),
            2 => (format!("XADD {entries} * t x p"), "-"),
            3 => (format!("XADD {entries} 9007199254740993-7 t x p y"), "$"),
            4 => (format!("HSET {meta} head x"), ":"),
            6 => (format!("HSET {meta} bytes x"), ":"),
            7 => (format!("SET {ids} x"), "+"),
            8 => (format!("SET {entries} x"), "+"),
            9 => (format!("SET {meta} x"), "+"),
            _ => (format!("HSET {meta} epoch x"), ":"),
        };
        raw(address, &format!("{request}\r\n"), answer).await;
    };
    for sharded in [true, false] {
        number.set(0);
        let garbage = || new(RedisOptions::new(url).sharded(sharded));
        steps += what_no_server_has_sent_is_counted_and_ends_nothing(garbage, 1 << 20, &spoil).await;
    }
    let through = |place: SocketAddr| {
        let options =
            RedisOptions::new(format!("redis://{place}")).ping_interval(PING).request_timeout(REQUEST);
        new(options.connect_timeout(REQUEST).max_waiting_messages(100))
    };
    steps + cuts(&through, address, &names).await
}

/// As after a restart of a Redis without an append-only file.
async fn a_log_that_is_shorter_than_before_has_another_epoch(
    backplane: &RedisBackplane,
    address: &str,
    names: &Names,
) {
    let (link, _inbox) = backplane.connect().await.expect("the server is there");
    let (name, history) = (names.topic("rollback"), History::default());
    let entries: Vec<_> = (1..=5).map(|id| Entry { id, payload: "x".into() }).collect();
    let first = link.append(&name, &history, &entries).await.expect("stored");
    raw(address, &format!("HSET ws-topics:l:{{{name}}}:meta head 3\r\n"), ":").await;
    let page = link.read(&name, &history, 5, 10, 1_000).await.expect("read");
    assert!(page.epoch != first.epoch && page.head == 0, "{page:?}");
}

/// Ids of entries are known for two minutes, and not until the clock is again where it was.
async fn a_clock_that_was_set_back_is_noted(backplane: &RedisBackplane, address: &str, names: &Names) {
    let (link, _inbox) = backplane.connect().await.expect("the server is there");
    let (name, history) = (names.topic("clock"), History::default());
    let entries = |ids: [u128; 2]| ids.map(|id| Entry { id, payload: "x".into() });
    link.append(&name, &history, &entries([1, 2])).await.expect("stored");
    let meta = format!("ws-topics:l:{{{name}}}:meta");
    raw(address, &format!("HSET {meta} mark_time 9999999999999\r\n"), ":").await;
    let stored = link.append(&name, &history, &entries([2, 3])).await.expect("stored");
    assert_eq!(stored.offsets, [2, 3], "what was known stays known");
    let earlier = "return tonumber(redis.call('HGET', KEYS[1], 'mark_time')) < 9999999999999 and 1 or 0";
    raw(address, &format!("EVAL \"{earlier}\" 1 {meta}\r\n"), ":1").await;
}

/// Sends lines to a server and waits for the beginning of a line.
async fn raw(address: &str, request: &str, answer: &str) {
    let mut stream = TcpStream::connect(address).await.expect("the server is there");
    stream.write_all(request.as_bytes()).await.expect("it reads");
    let mut found = Vec::new();
    while !String::from_utf8_lossy(&found).lines().any(|line| line.starts_with(answer)) {
        assert!(
            stream.read_buf(&mut found).await.expect("it answers") > 0,
            "{}",
            String::from_utf8_lossy(&found)
        );
    }
}
