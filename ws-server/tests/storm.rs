//! Very many honest clients at once. Alone, because it needs more descriptors than a process has by default.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{Peer, echo, frame, opening, options, reply, run};
use rlimit::Resource;
use tokio::net::TcpStream;
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tokio::time::timeout;
use ws_server::Server;

const CLIENTS: u64 = 4000;
/// Of a link to another continent: so long a client has a seat.
const ROUND_TRIP: Duration = Duration::from_millis(100);

#[tokio::test]
async fn a_storm_of_four_thousand_clients_is_served_in_full() {
    let (_, hard) = rlimit::getrlimit(Resource::NOFILE).unwrap();
    rlimit::setrlimit(Resource::NOFILE, hard.min(20_000), hard).unwrap();
    // As many seats as a machine of this number of descriptors has, and so few that all are taken.
    for seats in [1024, 96] {
        storm(seats).await;
    }
}

async fn storm(seats: usize) {
    let options = options(|options| options.max_handshakes = Some(seats));
    let server = run(Server::builder().route("/", echo).options(options)).await;
    let begin = Arc::new(Barrier::new(CLIENTS as usize));
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let (begin, address) = (begin.clone(), server.address);
        clients.spawn(async move {
            begin.wait().await;
            let mut peer = Peer(TcpStream::connect(address).await.unwrap());
            tokio::time::sleep(ROUND_TRIP).await;
            peer.send(opening("/", "")).await;
            assert!(peer.head().await.starts_with("HTTP/1.1 101 "));
            peer.send(frame(0x81, b"hello")).await;
            assert_eq!(peer.bytes(7).await, reply(0x81, b"hello"));
            peer
        });
    }
    let open = timeout(Duration::from_secs(60), clients.join_all()).await.expect("a minute is enough");
    let stats = &server.stats;
    assert_eq!((stats.opened(), stats.open(), stats.failed_handshakes()), (CLIENTS, CLIENTS, 0));
    drop(open);
}
