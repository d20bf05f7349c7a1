//! Messages to subscribers that are too slow.

use std::sync::Arc;

use tokio::task::yield_now;
use ws_tokio::CloseCode;
use ws_topics::{SlowSubscriber, SubscribeOptions, Topics, TopicsOptions};

use crate::support::{Peer, check_counts, text, topics};

fn with(slow: SlowSubscriber, most: usize) -> SubscribeOptions {
    SubscribeOptions::default().slow(slow).max_messages(most)
}

/// Publishes the numbers from 0 to 19, two of which a slow peer has room for; returns how many were dropped.
fn publish_twenty(topics: &Topics) -> u64 {
    (0..20).map(|n| topics.publish("a", text(n)).unwrap().dropped).sum()
}

/// The same, and lets the connections write each before the next.
async fn publish_twenty_apart(topics: &Topics) {
    for n in 0..20 {
        topics.publish("a", text(n)).unwrap();
        yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn drop_oldest_keeps_the_latest_and_marks_the_gap_before_them() {
    let topics = topics(TopicsOptions::default());
    let mut peer = Peer::slow();
    let subscription = topics.subscribe(&peer.sender, "a", with(SlowSubscriber::DropOldest, 3)).unwrap();
    assert_eq!(publish_twenty(&topics), 15);
    assert_eq!((subscription.waiting(), subscription.dropped()), (3, 15));
    assert_eq!(peer.read().await, ["0", "1", "lost 15 of a (3-17)", "17", "18", "19"]);
    let stats = topics.stats();
    assert_eq!((stats.offered, stats.delivered, stats.dropped, stats.gaps), (20, 5, 15, 1));
}

#[tokio::test(start_paused = true)]
async fn drop_newest_keeps_the_first_and_marks_the_gap_behind_them() {
    let topics = topics(TopicsOptions::default());
    let mut peer = Peer::slow();
    let subscription = topics.subscribe(&peer.sender, "a", with(SlowSubscriber::DropNewest, 3)).unwrap();
    assert_eq!(publish_twenty(&topics), 15);
    assert_eq!(subscription.dropped(), 15);
    // Nothing is published any more: the mark comes all the same.
    assert_eq!(peer.read().await, ["0", "1", "2", "3", "4", "lost 15 of a (6-20)"]);
    topics.publish("a", text("later")).unwrap();
    assert_eq!(peer.read().await, ["later"]);
    check_counts(&topics);
}

#[tokio::test(start_paused = true)]
async fn conflation_keeps_the_latest_of_a_topic_in_order() {
    let topics = topics(TopicsOptions::default());
    let mut peer = Peer::slow();
    let _a = topics.subscribe(&peer.sender, "a", with(SlowSubscriber::Conflate(None), 10)).unwrap();
    let _b = topics.subscribe(&peer.sender, "b/+", with(SlowSubscriber::Conflate(None), 10)).unwrap();
    publish_twenty_apart(&topics).await;
    for n in 20..26 {
        topics.publish(if n % 2 == 0 { "b/x" } else { "b/y" }, text(n)).unwrap();
        yield_now().await;
    }
    let expected = ["0", "1", "lost 17 of a (3-19)", "19", "lost 4 of b/+", "24", "25"];
    assert_eq!(peer.read().await, expected, "topics that a filter matches are conflated each by itself");
    check_counts(&topics);
}

#[tokio::test(start_paused = true)]
async fn conflation_by_key_keeps_the_latest_of_each_key_in_order() {
    let topics = topics(TopicsOptions::default());
    let mut peer = Peer::slow();
    let by_parity = SlowSubscriber::Conflate(Some(Arc::new(|message| {
        message.as_text().unwrap().trim().parse::<u64>().unwrap() % 2
    })));
    let _subscription = topics.subscribe(&peer.sender, "a", with(by_parity, 10)).unwrap();
    publish_twenty_apart(&topics).await;
    assert_eq!(peer.read().await, ["0", "1", "lost 16 of a (3-18)", "18", "19"]);
}

/// In a destructor that runs since the function has panicked before, it would end the process.
#[tokio::test(start_paused = true)]
async fn a_function_of_keys_that_panics_costs_no_other_message_and_the_bounds_hold() {
    let topics = topics(TopicsOptions::default());
    let (mut fast, mut slow) = (Peer::fast(), [Peer::slow(), Peer::slow(), Peer::slow()]);
    let by_number = SlowSubscriber::Conflate(Some(Arc::new(|message| {
        message.as_text().unwrap().trim().parse().expect("a number")
    })));
    let subscribe =
        |peer: &Peer, most| topics.subscribe(&peer.sender, "a", with(by_number.clone(), most)).unwrap();
    let _subscriptions =
        [subscribe(&slow[0], 4), subscribe(&slow[1], 5), subscribe(&slow[2], 5), subscribe(&fast, 4)];
    let texts = ["1", "2", "bad", "3", "worse", "3", "4", "5"];
    for content in texts {
        topics.publish("a", text(content)).unwrap();
        yield_now().await;
    }
    // The later of equal numbers stays, and what is no number replaces nothing; the oldest goes where four may wait.
    let [four, others @ ..] = &mut slow;
    assert_eq!(four.read().await, ["1", "2", "lost 2 of a (3-4)", "worse", "3", "4", "5"]);
    for peer in others {
        assert_eq!(peer.read().await, ["1", "2", "bad", "lost 1 of a (4-4)", "worse", "3", "4", "5"]);
    }
    assert_eq!(fast.read().await, texts);
    check_counts(&topics);
}

#[tokio::test(start_paused = true)]
async fn a_gap_mark_that_panics_is_left_out() {
    let topics = Topics::new(TopicsOptions::default().gap_mark(|_| panic!("no mark"))).unwrap();
    let mut peer = Peer::slow();
    let _subscription = topics.subscribe(&peer.sender, "a", with(SlowSubscriber::DropOldest, 3)).unwrap();
    assert_eq!(publish_twenty(&topics), 15);
    assert_eq!(peer.read().await, ["0", "1", "17", "18", "19"]);
    check_counts(&topics);
}

#[tokio::test(start_paused = true)]
async fn a_subscriber_that_is_to_be_closed_for_being_slow_is_closed_with_1013() {
    let topics = topics(TopicsOptions::default());
    let mut peer = Peer::slow();
    let subscription = topics.subscribe(&peer.sender, "a", with(SlowSubscriber::Close, 3)).unwrap();
    let closed: u64 = (0..20).map(|n| topics.publish("a", text(n)).unwrap().closed).sum();
    assert_eq!(closed, 1);
    assert!(subscription.is_ended());
    assert_eq!(topics.subscribers("a"), 0);
    assert_eq!(peer.read().await, ["0", "1"]);
    assert_eq!(peer.client.close_info().unwrap().code(), CloseCode::TRY_AGAIN_LATER);
    let stats = topics.stats();
    assert_eq!((stats.offered, stats.delivered, stats.ended), (6, 2, 4));
}

#[tokio::test(start_paused = true)]
async fn bytes_are_bounded_as_messages_are() {
    let topics = topics(TopicsOptions::default());
    let mut peer = Peer::slow();
    let options = SubscribeOptions::default().max_bytes(2 * (500 + 512));
    let _subscription = topics.subscribe(&peer.sender, "a", options).unwrap();
    publish_twenty(&topics);
    assert_eq!(topics.stats().waiting_bytes, 2 * (500 + 512));
    assert_eq!(peer.read().await, ["0", "1", "lost 16 of a (3-18)", "18", "19"]);
}

#[tokio::test(start_paused = true)]
async fn all_subscriptions_of_a_connection_together_are_bounded_too() {
    let topics = topics(TopicsOptions::default().max_waiting_messages(4));
    let mut peer = Peer::slow();
    let _a = topics.subscribe(&peer.sender, "a", with(SlowSubscriber::DropOldest, 100)).unwrap();
    let _b = topics.subscribe(&peer.sender, "b", with(SlowSubscriber::DropNewest, 100)).unwrap();
    for n in 0..5 {
        topics.publish("a", text(n)).unwrap();
    }
    for n in 5..10 {
        topics.publish("b", text(n)).unwrap();
    }
    topics.publish("a", text(10)).unwrap();
    assert_eq!(topics.stats().waiting, 4);
    let expected = ["0", "1", "lost 1 of a (3-3)", "3", "4", "5", "lost 4 of b (2-5)", "10"];
    assert_eq!(peer.read().await, expected);
    check_counts(&topics);
}

#[tokio::test(start_paused = true)]
async fn a_subscriber_gets_one_mark_for_each_place_where_something_is_missing() {
    let topics = topics(TopicsOptions::default());
    let mut peer = Peer::slow();
    let _subscription = topics.subscribe(&peer.sender, "a", with(SlowSubscriber::DropNewest, 1)).unwrap();
    for n in 0..5 {
        topics.publish("a", text(n)).unwrap();
    }
    assert_eq!(peer.read().await, ["0", "1", "2", "lost 2 of a (4-5)"]);
    for n in 5..10 {
        topics.publish("a", text(n)).unwrap();
    }
    assert_eq!(peer.read().await, ["5", "6", "7", "lost 2 of a (9-10)"]);
}

#[tokio::test(start_paused = true)]
async fn without_a_mark_messages_go_on_behind_the_gap() {
    let topics = Topics::new(TopicsOptions::default().gap_mark(|_| None)).unwrap();
    let mut peer = Peer::slow();
    let _subscription = topics.subscribe(&peer.sender, "a", with(SlowSubscriber::DropOldest, 1)).unwrap();
    publish_twenty(&topics);
    assert_eq!(peer.read().await, ["0", "1", "19"]);
    assert_eq!(topics.stats().gaps, 0);
}

#[tokio::test(start_paused = true)]
async fn a_slow_subscriber_delays_no_other() {
    let topics = topics(TopicsOptions::default());
    let (slow, mut fast) = (Peer::slow(), Peer::fast());
    let _slow = topics.subscribe(&slow.sender, "a", with(SlowSubscriber::DropOldest, 3)).unwrap();
    let _fast = topics.subscribe(&fast.sender, "a", SubscribeOptions::default()).unwrap();
    publish_twenty(&topics);
    assert_eq!(fast.read().await, (0..20).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_message_larger_than_the_bytes_that_may_wait_is_lost_for_a_slow_subscriber_only() {
    let topics = topics(TopicsOptions::default());
    let (mut slow, mut fast) = (Peer::slow(), Peer::fast());
    let options = || SubscribeOptions::default().max_bytes(1_100);
    let _slow = topics.subscribe(&slow.sender, "a", options()).unwrap();
    let _fast = topics.subscribe(&fast.sender, "a", options()).unwrap();
    topics.publish_all((0..2).map(|n| ("a", text(n)))).unwrap();
    let large = "large".to_owned() + &" ".repeat(1_000);
    topics.publish("a", large).unwrap();
    topics.publish("a", text(3)).unwrap();
    assert_eq!(fast.read().await, ["0", "1", "large", "3"]);
    assert_eq!(slow.read().await, ["0", "1", "lost 1 of a (3-3)", "3"]);
    check_counts(&topics);
}
