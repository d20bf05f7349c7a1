//! What subscriptions, topics, histories and waiting messages cost on the heap.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::alloc::System;
use std::sync::Arc;

use cap::Cap;
use tokio::io::{DuplexStream, duplex};
use ws_tokio::{Config, Receiver, Role, Sender, WebSocket};
use ws_topics::{EndpointOptions, History, SubscribeOptions, Topics, TopicsEndpoint, TopicsOptions};

#[global_allocator]
static HEAP: Cap<System> = Cap::new(System, usize::MAX);

/// A connection whose peer reads nothing, and what keeps it open.
fn connect() -> (Sender, (Receiver<DuplexStream>, DuplexStream)) {
    let (near, far) = duplex(1);
    let config = Config::server().keepalive(None).send_high_water(1);
    let (sender, receiver) = WebSocket::from_raw(far, Role::Server, config).unwrap().split();
    (sender, (receiver, near))
}

/// Runs something; returns the bytes that it has left on the heap, and its result.
fn measure<T>(act: impl FnOnce() -> T) -> (usize, T) {
    let before = HEAP.allocated();
    let result = act();
    (HEAP.allocated().saturating_sub(before), result)
}

/// One test, so that nothing else allocates meanwhile.
#[tokio::test]
async fn subscriptions_topics_histories_and_what_waits_take_no_more_than_stated() {
    const TOPICS: usize = 1_000;
    const CONNECTIONS: usize = 50;
    let names: Vec<_> = (0..TOPICS).map(|n| format!("sensors/number/{n:05}")).collect();
    let topics = Topics::default();
    let options = SubscribeOptions::default;
    // The first connection has all that a connection has: one subscription more.
    let (first, _first) = connect();
    let _other = topics.subscribe(&first, "other", options()).unwrap();
    let mut subscriptions = Vec::with_capacity(TOPICS * (CONNECTIONS + 1));
    let subscribe_all = |sender: &Sender, to: &mut Vec<_>| {
        to.extend(names.iter().skip(1).map(|name| topics.subscribe(sender, name, options()).unwrap()));
    };
    let (both, ()) = measure(|| subscribe_all(&first, &mut subscriptions));

    let mut connections: Vec<_> = (0..CONNECTIONS).map(|_| connect()).collect();
    let (many, ()) = measure(|| {
        connections.iter().for_each(|(sender, _)| subscribe_all(sender, &mut subscriptions));
    });
    let subscription = many / (CONNECTIONS * (TOPICS - 1));
    let topic = both / (TOPICS - 1) - subscription;
    println!("a subscription {subscription} bytes, a topic {topic} bytes with a name of 20");
    assert!(subscription <= 120, "a subscription takes {subscription} bytes");
    assert!(topic <= 400, "a topic takes {topic} bytes");

    // When they have gone nothing of them is left.
    let (left, ()) = measure(|| ());
    assert_eq!(left, 0);
    let before = HEAP.allocated();
    subscriptions.clear();
    connections.clear();
    let freed = before - HEAP.allocated();
    assert!(freed >= many + both - (TOPICS + CONNECTIONS) * 64, "{freed} of {} bytes came back", many + both);
    assert_eq!(topics.stats().topics, 1);

    // A history and a queue take no more than they count as.
    let kept = History::default().max_messages(100_000).max_bytes(4 << 20);
    let topics = Topics::new(TopicsOptions::default().history("kept", kept)).unwrap();
    let (history, ()) = measure(|| {
        for n in 0..20_000 {
            topics.publish("kept", format!("{n:0100}")).unwrap();
        }
    });
    let counted = topics.stats().history_bytes;
    println!("a history that counts as {counted} bytes takes {history}");
    assert!((3 << 20..=4 << 20).contains(&counted) && history as u64 <= counted);

    let (stalled, _stalled) = connect();
    let subscribed = options().max_messages(100_000).max_bytes(4 << 20);
    let _subscription = topics.subscribe(&stalled, "live", subscribed).unwrap();
    let (queue, ()) = measure(|| {
        for n in 0..20_000 {
            topics.publish("live", format!("{n:0100}")).unwrap();
        }
    });
    let counted = topics.stats().waiting_bytes;
    println!("a queue that counts as {counted} bytes takes {queue}");
    assert!((3 << 20..=4 << 20).contains(&counted) && queue as u64 <= counted);
    assert!(stalled.memory_usage().queued as u64 >= counted, "it is in the ledger of the connection");
    drop(_subscription);
    a_request_takes_no_more_than_its_bytes_a_few_times().await;
    a_client_that_does_not_read_is_reported_the_presence_of_one_topic_at_a_time().await;
    what_a_client_that_does_not_read_asks_for_waits_until_it_does().await;
}

/// A short request has a long answer: the next one is not read until there is room for it.
async fn what_a_client_that_does_not_read_asks_for_waits_until_it_does() {
    const MEMBERS: usize = 100;
    let endpoint = TopicsEndpoint::new(TopicsOptions::default(), EndpointOptions::default()).unwrap();
    let topics = endpoint.topics().clone();
    let (near, far) = duplex(1 << 10);
    // Requests that have arrived meanwhile are read ahead, up to here.
    let config = Config::server().max_read_ahead(64 << 10);
    let socket = WebSocket::from_raw(far, Role::Server, config).unwrap();
    let serving = tokio::spawn(async move { endpoint.run(socket, "").await });
    let config = Config::client().max_read_ahead(1);
    let mut client = WebSocket::from_raw(near, Role::Client, config).unwrap();
    let value: Arc<str> = "v".repeat(1_000).into();
    let (member, _member) = connect();
    let present = |number: usize| {
        let options = SubscribeOptions::default().present(number.to_string(), Arc::clone(&value));
        topics.subscribe(&member, "room", options).unwrap()
    };
    let _present: Vec<_> = (0..MEMBERS).map(present).collect();
    let before = HEAP.allocated();
    let asking = tokio::spawn(async move {
        for id in 0.. {
            let request = format!(r#"{{"type":"presence","id":{id},"topic":"room"}}"#);
            if client.send(request).await.is_err() {
                return id;
            }
        }
        0
    });
    for _ in 0..10_000 {
        tokio::task::yield_now().await;
    }
    let waiting = HEAP.allocated().saturating_sub(before);
    let answer = MEMBERS * value.len();
    println!("answers of {answer} bytes that a client does not read: {waiting} bytes");
    assert!(waiting <= 10 * answer, "{waiting} bytes wait for a client that does not read");
    asking.abort();
    let _ = asking.await;
    let _ = serving.await.unwrap();
}

async fn a_client_that_does_not_read_is_reported_the_presence_of_one_topic_at_a_time() {
    const TOPICS: usize = 200;
    const MEMBERS: usize = 20;
    let endpoint = TopicsEndpoint::new(TopicsOptions::default(), EndpointOptions::default()).unwrap();
    let topics = endpoint.topics().clone();
    let (near, far) = duplex(1 << 10);
    let socket = WebSocket::from_raw(far, Role::Server, Config::server()).unwrap();
    let serving = tokio::spawn(async move { endpoint.run(socket, "").await });
    let mut client = WebSocket::from_raw(near, Role::Client, Config::client()).unwrap();
    for id in 0..TOPICS {
        let request = format!(r#"{{"type":"subscribe","id":{id},"topic":"room/{id}","watch":true}}"#);
        client.send(request).await.unwrap();
        assert!(client.recv().await.unwrap().unwrap().as_text().unwrap().contains("subscribed"));
    }
    let value: Arc<str> = "v".repeat(1_000).into();
    let members: Vec<_> = (0..MEMBERS).map(|_| connect()).collect();
    let mut present = Vec::with_capacity(TOPICS * MEMBERS);
    for (number, (sender, _)) in members.iter().enumerate() {
        let identity: Arc<str> = number.to_string().into();
        for id in 0..TOPICS {
            let options = SubscribeOptions::default().present(Arc::clone(&identity), Arc::clone(&value));
            present.push(topics.subscribe(sender, &format!("room/{id}"), options).unwrap());
        }
    }
    let before = HEAP.allocated();
    for _ in 0..10_000 {
        tokio::task::yield_now().await;
    }
    let waiting = HEAP.allocated().saturating_sub(before);
    println!("{TOPICS} reports of {MEMBERS} members with {} bytes each: {waiting} bytes", value.len());
    assert!(waiting <= 10 * MEMBERS * value.len(), "{waiting} bytes wait for a client that does not read");
    drop(client);
    let _ = serving.await.unwrap();
}

/// Whatever JSON a client sends, and wherever: in a member of the protocol, or in one that is ignored.
async fn a_request_takes_no_more_than_its_bytes_a_few_times() {
    const LENGTH: usize = 1 << 20;
    let endpoint = TopicsEndpoint::new(TopicsOptions::default(), EndpointOptions::default()).unwrap();
    let (near, far) = duplex(1 << 16);
    let socket = WebSocket::from_raw(far, Role::Server, Config::server()).unwrap();
    let serving = tokio::spawn(async move { endpoint.run(socket, "").await });
    let mut client = WebSocket::from_raw(near, Role::Client, Config::client()).unwrap();
    for member in ["topic", "later"] {
        for (begin, repeated, end) in [
            ("[0", ",0", "]"),
            ("[{}", r#",{"":0}"#, "]"),
            ("[[]", ",[0]", "]"),
            ("[\"\"", ",\"a\"", "]"),
            ("{\"\":0", ",\"a\":0", "}"),
        ] {
            let count = (LENGTH - 100) / repeated.len();
            let value = format!("{begin}{}{end}", repeated.repeat(count));
            let request = format!(r#"{{"type":"subscribe","id":1,"{member}":{value}}}"#);
            let before = HEAP.max_allocated().max(HEAP.allocated());
            let room = before - HEAP.allocated();
            client.send(request).await.unwrap();
            let answer = client.recv().await.unwrap().unwrap();
            assert!(answer.as_text().unwrap().contains("the member topic is"), "{answer:?}");
            let more = room + (HEAP.max_allocated() - before);
            println!("{member} {begin}{repeated}…: {more} bytes");
            assert!(more <= 8 * LENGTH, "{more} bytes for {member} with {begin}{repeated}…");
        }
    }
    drop(client);
    let _ = serving.await.unwrap();
}
