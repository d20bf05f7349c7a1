//! Which WebSockets share an HTTP/2 connection, and for how long it lives.

use std::sync::Arc;
use std::time::Duration;

use super::common::*;
use super::frames::*;
use super::opening::listen;
use super::peer::*;
use h2::Reason;
use http::Response;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use ws_client::{ConnectError, Http2Config};

/// A client that keeps an idle connection for this long.
fn idle_for(timeout: Duration) -> ws_client::Client {
    options().http2(Http2Config::default().idle_timeout(timeout)).build().unwrap()
}

#[tokio::test]
async fn a_hundred_websockets_that_are_opened_at_once_share_one_connection() {
    let peer = Peer::echo().await;
    let client = client();
    let mut opening = JoinSet::new();
    for number in 0..100 {
        let (client, url) = (client.clone(), peer.url());
        opening.spawn(async move { (number, client.connect(url).await.unwrap().0) });
    }
    let mut websockets = soon(opening.join_all()).await;
    for (number, websocket) in &mut websockets {
        ping_pong(websocket, &format!("message {number}")).await;
    }
    assert_eq!(peer.accepted(), 1);
    for (_, websocket) in websockets {
        let mut websocket = websocket;
        soon(websocket.close(ws_client::CloseCode::NORMAL_CLOSURE, "")).await.unwrap();
    }
    peer.until_open(1).await;
    drop(client);
    peer.until_open(0).await;
}

#[tokio::test]
async fn another_connection_opens_beyond_the_servers_limit_of_streams() {
    let mut builder = allowing();
    builder.max_concurrent_streams(3);
    let peer = Peer::with(builder, Exchange::echo).await;
    let client = client();
    let mut websockets = Vec::new();
    for _ in 0..7 {
        websockets.push(soon(client.connect(peer.url())).await.unwrap().0);
    }
    assert_eq!(peer.accepted(), 3);
    for websocket in &mut websockets {
        ping_pong(websocket, "hello").await;
    }
    // A place that becomes free is used again.
    let mut first = websockets.remove(0);
    soon(first.close(ws_client::CloseCode::NORMAL_CLOSURE, "")).await.unwrap();
    drop(first);
    websockets.push(soon(client.connect(peer.url())).await.unwrap().0);
    websockets.push(soon(client.connect(peer.url())).await.unwrap().0);
    ping_pong(websockets.last_mut().unwrap(), "hello").await;
    assert_eq!(peer.accepted(), 3);
}

#[tokio::test]
async fn clients_that_were_built_apart_share_nothing() {
    let peer = Peer::echo().await;
    let (one, two) = (client(), client());
    let _open = (one.connect(peer.url()).await.unwrap(), two.connect(peer.url()).await.unwrap());
    assert_eq!(peer.accepted(), 2);
}

#[tokio::test]
async fn an_idle_connection_is_closed_after_its_timeout() {
    let peer = Peer::echo().await;
    let client = idle_for(Duration::from_millis(50));
    let (websocket, _) = client.connect(peer.url()).await.unwrap();
    // It is in use, however long.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let (mut other, _) = client.connect(peer.url()).await.unwrap();
    ping_pong(&mut other, "hello").await;
    assert_eq!(peer.accepted(), 1);
    drop((websocket, other));
    peer.until_open(0).await;
    let (mut websocket, _) = client.connect(peer.url()).await.unwrap();
    ping_pong(&mut websocket, "hello").await;
    assert_eq!(peer.accepted(), 2);
}

#[tokio::test]
async fn an_idle_timeout_of_zero_closes_a_connection_with_its_last_websocket() {
    let peer = Peer::echo().await;
    let client = idle_for(Duration::ZERO);
    for _ in 0..3 {
        let (mut websocket, _) = client.connect(peer.url()).await.unwrap();
        ping_pong(&mut websocket, "hello").await;
        drop(websocket);
        peer.until_open(0).await;
    }
    assert_eq!(peer.accepted(), 3);
}

#[tokio::test]
async fn a_websocket_outlives_its_client_and_takes_the_connection_with_it() {
    let peer = Peer::echo().await;
    let client = client();
    let (mut websocket, _) = client.connect(peer.url()).await.unwrap();
    drop(client);
    ping_pong(&mut websocket, "hello").await;
    peer.until_open(1).await;
    drop(websocket);
    peer.until_open(0).await;
}

#[tokio::test]
async fn a_connection_that_drains_takes_no_new_websocket_and_keeps_the_old() {
    let peer = Peer::echo().await;
    let client = client();
    let (mut old, _) = client.connect(peer.url()).await.unwrap();
    peer.drain();
    // The pong of a message behind the GOAWAY shows that it has arrived.
    ping_pong(&mut old, "one").await;
    ping_pong(&mut old, "two").await;
    let (mut new, _) = soon(client.connect(peer.url())).await.unwrap();
    ping_pong(&mut new, "hello").await;
    ping_pong(&mut old, "three").await;
    assert_eq!(peer.accepted(), 2);
    drop(old);
    peer.until_open(1).await;
}

#[tokio::test]
async fn a_broken_connection_leaves_the_pool() {
    let peer = Peer::echo().await;
    let client = client();
    let (mut old, _) = client.connect(peer.url()).await.unwrap();
    peer.cut();
    let error = soon(old.recv()).await.unwrap_err();
    assert!(!error.to_string().is_empty());
    let (mut new, _) = soon(client.connect(peer.url())).await.unwrap();
    ping_pong(&mut new, "hello").await;
    assert_eq!(peer.accepted(), 2);
}

#[tokio::test]
async fn a_cancelled_connect_leaks_no_stream() {
    let mut builder = allowing();
    builder.max_concurrent_streams(2);
    let (asked, reset) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (report_asked, report_reset) = (asked.clone(), reset.clone());
    let peer = Peer::with(builder, move |mut exchange| {
        let (asked, reset) = (report_asked.clone(), report_reset.clone());
        async move {
            if exchange.path() != "/never" {
                return exchange.echo().await;
            }
            asked.notify_one();
            let reason = std::future::poll_fn(|cx| exchange.respond.poll_reset(cx)).await.unwrap();
            assert_eq!(reason, Reason::CANCEL);
            reset.notify_one();
        }
    })
    .await;
    let client = client();
    let (mut websocket, _) = client.connect(peer.url()).await.unwrap();
    for _ in 0..5 {
        let connecting = tokio::spawn({
            let (client, url) = (client.clone(), format!("ws://{}/never", peer.address));
            async move { client.connect(url).await }
        });
        soon(asked.notified()).await;
        connecting.abort();
        soon(reset.notified()).await;
        // The echo is behind the answer to the client's PING, after which the connection is used again.
        ping_pong(&mut websocket, "hello").await;
    }
    let (mut other, _) = soon(client.connect(peer.url())).await.unwrap();
    ping_pong(&mut other, "hello").await;
    assert_eq!(peer.accepted(), 1);
}

#[tokio::test]
async fn a_connect_that_is_cancelled_while_it_opens_the_connection_leaves_the_turn_to_the_next() {
    let (listener, url) = listen().await;
    let client = client();
    let connect =
        |client: ws_client::Client, url: String| tokio::spawn(async move { client.connect(url).await });
    let first = connect(client.clone(), url.clone());
    let mut silent = Bytewise::accept(&listener).await;
    let second = connect(client, url);
    first.abort();
    let mut peer = Bytewise::settled(&listener, ALLOW).await;
    peer.until(HEADERS).await;
    peer.send(HEADERS, END_HEADERS, 1, STATUS_200).await;
    soon(second).await.unwrap().unwrap();
    assert!(!silent.rest().await.contains(&HEADERS), "the first connection has ended unused");
}

#[tokio::test]
async fn a_connection_that_answers_no_ping_takes_no_websocket_after_an_attempt_in_vain() {
    let (listener, url) = listen().await;
    let client = options().opening_timeout(Duration::from_secs(2)).build().unwrap();
    let address = url.clone();
    let connecting = {
        let client = client.clone();
        tokio::spawn(async move { client.connect(address).await })
    };
    let mut silent = Bytewise::settled(&listener, ALLOW).await;
    silent.until(HEADERS).await;
    let error = soon(connecting).await.unwrap().unwrap_err();
    assert!(matches!(error, ConnectError::Timeout { .. }), "{error:?}");
    // It is asked, and does not answer.
    silent.until(PING).await;
    let connecting = tokio::spawn(async move { client.connect(url).await });
    let mut peer = Bytewise::settled(&listener, ALLOW).await;
    peer.until(HEADERS).await;
    peer.send(HEADERS, END_HEADERS, 1, STATUS_200).await;
    soon(connecting).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_websocket_that_was_refused_leaves_its_place_free() {
    let mut builder = allowing();
    builder.max_concurrent_streams(1);
    let peer = Peer::with(builder, |exchange| async move {
        exchange.answer(Response::builder().status(404).body(()).unwrap(), b"nothing here");
    })
    .await;
    let client = client();
    for _ in 0..20 {
        let error = soon(client.connect(peer.url())).await.unwrap_err();
        assert_eq!(error.response().unwrap().body(), b"nothing here");
    }
    assert_eq!(peer.accepted(), 1);
}
