//! Messages in a row: a publisher adds them behind all queues at once, which nobody is to notice.

use std::collections::VecDeque;
use std::ops::Range;

use tokio::task::yield_now;
use ws_topics::{History, Published, SlowSubscriber, SubscribeOptions, Subscription, TopicsOptions};

use crate::support::{Peer, check_counts, text, topics};

/// What is left to chance, from a seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }
}

/// All that a run shows from outside.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    /// The offset, and how many got it, lost one or were closed for it.
    published: Vec<(Option<u64>, u64, u64, u64)>,
    waiting: Vec<(usize, u64)>,
    received: Vec<Vec<String>>,
}

impl Seen {
    fn add(&mut self, published: Published) {
        let Published { position, subscribers, dropped, closed, .. } = published;
        self.published.push((position.map(|position| position.offset), subscribers, dropped, closed));
    }
}

/// Publishes to two topics in rows and batches, whose subscribers come, go and are slow. With `apart` all queues are looked at after each message, so
/// that it is in each of them before the next.
async fn run(seed: u64, apart: bool) -> Seen {
    let chance = &mut Chance(seed);
    let mut options = TopicsOptions::default().max_waiting_messages(3 + chance.below(20));
    if chance.below(2) == 0 {
        options = options.history("b", History::default().max_messages(5));
    }
    let topics = topics(options);
    let mut peers: Vec<Peer> = (0..4).map(|n| if n < 2 { Peer::fast() } else { Peer::slow() }).collect();
    let mut subscriptions: VecDeque<Subscription> = VecDeque::new();
    let mut seen = Seen::default();
    seen.received.resize(peers.len(), Vec::new());
    let mut topic = "a";
    for n in 0..60 {
        let number = chance.below(4);
        let peer = &mut peers[number];
        match if n < 4 { 0 } else { chance.below(12) } {
            0 => {
                let topic = ["a", "b", "b"][chance.below(3)];
                let topic = match seed % 3 {
                    0 if chance.below(4) == 0 => "+",
                    1 if chance.below(4) == 0 => "c/+",
                    _ => topic,
                };
                let slow =
                    [SlowSubscriber::DropOldest, SlowSubscriber::DropNewest, SlowSubscriber::Conflate(None)];
                let options = SubscribeOptions::default()
                    .slow(slow[chance.below(3)].clone())
                    .max_messages(1 + chance.below(9))
                    .max_bytes(1012 * (2 + chance.below(9)));
                let options = if topic == "b" && chance.below(3) == 0 { options.last(3) } else { options };
                subscriptions.push_back(topics.subscribe(&peer.sender, topic, options).unwrap());
            }
            1 if chance.below(3) == 0 => drop(subscriptions.pop_front()),
            2 => {
                for _ in 0..chance.below(4) {
                    seen.received[number].extend(peer.read_now());
                    peer.sender.write_now();
                }
            }
            3 if chance.below(2) == 0 => yield_now().await,
            4 => {
                let mut batch = topics.batch();
                let length = if chance.below(8) == 0 { 40 } else { chance.below(6) };
                for _ in 0..length {
                    let topic = if chance.below(3) == 0 { "a" } else { "b" };
                    batch.publish(topic, text(n)).unwrap();
                    if apart {
                        check_counts(&topics);
                    }
                    match chance.below(10) {
                        0 => drop(subscriptions.pop_front()),
                        1 => {
                            let options = SubscribeOptions::default().max_messages(1 + chance.below(9));
                            subscriptions.push_back(topics.subscribe(&peer.sender, "b", options).unwrap());
                        }
                        _ => {}
                    }
                }
                seen.add(batch.finish());
            }
            5 => topic = ["a", "b"][chance.below(2)],
            6 => {
                seen.add(topics.publish_from(&peer.sender, topic, text(n)).unwrap());
            }
            _ => seen.add(topics.publish(topic, text(n)).unwrap()),
        }
        if apart {
            check_counts(&topics);
        }
        if chance.below(8) == 0 {
            seen.waiting.extend(subscriptions.iter().map(|it| (it.waiting(), it.dropped())));
        }
    }
    check_counts(&topics);
    for (peer, received) in peers.iter_mut().zip(&mut seen.received) {
        received.extend(peer.read().await);
    }
    seen
}

#[tokio::test(start_paused = true)]
async fn messages_in_a_row_do_what_messages_do_each_by_itself() {
    let (mut dropped, mut received) = (0, 0);
    for seed in 0..200 {
        let seen = run(seed, false).await;
        assert_eq!(seen, run(seed, true).await, "seed {seed}");
        dropped += seen.published.iter().map(|published| published.2).sum::<u64>();
        received += seen.received.iter().map(Vec::len).sum::<usize>();
    }
    assert!(
        dropped > 200 && received > 2000,
        "{dropped} dropped and {received} received: that compares little"
    );
}

#[tokio::test(start_paused = true)]
async fn a_subscriber_that_reaches_the_end_of_a_history_gets_the_next_of_a_row() {
    let topics = topics(TopicsOptions::default().history("a", History::default().max_messages(10)));
    let (mut live, mut late) = (Peer::fast(), Peer::slow());
    let _live = topics.subscribe(&live.sender, "a", SubscribeOptions::default()).unwrap();
    let publish = |numbers: Range<usize>| {
        for n in numbers {
            topics.publish("a", text(n)).unwrap();
        }
    };
    publish(0..5);
    yield_now().await;
    let options = SubscribeOptions::default().last(5).max_messages(2);
    let _late = topics.subscribe(&late.sender, "a", options).unwrap();
    publish(5..8);
    let mut received = Vec::new();
    while received.len() < 8 {
        received.extend(late.read_now());
        late.sender.write_now();
    }
    publish(8..10);
    received.extend(late.read().await);
    let all: Vec<String> = (0..10).map(|n| n.to_string()).collect();
    assert_eq!((received, live.read().await), (all.clone(), all));
}

#[tokio::test(start_paused = true)]
async fn whoever_subscribes_inside_a_row_gets_the_next_of_it() {
    // What there is already, the topic, and by what somebody subscribes.
    for (there, topic, by) in
        [("b/+/d", "a", "a"), ("b/+/d", "a", "+"), ("b/+/d", "b/c", "b/#"), ("b/#", "b/c", "b/#")]
    {
        let topics = topics(TopicsOptions::default());
        let mut peers = [Peer::fast(), Peer::fast(), Peer::fast(), Peer::fast()];
        let subscribe =
            |peer: &Peer, to: &str| topics.subscribe(&peer.sender, to, SubscribeOptions::default()).unwrap();
        let _others = (subscribe(&peers[0], topic), subscribe(&peers[1], topic), subscribe(&peers[2], there));
        topics.publish(topic, text(0)).unwrap();
        yield_now().await;
        for n in 1..4 {
            topics.publish(topic, text(n)).unwrap();
        }
        let late = subscribe(&peers[3], by);
        topics.publish(topic, text(4)).unwrap();
        drop(late);
        topics.publish(topic, text(5)).unwrap();
        let [first, second, other, late] = &mut peers;
        let all: Vec<String> = (0..6).map(|n| n.to_string()).collect();
        let others = if there == by { all.clone() } else { Vec::new() };
        assert_eq!((first.read().await, second.read().await), (all.clone(), all), "{by}");
        assert_eq!((other.read().await, late.read().await), (others, vec!["4".to_owned()]), "{by}");
    }
}
