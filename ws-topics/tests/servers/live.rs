//! Live topics: local subscribers get a message at once, the others soon, and whoever misses one gets a mark.

use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use tokio::time::{sleep, timeout};
use ws_topics::{
    Channel, ClusterEvent, ClusterOptions, History, Interest, SubscribeOptions, Subscription, Topics,
};

use crate::fake::{Faults, Health, Net};
use crate::peer::Peer;
use crate::support::{Server, options, servers, settle};

fn live() -> SubscribeOptions {
    SubscribeOptions::default()
}

#[tokio::test(start_paused = true)]
async fn a_live_message_reaches_the_subscribers_of_all_servers_in_order_once() {
    let net = Net::new(1);
    let servers = servers::<3>(&net).await;
    let mut peers = [Peer::fast(), Peer::fast(), Peer::fast()];
    let _subscriptions: Vec<_> = peers
        .iter()
        .zip(&servers)
        .map(|(peer, server)| server.topics.subscribe(&peer.sender, "news", live()).unwrap())
        .collect();
    settle().await;
    for n in 0..100 {
        servers[0].topics.publish("news", n.to_string()).unwrap();
    }
    let expected: Vec<_> = (0..100).map(|n| n.to_string()).collect();
    for peer in &mut peers {
        assert_eq!(peer.read().await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_local_publish_reaches_local_subscribers_at_once_also_while_the_backplane_is_down() {
    let net = Net::new(1);
    net.health(0, Health::Dead);
    let mut server = Server::start(&net, 0, options());
    let mut peer = Peer::fast();
    let _subscription = server.topics.subscribe(&peer.sender, "news", live()).unwrap();
    assert_eq!(server.topics.publish("news", "x").unwrap().subscribers, 1);
    assert_eq!(peer.client.recv().await.unwrap().unwrap().as_text(), Some("x"));
    assert_eq!(server.event().await, ClusterEvent::Down { cause: "nobody is there".into() });
    let state = server.topics.backplane().unwrap();
    assert!(!state.up && state.name == "fake" && state.cause.as_deref() == Some("nobody is there"));
}

#[tokio::test(start_paused = true)]
async fn what_is_published_elsewhere_before_a_subscription_takes_effect_is_neither_missed_nor_marked() {
    let net = Net::new(1);
    let mut servers = servers::<2>(&net).await;
    // The backplane confirms nothing for a while, so the subscription has not taken effect.
    net.health(1, Health::Stalled);
    let (mut topic, mut filter) = (Peer::fast(), Peer::fast());
    let _topic = servers[1].topics.subscribe(&topic.sender, "news", live()).unwrap();
    let _filter = servers[1].topics.subscribe(&filter.sender, "news/#", live()).unwrap();
    sleep(Duration::from_millis(500)).await;
    assert!(!net.is_interested(1, &Interest::Channel(Channel::Topic("news".into()))));
    for text in ["early", "early too"] {
        servers[0].topics.publish("news", text).unwrap();
    }
    // What its own server publishes meanwhile it gets at once.
    servers[1].topics.publish("news", "here").unwrap();
    net.health(1, Health::Well);
    settle().await;
    servers[0].topics.publish("news", "later").unwrap();
    settle().await;
    for peer in [&mut topic, &mut filter] {
        assert_eq!(peer.read().await, ["here", "later"]);
    }
    assert!(timeout(Duration::from_secs(60), servers[1].events.next()).await.is_err(), "no gap is reported");
}

#[tokio::test(start_paused = true)]
async fn a_lost_live_message_is_a_gap_of_one_in_its_place() {
    let net = Net::new(1);
    let mut servers = servers::<2>(&net).await;
    let mut peer = Peer::fast();
    let _subscription = servers[1].topics.subscribe(&peer.sender, "news", live()).unwrap();
    settle().await;
    net.lose("lose", 2);
    for text in ["a", "lose", "lose", "b"] {
        servers[0].topics.publish("news", text).unwrap();
    }
    assert_eq!(peer.read().await, ["a", "lost 2 of news", "b"]);
    assert_eq!(servers[1].event().await, ClusterEvent::Gap { topic: "news".into(), messages: Some(2) });
}

#[tokio::test(start_paused = true)]
async fn the_loss_of_the_first_and_of_the_last_live_message_is_found_by_heartbeats() {
    let net = Net::new(1);
    let servers = servers::<2>(&net).await;
    let mut peer = Peer::fast();
    let _subscription = servers[1].topics.subscribe(&peer.sender, "news", live()).unwrap();
    settle().await;
    net.lose("lose", 1);
    servers[0].topics.publish("news", "lose").unwrap();
    sleep(Duration::from_secs(4)).await;
    assert_eq!(peer.read().await, ["lost 1 of news"]);
    servers[0].topics.publish("news", "a").unwrap();
    net.lose("lose", 1);
    servers[0].topics.publish("news", "lose").unwrap();
    sleep(Duration::from_secs(4)).await;
    assert_eq!(peer.read().await, ["a", "lost 1 of news"]);
    // Long after the topic is forgotten by its publisher.
    sleep(Duration::from_secs(60)).await;
    net.lose("lose", 1);
    servers[0].topics.publish("news", "lose").unwrap();
    servers[0].topics.publish("news", "b").unwrap();
    assert_eq!(peer.read().await, ["lost 1 of news", "b"]);
}

#[tokio::test(start_paused = true)]
async fn repeated_and_late_live_messages_are_dropped() {
    let net = Net::new(3);
    let servers = servers::<2>(&net).await;
    let mut peer = Peer::fast();
    let _subscription = servers[1].topics.subscribe(&peer.sender, "news", live()).unwrap();
    settle().await;
    net.faults(Faults { repeat: 2, reorder: 3, delay: 20, ..Faults::default() });
    for n in 0..200 {
        servers[0].topics.publish("news", n.to_string()).unwrap();
        sleep(Duration::from_millis(5)).await;
    }
    let read = peer.read().await;
    let mut next = 0;
    for text in &read {
        match text.strip_prefix("lost ") {
            Some(lost) => next += lost.split(' ').next().unwrap().parse::<u32>().unwrap(),
            None => {
                assert_eq!(text.parse::<u32>().unwrap(), next, "{read:?}");
                next += 1;
            }
        }
    }
    assert_eq!(next, 200);
    assert!(servers[1].topics.cluster_counts().unwrap().repeated > 50);
}

#[tokio::test(start_paused = true)]
async fn the_subscribers_of_a_killed_servers_topics_get_a_mark_and_those_of_one_that_ends_in_order_do_not() {
    let net = Net::new(1);
    let [watching, ending, killed] = servers::<3>(&net).await;
    let (mut peer, mut other) = (Peer::fast(), Peer::fast());
    let _subscription = watching.topics.subscribe(&peer.sender, "news", live()).unwrap();
    let _other = watching.topics.subscribe(&other.sender, "sport", live()).unwrap();
    settle().await;
    ending.topics.publish("sport", "a").unwrap();
    killed.topics.publish("news", "b").unwrap();
    settle().await;
    ending.end().await;
    killed.kill(&net, 2);
    sleep(Duration::from_secs(20)).await;
    assert_eq!(peer.read().await, ["b", "lost ? of news"]);
    assert_eq!(other.read().await, ["a"]);
    assert_eq!(watching.topics.backplane().unwrap().servers, 0);
}

#[tokio::test(start_paused = true)]
async fn a_lost_connection_is_reported_once_and_a_mark_follows_when_it_is_back() {
    let net = Net::new(1);
    let mut servers = servers::<2>(&net).await;
    let (mut peer, mut wild) = (Peer::fast(), Peer::fast());
    let _subscription = servers[1].topics.subscribe(&peer.sender, "news", live()).unwrap();
    let _wild = servers[1].topics.subscribe(&wild.sender, "sport/#", live()).unwrap();
    settle().await;
    net.health(1, Health::Dead);
    sleep(Duration::from_secs(30)).await;
    servers[0].topics.publish("news", "missed").unwrap();
    servers[1].topics.publish("news", "local").unwrap();
    net.health(1, Health::Well);
    sleep(Duration::from_secs(15)).await;
    servers[0].topics.publish("news", "back").unwrap();
    assert_eq!(peer.read().await, ["local", "lost ? of news", "back"]);
    assert_eq!(wild.read().await, ["lost ? of sport/#"]);
    assert!(matches!(servers[1].event().await, ClusterEvent::Down { .. }));
    assert_eq!(servers[1].event().await, ClusterEvent::Up);
}

#[tokio::test(start_paused = true)]
async fn a_connection_on_which_nothing_passes_is_noticed_by_the_heartbeats() {
    let net = Net::new(1);
    let mut servers = servers::<2>(&net).await;
    net.health(1, Health::Stalled);
    let ClusterEvent::Down { cause } = servers[1].event().await else { panic!("it is down") };
    assert!(cause.starts_with("no heartbeat came back for "), "{cause}");
    net.health(1, Health::Well);
    assert_eq!(servers[1].event().await, ClusterEvent::Up);
}

#[tokio::test(start_paused = true)]
async fn a_server_is_subscribed_to_the_topics_and_filters_of_its_subscribers_and_a_while_longer() {
    let net = Net::new(1);
    let servers = servers::<2>(&net).await;
    let peer = Peer::fast();
    let topic = Interest::Channel(Channel::Topic("news".into()));
    let filter = Interest::Filter("sport/#".into());
    servers[1].topics.publish("news", "x").unwrap();
    settle().await;
    assert!(!net.is_interested(1, &topic));
    for _ in 0..3 {
        let both = [
            servers[1].topics.subscribe(&peer.sender, "news", live()).unwrap(),
            servers[1].topics.subscribe(&peer.sender, "sport/#", live()).unwrap(),
        ];
        settle().await;
        assert!(
            net.is_interested(1, &topic) && net.is_interested(1, &filter) && !net.is_interested(0, &topic)
        );
        drop(both);
        sleep(Duration::from_secs(9)).await;
        assert!(net.is_interested(1, &topic) && net.is_interested(1, &filter));
    }
    sleep(Duration::from_secs(3)).await;
    assert!(!net.is_interested(1, &topic) && !net.is_interested(1, &filter));
}

#[tokio::test(start_paused = true)]
async fn a_filter_gets_the_messages_of_other_servers_and_marks_where_some_are_missing() {
    let net = Net::new(1);
    let servers = servers::<2>(&net).await;
    let mut peer = Peer::fast();
    let _subscription = servers[1].topics.subscribe(&peer.sender, "sport/+", live()).unwrap();
    settle().await;
    net.lose("lose", 1);
    for (topic, text) in
        [("sport/a", "a"), ("sport/b", "b"), ("sport/a", "lose"), ("sport", "no"), ("sport/a", "c")]
    {
        servers[0].topics.publish(topic, text).unwrap();
    }
    assert_eq!(peer.read().await, ["a", "b", "lost 1 of sport/+", "c"]);
}

#[tokio::test(start_paused = true)]
async fn local_topics_do_not_leave_their_server() {
    let net = Net::new(1);
    let start = |number| Server::start(&net, number, options().local("here/#"));
    let servers = [start(0), start(1)];
    let (mut peer, mut own) = (Peer::fast(), Peer::fast());
    let _subscription = servers[1].topics.subscribe(&peer.sender, "here/a", live()).unwrap();
    let _own = servers[0].topics.subscribe(&own.sender, "here/a", live()).unwrap();
    settle().await;
    servers[0].topics.publish("here/a", "x").unwrap();
    assert_eq!((peer.read().await.len(), own.read().await.len()), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_gap_is_in_the_history_too() {
    let net = Net::new(1);
    let servers = servers::<2>(&net).await;
    let (keeps, mut peer) = (Peer::fast(), Peer::fast());
    let _keeps = servers[1].topics.subscribe(&keeps.sender, "kept/a", live()).unwrap();
    settle().await;
    servers[0].topics.publish("kept/a", "a").unwrap();
    settle().await;
    let seen = servers[1].topics.head("kept/a").unwrap();
    net.lose("lose", 3);
    for text in ["b", "lose", "lose", "lose", "c"] {
        servers[0].topics.publish("kept/a", text).unwrap();
    }
    settle().await;
    let _late = servers[1].topics.subscribe(&peer.sender, "kept/a", live().since(seen)).unwrap();
    assert_eq!(peer.read().await, ["b", "lost 3 of kept/a", "c"]);
}

/// A gap between servers takes one offset, however many messages are missing there.
#[tokio::test(start_paused = true)]
async fn how_many_are_missing_is_unknown_to_whom_a_gap_between_servers_is_not_kept_any_more() {
    let few = |number, net: &Net| {
        Server::start(net, number, options().history("few/#", History::default().max_messages(2)))
    };
    let net = Net::new(1);
    let servers = [few(0, &net), few(1, &net)];
    let keeps = Peer::fast();
    for topic in ["few/a", "none/a"] {
        let _keeps = servers[1].topics.subscribe(&keeps.sender, topic, live()).unwrap();
        settle().await;
        servers[0].topics.publish(topic, "a").unwrap();
        settle().await;
        let seen = servers[1].topics.head(topic).unwrap();
        net.lose("lose", 3);
        for text in ["lose", "lose", "lose", "b"] {
            servers[0].topics.publish(topic, text).unwrap();
        }
        settle().await;
        let behind = servers[1].topics.head(topic).unwrap();
        for text in ["c", "d", "e"] {
            servers[0].topics.publish(topic, text).unwrap();
        }
        settle().await;
        let kept = if topic == "few/a" { &["d", "e"][..] } else { &[] };
        for (since, lost) in [(seen, "?"), (behind, if kept.is_empty() { "3" } else { "1" })] {
            let mut peer = Peer::fast();
            let _late = servers[1].topics.subscribe(&peer.sender, topic, live().since(since)).unwrap();
            let mark = format!("lost {lost} of {topic}");
            assert_eq!(peer.read().await, [&[mark.as_str()][..], kept].concat(), "{since}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_other_servers_is_bounded_and_what_does_not_fit_is_a_gap_there() {
    let net = Net::new(1);
    let few = ClusterOptions::default().max_outgoing_messages(4);
    let server = Server::start_with(&net, 1, options(), few);
    let topics = &server.topics;
    let other = Server::start(&net, 2, options());
    settle().await;
    let mut peer = Peer::fast();
    let _subscription = other.topics.subscribe(&peer.sender, "news", live()).unwrap();
    settle().await;
    // Without an await nothing is sent in between.
    for n in 0..10 {
        topics.publish("news", n.to_string()).unwrap();
    }
    let counts = topics.cluster_counts().unwrap();
    assert_eq!((counts.outgoing, counts.unsent), (4, 6));
    settle().await;
    topics.publish("news", "next").unwrap();
    assert_eq!(peer.read().await, ["0", "1", "2", "3", "lost 6 of news", "next"]);
}

#[tokio::test(start_paused = true)]
async fn a_live_message_that_the_backplane_refuses_is_a_gap_on_other_servers_and_ends_no_connection() {
    let net = Net::new(1);
    let mut servers = servers::<2>(&net).await;
    net.refuse("long");
    let (mut own, mut peer) = (Peer::fast(), Peer::fast());
    let _own = servers[0].topics.subscribe(&own.sender, "news", live()).unwrap();
    let _subscription = servers[1].topics.subscribe(&peer.sender, "news", live()).unwrap();
    settle().await;
    for text in ["a", "long", "b"] {
        servers[0].topics.publish("news", text).unwrap();
    }
    assert_eq!(own.read().await, ["a", "long", "b"]);
    assert_eq!(peer.read().await, ["a", "lost 1 of news", "b"]);
    let counts = servers[0].topics.cluster_counts().unwrap();
    assert_eq!((counts.sent, counts.unsent), (2, 1));
    assert_eq!(servers[1].event().await, ClusterEvent::Gap { topic: "news".into(), messages: Some(1) });
    assert!(servers.iter().all(|server| server.topics.backplane().unwrap().up));
}

/// Positions of a live topic are those of one server.
#[tokio::test(start_paused = true)]
async fn a_client_that_resumes_a_live_topic_on_another_server_gets_a_gap_of_unknown_size() {
    let net = Net::new(1);
    let servers = servers::<2>(&net).await;
    let keeps = [Peer::fast(), Peer::fast()];
    let _keeps: Vec<_> = keeps
        .iter()
        .zip(&servers)
        .map(|(peer, server)| server.topics.subscribe(&peer.sender, "kept/a", live()).unwrap())
        .collect();
    settle().await;
    servers[0].topics.publish("kept/a", "a").unwrap();
    let seen = servers[0].topics.head("kept/a").unwrap();
    servers[0].topics.publish("kept/a", "b").unwrap();
    settle().await;
    for (server, expected) in servers.iter().zip([&["b"][..], &["lost ? of kept/a", "a", "b"]]) {
        let mut peer = Peer::fast();
        let _resumed = server.topics.subscribe(&peer.sender, "kept/a", live().since(seen)).unwrap();
        assert_eq!(peer.read().await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn each_live_message_counts_as_sent_or_as_unsent_also_when_the_backplane_stops_in_between() {
    let net = Net::new(1);
    let mut servers = servers::<1>(&net).await;
    let counts = || servers[0].topics.cluster_counts().unwrap();
    for n in 0..3 {
        servers[0].topics.publish("news", n.to_string()).unwrap();
    }
    settle().await;
    assert_eq!((counts().sent, counts().unsent), (3, 0));
    // They wait, and so do heartbeats, which are not counted.
    net.health(0, Health::Stalled);
    for n in 3..10 {
        servers[0].topics.publish("news", n.to_string()).unwrap();
    }
    sleep(Duration::from_millis(1_500)).await;
    net.health(0, Health::Dead);
    servers[0].topics.publish("news", "10").unwrap();
    settle().await;
    assert_eq!((counts().sent, counts().unsent), (3, 8));
    assert!(matches!(servers[0].event().await, ClusterEvent::Down { .. }));
}

/// Subscribes when it is woken: in the middle of what wakes it, as another thread could.
struct SubscribesWhenWoken {
    topics: Topics,
    peer: Peer,
    subscription: Mutex<Option<Subscription>>,
}

impl Wake for SubscribesWhenWoken {
    fn wake(self: Arc<Self>) {
        let subscription = self.topics.subscribe(&self.peer.sender, "news", live()).unwrap();
        self.subscription.lock().unwrap().get_or_insert(subscription);
    }
}

#[tokio::test(start_paused = true)]
async fn a_subscription_that_is_made_at_the_event_up_begins_without_a_gap_mark() {
    let net = Net::new(1);
    let server = Server::start(&net, 0, options());
    let (topics, peer) = (server.topics.clone(), Peer::fast());
    let mut events = topics.events();
    let woken = Arc::new(SubscribesWhenWoken { topics, peer, subscription: Mutex::default() });
    {
        let mut next = Box::pin(events.next());
        assert!(next.as_mut().poll(&mut Context::from_waker(&Waker::from(Arc::clone(&woken)))).is_pending());
        settle().await;
        assert_eq!(next.await, Some(ClusterEvent::Up));
    }
    assert!(woken.subscription.lock().unwrap().is_some());
    server.topics.publish("news", "a").unwrap();
    let mut woken = Arc::into_inner(woken).unwrap();
    assert_eq!(woken.peer.read().await, ["a"]);
}
