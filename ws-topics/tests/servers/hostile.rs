//! Whoever may publish to the backplane: what is not a server's is counted, reported and left out.

use std::time::Duration;

use tokio::time::timeout;
use ws_topics::bytes::Bytes;
use ws_topics::{Backplane, Channel, ClusterEvent, Inbox, Incoming, Interest, Link, SubscribeOptions};

use crate::fake::{Fake, Net};
use crate::peer::Peer;
use crate::support::{Server, options, servers, settle};

/// What came on some channels so far.
pub async fn overheard(spy: (<Fake as Backplane>::Link, <Fake as Backplane>::Inbox)) -> Vec<Bytes> {
    let (_link, mut inbox) = spy;
    let mut payloads = Vec::new();
    while let Ok(Ok(Incoming::Message(payload))) = timeout(Duration::from_millis(10), inbox.next()).await {
        payloads.push(payload);
    }
    payloads
}

#[tokio::test(start_paused = true)]
async fn what_is_not_a_servers_is_counted_and_reported_and_others_go_on() {
    let net = Net::new(1);
    let spy = net.server(9).connect().await.unwrap();
    let topic = Channel::Topic("news".into());
    for channel in [Channel::Servers, topic.clone(), Channel::Presence("news".into())] {
        spy.0.subscribe(&Interest::Channel(channel)).await.unwrap();
    }
    let mut servers = servers::<2>(&net).await;
    let mut peer = Peer::fast();
    let present = SubscribeOptions::default().present("ada", "Ada");
    let _subscription = servers[1].topics.subscribe(&peer.sender, "news", present).unwrap();
    settle().await;
    servers[0].topics.publish("news", "first").unwrap();
    settle().await;
    // Every payload that was on its way, cut off everywhere, and of a later version and very long.
    let mut count = 0_u64;
    for payload in overheard(spy).await {
        for length in 0..payload.len() {
            for channel in [&Channel::Servers, &topic] {
                net.publish(channel, payload.slice(..length));
            }
        }
        let mut later = payload.to_vec();
        later[0] = 200;
        later.resize(1 << 20, 7);
        for channel in [Channel::Servers, topic.clone(), Channel::Presence("news".into())] {
            net.publish(&channel, later.clone());
            count += 1;
        }
    }
    assert!(count >= 9, "heartbeats, a message and presence were on their way: {count}");
    net.publish(&topic, Bytes::new());
    settle().await;
    assert!(servers[1].topics.cluster_counts().unwrap().foreign > count);
    let reported = loop {
        if let ClusterEvent::Foreign { messages } = servers[1].event().await {
            break messages;
        }
    };
    assert!(reported > count, "{reported}");
    servers[0].topics.publish("news", "last").unwrap();
    let read = peer.read().await;
    assert_eq!(read.first().map(String::as_str), Some("first"));
    assert_eq!(read.last().map(String::as_str), Some("last"));
}

#[tokio::test(start_paused = true)]
async fn a_message_of_another_server_that_cannot_be_framed_is_a_gap_in_its_place() {
    let net = Net::new(1);
    let sending = Server::start(&net, 0, options());
    let picky = options().frame(|it| {
        assert_ne!(it.message.as_text(), Some("bad"));
        it.message.clone()
    });
    let receiving = Server::start(&net, 1, picky);
    settle().await;
    let mut peers = [Peer::fast(), Peer::fast()];
    let mut subscriptions = Vec::new();
    for (peer, topic) in peers.iter().zip(["news", "log/a"]) {
        let options = SubscribeOptions::default();
        let subscription = receiving.topics.subscribe(&peer.sender, topic, options).unwrap();
        subscription.begun().await;
        subscriptions.push(subscription);
    }
    settle().await;
    for topic in ["news", "log/a"] {
        for text in ["before", "bad", "behind"] {
            sending.topics.publish(topic, text).unwrap();
        }
    }
    settle().await;
    assert_eq!(peers[0].read().await, ["before", "lost 1 of news", "behind"]);
    assert_eq!(peers[1].read().await, ["before", "lost 1 of log/a", "behind"]);
    // What runs is still there, and ends in order.
    receiving.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_not_a_servers_in_a_log_is_a_gap_in_its_place() {
    let net = Net::new(1);
    let servers = servers::<2>(&net).await;
    let mut peer = Peer::fast();
    let _subscription =
        servers[1].topics.subscribe(&peer.sender, "log/a", SubscribeOptions::default()).unwrap();
    settle().await;
    servers[0].topics.publish_confirmed("log/a", "a").await.unwrap();
    for garbage in ["", "\u{1}", "garbage"] {
        net.store("log/a", garbage);
    }
    net.store("log/a", vec![200; 1 << 20]);
    let confirmed =
        timeout(Duration::from_secs(600), servers[0].topics.publish_confirmed("log/a", "b")).await;
    confirmed.expect("what is behind garbage is confirmed").unwrap();
    settle().await;
    assert_eq!(peer.read().await, ["a@1", "lost 4 of log/a", "b@6"]);
}
