//! Who is present.

use std::time::Duration;

use ws_topics::{Member, PresenceChange, PresenceWatch, SubscribeOptions, Topics};

use crate::support::Peer;

fn as_(identity: &str, value: &str) -> SubscribeOptions {
    SubscribeOptions::default().present(identity, value)
}

fn member(identity: &str, value: &str) -> Member {
    as_(identity, value).presence.unwrap()
}

async fn nothing_changes(watch: &mut PresenceWatch) {
    let waited = tokio::time::timeout(Duration::from_secs(1), watch.changed()).await;
    assert!(waited.is_err(), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn an_identity_joins_with_its_first_connection_and_leaves_with_its_last() {
    let topics = Topics::default();
    let mut watch = topics.watch_presence("room").unwrap();
    nothing_changes(&mut watch).await;
    let (one, two, anonymous) = (Peer::fast(), Peer::fast(), Peer::fast());
    let first = topics.subscribe(&one.sender, "room", as_("ann", "Ann")).unwrap();
    let _anonymous = topics.subscribe(&anonymous.sender, "room", SubscribeOptions::default()).unwrap();
    assert_eq!(watch.changed().await, [PresenceChange::Joined(member("ann", "Ann"))]);
    let second = topics.subscribe(&two.sender, "room", as_("ann", "Ann")).unwrap();
    nothing_changes(&mut watch).await;
    assert_eq!((topics.presence_count("room"), topics.subscribers("room")), (1, 3));
    drop(first);
    nothing_changes(&mut watch).await;
    let renamed = topics.subscribe(&one.sender, "room", as_("ann", "Anna")).unwrap();
    assert_eq!(watch.changed().await, [PresenceChange::Updated(member("ann", "Anna"))]);
    drop(renamed);
    drop(second);
    assert_eq!(watch.changed().await, [PresenceChange::Left(member("ann", "Anna"))]);
    assert_eq!(topics.presence("room"), []);
}

#[tokio::test(start_paused = true)]
async fn a_member_leaves_with_its_connection() {
    let topics = Topics::default();
    let peer = Peer::fast();
    let _subscription = topics.subscribe(&peer.sender, "room", as_("ann", "")).unwrap();
    let mut watch = topics.watch_presence("room").unwrap();
    assert_eq!(watch.changed().await, [PresenceChange::Joined(member("ann", ""))]);
    peer.leave().await;
    assert_eq!(watch.changed().await, [PresenceChange::Left(member("ann", ""))]);
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_looks_late_sees_what_has_come_of_it_and_no_more() {
    let topics = Topics::default();
    let mut watch = topics.watch_presence("room").unwrap();
    let peer = Peer::fast();
    for n in 0..1_000 {
        drop(topics.subscribe(&peer.sender, "room", as_(&n.to_string(), "")).unwrap());
    }
    nothing_changes(&mut watch).await;
    let _stays = topics.subscribe(&peer.sender, "room", as_("ann", "")).unwrap();
    assert_eq!(watch.changed().await, [PresenceChange::Joined(member("ann", ""))]);
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_waits_is_woken_by_a_join_and_by_a_leave() {
    let topics = Topics::default();
    let mut watch = topics.watch_presence("room").unwrap();
    let peer = Peer::fast();
    let join = async {
        tokio::time::sleep(Duration::from_millis(1)).await;
        topics.subscribe(&peer.sender, "room", as_("ann", "")).unwrap()
    };
    let soon = Duration::from_secs(10);
    let (changes, subscription) = tokio::join!(tokio::time::timeout(soon, watch.changed()), join);
    assert_eq!(changes.unwrap(), [PresenceChange::Joined(member("ann", ""))]);
    let leave = async {
        tokio::time::sleep(Duration::from_millis(1)).await;
        drop(subscription);
    };
    let (changes, ()) = tokio::join!(tokio::time::timeout(soon, watch.changed()), leave);
    assert_eq!(changes.unwrap(), [PresenceChange::Left(member("ann", ""))]);
}

#[tokio::test(start_paused = true)]
async fn a_topic_exists_as_long_as_its_presence_is_watched() {
    let topics = Topics::default();
    let watch = topics.watch_presence("room").unwrap();
    let peer = Peer::fast();
    drop(topics.subscribe(&peer.sender, "room", as_("ann", "")).unwrap());
    assert_eq!(topics.stats().topics, 1);
    drop(watch);
    drop(topics.subscribe(&peer.sender, "room", SubscribeOptions::default()).unwrap());
    assert_eq!(topics.stats().topics, 0);
}

#[tokio::test(start_paused = true)]
async fn presence_needs_a_topic_and_a_short_value() {
    let topics = Topics::default();
    let peer = Peer::fast();
    let error = topics.subscribe(&peer.sender, "room/#", as_("ann", "")).unwrap_err();
    assert_eq!(error.to_string(), "filter \"room/#\" has no presence: subscribe to a topic for it");
    let error = topics.subscribe(&peer.sender, "room", as_("ann", &"x".repeat(1_022))).unwrap_err();
    assert_eq!(
        error.to_string(),
        "identity and value of 1025 bytes are over max_presence_bytes = 1024 bytes"
    );
    assert_eq!(topics.stats().topics, 0);
}
