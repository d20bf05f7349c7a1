//! What a real server keeps, and what it loses: in a crash, when it has no room, and for a connection that is slow.

use std::time::Duration;

use tokio::time::{sleep, timeout};
use ws_topics::bytes::Bytes;
use ws_topics::{
    Backplane, Channel, Entry, History, Inbox, Incoming, Interest, Link, NatsBackplane, NatsOptions,
    RedisBackplane, RedisOptions,
};

use crate::contract::Names;
use crate::cuts::{Pass, Proxy};
use crate::{address, raw};

/// The log that a crash is to leave, and how many entries it has.
const TOPIC: &str = "losses/crash";
const ENTRIES: u64 = 100;

/// Appends entries, each when the one before is confirmed.
pub(crate) async fn store<B: Backplane>(backplane: &B) {
    let (link, _inbox) = backplane.connect().await.expect("the server is there");
    let mut epoch = 0;
    for id in 1..=ENTRIES {
        let stored = link.append(TOPIC, &History::default(), &[kept(id, epoch)]).await.expect("stored");
        assert_eq!(stored.offsets, [id], "another run has left this log: give an empty server");
        epoch = stored.epoch;
    }
    println!("{ENTRIES} entries are confirmed");
}

/// They are all there, by the same positions, and are not stored again.
pub(crate) async fn stored<B: Backplane>(backplane: &B) {
    let history = History::default();
    let mut attempts = 0;
    let (link, _inbox, page) = loop {
        let (link, inbox) = backplane.connect().await.expect("the server is there");
        match link.read(TOPIC, &history, 0, 1_000, 1 << 20).await {
            Ok(page) => break (link, inbox, page),
            // A server that has just started listens before it has read its files.
            Err(error) => assert!(attempts < 100, "{error}"),
        }
        attempts += 1;
        sleep(Duration::from_millis(100)).await;
    };
    let expected: Vec<_> = (1..=ENTRIES).map(|id| kept(id, if id == 1 { 0 } else { page.epoch })).collect();
    let found: Vec<_> = page.entries.iter().map(|(offset, payload)| (*offset, payload.clone())).collect();
    assert_eq!(found, (1..).zip(expected.iter().map(|entry| entry.payload.clone())).collect::<Vec<_>>());
    let again = link.append(TOPIC, &history, &expected).await.expect("stored");
    assert_eq!((again.epoch, again.offsets), (page.epoch, (1..=ENTRIES).collect()));
    println!("{ENTRIES} entries are there");
}

/// All but the first, before which nobody knows it, say the epoch of their log.
fn kept(id: u64, epoch: u64) -> Entry {
    Entry { id: u128::from(id), payload: epoch.to_string().into() }
}

/// NATS refuses the second of three entries, which is too long for the stream, and stores the others. When it takes longer ones and all are
/// sent again, that one comes last, and the others are not stored again.
pub(crate) async fn nats_refuses_one_of_a_batch(url: &str) {
    let backplane = NatsBackplane::new(NatsOptions::new(url)).expect("possible");
    let (name, history) = (Names::new().topic("middle"), History::default());
    let (link, _inbox) = backplane.connect().await.expect("the server is there");
    let entry = |id, length| Entry { id, payload: vec![b'x'; length].into() };
    let first = link.append(&name, &history, &[entry(1, 1)]).await.expect("stored");
    let stream = format!("ws-topics=={}", name.replace('/', "=2F"));
    let take = async |longest: i32| {
        let config = format!(
            "{{\"name\":\"{stream}\",\"subjects\":[\"ws-topics.l.{}.{}\"],\"max_msg_size\":{longest}}}",
            first.epoch,
            name.replace('/', "=2F"),
        );
        let request = format!(
            "CONNECT {{}}\r\nSUB answer 1\r\nPUB $JS.API.STREAM.UPDATE.{stream} answer {}\r\n{config}\r\n",
            config.len()
        );
        // The answer is the configuration as it is then.
        raw(
            address(url),
            &request,
            "{\"type\":\"io.nats.jetstream.api.v1.stream_update_response\",\"config\"",
        )
        .await;
    };
    take(500).await;
    let batch = [entry(2, 1), entry(3, 1_000), entry(4, 1)];
    let stored = link.append(&name, &history, &batch).await.expect("the first one is stored");
    assert_eq!((stored.epoch, stored.offsets), (first.epoch, vec![2]));
    let error = link.append(&name, &history, &batch[1..]).await.expect_err("the next one is too long");
    assert!(error.is_refusal(), "{error}");
    // The connection is good.
    let stored = link.append(&name, &history, &batch[2..]).await.expect("stored before");
    assert_eq!((stored.epoch, stored.offsets), (first.epoch, vec![3]));
    take(-1).await;
    let (link, _inbox) = backplane.connect().await.expect("the server is there");
    let stored = link.append(&name, &history, &batch).await.expect("stored");
    assert_eq!((stored.epoch, stored.offsets), (first.epoch, vec![2, 4, 3]));
    println!("after \"{error}\" the offsets are 2, 4 and 3");
}

/// Redis refuses what it has no memory for, none of it is stored, and the connection goes on.
pub(crate) async fn redis_refuses_what_it_has_no_memory_for(url: &str) {
    let backplane = RedisBackplane::new(RedisOptions::new(url)).expect("possible");
    let (name, history) = (Names::new().topic("memory"), History::default());
    let (link, _inbox) = backplane.connect().await.expect("the server is there");
    let entries: Vec<_> = (1..=3).map(|id| Entry { id, payload: "x".into() }).collect();
    let first = link.append(&name, &history, &entries[..1]).await.expect("stored");
    let memory =
        async |bytes: u32| raw(address(url), &format!("CONFIG SET maxmemory {bytes}\r\n"), "+OK").await;
    memory(1).await;
    // What is there is confirmed again, and read.
    let stored = link.append(&name, &history, &entries).await.expect("stored before");
    assert_eq!((stored.epoch, stored.offsets), (first.epoch, vec![1]));
    let error = link.append(&name, &history, &entries[1..]).await.expect_err("there is no memory");
    assert!(error.is_refusal(), "{error}");
    let page = link.read(&name, &history, 0, 10, 1_000).await.expect("read");
    assert_eq!((page.epoch, page.head, page.entries.len()), (first.epoch, 1, 1));
    memory(0).await;
    let stored = link.append(&name, &history, &entries).await.expect("stored");
    assert_eq!((stored.epoch, stored.offsets), (first.epoch, vec![1, 2, 3]));
    println!("after \"{error}\" the offsets are 1, 2 and 3");
}

/// Redis ends a connection that does not read what it has subscribed to, and its inbox reports the end: a loss is never silent.
pub(crate) async fn a_slow_connection_is_dropped(url: &str) {
    const LENGTH: usize = 16 << 10;
    const MESSAGES: usize = 1_000;
    let patience = Duration::from_secs(20);
    let limit = async |limit: &str| {
        let request = format!("CONFIG SET client-output-buffer-limit \"pubsub {limit}\"\r\n");
        raw(address(url), &request, "+OK").await;
    };
    limit("1mb 1mb 1").await;
    let proxy = Proxy::start(address(url)).await;
    // No ping may find it first.
    let options =
        RedisOptions::new(format!("redis://{}", proxy.address)).ping_interval(Duration::from_secs(600));
    let backplane = RedisBackplane::new(options).expect("possible");
    let (link, mut inbox) = backplane.connect().await.expect("through the proxy");
    let channel = Channel::Topic(Names::new().topic("slow"));
    link.subscribe(&Interest::Channel(channel.clone())).await.expect("subscribed");
    proxy.pass.send_replace(Pass::Nothing);
    let publisher = RedisBackplane::new(RedisOptions::new(url)).expect("possible");
    let (publisher, mut echo) = publisher.connect().await.expect("the server is there");
    let last = Channel::Topic(Names::new().topic("slow/last"));
    publisher.subscribe(&Interest::Channel(last.clone())).await.expect("subscribed");
    for _ in 0..MESSAGES {
        publisher.publish(&channel, Bytes::from(vec![b'x'; LENGTH])).await.expect("published");
    }
    // When this one has come back, Redis has had all of them.
    publisher.publish(&last, "done".into()).await.expect("published");
    let done = timeout(patience, echo.next()).await.expect("it comes back").expect("connected");
    assert_eq!(done, Incoming::Message("done".into()));
    proxy.pass.send_replace(Pass::All);
    let mut received = 0;
    let error = loop {
        match timeout(patience, inbox.next()).await.expect("the inbox ends") {
            Ok(_) => received += 1,
            Err(error) => break error,
        }
    };
    limit("32mb 8mb 60").await;
    assert!(received < MESSAGES, "Redis has kept all of them");
    println!("{received} of {MESSAGES} messages came before: {error}");
}
