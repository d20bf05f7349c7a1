//! Who is present.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use ws_topics::{Member, PresenceChange, PresenceWatch, SubscribeOptions, Topics, TopicsOptions};

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

/// What the reports of a watch add up to.
fn add_up(known: &mut BTreeMap<String, String>, changes: Vec<PresenceChange>) {
    for change in changes {
        match change {
            PresenceChange::Reset => known.clear(),
            PresenceChange::Joined(member) => {
                assert_eq!(known.insert(member.identity.to_string(), member.value.to_string()), None);
            }
            PresenceChange::Updated(member) => {
                let before = known.insert(member.identity.to_string(), member.value.to_string());
                assert!(before.is_some_and(|before| *before != *member.value), "{member:?}");
            }
            PresenceChange::Left(member) => {
                assert_eq!(known.remove(&*member.identity).as_deref(), Some(&*member.value));
            }
            _ => unreachable!(),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_watches_report_adds_up_to_who_is_present_however_far_behind_they_are() {
    let topics = Topics::new(TopicsOptions::default().max_subscriptions(10_000)).unwrap();
    let peer = Peer::fast();
    let mut watches: Vec<_> =
        (0..4).map(|_| (topics.watch_presence("room").unwrap(), BTreeMap::new())).collect();
    let (mut present, mut seed, mut resets) = (Vec::new(), 1_u64, 0);
    for step in 0..20_000_usize {
        // An LCG of Knuth's: MMIX.
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let chance = (seed >> 33) as usize;
        if chance % 5 < 2 && !present.is_empty() {
            drop(present.swap_remove(chance / 5 % present.len()));
        } else {
            // Some identities have several connections, and several values.
            let (identity, value) = ((chance / 5 % 500).to_string(), (chance / 2_500 % 3).to_string());
            present.push(topics.subscribe(&peer.sender, "room", as_(&identity, &value)).unwrap());
        }
        if present.len() > 600 {
            present.clear();
        }
        for (number, (watch, known)) in watches.iter_mut().enumerate() {
            // One that looks every time, and others that look ever more rarely.
            if step % [1, 7, 300, 5_000][number] == 0
                && let Ok(changes) = tokio::time::timeout(Duration::from_millis(1), watch.changed()).await
            {
                resets += changes.iter().filter(|change| **change == PresenceChange::Reset).count();
                add_up(known, changes);
                let now = topics.presence("room");
                let now: BTreeMap<_, _> =
                    now.into_iter().map(|it| (it.identity.to_string(), it.value.to_string())).collect();
                assert_eq!(*known, now, "watch {number} at step {step}");
            }
        }
    }
    assert!(resets > 1, "{resets} watches were too far behind");
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_is_too_far_behind_gets_the_whole_list_and_says_so() {
    let topics = Topics::default();
    let peer = Peer::fast();
    let mut watch = topics.watch_presence("room").unwrap();
    let _ann = topics.subscribe(&peer.sender, "room", as_("ann", "")).unwrap();
    assert_eq!(watch.changed().await, [PresenceChange::Joined(member("ann", ""))]);
    for n in 0..1_000 {
        drop(topics.subscribe(&peer.sender, "room", as_(&n.to_string(), "")).unwrap());
    }
    let bob = topics.subscribe(&peer.sender, "room", as_("bob", "")).unwrap();
    let mut changes = watch.changed().await;
    assert_eq!(changes.remove(0), PresenceChange::Reset);
    changes.sort_by_key(|change| format!("{change:?}"));
    assert_eq!(changes, ["ann", "bob"].map(|it| PresenceChange::Joined(member(it, ""))));
    drop(bob);
    assert_eq!(watch.changed().await, [PresenceChange::Left(member("bob", ""))]);
}

#[tokio::test]
async fn a_change_of_presence_costs_a_watch_the_same_however_many_are_present() {
    let peer = Peer::fast();
    let mut least = [Duration::MAX; 2];
    for (place, present) in [(0, 10), (1, 10_000)] {
        let topics = Topics::new(TopicsOptions::default().max_subscriptions(usize::MAX)).unwrap();
        let join =
            |number: usize| topics.subscribe(&peer.sender, "room", as_(&number.to_string(), "")).unwrap();
        let _present: Vec<_> = (0..present).map(join).collect();
        let mut watches: Vec<_> = (0..20).map(|_| topics.watch_presence("room").unwrap()).collect();
        for watch in &mut watches {
            assert_eq!(watch.changed().await.len(), present);
        }
        for number in 0..20 {
            let _comes = join(present + number);
            let begun = Instant::now();
            for watch in &mut watches {
                assert!(!watch.changed().await.is_empty());
            }
            least[place] = least[place].min(begun.elapsed());
        }
    }
    // A comparison of the lists took some five hundred times as long.
    assert!(least[1] < least[0] * 20, "{least:?}");
}
