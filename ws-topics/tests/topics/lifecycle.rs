//! When subscriptions begin and end.

use ws_tokio::CloseCode;
use ws_topics::{SubscribeOptions, TopicError, Topics, TopicsOptions};

use crate::support::{Peer, check_counts, text, topics};

fn live() -> SubscribeOptions {
    SubscribeOptions::default()
}

#[tokio::test(start_paused = true)]
async fn dropping_a_subscription_ends_it_and_drops_what_waits_for_it() {
    let topics = topics(TopicsOptions::default());
    let mut peer = Peer::slow();
    let ends = topics.subscribe(&peer.sender, "a", live()).unwrap();
    let _stays = topics.subscribe(&peer.sender, "b", live()).unwrap();
    for n in 0..10 {
        topics.publish(if n % 2 == 0 { "a" } else { "b" }, text(n)).unwrap();
    }
    drop(ends);
    topics.publish("a", text(10)).unwrap();
    assert_eq!(peer.read().await, ["0", "1", "3", "5", "7", "9"]);
    assert_eq!(topics.stats().ended, 4);
    assert_eq!(topics.stats().topics, 1, "a topic that nobody needs is forgotten");
    check_counts(&topics);
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_other_subscriptions_stays_theirs_when_one_ends() {
    for end in 0..4 {
        let topics = topics(TopicsOptions::default());
        let mut peer = Peer::slow();
        let names = ["a", "b", "c", "d"];
        let subscribe = |name| topics.subscribe(&peer.sender, name, live().max_messages(2)).unwrap();
        let mut subscriptions: Vec<_> = names.map(subscribe).into_iter().collect();
        for n in 0..16 {
            topics.publish(names[n % 4], text(n)).unwrap();
        }
        drop(subscriptions.remove(end));
        let late = topics.subscribe(&peer.sender, "e", live()).unwrap();
        topics.publish("e", text("e")).unwrap();
        for subscription in &subscriptions {
            assert_eq!(subscription.waiting(), 2, "{}", subscription.topic());
        }
        assert_eq!(late.waiting(), 1);
        // The first two have been taken, the policy has dropped the oldest beyond two of each topic.
        let mut expected = Vec::new();
        for place in (0..4).filter(|place| *place != end) {
            assert_eq!(subscriptions.iter().filter(|it| it.topic() == names[place]).count(), 1);
            expected.extend([8 + place, 12 + place].map(|n| n.to_string()));
        }
        let read = peer.read().await;
        for text in &expected {
            assert!(read.contains(text), "{text} is not among {read:?}");
        }
        for (place, name) in names.into_iter().enumerate() {
            let is_gap = |text: &&String| text.starts_with("lost ") && text.contains(&format!("of {name} "));
            assert_eq!(read.iter().filter(is_gap).count(), usize::from(place != end), "{name}: {read:?}");
        }
        for subscription in subscriptions.iter().chain([&late]) {
            assert_eq!(subscription.waiting(), 0, "{}", subscription.topic());
        }
        assert_eq!(read.last().map(String::as_str), Some("e"));
        check_counts(&topics);
    }
}

#[tokio::test(start_paused = true)]
async fn subscriptions_end_with_their_connection_and_do_not_keep_it_alive() {
    for how in ["peer closes", "peer is lost", "server closes", "halves are dropped"] {
        let topics = Topics::default();
        let mut peer = Peer::fast();
        let exact = topics.subscribe(&peer.sender, "a", live()).unwrap();
        let wild = topics.subscribe(&peer.sender, "#", live()).unwrap();
        topics.publish("a", "x").unwrap();
        let sender = peer.sender.clone();
        match how {
            "peer closes" => drop(peer.client.close(CloseCode::NORMAL_CLOSURE, "").await.unwrap()),
            "peer is lost" => peer.leave().await,
            "server closes" => {
                sender.start_close(CloseCode::NORMAL_CLOSURE, "").unwrap();
                sender.flush().await.unwrap();
            }
            _ => {
                drop((peer.sender, sender.clone()));
                let weak = sender.downgrade();
                peer.receiving.abort();
                let _ = peer.receiving.await;
                drop(sender);
                assert!(weak.upgrade().is_none(), "nothing keeps the connection alive");
                assert!(exact.is_ended() && wild.is_ended(), "{how}");
                assert_eq!((topics.stats().connections, topics.subscribers("a")), (0, 0), "{how}");
                continue;
            }
        }
        assert!(exact.is_ended() && wild.is_ended(), "{how}");
        assert_eq!((topics.stats().connections, topics.subscribers("a")), (0, 0), "{how}");
        assert_eq!(topics.publish("a", "y").unwrap().subscribers, 0, "{how}");
        let error = topics.subscribe(&sender, "a", live()).unwrap_err();
        assert_eq!(error, TopicError::Closed, "{how}");
        assert_eq!((topics.stats().connections, topics.stats().topics), (0, 0), "{how}");
        check_counts(&topics);
    }
}

#[tokio::test(start_paused = true)]
async fn what_waits_when_a_connection_ends_is_counted_as_ended() {
    let topics = topics(TopicsOptions::default());
    let peer = Peer::slow();
    let _subscription = topics.subscribe(&peer.sender, "a", live()).unwrap();
    for n in 0..10 {
        topics.publish("a", text(n)).unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(topics.stats().waiting, 8);
    peer.leave().await;
    let stats = topics.stats();
    assert_eq!((stats.delivered, stats.ended, stats.waiting), (2, 8, 0));
}

#[tokio::test(start_paused = true)]
async fn a_clone_has_the_same_topics() {
    let topics = Topics::default();
    let mut peer = Peer::fast();
    let _subscription = topics.clone().subscribe(&peer.sender, "a", live()).unwrap();
    topics.publish("a", "x").unwrap();
    assert_eq!(peer.read().await, ["x"]);
}

#[tokio::test(start_paused = true)]
async fn two_sets_of_topics_can_serve_one_connection() {
    let (one, two) = (Topics::default(), Topics::default());
    let mut peer = Peer::fast();
    let _one = one.subscribe(&peer.sender, "a", live()).unwrap();
    let _two = two.subscribe(&peer.sender, "a", live()).unwrap();
    one.publish("a", "1").unwrap();
    two.publish("a", "2").unwrap();
    assert_eq!(peer.read().await, ["1", "2"]);
}
