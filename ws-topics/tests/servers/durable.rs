//! Durable topics: one log, one order, and positions that are valid on all servers.

use std::time::Duration;

use tokio::time::{sleep, timeout};
use ws_topics::{
    ClusterEvent, ClusterOptions, Gap, History, Position, Resumed, SubscribeOptions, TopicError, Topics,
    TopicsOptions,
};

use crate::fake::{Faults, Health, Net};
use crate::peer::Peer;
use crate::support::{Server, options, servers, settle};

fn live() -> SubscribeOptions {
    SubscribeOptions::default()
}

async fn publish(server: &Server, text: &str) -> Position {
    server.topics.publish_confirmed("log/a", text).await.unwrap().unwrap()
}

#[tokio::test(start_paused = true)]
async fn all_servers_have_a_durable_topic_in_one_order_with_the_same_positions() {
    let net = Net::new(1);
    let servers = servers::<3>(&net).await;
    net.faults(Faults { delay: 5, ..Faults::default() });
    let mut peers = [Peer::fast(), Peer::fast(), Peer::fast()];
    let mut subscriptions = Vec::new();
    for (peer, server) in peers.iter().zip(&servers) {
        let subscription = server.topics.subscribe(&peer.sender, "log/a", live()).unwrap();
        subscription.begun().await;
        subscriptions.push(subscription);
    }
    for n in 0..100 {
        servers[n % 3].topics.publish("log/a", n.to_string()).unwrap();
        sleep(Duration::from_millis(n as u64 % 4)).await;
    }
    settle().await;
    let first = peers[0].read().await;
    assert_eq!(first.len(), 100);
    assert!(first.iter().enumerate().all(|(n, text)| text.ends_with(&format!("@{}", n + 1))), "{first:?}");
    assert_eq!(peers[1].read().await, first);
    assert_eq!(peers[2].read().await, first);
    let heads: Vec<_> = servers.iter().map(|server| server.topics.head("log/a")).collect();
    assert!(heads[0].is_some() && heads[0] == heads[1] && heads[1] == heads[2]);
}

#[tokio::test(start_paused = true)]
async fn a_client_resumes_a_durable_topic_on_another_server_without_loss_or_duplicate() {
    let net = Net::new(1);
    let servers = servers::<2>(&net).await;
    let seen = publish(&servers[0], "a").await;
    publish(&servers[0], "b").await;
    publish(&servers[1], "c").await;
    let mut peer = Peer::fast();
    let subscription = servers[1].topics.subscribe(&peer.sender, "log/a", live().since(seen)).unwrap();
    assert_eq!(subscription.resumed(), None);
    assert_eq!(subscription.begun().await, Some(Resumed::Complete { missed: 2 }));
    assert_eq!(subscription.resumed(), Some(Resumed::Complete { missed: 2 }));
    publish(&servers[0], "d").await;
    assert_eq!(peer.read().await, ["b@2", "c@3", "d@4"]);
    // The next one begins at once.
    let mut next = Peer::fast();
    let subscription = servers[1].topics.subscribe(&next.sender, "log/a", live().last(1)).unwrap();
    assert_eq!(subscription.begun().await, None);
    assert_eq!(next.read().await, ["d@4"]);
}

#[tokio::test(start_paused = true)]
async fn a_batch_of_which_one_in_the_middle_is_stored_last_has_one_order_for_all() {
    let net = Net::new(1);
    let mut servers = servers::<2>(&net).await;
    let (mut here, mut there) = (Peer::fast(), Peer::fast());
    let mut subscriptions = Vec::new();
    for (peer, server) in [&here, &there].into_iter().zip(&servers) {
        let subscription = server.topics.subscribe(&peer.sender, "log/a", live()).unwrap();
        subscription.begun().await;
        subscriptions.push(subscription);
    }
    net.fail_once_at("middle");
    for text in ["first", "middle", "last"] {
        servers[0].topics.publish("log/a", text).unwrap();
    }
    // It fails, and so the connection is made anew; what is stored by then is not stored again.
    let cause = "one of the entries was not stored".into();
    assert_eq!(servers[0].event().await, ClusterEvent::Down { cause });
    assert_eq!(servers[0].event().await, ClusterEvent::Up);
    settle().await;
    let expected = ["first@1", "last@2", "middle@3"];
    assert_eq!(here.read().await, expected);
    assert_eq!(there.read().await, expected);
    assert_eq!(net.log("log/a").1, 3, "each is stored once");
}

#[tokio::test(start_paused = true)]
async fn a_durable_message_is_confirmed_when_it_is_stored_and_delivered_then() {
    let net = Net::new(1);
    let servers = servers::<1>(&net).await;
    let mut peer = Peer::fast();
    let subscription = servers[0].topics.subscribe(&peer.sender, "log/a", live()).unwrap();
    subscription.begun().await;
    net.health(0, Health::Stalled);
    let topics = servers[0].topics.clone();
    let stored = tokio::spawn(async move { topics.publish_confirmed("log/a", "a").await });
    sleep(Duration::from_secs(1)).await;
    assert!(!stored.is_finished());
    assert_eq!(servers[0].topics.cluster_counts().unwrap().unstored, 1);
    net.health(0, Health::Well);
    let position = stored.await.unwrap().unwrap().unwrap();
    assert_eq!((position.epoch, position.offset), (net.log("log/a").0, 1));
    assert_eq!(peer.read().await, ["a@1"]);
    // A topic that is not durable has nothing to wait for.
    assert_eq!(servers[0].topics.publish_confirmed("news", "x").await, Ok(None));
}

#[tokio::test(start_paused = true)]
async fn durable_messages_wait_while_the_backplane_is_down_and_what_was_missed_is_fetched() {
    let net = Net::new(1);
    let mut servers = servers::<2>(&net).await;
    let mut peer = Peer::fast();
    let subscription = servers[0].topics.subscribe(&peer.sender, "log/a", live()).unwrap();
    subscription.begun().await;
    publish(&servers[1], "a").await;
    settle().await;
    net.health(0, Health::Dead);
    assert!(matches!(servers[0].event().await, ClusterEvent::Down { .. }));
    servers[0].topics.publish("log/a", "mine").unwrap();
    for text in ["b", "c"] {
        publish(&servers[1], text).await;
    }
    sleep(Duration::from_secs(20)).await;
    net.health(0, Health::Well);
    assert_eq!(servers[0].event().await, ClusterEvent::Up);
    settle().await;
    let read = peer.read().await;
    assert_eq!(read, ["a@1", "b@2", "c@3", "mine@4"]);
}

#[tokio::test(start_paused = true)]
async fn a_durable_message_whose_confirmation_is_lost_is_stored_once() {
    let net = Net::new(1);
    let servers = servers::<1>(&net).await;
    let mut peer = Peer::fast();
    let subscription = servers[0].topics.subscribe(&peer.sender, "log/a", live()).unwrap();
    subscription.begun().await;
    net.lose_next_answer(0);
    let position = publish(&servers[0], "a").await;
    assert_eq!(position.offset, 1);
    assert_eq!((net.appends(), net.log("log/a").1), (2, 1));
    settle().await;
    assert_eq!(peer.read().await, ["a@1"]);
}

#[tokio::test(start_paused = true)]
async fn a_durable_message_without_confirmation_for_too_long_is_reported_as_unconfirmed() {
    let net = Net::new(1);
    let mut servers = servers::<1>(&net).await;
    net.lose_next_answer(0);
    let topics = servers[0].topics.clone();
    let stored = tokio::spawn(async move { topics.publish_confirmed("log/a", "a").await });
    sleep(Duration::from_millis(1)).await;
    net.health(0, Health::Dead);
    assert_eq!(stored.await.unwrap(), Err(TopicError::Unconfirmed { topic: "log/a".into() }));
    assert!(matches!(servers[0].event().await, ClusterEvent::Down { .. }));
    assert_eq!(servers[0].event().await, ClusterEvent::Unconfirmed { topic: "log/a".into(), messages: 1 });
}

#[tokio::test(start_paused = true)]
async fn what_waits_to_be_stored_is_bounded_and_more_is_refused() {
    let net = Net::new(1);
    let few = ClusterOptions::default().max_unstored_messages(3);
    let server = Server::start_with(&net, 0, options(), few);
    for _ in 0..3 {
        server.topics.publish("log/a", "x").unwrap();
    }
    let error = server.topics.publish("log/a", "x").unwrap_err();
    assert!(matches!(error, TopicError::BackplaneFull { messages: 3, .. }), "{error}");
    settle().await;
    server.topics.publish("log/a", "x").unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_notice_that_is_lost_is_made_up_for_by_reading_the_log() {
    let net = Net::new(1);
    let servers = servers::<2>(&net).await;
    let mut peer = Peer::fast();
    let subscription = servers[1].topics.subscribe(&peer.sender, "log/a", live()).unwrap();
    subscription.begun().await;
    net.lose("lose", 2);
    publish(&servers[0], "a").await;
    publish(&servers[0], "lose").await;
    publish(&servers[0], "b").await;
    sleep(Duration::from_millis(10)).await;
    assert_eq!(peer.read().await, ["a@1", "lose@2", "b@3"]);
    // The last one: by the next heartbeat.
    publish(&servers[0], "lose").await;
    sleep(Duration::from_millis(1_500)).await;
    assert_eq!(peer.read().await, ["lose@4"]);
}

#[tokio::test(start_paused = true)]
async fn a_log_that_is_lost_is_a_gap_of_unknown_size_and_another_begins() {
    let net = Net::new(1);
    let mut servers = servers::<2>(&net).await;
    let mut peer = Peer::fast();
    let subscription = servers[1].topics.subscribe(&peer.sender, "log/a", live()).unwrap();
    subscription.begun().await;
    let before = publish(&servers[0], "a").await;
    publish(&servers[0], "b").await;
    settle().await;
    net.lose_log("log/a");
    let after = publish(&servers[0], "c").await;
    assert_ne!(before.epoch, after.epoch);
    settle().await;
    assert_eq!(peer.read().await, ["a@1", "b@2", "lost ? of log/a", "c@1"]);
    assert_eq!(servers[1].event().await, ClusterEvent::Gap { topic: "log/a".into(), messages: None });
    let mut late = Peer::fast();
    let subscription = servers[1].topics.subscribe(&late.sender, "log/a", live().since(before)).unwrap();
    assert_eq!(subscription.begun().await, Some(Resumed::Gap(Gap { oldest: after, head: after })));
    assert_eq!(late.read().await, ["lost ? of log/a", "c@1"]);
}

#[tokio::test(start_paused = true)]
async fn what_a_log_has_lost_before_it_was_read_is_a_gap_of_that_size() {
    let net = Net::new(1);
    let servers = servers::<2>(&net).await;
    let mut peer = Peer::fast();
    let subscription = servers[1].topics.subscribe(&peer.sender, "log/a", live()).unwrap();
    subscription.begun().await;
    publish(&servers[0], "a").await;
    settle().await;
    net.health(1, Health::Dead);
    for text in ["b", "c", "d"] {
        publish(&servers[0], text).await;
    }
    net.lose_entries("log/a", 3);
    sleep(Duration::from_secs(10)).await;
    net.health(1, Health::Well);
    sleep(Duration::from_secs(20)).await;
    assert_eq!(peer.read().await, ["a@1", "lost 2 of log/a", "d@4"]);
}

#[tokio::test(start_paused = true)]
async fn a_connection_does_not_get_its_own_durable_messages_and_a_filter_gets_all_from_the_first_it_hears() {
    let net = Net::new(1);
    let servers = servers::<2>(&net).await;
    publish(&servers[0], "before").await;
    let (mut author, mut wild) = (Peer::fast(), Peer::fast());
    let subscription = servers[0].topics.subscribe(&author.sender, "log/a", live()).unwrap();
    subscription.begun().await;
    let _wild = servers[1].topics.subscribe(&wild.sender, "log/+", live()).unwrap();
    settle().await;
    servers[0].topics.publish_confirmed_from(&author.sender, "log/a", "mine").await.unwrap();
    publish(&servers[1], "other").await;
    settle().await;
    assert_eq!(author.read().await, ["other@3"]);
    assert_eq!(wild.read().await, ["mine@2", "other@3"]);
}

#[tokio::test(start_paused = true)]
async fn a_subscription_to_a_durable_topic_begins_when_the_backplane_is_there() {
    let net = Net::new(1);
    net.health(0, Health::Dead);
    let server = Server::start(&net, 0, options());
    let peer = Peer::fast();
    let subscription = server.topics.subscribe(&peer.sender, "log/a", live()).unwrap();
    assert!(timeout(Duration::from_secs(5), subscription.begun()).await.is_err());
    assert_eq!(server.topics.head("log/a"), None);
    net.health(0, Health::Well);
    assert_eq!(subscription.begun().await, None);
    assert_eq!(server.topics.head("log/a").map(|head| head.offset), Some(0));
}

#[tokio::test(start_paused = true)]
async fn a_durable_history_needs_a_backplane() {
    let options = TopicsOptions::default().history("a/#", History::default().durable(true));
    let error = Topics::new(options).unwrap_err();
    assert_eq!(
        error.to_string(),
        "history = a/# is not possible: it must not be durable without a backplane: see Topics::clustered"
    );
}

#[tokio::test(start_paused = true)]
async fn a_log_that_the_backplane_refuses_to_read_is_reported_and_read_later_and_ends_no_connection() {
    let net = Net::new(1);
    let mut servers = servers::<2>(&net).await;
    let (mut peer, mut other) = (Peer::fast(), Peer::fast());
    let _other = servers[0].topics.subscribe(&other.sender, "news", live()).unwrap();
    net.refuse_reads(true);
    let subscription = servers[0].topics.subscribe(&peer.sender, "log/a", live().last(1)).unwrap();
    // Each of these would have it read at once. It is tried again every five seconds, and that is reported.
    for n in 0..100 {
        publish(&servers[1], &n.to_string()).await;
        sleep(Duration::from_millis(200)).await;
    }
    net.refuse_reads(false);
    subscription.begun().await;
    servers[1].topics.publish("news", "n").unwrap();
    assert_eq!((peer.read().await, other.read().await), (vec!["99@100".to_owned()], vec!["n".to_owned()]));
    let refusal =
        ClusterEvent::Refused { topic: "log/a".into(), cause: "there is no room for another log".into() };
    let mut refusals = 0;
    while let Ok(event) = timeout(Duration::from_secs(30), servers[0].events.next()).await {
        assert_eq!(event.as_ref(), Some(&refusal));
        refusals += 1;
    }
    assert!((3..=5).contains(&refusals), "{refusals} in 20 seconds");
}

#[tokio::test(start_paused = true)]
async fn a_durable_message_that_may_be_stored_when_it_is_refused_is_unconfirmed() {
    let net = Net::new(1);
    let mut servers = servers::<1>(&net).await;
    let mut peer = Peer::fast();
    let subscription = servers[0].topics.subscribe(&peer.sender, "log/a", live()).unwrap();
    subscription.begun().await;
    net.lose_next_answer(0);
    let topics = servers[0].topics.clone();
    let outcome = tokio::spawn(async move { topics.publish_confirmed("log/a", "long").await });
    while net.log("log/a").1 == 0 {
        sleep(Duration::from_millis(1)).await;
    }
    net.refuse("long");
    let unconfirmed = TopicError::Unconfirmed { topic: "log/a".into() };
    assert_eq!(outcome.await.unwrap(), Err(unconfirmed));
    assert!(matches!(servers[0].event().await, ClusterEvent::Down { .. }));
    assert_eq!(servers[0].event().await, ClusterEvent::Up);
    assert_eq!(servers[0].event().await, ClusterEvent::Unconfirmed { topic: "log/a".into(), messages: 1 });
    settle().await;
    assert_eq!(peer.read().await, ["long@1"]);
    assert_eq!(servers[0].topics.cluster_counts().unwrap().unconfirmed, 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_stored_behind_a_refused_message_is_not_refused_when_the_connection_is_lost() {
    let net = Net::new(1);
    let mut servers = servers::<1>(&net).await;
    publish(&servers[0], "first").await;
    net.refuse("long");
    net.health(0, Health::Stalled);
    let outcomes = ["long", "next", "behind"].map(|text| {
        let topics = servers[0].topics.clone();
        tokio::spawn(async move { topics.publish_confirmed("log/a", text).await })
    });
    sleep(Duration::from_secs(1)).await;
    net.faults(Faults { delay: 400, ..Faults::default() });
    net.health(0, Health::Well);
    let [refused, next, behind] = outcomes;
    assert!(matches!(refused.await.unwrap(), Err(TopicError::Refused { .. })));
    // Both others are stored, and the next is on its way again by itself.
    assert_eq!(net.log("log/a").1, 3);
    net.refuse("behind");
    net.health(0, Health::Dead);
    net.faults(Faults::default());
    sleep(Duration::from_secs(1)).await;
    net.health(0, Health::Well);
    assert_eq!(next.await.unwrap().unwrap().unwrap().offset, 2);
    assert_eq!(behind.await.unwrap(), Err(TopicError::Unconfirmed { topic: "log/a".into() }));
    let refused = async |server: &mut Server| matches!(server.event().await, ClusterEvent::Refused { .. });
    assert!(refused(&mut servers[0]).await);
}

#[tokio::test(start_paused = true)]
async fn after_a_refusal_messages_are_stored_one_by_one_until_one_succeeds() {
    let net = Net::new(1);
    let servers = servers::<1>(&net).await;
    publish(&servers[0], "first").await;
    net.refuse("long");
    net.health(0, Health::Stalled);
    for text in ["long"; 50].into_iter().chain(["a", "b", "c"]) {
        servers[0].topics.publish("log/a", text).unwrap();
    }
    let before = net.appends();
    net.health(0, Health::Well);
    settle().await;
    assert_eq!(net.log("log/a").1, 4);
    // One for all, one for each other that is refused, one for the first that is not, and one for the rest.
    assert_eq!(net.appends() - before, 1 + 49 + 1 + 1);
}

#[tokio::test(start_paused = true)]
async fn a_durable_message_that_the_backplane_refuses_fails_alone_and_is_reported() {
    let net = Net::new(1);
    let mut servers = servers::<1>(&net).await;
    net.refuse("long");
    let mut peer = Peer::fast();
    let subscription = servers[0].topics.subscribe(&peer.sender, "log/a", live()).unwrap();
    subscription.begun().await;
    // While the backplane does not answer they become one batch.
    net.health(0, Health::Stalled);
    let outcomes: Vec<_> = ["a", "long", "b"]
        .into_iter()
        .map(|text| {
            let topics = servers[0].topics.clone();
            tokio::spawn(async move { topics.publish_confirmed("log/a", text).await })
        })
        .collect();
    sleep(Duration::from_secs(1)).await;
    net.health(0, Health::Well);
    let mut offsets = Vec::new();
    for outcome in outcomes {
        offsets.push(outcome.await.unwrap().map(|position| position.unwrap().offset));
    }
    let cause = "a payload is over the limit";
    let refused = TopicError::Refused { topic: "log/a".into(), cause: cause.into() };
    assert_eq!(refused.to_string(), "the message to \"log/a\" is not stored: a payload is over the limit");
    assert_eq!(offsets, [Ok(1), Err(refused), Ok(2)]);
    assert_eq!(net.log("log/a").1, 2, "each is stored once");
    assert_eq!(
        servers[0].event().await,
        ClusterEvent::Refused { topic: "log/a".into(), cause: cause.into() }
    );
    assert_eq!(peer.read().await, ["a@1", "b@2"]);
    let counts = servers[0].topics.cluster_counts().unwrap();
    assert_eq!((counts.stored, counts.unstored, counts.unconfirmed), (2, 0, 0));
}
