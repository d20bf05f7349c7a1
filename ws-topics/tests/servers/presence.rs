//! Who is present, on all servers together.

use std::time::Duration;

use tokio::time::sleep;
use ws_topics::{SubscribeOptions, Topics};

use crate::fake::{Faults, Health, Net};
use crate::peer::Peer;
use crate::support::{Server, servers, settle};

fn as_(identity: &str) -> SubscribeOptions {
    SubscribeOptions::default().present(identity, "value")
}

fn present(topics: &Topics) -> Vec<String> {
    let mut present: Vec<_> =
        topics.presence("room").iter().map(|member| member.identity.to_string()).collect();
    present.sort();
    assert_eq!(topics.presence_count("room"), present.len());
    present
}

#[tokio::test(start_paused = true)]
async fn members_of_all_servers_are_listed_on_each_and_leave_with_their_connections() {
    let net = Net::new(1);
    let servers = servers::<3>(&net).await;
    let (ann, bob, both) = (Peer::fast(), Peer::fast(), Peer::fast());
    let mut watch = servers[2].topics.watch_presence("room").unwrap();
    let _watch = servers[1].topics.watch_presence("room").unwrap();
    let _ann = servers[0].topics.subscribe(&ann.sender, "room", as_("ann")).unwrap();
    let bob_there = servers[1].topics.subscribe(&bob.sender, "room", as_("bob")).unwrap();
    let both_there = servers[1].topics.subscribe(&both.sender, "room", as_("ann")).unwrap();
    settle().await;
    for server in &servers {
        assert_eq!(present(&server.topics), ["ann", "bob"]);
    }
    assert_eq!(watch.changed().await.len(), 2);
    drop((bob_there, both_there));
    settle().await;
    for server in &servers {
        assert_eq!(present(&server.topics), ["ann"]);
    }
    assert_eq!(watch.changed().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_members_of_a_dead_server_disappear_after_three_heartbeats() {
    let net = Net::new(1);
    let [one, two] = servers::<2>(&net).await;
    let (ann, bob) = (Peer::fast(), Peer::fast());
    let _ann = one.topics.subscribe(&ann.sender, "room", as_("ann")).unwrap();
    let _bob = two.topics.subscribe(&bob.sender, "room", as_("bob")).unwrap();
    settle().await;
    assert_eq!(present(&one.topics), ["ann", "bob"]);
    two.kill(&net, 1);
    sleep(Duration::from_secs(5)).await;
    assert_eq!(present(&one.topics), ["ann"]);
}

#[tokio::test(start_paused = true)]
async fn the_members_of_others_disappear_when_the_backplane_is_down_and_are_back_with_it() {
    let net = Net::new(1);
    let servers = servers::<2>(&net).await;
    let (ann, bob) = (Peer::fast(), Peer::fast());
    let _ann = servers[0].topics.subscribe(&ann.sender, "room", as_("ann")).unwrap();
    let _bob = servers[1].topics.subscribe(&bob.sender, "room", as_("bob")).unwrap();
    settle().await;
    net.health(0, Health::Dead);
    sleep(Duration::from_secs(6)).await;
    assert_eq!(
        (present(&servers[0].topics), present(&servers[1].topics)),
        (vec!["ann".into()], vec!["bob".into()])
    );
    net.health(0, Health::Well);
    sleep(Duration::from_secs(15)).await;
    for server in &servers {
        assert_eq!(present(&server.topics), ["ann", "bob"]);
    }
}

#[tokio::test(start_paused = true)]
async fn lists_of_members_agree_after_losses_repetitions_and_reorderings() {
    let net = Net::new(5);
    let servers = servers::<3>(&net).await;
    net.faults(Faults { lose: 3, repeat: 3, reorder: 3, delay: 900, refuse: 0 });
    let peers: Vec<_> = (0..30).map(|_| Peer::fast()).collect();
    let mut there = Vec::new();
    for (n, peer) in peers.iter().enumerate() {
        let server: &Server = &servers[n % 3];
        there.push(server.topics.subscribe(&peer.sender, "room", as_(&format!("{n:02}"))).unwrap());
        sleep(Duration::from_millis(300)).await;
        if n % 4 == 3 {
            drop(there.remove(n % there.len()));
        }
    }
    net.faults(Faults::default());
    sleep(Duration::from_secs(10)).await;
    let expected = present(&servers[0].topics);
    assert_eq!(expected.len(), there.len());
    assert_eq!(present(&servers[1].topics), expected);
    assert_eq!(present(&servers[2].topics), expected);
}

#[tokio::test(start_paused = true)]
async fn a_list_longer_than_a_message_reaches_a_server_that_comes_later() {
    let net = Net::new(1);
    let servers = servers::<2>(&net).await;
    let peer = Peer::fast();
    let _there: Vec<_> = (0..900)
        .map(|n| servers[0].topics.subscribe(&peer.sender, "room", as_(&n.to_string())).unwrap())
        .collect();
    settle().await;
    let _watch = servers[1].topics.watch_presence("room").unwrap();
    settle().await;
    assert_eq!(present(&servers[1].topics).len(), 900);
}
