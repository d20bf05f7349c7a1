//! The numbers of a server.

use ws_server::Server;

use crate::common::{echo, opening, run};

#[tokio::test]
async fn the_difference_of_two_snapshots_is_what_happened_between_them() {
    let server = run(Server::builder().route("/", echo).health("/healthz")).await;
    let _before = server.open("/").await;
    let first = server.stats.snapshot();

    let _peers = (server.open("/").await, server.open("/").await);
    let mut page = server.connect().await;
    page.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    let mut foreign = server.connect().await;
    foreign.send(opening("/", "Origin: http://elsewhere.example\r\n")).await;
    let mut broken = server.connect().await;
    broken.send("nonsense\r\n\r\n").await;
    server.until(|stats| (stats.plain(), stats.refused(), stats.failed_handshakes()) == (1, 1, 1)).await;

    let second = server.stats.snapshot();
    assert_eq!(second.accepted - first.accepted, 5);
    assert_eq!((second.opened - first.opened, second.open), (2, 3));
    assert_eq!((second.plain, second.refused, second.failed_handshakes), (1, 1, 1));
    assert_eq!((second.panicked, second.failed_accepts), (0, 0));
    assert_eq!(first.plain, 0, "a snapshot stays as it was");
}
