//! Subscriptions by filters: which topics match is tested where the rules are.

use ws_topics::{SubscribeOptions, Topics};

use crate::support::Peer;

fn live() -> SubscribeOptions {
    SubscribeOptions::default()
}

#[tokio::test(start_paused = true)]
async fn a_filter_gets_the_messages_of_all_topics_that_match_also_of_later_ones() {
    let topics = Topics::default();
    let (mut wild, mut exact) = (Peer::fast(), Peer::fast());
    let _exact = topics.subscribe(&exact.sender, "sport/tennis", live()).unwrap();
    topics.publish("sport/tennis", "before").unwrap();
    let first = topics.subscribe(&wild.sender, "sport/+", live()).unwrap();
    let _second = topics.subscribe(&wild.sender, "news/#", live()).unwrap();
    for topic in ["sport/tennis", "sport", "sport/tennis/final", "news", "news/now", "sport/golf"] {
        topics.publish(topic, topic).unwrap();
    }
    assert_eq!(wild.read().await, ["sport/tennis", "news", "news/now", "sport/golf"]);
    drop(first);
    topics.publish("sport/tennis", "after").unwrap();
    topics.publish("news/now", "news").unwrap();
    assert_eq!(wild.read().await, ["news"]);
    assert_eq!(exact.read().await, ["before", "sport/tennis", "after"]);
}

#[tokio::test(start_paused = true)]
async fn a_topic_that_more_filters_match_than_are_kept_with_it_reaches_all_of_them() {
    let topics = Topics::default();
    let mut peer = Peer::fast();
    let filters = ["#", "+/#", "a/#", "a/+", "+/b", "+/+", "a/b/#", "+/b/#", "a/+/#", "+/+/#"];
    let _subscriptions: Vec<_> =
        filters.iter().map(|filter| topics.subscribe(&peer.sender, filter, live()).unwrap()).collect();
    assert_eq!(topics.publish("a/b", "x").unwrap().subscribers, 10);
    assert_eq!(peer.read().await, ["x"; 10]);
}

#[tokio::test(start_paused = true)]
async fn topics_that_only_filters_match_have_positions_too() {
    let topics = Topics::default();
    let peer = Peer::fast();
    let _subscription = topics.subscribe(&peer.sender, "a/+", live()).unwrap();
    assert_eq!(topics.publish("a/b", "x").unwrap().position.unwrap().offset, 1);
    assert_eq!(topics.publish("a/b", "x").unwrap().position.unwrap().offset, 2);
    assert_eq!(topics.publish("a/c", "x").unwrap().position.unwrap().offset, 1);
    assert_eq!(topics.publish("b", "x").unwrap().position, None);
}
