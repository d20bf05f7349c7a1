//! One connection after another: what is tried again, what is not, and how long it waits.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::common::*;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use ws_client::{Client, ConnectError, Options, Request};

/// A server that answers one connection after another with these, `None` for a good 101, and then
/// drops each; the handle returns the requests.
async fn answering_in_turn(answers: Vec<Option<&'static str>>) -> (SocketAddr, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move {
        let mut heads = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let head = read_head(&mut stream).await;
            let answer = answer.map_or_else(|| switching(&head), |a| a.as_bytes().to_vec());
            stream.write_all(&answer).await.unwrap();
            heads.push(head);
        }
        heads
    });
    (address, serving)
}

fn hasty(change: impl FnOnce(&mut Options)) -> Client {
    let mut options = Options::default();
    options.backoff.initial = Duration::from_millis(10);
    options.backoff.max = Duration::from_millis(20);
    change(&mut options);
    options.build().unwrap()
}

const BUSY: Option<&str> = Some("HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n");
const UNAUTHORIZED: Option<&str> = Some("HTTP/1.1 401 X\r\nContent-Length: 0\r\n\r\n");

#[tokio::test]
async fn temporary_errors_lead_to_another_attempt_and_fatal_ones_are_returned() {
    let (address, serving) = answering_in_turn(vec![BUSY, Some("HTT"), None, BUSY, UNAUTHORIZED]).await;
    let mut connections = hasty(|_| ()).reconnect(format!("ws://{address}/feed")).unwrap();
    let (mut ws, negotiated) = connections.next().await.unwrap();
    assert_eq!(negotiated.response().status(), 101);
    assert!(ws.recv().await.is_err());
    let error = connections.next().await.unwrap_err();
    assert_eq!(error.response().unwrap().status(), 401);
    let heads = serving.await.unwrap();
    assert_eq!(heads.len(), 5);
    assert!(heads.iter().all(|head| head.starts_with("GET /feed ")));
}

#[tokio::test]
async fn each_attempt_to_reconnect_can_have_a_new_request() {
    let (address, serving) = answering_in_turn(vec![BUSY, None]).await;
    let tokens = Arc::new(AtomicUsize::new(0));
    let mut connections = hasty(|_| ()).reconnect_with(move || {
        let token = tokens.fetch_add(1, Ordering::SeqCst);
        async move {
            match token {
                // The place where tokens come from fails at times: that passes too.
                0 => Err(ConnectError::custom("no token today", false)),
                _ => Ok(Request::new(&format!("ws://{address}"))?
                    .header("Authorization", format!("Bearer t{token}"))?),
            }
        }
    });
    drop(connections.next().await.unwrap());
    let heads = serving.await.unwrap();
    let tokens: Vec<_> = heads.iter().map(|head| field(head, "authorization").unwrap()).collect();
    assert_eq!(tokens, ["Bearer t1", "Bearer t2"]);

    let mut connections =
        hasty(|_| ()).reconnect_with(|| async { Err(ConnectError::custom("signed out", true)) });
    assert_eq!(connections.next().await.unwrap_err().to_string(), "signed out");
}

#[tokio::test]
async fn failures_in_a_row_are_limited_when_asked() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let client = hasty(|options| options.backoff.max_failures = Some(3));
    let mut connections = client.reconnect(format!("ws://{nobody}")).unwrap();
    assert!(matches!(connections.next().await, Err(ConnectError::Dial(_))));
    assert!(format!("{connections:?}").contains("failures: 3"));
}

#[tokio::test]
async fn a_server_that_accepts_and_drops_is_not_flooded_with_connections() {
    let (address, _serving) = answering_in_turn(vec![None; 1000]).await;
    let client = hasty(|options| {
        options.backoff.initial = Duration::from_millis(100);
        options.backoff.max = Duration::from_millis(100);
    });
    let mut connections = client.reconnect(format!("ws://{address}")).unwrap();
    let started = Instant::now();
    let mut opened = 0;
    while started.elapsed() < Duration::from_millis(600) {
        drop(connections.next().await.unwrap());
        opened += 1;
    }
    // 50 ms between two on average; without delay it would be hundreds.
    assert!((1..40).contains(&opened), "{opened}");
}

#[tokio::test]
async fn retry_after_is_obeyed_up_to_the_cap() {
    let later = Some("HTTP/1.1 503 X\r\nRetry-After: 3600\r\nContent-Length: 0\r\n\r\n");
    let (address, _serving) = answering_in_turn(vec![later, None]).await;
    let client = hasty(|options| options.backoff.max = Duration::from_millis(700));
    let started = Instant::now();
    client.reconnect(format!("ws://{address}")).unwrap().next().await.unwrap();
    let took = started.elapsed();
    assert!(took >= Duration::from_millis(700) && took < Duration::from_secs(60), "{took:?}");
}

#[tokio::test]
async fn a_dropped_wait_continues_where_it_was() {
    let later = Some("HTTP/1.1 503 X\r\nRetry-After: 8\r\nContent-Length: 0\r\n\r\n");
    let (address, serving) = answering_in_turn(vec![later, None]).await;
    let client = hasty(|options| options.backoff.max = Duration::from_secs(8));
    let mut connections = client.reconnect(format!("ws://{address}")).unwrap();
    let started = Instant::now();
    // The first attempt is over when this is dropped, and the wait under way; then it is dropped twice more.
    for _ in 0..3 {
        assert!(tokio::time::timeout(Duration::from_secs(2), connections.next()).await.is_err());
    }
    connections.next().await.unwrap();
    // A wait that began anew would end after fourteen seconds at the earliest.
    let took = started.elapsed();
    assert!(took >= Duration::from_secs(8) && took < Duration::from_millis(13_500), "{took:?}");
    assert_eq!(serving.await.unwrap().len(), 2);
}

#[test]
fn impossible_delays_are_refused_when_the_client_is_built() {
    let mut options = Options::default();
    options.backoff.max = Duration::from_millis(1);
    let error = options.build().unwrap_err();
    assert_eq!(error.setting, "backoff.initial");
    assert!(
        error.to_string().contains("backoff.initial = 500ms and backoff.max = 1ms is not possible"),
        "{error}"
    );
    let mut options = Options::default();
    options.backoff.max_failures = Some(0);
    let error = options.build().unwrap_err();
    assert!(error.to_string().contains("backoff.max_failures = 0 is not possible"), "{error}");
}
