//! Histories, and subscribers that resume.

use std::time::Duration;

use ws_topics::{Gap, History, Position, Resumed, SlowSubscriber, SubscribeOptions, Topics, TopicsOptions};

use crate::support::{Peer, check_counts, text, topics};

fn keeping(history: History) -> Topics {
    topics(TopicsOptions::default().history("kept/#", history))
}

fn publish(topics: &Topics, numbers: std::ops::Range<u64>) -> Position {
    let mut last = None;
    for n in numbers {
        last = topics.publish("kept/a", text(n)).unwrap().position;
    }
    last.unwrap()
}

fn numbers(numbers: std::ops::Range<u64>) -> Vec<String> {
    numbers.map(|n| n.to_string()).collect()
}

fn since(position: Position) -> SubscribeOptions {
    SubscribeOptions::default().since(position)
}

#[tokio::test(start_paused = true)]
async fn a_subscriber_that_resumes_gets_what_it_missed_and_then_goes_on_live() {
    let topics = keeping(History::default());
    let seen = publish(&topics, 0..10);
    publish(&topics, 10..200);
    // It is slow: most is published while it replays.
    let mut peer = Peer::slow();
    let subscription = topics.subscribe(&peer.sender, "kept/a", since(seen)).unwrap();
    assert_eq!(subscription.resumed(), Some(Resumed::Complete { missed: 190 }));
    publish(&topics, 200..300);
    assert_eq!(peer.read().await, numbers(10..300));
    publish(&topics, 300..302);
    assert_eq!(peer.read().await, numbers(300..302));
    assert_eq!(topics.stats().dropped, 0);
    check_counts(&topics);
}

#[tokio::test(start_paused = true)]
async fn a_subscriber_that_missed_nothing_goes_on_live() {
    let topics = keeping(History::default());
    let seen = publish(&topics, 0..3);
    let mut peer = Peer::fast();
    let subscription = topics.subscribe(&peer.sender, "kept/a", since(seen)).unwrap();
    assert_eq!(subscription.resumed(), Some(Resumed::Complete { missed: 0 }));
    publish(&topics, 3..4);
    assert_eq!(peer.read().await, ["3"]);
}

#[tokio::test(start_paused = true)]
async fn a_topic_that_was_never_published_to_has_the_same_epoch_when_it_comes_again() {
    let topics = keeping(History::default());
    let peer = Peer::fast();
    let subscribe = |options| topics.subscribe(&peer.sender, "kept/a", options).unwrap();
    let begin = || {
        drop(subscribe(SubscribeOptions::default()));
        let _other = topics.subscribe(&peer.sender, "kept/b", SubscribeOptions::default()).unwrap();
        drop(topics.subscribe(&peer.sender, "news", SubscribeOptions::default()).unwrap());
        assert_eq!(topics.head("kept/a"), None, "nothing needs the topic");
        let _subscription = subscribe(SubscribeOptions::default());
        topics.head("kept/a").unwrap()
    };
    let seen = begin();
    let again = subscribe(since(seen));
    assert_eq!(again.resumed(), Some(Resumed::Complete { missed: 0 }), "nothing can have been missed");
    drop(again);
    // A topic without history that was published to is forgotten: of that name or another.
    let _subscription = topics.subscribe(&peer.sender, "news", SubscribeOptions::default()).unwrap();
    topics.publish("news", "lost").unwrap();
    drop(_subscription);
    assert_ne!(begin().epoch, seen.epoch);
}

#[tokio::test(start_paused = true)]
async fn a_subscriber_that_missed_more_than_is_kept_gets_a_mark_and_what_there_is() {
    let topics = keeping(History::default().max_messages(5));
    let seen = publish(&topics, 0..1);
    let head = publish(&topics, 1..10);
    let mut peer = Peer::fast();
    let subscription = topics.subscribe(&peer.sender, "kept/a", since(seen)).unwrap();
    let oldest = Position { offset: 6, ..head };
    assert_eq!(subscription.resumed(), Some(Resumed::Gap(Gap { oldest, head })));
    publish(&topics, 10..11);
    let mut expected = vec!["lost 4 of kept/a (2-5)".to_owned()];
    expected.extend(numbers(5..11));
    assert_eq!(peer.read().await, expected);
}

#[tokio::test(start_paused = true)]
async fn a_position_of_another_epoch_or_of_the_future_is_a_gap_of_unknown_size() {
    let topics = keeping(History::default());
    let head = publish(&topics, 0..3);
    for wrong in [Position { epoch: head.epoch ^ 1, ..head }, Position { offset: 4, ..head }] {
        let mut peer = Peer::fast();
        let subscription = topics.subscribe(&peer.sender, "kept/a", since(wrong)).unwrap();
        let oldest = Position { offset: 1, ..head };
        assert_eq!(subscription.resumed(), Some(Resumed::Gap(Gap { oldest, head })));
        assert_eq!(peer.read().await, ["lost ? of kept/a", "0", "1", "2"]);
    }
    // Another process, or another `Topics`, has other epochs.
    let restarted = keeping(History::default());
    assert_ne!(publish(&restarted, 0..1).epoch, head.epoch);
}

#[tokio::test(start_paused = true)]
async fn what_a_history_loses_during_a_slow_replay_is_marked() {
    let topics = keeping(History::default().max_messages(40));
    let seen = publish(&topics, 0..1);
    publish(&topics, 1..41);
    let mut peer = Peer::slow();
    let _subscription = topics.subscribe(&peer.sender, "kept/a", since(seen)).unwrap();
    // 32 of the 40 are fetched by now; of the other 8 two are lost.
    publish(&topics, 41..75);
    let mut expected = numbers(1..33);
    expected.push("lost 2 of kept/a (34-35)".into());
    expected.extend(numbers(35..75));
    assert_eq!(peer.read().await, expected);
    assert_eq!(topics.stats().missed, 2);
    check_counts(&topics);
}

#[tokio::test(start_paused = true)]
async fn what_is_too_old_is_not_replayed() {
    let topics = keeping(History::default().max_age(Duration::from_secs(60)));
    let seen = publish(&topics, 0..1);
    publish(&topics, 1..3);
    tokio::time::advance(Duration::from_secs(50)).await;
    publish(&topics, 3..4);
    tokio::time::advance(Duration::from_secs(11)).await;
    let mut peer = Peer::fast();
    let _subscription = topics.subscribe(&peer.sender, "kept/a", since(seen)).unwrap();
    assert_eq!(peer.read().await, ["lost 2 of kept/a (2-3)", "3"]);
}

#[tokio::test(start_paused = true)]
async fn a_message_larger_than_a_history_is_delivered_and_not_kept() {
    let topics = keeping(History::default().max_bytes(1_000));
    let mut live = Peer::fast();
    let _live = topics.subscribe(&live.sender, "kept/a", SubscribeOptions::default()).unwrap();
    let seen = publish(&topics, 0..1);
    topics.publish("kept/a", "small").unwrap();
    let mut late = Peer::fast();
    let _late = topics.subscribe(&late.sender, "kept/a", since(Position { offset: 0, ..seen })).unwrap();
    assert_eq!(live.read().await, ["0", "small"]);
    assert_eq!(late.read().await, ["lost 1 of kept/a (1-1)", "small"]);
}

#[tokio::test(start_paused = true)]
async fn a_newcomer_can_begin_with_the_latest_messages() {
    let topics = keeping(History::default());
    publish(&topics, 0..10);
    for (most, first) in [(0, 10), (3, 7), (10, 0), (u64::MAX, 0)] {
        let mut peer = Peer::fast();
        let options = SubscribeOptions::default().last(most);
        let subscription = topics.subscribe(&peer.sender, "kept/a", options).unwrap();
        assert_eq!(subscription.resumed(), None);
        assert_eq!(peer.read().await, numbers(first..10));
    }
}

#[tokio::test(start_paused = true)]
async fn a_topic_without_a_history_reports_a_gap() {
    let topics = topics(TopicsOptions::default());
    let mut keeps = Peer::fast();
    let _keeps = topics.subscribe(&keeps.sender, "a", SubscribeOptions::default()).unwrap();
    let seen = topics.publish("a", "0").unwrap().position.unwrap();
    topics.publish("a", "1").unwrap();
    let mut peer = Peer::fast();
    let _subscription = topics.subscribe(&peer.sender, "a", since(seen)).unwrap();
    topics.publish("a", "2").unwrap();
    assert_eq!(peer.read().await, ["lost 1 of a (2-2)", "2"]);
    assert_eq!(keeps.read().await, ["0", "1", "2"]);
}

#[tokio::test(start_paused = true)]
async fn what_a_connection_published_itself_is_not_replayed_to_it_but_to_its_successor() {
    let topics = keeping(History::default());
    let seen = publish(&topics, 0..1);
    let (mut author, mut successor) = (Peer::slow(), Peer::fast());
    topics.publish_from(&author.sender, "kept/a", text("mine")).unwrap();
    publish(&topics, 1..40);
    let _author = topics.subscribe(&author.sender, "kept/a", since(seen)).unwrap();
    topics.publish_from(&author.sender, "kept/a", text("mine too")).unwrap();
    let _successor = topics.subscribe(&successor.sender, "kept/a", since(seen)).unwrap();
    assert_eq!(author.read().await, numbers(1..40));
    let mut expected = numbers(1..40);
    expected.insert(0, "mine".into());
    expected.push("mine too".into());
    assert_eq!(successor.read().await, expected);
}

#[tokio::test(start_paused = true)]
async fn a_long_replay_delays_messages_of_other_topics_by_two_pieces_at_most() {
    let topics = keeping(History::default());
    let seen = publish(&topics, 0..1);
    publish(&topics, 1..100);
    let mut peer = Peer::slow();
    let _live = topics.subscribe(&peer.sender, "live", SubscribeOptions::default()).unwrap();
    let _kept = topics.subscribe(&peer.sender, "kept/a", since(seen)).unwrap();
    topics.publish("live", text("live")).unwrap();
    let read = peer.read().await;
    let place = read.iter().position(|text| text == "live").unwrap();
    assert!(place <= 64, "a message of another topic waited for {place} replayed ones");
    assert_eq!(read.len(), 100);
}

#[tokio::test(start_paused = true)]
async fn a_replay_fetches_no_more_than_a_subscription_may_have_waiting() {
    let topics = keeping(History::default());
    let seen = publish(&topics, 0..1);
    publish(&topics, 1..50);
    let bounds =
        [(since(seen).max_bytes(3 * (500 + 512)), 3), (since(seen).max_messages(4), 4), (since(seen), 32)];
    for (options, most) in bounds {
        let mut peer = Peer::slow();
        let subscription = topics.subscribe(&peer.sender, "kept/a", options).unwrap();
        assert!((1..=most).contains(&subscription.waiting()), "{} wait", subscription.waiting());
        assert_eq!(peer.read().await, numbers(1..50));
    }
}

#[tokio::test(start_paused = true)]
async fn filters_have_no_history() {
    let topics = keeping(History::default());
    let peer = Peer::fast();
    let error = topics.subscribe(&peer.sender, "kept/+", SubscribeOptions::default().last(1)).unwrap_err();
    assert_eq!(error.to_string(), "filter \"kept/+\" has no history: subscribe to a topic for it");
}

/// The figure; without optimisation gross faults only.
#[tokio::test]
async fn ten_thousand_missed_messages_are_replayed_in_a_moment() {
    let history = History::default().max_messages(10_000).max_bytes(64 << 20);
    let topics = topics(TopicsOptions::default().history("#", history));
    let seen = topics.publish("a", "0").unwrap().position.unwrap();
    topics.publish_all((1..=10_000).map(|n| ("a", n.to_string()))).unwrap();
    let mut peer = Peer::fast();
    let begun = std::time::Instant::now();
    let options = since(seen).slow(SlowSubscriber::Close);
    let _subscription = topics.subscribe(&peer.sender, "a", options).unwrap();
    for n in 1..=10_000 {
        assert_eq!(peer.client.recv().await.unwrap().unwrap().as_text().unwrap(), n.to_string());
    }
    println!("10,000 messages in {:?}", begun.elapsed());
    assert!(begun.elapsed() < Duration::from_secs(if cfg!(debug_assertions) { 10 } else { 1 }));
}
