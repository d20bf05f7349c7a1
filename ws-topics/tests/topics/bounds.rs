//! Everything has a bound.

use std::time::Duration;

use ws_topics::{History, SubscribeOptions, TopicError, Topics, TopicsOptions};

use crate::support::Peer;

fn live() -> SubscribeOptions {
    SubscribeOptions::default()
}

#[tokio::test(start_paused = true)]
async fn topics_are_bounded_and_idle_ones_make_room() {
    let history = History::default().max_age(Duration::from_secs(60));
    let options = TopicsOptions::default().max_topics(3).history("kept/+", history);
    let topics = Topics::new(options).unwrap();
    let peer = Peer::fast();
    let _one = topics.subscribe(&peer.sender, "one", live()).unwrap();
    topics.publish("kept/2", "x").unwrap();
    topics.publish("kept/3", "x").unwrap();
    let error = topics.subscribe(&peer.sender, "four", live()).unwrap_err();
    assert_eq!(error.to_string(), "the number of topics is at its limit of max_topics = 3");
    assert_eq!(topics.publish("kept/4", "x").unwrap_err(), TopicError::TooManyTopics { limit: 3 });
    assert!(topics.watch_presence("five").is_err());
    // A topic that would not be kept needs no place.
    topics.publish("six", "x").unwrap();
    tokio::time::advance(Duration::from_secs(61)).await;
    let _four = topics.subscribe(&peer.sender, "four", live()).unwrap();
    assert_eq!(topics.stats().topics, 2);
}

#[tokio::test(start_paused = true)]
async fn topics_whose_history_has_expired_are_forgotten_long_before_the_limit() {
    let history = History::default().max_age(Duration::from_secs(1));
    let topics = Topics::new(TopicsOptions::default().history("#", history)).unwrap();
    for n in 0..10_000 {
        topics.publish(&n.to_string(), "x").unwrap();
        tokio::time::advance(Duration::from_millis(10)).await;
    }
    let stats = topics.stats();
    assert!(stats.topics < 1_100, "{stats:?}");
}

#[tokio::test(start_paused = true)]
async fn subscriptions_of_a_connection_are_bounded() {
    let topics = Topics::new(TopicsOptions::default().max_subscriptions(2)).unwrap();
    let peer = Peer::fast();
    let one = topics.subscribe(&peer.sender, "1", live()).unwrap();
    let _two = topics.subscribe(&peer.sender, "+", live()).unwrap();
    let error = topics.subscribe(&peer.sender, "3", live()).unwrap_err();
    assert_eq!(error, TopicError::TooManySubscriptions { limit: 2 });
    assert!(topics.subscribe(&peer.sender, "#", live()).is_err());
    assert_eq!(topics.stats().topics, 1, "a refused subscription leaves no topic behind");
    assert_eq!(
        error.to_string(),
        "the subscriptions of the connection are at their limit of max_subscriptions = 2"
    );
    drop(one);
    let _three = topics.subscribe(&peer.sender, "3", live()).unwrap();
}

#[tokio::test(start_paused = true)]
async fn filters_are_bounded_and_may_be_shared() {
    let topics = Topics::new(TopicsOptions::default().max_filters(1)).unwrap();
    let (one, two) = (Peer::fast(), Peer::fast());
    let first = topics.subscribe(&one.sender, "a/+", live()).unwrap();
    let second = topics.subscribe(&two.sender, "a/+", live()).unwrap();
    let error = topics.subscribe(&one.sender, "b/+", live()).unwrap_err();
    assert_eq!(error.to_string(), "the number of filters is at its limit of max_filters = 1");
    drop((first, second));
    let _other = topics.subscribe(&one.sender, "b/+", live()).unwrap();
}

#[tokio::test(start_paused = true)]
async fn all_histories_together_are_bounded() {
    let most = 10 * (100 + 512);
    let options = TopicsOptions::default().max_history_bytes(most).history("#", History::default());
    let topics = Topics::new(options).unwrap();
    for n in 0..100 {
        topics.publish(&(n % 7).to_string(), "x".repeat(100)).unwrap();
        assert!(topics.stats().history_bytes <= most as u64);
    }
    assert_eq!(topics.stats().history_bytes, most as u64);
    // A topic whose messages found no place is not kept for them.
    topics.publish("large", "x".repeat(10_000)).unwrap();
    assert!(topics.stats().history_bytes <= most as u64);
}

#[tokio::test(start_paused = true)]
async fn what_a_history_drops_makes_room_for_others() {
    let cost = 100 + 512;
    let history = History::default().max_messages(5).max_age(Duration::from_secs(60));
    let options = TopicsOptions::default().max_history_bytes(10 * cost).history("+", history);
    let topics = Topics::new(options).unwrap();
    for n in 0..100 {
        for topic in ["one", "two"] {
            topics.publish(topic, "x".repeat(100)).unwrap();
        }
        assert_eq!(topics.stats().history_bytes, (10 * cost).min(2 * (n + 1) * cost) as u64);
    }
    tokio::time::advance(Duration::from_secs(61)).await;
    let peer = Peer::fast();
    // Expired messages are dropped when their topic is looked at.
    drop(topics.subscribe(&peer.sender, "one", live()).unwrap());
    assert_eq!(topics.stats().history_bytes, 5 * cost as u64);
    topics.publish("two", "x".repeat(100)).unwrap();
    assert_eq!(topics.stats().history_bytes, cost as u64);
}

#[test]
fn a_setting_that_is_not_possible_is_named() {
    let text = |options: TopicsOptions| Topics::new(options).unwrap_err().to_string();
    let defaults = TopicsOptions::default;
    assert_eq!(text(defaults().max_topics(0)), "max_topics = 0 is not possible: it must be at least 1");
    assert_eq!(
        text(defaults().max_topic_length(65_536)),
        "max_topic_length = 65536 is not possible: it must be at most 65535 (MQTT 5 section 4.7.3)"
    );
    assert_eq!(
        text(defaults().history("a/#/b", History::default())),
        "history = a/#/b is not possible: topic \"a/#/b\" is not valid: `#` must be the last level"
    );
    assert_eq!(
        text(defaults().history("a", History::default().max_messages(0))),
        "history.max_messages = 0 is not possible: it must be at least 1"
    );
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_not_valid_is_refused_with_the_rule() {
    let topics = Topics::default();
    let peer = Peer::fast();
    let publish = |topic: &str| topics.publish(topic, "x").unwrap_err().to_string();
    assert_eq!(publish("a/+"), "topic \"a/+\" is not valid: `+` and `#` are for filters only");
    assert_eq!(publish(""), "topic \"\" is not valid: it is empty");
    assert_eq!(publish(&"a".repeat(256)), "topic of 256 bytes is over max_topic_length = 255 bytes");
    let error = topics.subscribe(&peer.sender, "a/b+", live()).unwrap_err();
    assert_eq!(error.to_string(), "topic \"a/b+\" is not valid: `+` and `#` must be alone in their level");
}
