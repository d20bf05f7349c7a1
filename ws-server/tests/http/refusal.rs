//! An answer other than 101 reaches a peer that goes on sending.

use std::time::{Duration, Instant};

use crate::common::{get, opening, run, soon};
use tokio::io::AsyncWriteExt;
use ws_server::Server;

#[tokio::test]
async fn the_whole_answer_arrives_although_the_peer_sends_a_mebibyte_after_its_head() {
    // More than the sockets between hold: a reset would destroy what is still to be sent.
    let body = "x".repeat(12 << 20);
    let server = run(Server::builder().page("/", "text/plain", body)).await;
    for head in [get("/"), opening("/", ""), "GET / HTTP/2.0\r\n\r\n".to_owned()] {
        let mut peer = server.connect().await;
        let mut all = head.clone().into_bytes();
        all.resize(all.len() + (1 << 20), b'z');
        // Sending and reading at the same time would hide a reset: here everything is sent first.
        soon(peer.0.write_all(&all)).await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        let answer = peer.text().await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let length = head.lines().find_map(|l| l.strip_prefix("Content-Length: ")).unwrap();
        assert_eq!(body.len(), length.parse::<usize>().unwrap(), "{head}");
    }
}

#[tokio::test]
async fn lingering_after_a_refusal_ends_after_linger_timeout() {
    let options =
        crate::common::options(|options| options.handshake.linger_timeout = Duration::from_millis(1500));
    let server = run(Server::builder().health("/healthz").options(options)).await;
    // This one reads its answer and then holds the connection open, for longer than the default of a second.
    let mut silent = server.connect().await;
    let begin = Instant::now();
    silent.send(get("/healthz")).await;
    assert!(silent.text().await.starts_with("HTTP/1.1 200 "));
    server.until(|stats| stats.connections() == 0).await;
    assert!(begin.elapsed() >= Duration::from_millis(1500), "{:?}", begin.elapsed());
    drop(silent);
}
