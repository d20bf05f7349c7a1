//! Servers that have one name, and what comes under the name of a server that did not send it: it is reported, and nothing is lost without a mark.

use std::time::Duration;

use tokio::time::sleep;
use ws_topics::{Backplane, Channel, ClusterEvent, ClusterOptions, Interest, Link, SubscribeOptions, Topics};

use crate::fake::{Fake, Net};
use crate::hostile::overheard;
use crate::peer::Peer;
use crate::support::{Server, options, servers, settle};

/// A server whose name is that of others that this starts.
fn named_alike(net: &Net, number: usize) -> Server {
    Server::start_as(net, number, options(), ClusterOptions::default().seed(Some(7)))
}

/// The messages of one server among others, which begin with its letter.
fn of(read: &[String], letter: char) -> Vec<&str> {
    read.iter().map(String::as_str).filter(|text| text.starts_with(letter)).collect()
}

fn numbered(letter: char, numbers: std::ops::Range<usize>) -> Vec<String> {
    numbers.map(|number| format!("{letter}{number}")).collect()
}

/// Hears what the servers say.
async fn spy(net: &Net) -> (<Fake as Backplane>::Link, <Fake as Backplane>::Inbox) {
    let spy = net.server(9).connect().await.unwrap();
    for channel in [Channel::Servers, Channel::Topic("news".into()), Channel::Presence("news".into())] {
        spy.0.subscribe(&Interest::Channel(channel)).await.unwrap();
    }
    spy
}

/// What a server has sent last of a kind: a live message is 0, a heartbeat 2, and presence 3. After two bytes it has the name of the server.
async fn last_of(spy: (<Fake as Backplane>::Link, <Fake as Backplane>::Inbox), kind: u8) -> Vec<u8> {
    let payloads = overheard(spy).await;
    payloads.iter().rfind(|payload| payload[1] == kind).expect("it was on its way").to_vec()
}

/// Adds to a number that a payload has at a place.
fn add(payload: &mut [u8], place: usize, more: u64) {
    let number = u64::from_be_bytes(payload[place..place + 8].try_into().unwrap());
    payload[place..place + 8].copy_from_slice(&(number + more).to_be_bytes());
}

fn is_reported(topics: &Topics, events: &[ClusterEvent]) -> (bool, bool) {
    let counts = topics.cluster_counts().unwrap();
    let (same, forged) = (
        events.iter().any(|event| matches!(event, ClusterEvent::SameName { .. })),
        events.iter().any(|event| matches!(event, ClusterEvent::Forged { .. })),
    );
    assert_eq!((same, forged), (counts.same_name > 0, counts.forged > 0), "{counts:?} {events:?}");
    (same, forged)
}

/// Events until now.
async fn events(server: &mut Server) -> Vec<ClusterEvent> {
    let mut events = Vec::new();
    while let Ok(Some(event)) = tokio::time::timeout(Duration::from_millis(1), server.events.next()).await {
        events.push(event);
    }
    events
}

#[tokio::test(start_paused = true)]
async fn servers_with_one_name_lose_nothing_of_each_other_and_report_it() {
    let net = Net::new(1);
    let mut servers = vec![named_alike(&net, 0), Server::start(&net, 1, options())];
    settle().await;
    let mut peers: Vec<_> = (0..3).map(|_| Peer::fast()).collect();
    let mut there: Vec<_> = Vec::new();
    let subscribe = |server: &Server, peer: &Peer, who: &str| {
        let options = SubscribeOptions::default().present(who, "");
        server.topics.subscribe(&peer.sender, "news", options).unwrap()
    };
    there.push(subscribe(&servers[0], &peers[0], "one"));
    there.push(subscribe(&servers[1], &peers[1], "two"));
    settle().await;
    servers.push(named_alike(&net, 2));
    there.push(subscribe(&servers[2], &peers[2], "three"));
    settle().await;
    settle().await;
    for peer in &mut peers {
        peer.read().await;
    }
    for number in 0..30 {
        servers[0].topics.publish("news", format!("a{number}")).unwrap();
        servers[2].topics.publish("news", format!("b{number}")).unwrap();
        sleep(Duration::from_millis(200)).await;
    }
    settle().await;
    for peer in &mut peers {
        let read = peer.read().await;
        assert_eq!(of(&read, 'a'), numbered('a', 0..30));
        assert_eq!(of(&read, 'b'), numbered('b', 0..30));
        assert_eq!(of(&read, 'l'), [""; 0]);
    }
    for server in &mut servers {
        assert_eq!(server.topics.presence_count("news"), 3);
        assert_eq!(server.topics.backplane().unwrap().servers, 2);
    }
    for (place, reports) in [(0, true), (1, false), (2, true)] {
        let events = events(&mut servers[place]).await;
        assert_eq!(is_reported(&servers[place].topics, &events), (reports, false), "server {place}");
    }
}

#[tokio::test(start_paused = true)]
async fn servers_with_one_name_store_each_its_own_messages() {
    let net = Net::new(1);
    let [one, two] = [named_alike(&net, 0), named_alike(&net, 1)];
    let (first, second) = tokio::join!(
        one.topics.publish_confirmed("log/a", "one"),
        two.topics.publish_confirmed("log/a", "two"),
    );
    assert_ne!(first.unwrap(), second.unwrap());
    assert_eq!(net.log("log/a").2.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_a_forged_number_or_run_has_hidden_is_marked_and_reported() {
    // The number of the message, and its run.
    for (place, letter) in [(18, 'x'), (10, 'y')] {
        let net = Net::new(1);
        let mut servers = servers::<2>(&net).await;
        let spy = spy(&net).await;
        let mut peer = Peer::fast();
        let _there = servers[1].topics.subscribe(&peer.sender, "news", SubscribeOptions::default()).unwrap();
        settle().await;
        servers[0].topics.publish("news", "first").unwrap();
        settle().await;
        let mut forged = last_of(spy, 0).await;
        add(&mut forged, place, 1 << 30);
        net.publish(&Channel::Topic("news".into()), forged);
        for number in 0..20 {
            servers[0].topics.publish("news", format!("{letter}{number}")).unwrap();
            sleep(Duration::from_millis(500)).await;
        }
        settle().await;
        let read = peer.read().await;
        let arrived = of(&read, letter);
        let hidden = 20 - arrived.len();
        assert!((1..=14).contains(&hidden), "some come again after a while: {read:?}");
        assert_eq!(arrived, numbered(letter, hidden..20), "{read:?}");
        let place = |text: &str| read.iter().position(|read| read == text);
        let (mark, next) = (place("lost ? of news"), place(arrived[0]));
        assert!(mark.is_some() && mark < next, "a mark of unknown size, before what comes next: {read:?}");
        let events = events(&mut servers[1]).await;
        assert_eq!(is_reported(&servers[1].topics, &events), (false, true));
    }
}

#[tokio::test(start_paused = true)]
async fn a_forged_heartbeat_is_reported_by_the_server_whose_name_it_has_and_what_is_lost_is_marked() {
    let net = Net::new(1);
    let mut servers = servers::<2>(&net).await;
    let heard = spy(&net).await;
    let mut peer = Peer::fast();
    let _there = servers[1].topics.subscribe(&peer.sender, "news", SubscribeOptions::default()).unwrap();
    settle().await;
    servers[0].topics.publish("news", "a0").unwrap();
    settle().await;
    // From which server it is makes no difference here: both hear it.
    let mut forged = last_of(heard, 2).await;
    add(&mut forged, 10, 1_000);
    net.publish(&Channel::Servers, forged);
    settle().await;
    net.lose("a1", 1);
    for number in 1..3 {
        servers[0].topics.publish("news", format!("a{number}")).unwrap();
    }
    settle().await;
    settle().await;
    let read = peer.read().await;
    assert_eq!(of(&read, 'a'), ["a0", "a2"]);
    assert!(!of(&read, 'l').is_empty(), "{read:?}");
    let mut reported = 0;
    for server in &mut servers {
        let events = events(server).await;
        reported += usize::from(is_reported(&server.topics, &events).0);
        let state = server.topics.backplane().unwrap();
        assert!(state.up && state.servers == 1, "{state:?}");
    }
    assert_eq!(reported, 1);
}

#[tokio::test(start_paused = true)]
async fn forged_members_disappear_and_are_reported() {
    let net = Net::new(1);
    let mut servers = servers::<2>(&net).await;
    let heard = spy(&net).await;
    let (peer, other) = (Peer::fast(), Peer::fast());
    let present = |who: &str| SubscribeOptions::default().present(who, "");
    let _one = servers[0].topics.subscribe(&peer.sender, "news", present("one")).unwrap();
    settle().await;
    let _two = servers[1].topics.subscribe(&other.sender, "news", present("two")).unwrap();
    settle().await;
    assert_eq!(servers[1].topics.presence_count("news"), 2);
    // Up to the note it is as it was; this one is a whole list, of a version that is far ahead, with one member.
    let payload = last_of(heard, 3).await;
    let mut forged = payload[..14 + "news".len()].to_vec();
    let version = payload.len() - 8;
    forged.push(2);
    forged.extend_from_slice(&payload[version..]);
    let at = forged.len() - 8;
    add(&mut forged, at, 1_000);
    forged.extend_from_slice(&[0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 7]);
    forged.extend_from_slice(b"mallory\0\0\0\0");
    net.publish(&Channel::Presence("news".into()), forged);
    sleep(Duration::from_millis(1)).await;
    let lists = |servers: &[Server]| -> Vec<bool> {
        servers
            .iter()
            .map(|server| server.topics.presence("news").iter().any(|it| &*it.identity == "mallory"))
            .collect()
    };
    assert!(lists(&servers).contains(&true), "it was taken");
    settle().await;
    settle().await;
    assert_eq!(lists(&servers), [false, false]);
    assert!(servers.iter().all(|server| server.topics.presence_count("news") == 2));
    let mut reported = 0;
    for server in &mut servers {
        let events = events(server).await;
        reported += usize::from(is_reported(&server.topics, &events).0);
    }
    assert_eq!(reported, 1);
}
