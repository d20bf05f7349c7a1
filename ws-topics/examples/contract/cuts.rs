//! Connections to a server that are cut, or pass no bytes, by a proxy in between.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;
use ws_topics::bytes::Bytes;
use ws_topics::{Backplane, Channel, Entry, History, Inbox, Incoming, Interest, Link};

use crate::contract::Names;

/// What happens when a connection is cut, or does not pass bytes any more.
pub(crate) async fn cuts<B: Backplane>(
    through: &impl Fn(SocketAddr) -> B,
    server: &str,
    names: &Names,
) -> usize {
    let patience = Duration::from_secs(5);
    for what in [Pass::Closed, Pass::Nothing] {
        let proxy = Proxy::start(server).await;
        let backplane = through(proxy.address);
        let (link, mut inbox) = backplane.connect().await.expect("through the proxy");
        let (name, history) = (names.topic(&format!("cut-{what:?}")), History::default());
        link.subscribe(&Interest::Channel(Channel::Topic(name.clone()))).await.expect("subscribed");
        let entries: Vec<_> = (1..=3).map(|id| Entry { id, payload: "x".into() }).collect();
        let before = link.append(&name, &history, &entries[..2]).await.expect("stored");
        proxy.pass.send_replace(what);
        let begun = Instant::now();
        let waiting = timeout(patience, link.append(&name, &history, &entries[1..])).await;
        assert!(waiting.expect("an append ends with its connection").is_err());
        let end = timeout(patience, async {
            loop {
                if let Err(error) = inbox.next().await {
                    break error;
                }
            }
        });
        let error = end.await.expect("the inbox ends with its connection");
        println!("  {} {what:?}: {error} after {:?}", B::NAME, begun.elapsed());
        assert!(
            timeout(patience, link.publish(&Channel::Servers, "x".into())).await.expect("in time").is_err()
        );
        let again = timeout(patience, backplane.connect()).await.expect("connecting has a time limit");
        let error = again.err().expect("nothing passes");
        assert!(error.to_string().contains(&proxy.address.to_string()), "{error}");
        drop((link, inbox));
        proxy.pass.send_replace(Pass::All);
        // The outcome was unknown: the same call again stores what is missing, once.
        let (link, _inbox) = backplane.connect().await.expect("through the proxy again");
        let after = link.append(&name, &history, &entries).await.expect("stored");
        assert_eq!((after.epoch, after.offsets), (before.epoch, vec![1, 2, 3]));
    }
    nobody_listens(through).await;
    what_is_not_taken_is_lost_and_marked(through, server, names).await;
    what_was_published_before_the_end_is_sent(through, server, names).await;
    5
}

async fn nobody_listens<B: Backplane>(through: &impl Fn(SocketAddr) -> B) {
    let place =
        TcpListener::bind("127.0.0.1:0").await.and_then(|listener| listener.local_addr()).expect("a port");
    let error = through(place).connect().await.err().expect("nobody listens");
    println!("  {} {error}", B::NAME);
    assert!(
        error.to_string().contains(&format!("{place}")) && error.to_string().contains("start "),
        "{error}"
    );
}

/// Connects through a proxy, and subscribes to a channel.
async fn subscribed<B: Backplane>(
    through: &impl Fn(SocketAddr) -> B,
    server: &str,
    channel: &Channel,
) -> (B, B::Link, B::Inbox) {
    let backplane = through(Proxy::start(server).await.address);
    let (link, inbox) = backplane.connect().await.expect("through the proxy");
    link.subscribe(&Interest::Channel(channel.clone())).await.expect("subscribed");
    (backplane, link, inbox)
}

async fn what_is_not_taken_is_lost_and_marked<B: Backplane>(
    through: &impl Fn(SocketAddr) -> B,
    server: &str,
    names: &Names,
) {
    let channel = Channel::Topic(names.topic("slow"));
    let (_backplane, link, mut inbox) = subscribed(through, server, &channel).await;
    for number in 0..1_000_u32 {
        link.publish(&channel, Bytes::copy_from_slice(&number.to_be_bytes())).await.expect("published");
    }
    // When this one has come back, the others have.
    link.subscribe(&Interest::Channel(Channel::Servers)).await.expect("subscribed");
    tokio::time::sleep(Duration::from_millis(300)).await;
    for number in 0..100_u32 {
        let payload = Bytes::copy_from_slice(&number.to_be_bytes());
        assert_eq!(inbox.next().await.expect("connected"), Incoming::Message(payload));
    }
    assert_eq!(inbox.next().await.expect("connected"), Incoming::Lost);
}

async fn what_was_published_before_the_end_is_sent<B: Backplane>(
    through: &impl Fn(SocketAddr) -> B,
    server: &str,
    names: &Names,
) {
    let channel = Channel::Topic(names.topic("last"));
    let (backplane, _link, mut inbox) = subscribed(through, server, &channel).await;
    for _ in 0..20 {
        let (other, _inbox) = backplane.connect().await.expect("through the proxy");
        other.publish(&channel, "goodbye".into()).await.expect("published");
        drop((other, _inbox));
        let last = timeout(Duration::from_secs(5), inbox.next()).await.expect("a goodbye arrives");
        assert_eq!(last.expect("connected"), Incoming::Message("goodbye".into()));
    }
}

/// What a proxy does with bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pass {
    All,
    Nothing,
    Closed,
}

pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    pub(crate) pass: Arc<watch::Sender<Pass>>,
}

impl Proxy {
    pub(crate) async fn start(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let pass = Arc::new(watch::Sender::new(Pass::All));
        let (control, server) = (Arc::clone(&pass), server.to_owned());
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                if *control.borrow() == Pass::Closed {
                    continue;
                }
                let Ok(far) = TcpStream::connect(&server).await else { continue };
                let (near, far) = (near.into_split(), far.into_split());
                tokio::spawn(copy(near.0, far.1, control.subscribe()));
                tokio::spawn(copy(far.0, near.1, control.subscribe()));
            }
        });
        Self { address, pass }
    }
}

async fn copy(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    mut pass: watch::Receiver<Pass>,
) {
    let mut buffer = vec![0; 16 << 10];
    loop {
        let read = tokio::select! {
            ended = pass.wait_for(|pass| *pass == Pass::Closed) => { drop(ended); return }
            read = from.read(&mut buffer) => read.unwrap_or(0),
        };
        if read == 0 || pass.wait_for(|pass| *pass != Pass::Nothing).await.is_err() {
            return;
        }
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
