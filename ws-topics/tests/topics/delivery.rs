//! Messages to subscribers that are fast enough.

use tokio::task::yield_now;
use ws_topics::{SubscribeOptions, Topics, TopicsOptions};

use crate::support::{Peer, check_counts, text, topics};

fn live() -> SubscribeOptions {
    SubscribeOptions::default()
}

#[tokio::test(start_paused = true)]
async fn every_subscriber_gets_every_message_in_the_order_of_publishing() {
    let topics = Topics::default();
    let (mut one, mut two) = (Peer::fast(), Peer::fast());
    let _one = topics.subscribe(&one.sender, "news", live()).unwrap();
    let _two = topics.subscribe(&two.sender, "news", live()).unwrap();
    let _other = topics.subscribe(&two.sender, "sport", live()).unwrap();
    let expected: Vec<_> = (0..100).map(|n| n.to_string()).collect();
    for n in &expected {
        let published = topics.publish("news", n.as_str()).unwrap();
        assert_eq!((published.subscribers, published.dropped, published.closed), (2, 0, 0));
    }
    assert_eq!(one.read().await, expected);
    assert_eq!(two.read().await, expected);
    let stats = topics.stats();
    assert_eq!((stats.offered, stats.delivered, stats.waiting), (200, 200, 0));
    assert_eq!((stats.topics, stats.connections), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn a_message_without_subscribers_and_history_is_gone() {
    let topics = Topics::default();
    let published = topics.publish("news", "lost").unwrap();
    assert_eq!((published.position, published.subscribers), (None, 0));
    assert_eq!(topics.stats().topics, 0, "no topic was made for it");
    let mut peer = Peer::fast();
    let _subscription = topics.subscribe(&peer.sender, "news", live()).unwrap();
    topics.publish("news", "seen").unwrap();
    assert_eq!(peer.read().await, ["seen"]);
}

#[tokio::test(start_paused = true)]
async fn publish_from_leaves_the_connection_out_that_publishes() {
    let topics = Topics::default();
    let (mut author, mut reader) = (Peer::fast(), Peer::fast());
    let _author = topics.subscribe(&author.sender, "chat", live()).unwrap();
    let _wild = topics.subscribe(&author.sender, "#", live()).unwrap();
    let _reader = topics.subscribe(&reader.sender, "chat", live()).unwrap();
    let clone = author.sender.clone();
    assert_eq!(topics.publish_from(&clone, "chat", "mine").unwrap().subscribers, 1);
    topics.publish("chat", "for all").unwrap();
    assert_eq!(reader.read().await, ["mine", "for all"]);
    assert_eq!(author.read().await, ["for all", "for all"], "once for each subscription");
}

#[tokio::test(start_paused = true)]
async fn what_is_published_in_a_row_reaches_each_subscriber_in_one_write() {
    let topics = Topics::default();
    let (mut one, mut two) = (Peer::fast(), Peer::fast());
    let _a = topics.subscribe(&one.sender, "a", live()).unwrap();
    let _all = topics.subscribe(&two.sender, "#", live()).unwrap();
    for n in 0..8 {
        assert_eq!(topics.publish("a", n.to_string()).unwrap().subscribers, 2);
    }
    assert_eq!((one.writes(), two.writes()), (0, 0), "nobody has waited yet");
    // One that subscribes in between gets what comes after that.
    let mut late = Peer::fast();
    let _late = topics.subscribe(&late.sender, "a", live()).unwrap();
    topics.publish("a", "8").unwrap();
    yield_now().await;
    assert_eq!((one.writes(), two.writes(), late.writes()), (1, 1, 1));
    let expected: Vec<_> = (0..9).map(|n| n.to_string()).collect();
    assert_eq!(
        (one.read().await, two.read().await, late.read().await),
        (expected.clone(), expected, vec!["8".into()])
    );

    // After 16 messages without a pause the calling task writes.
    for n in 0..40 {
        topics.publish("a", n.to_string()).unwrap();
    }
    assert_eq!(one.writes(), 1 + 2);
    yield_now().await;
    assert_eq!(one.writes(), 1 + 3);
    check_counts(&topics);
}

#[test]
fn what_is_published_is_written_at_once_outside_of_a_runtime_and_when_the_runtime_ends() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (topics, home, publishing) = (Topics::default(), runtime(), runtime());
    let (peer, _subscription) = home.block_on(async {
        let peer = Peer::fast();
        let subscription = topics.subscribe(&peer.sender, "a", live()).unwrap();
        (peer, subscription)
    });
    topics.publish("a", "outside").unwrap();
    assert_eq!(peer.writes(), 1);
    publishing.block_on(async { topics.publish("a", "inside").unwrap() });
    assert_eq!(peer.writes(), 1, "the task has not run");
    drop(publishing);
    assert_eq!(peer.writes(), 2);
    runtime().block_on(async {
        topics.publish("a", "in another").unwrap();
        yield_now().await;
    });
    assert_eq!(peer.writes(), 3);
    home.block_on(async move {
        let mut peer = peer;
        assert_eq!(peer.read().await, ["outside", "inside", "in another"]);
    });
}

#[tokio::test(start_paused = true)]
async fn a_batch_reaches_each_subscriber_in_one_write() {
    let topics = Topics::default();
    let (mut one, mut two) = (Peer::fast(), Peer::fast());
    let _a = topics.subscribe(&one.sender, "a", live()).unwrap();
    let _b = topics.subscribe(&one.sender, "b", live()).unwrap();
    let _two = topics.subscribe(&two.sender, "b", live()).unwrap();
    let messages = (0..8).map(|n| (if n % 2 == 0 { "a" } else { "b" }, n.to_string()));
    let published = topics.publish_all(messages).unwrap();
    assert_eq!((published.subscribers, published.dropped), (4 + 8, 0));
    assert_eq!((one.writes(), two.writes()), (1, 1));
    let mut batch = topics.batch();
    for n in 8..16 {
        assert_eq!(batch.publish("b", n.to_string()).unwrap().unwrap().offset, n - 3);
    }
    batch.publish_from(&one.sender, "b", "16").unwrap();
    assert_eq!((one.writes(), two.writes()), (1, 1), "not before the end of the batch");
    drop(batch);
    assert_eq!((one.writes(), two.writes()), (2, 2));
    assert_eq!(one.read().await, (0..16).map(|n| n.to_string()).collect::<Vec<_>>());
    assert_eq!(two.read().await, ["1", "3", "5", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16"]);
}

#[tokio::test(start_paused = true)]
async fn a_batch_larger_than_the_bounds_makes_no_fast_subscriber_slow() {
    let topics = topics(TopicsOptions::default());
    let mut peer = Peer::fast();
    let _subscription = topics.subscribe(&peer.sender, "a", live().max_messages(3)).unwrap();
    let published = topics.publish_all((0..1_000).map(|n| ("a", n.to_string()))).unwrap();
    assert_eq!((published.subscribers, published.dropped), (1_000, 0));
    assert_eq!(peer.read().await, (0..1_000).map(|n| n.to_string()).collect::<Vec<_>>());
    check_counts(&topics);
}

#[tokio::test(start_paused = true)]
async fn a_batch_of_one_message_is_written_when_it_ends() {
    let topics = Topics::default();
    let mut peer = Peer::fast();
    let _subscription = topics.subscribe(&peer.sender, "a", live()).unwrap();
    topics.publish_all([("a", "one")]).unwrap();
    assert_eq!(peer.writes(), 1);
    assert_eq!(peer.read().await, ["one"]);
}

#[tokio::test(start_paused = true)]
async fn a_long_batch_has_no_more_waiting_than_the_bounds_allow() {
    let topics = topics(TopicsOptions::default());
    let (fast, slow) = (Peer::fast(), Peer::slow());
    let subscriptions =
        [&fast, &slow].map(|peer| topics.subscribe(&peer.sender, "a", live().max_messages(3)).unwrap());
    let mut batch = topics.batch();
    for n in 0..100 {
        batch.publish("a", text(n)).unwrap();
        assert!(subscriptions.iter().all(|subscription| subscription.waiting() <= 3), "after {n}");
    }
    let published = batch.finish();
    assert_eq!((published.subscribers, published.dropped), (200, 100 - 2 - 3));
    check_counts(&topics);
}

#[tokio::test(start_paused = true)]
async fn what_was_published_before_a_message_that_cannot_be_framed_is_written() {
    let topics = topics(TopicsOptions::default().frame(|it| {
        assert_ne!(it.message.as_text(), Some("bad"));
        it.message.clone()
    }));
    let mut peer = Peer::fast();
    let _subscription = topics.subscribe(&peer.sender, "a", SubscribeOptions::default()).unwrap();
    // The connection waits by now, and the task that writes has not run when the function panics.
    assert!(peer.read().await.is_empty());
    topics.publish("a", "before").unwrap();
    let publish = || topics.publish("a", "bad");
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(publish)).is_err());
    assert_eq!(peer.read().await, ["before"]);
    topics.publish("a", "behind").unwrap();
    assert_eq!(peer.read().await, ["behind"]);
    check_counts(&topics);
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_is_refused_in_the_middle_has_published_what_came_before() {
    let topics = Topics::default();
    let mut peer = Peer::fast();
    let _subscription = topics.subscribe(&peer.sender, "a", live()).unwrap();
    topics.publish_all([("a", "1"), ("a/+", "2"), ("a", "3")]).unwrap_err();
    assert_eq!(peer.read().await, ["1"]);
}

#[tokio::test(start_paused = true)]
async fn a_frame_is_made_once_for_each_message_with_its_position() {
    let options = TopicsOptions::default().frame(|publication| {
        let (topic, offset) = (publication.topic, publication.position.offset);
        format!("{topic} {offset} {}", publication.message.as_text().unwrap()).into()
    });
    let topics = Topics::new(options).unwrap();
    let mut peer = Peer::fast();
    let _subscription = topics.subscribe(&peer.sender, "a", live()).unwrap();
    let first = topics.publish("a", "x").unwrap().position.unwrap();
    let second = topics.publish("a", "y").unwrap().position.unwrap();
    assert_eq!((first.offset, second.offset, first.epoch), (1, 2, second.epoch));
    assert_eq!(topics.head("a"), Some(second));
    assert_eq!(peer.read().await, ["a 1 x", "a 2 y"]);
}

#[test]
fn publishing_works_outside_of_a_runtime() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let topics = Topics::default();
    let (mut peer, subscription) = runtime.block_on(async {
        let peer = Peer::fast();
        let subscription = topics.subscribe(&peer.sender, "a", live()).unwrap();
        (peer, subscription)
    });
    topics.publish("a", "from elsewhere").unwrap();
    assert_eq!(runtime.block_on(peer.client.recv()).unwrap(), Some("from elsewhere".into()));
    drop(subscription);
}
