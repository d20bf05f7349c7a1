//! Answers that open no WebSocket, and streams and connections that end before they are answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::common::*;
use super::frames::*;
use super::opening::{http2_error, listen};
use super::peer::*;
use h2::Reason;
use http::Response;
use ws_client::{Blame, ConnectError, HandshakeError, Http2Error, Request, Stage};

#[tokio::test]
async fn a_refusal_over_http_2_carries_status_fields_and_body() {
    let peer = Peer::new(|exchange| async move {
        let response = Response::builder().status(503).header("retry-after", "7").body(()).unwrap();
        exchange.answer(response, b"full");
    })
    .await;
    let error = client().connect(peer.url()).await.unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
    assert_eq!((error.blame(), error.is_fatal()), (Blame::Server, false));
    let ConnectError::Refused(refused) = error else { panic!("{error:?}") };
    assert_eq!((refused.response.status().as_u16(), &refused.response.body()[..]), (503, &b"full"[..]));
    assert!(refused.body_complete);
}

#[tokio::test]
async fn a_401_over_http_2_asks_for_credentials_and_the_connection_lives() {
    let peer = Peer::new(|exchange| async move {
        if exchange.request.headers().contains_key("authorization") {
            return exchange.echo().await;
        }
        exchange.answer(Response::builder().status(401).body(()).unwrap(), b"");
    })
    .await;
    let client = client();
    let error = client.connect(peer.url()).await.unwrap_err();
    assert!(error.to_string().contains("credentials"), "{error}");
    let url = peer.url().replace("//", "//u:p@");
    let (mut websocket, _) = client.connect(url).await.unwrap();
    ping_pong(&mut websocket, "hello").await;
    assert_eq!(peer.accepted(), 1);
}

#[tokio::test]
async fn only_the_limit_of_a_refusals_body_is_kept_and_its_stream_is_reset() {
    let (ended, wait) = tokio::sync::oneshot::channel();
    let ended = Arc::new(std::sync::Mutex::new(Some(ended)));
    let peer = Peer::new(move |mut exchange| {
        let ended = ended.lock().unwrap().take();
        async move {
            let response = Response::builder().status(404).body(()).unwrap();
            let mut send = exchange.respond.send_response(response, false).unwrap();
            send.send_data(bytes::Bytes::from(vec![b'x'; 5000]), false).unwrap();
            let reason = std::future::poll_fn(|cx| send.poll_reset(cx)).await.unwrap();
            ended.unwrap().send(reason).unwrap();
        }
    })
    .await;
    let client = options().max_refusal_body(1000).build().unwrap();
    let ConnectError::Refused(refused) = client.connect(peer.url()).await.unwrap_err() else { panic!() };
    assert_eq!((refused.response.body().len(), refused.body_complete), (1000, false));
    assert_eq!(soon(wait).await.unwrap(), Reason::CANCEL);
}

#[tokio::test]
async fn a_redirect_over_http_2_is_followed_on_the_same_connection() {
    let peer = Peer::new(|exchange| async move {
        if exchange.path() == "/new" {
            return exchange.echo().await;
        }
        exchange.answer(Response::builder().status(307).header("location", "/new").body(()).unwrap(), b"");
    })
    .await;
    let error = client().connect(peer.url()).await.unwrap_err();
    assert!(error.to_string().contains("max_redirects"), "{error}");
    let client = options().max_redirects(1).build().unwrap();
    let (mut websocket, _) = client.connect(peer.url()).await.unwrap();
    ping_pong(&mut websocket, "hello").await;
    assert_eq!(peer.accepted(), 2, "one for each client");
}

#[tokio::test]
async fn a_subprotocol_or_extension_that_was_not_offered_opens_nothing_over_http_2() {
    for (field, value) in [
        ("sec-websocket-protocol", "b"),
        ("sec-websocket-protocol", "a, b"),
        ("sec-websocket-extensions", "x"),
    ] {
        let (told, mut reset) = tokio::sync::mpsc::unbounded_channel();
        let peer = Peer::new(move |mut exchange| {
            let told = told.clone();
            async move {
                let response = Response::builder().header(field, value).body(()).unwrap();
                let mut send = exchange.respond.send_response(response, false).unwrap();
                told.send(std::future::poll_fn(|cx| send.poll_reset(cx)).await.unwrap()).unwrap();
            }
        })
        .await;
        let request = Request::new(&peer.url()).unwrap().subprotocol("a");
        let error = client().connect(request).await.unwrap_err();
        assert!(matches!(error, ConnectError::Handshake { .. }), "{error:?}");
        assert_eq!(soon(reset.recv()).await.unwrap(), Reason::CANCEL);
    }
}

#[tokio::test]
async fn a_success_that_ends_the_stream_is_a_page_and_no_websocket() {
    let peer = Peer::new(|mut exchange| async move {
        exchange.respond.send_response(Response::new(()), true).unwrap();
    })
    .await;
    let error = http2_error(client().connect(peer.url()).await.unwrap_err());
    assert_eq!(error, Http2Error::Ended);
}

#[tokio::test]
async fn more_than_eight_interim_responses_are_an_error_over_http_2() {
    // `:status: 103`, as a literal with the indexed name (RFC 7541 section 6.2.2).
    let status_103 = [&[0x08, 3][..], b"103"].concat();
    for (count, opens) in [(8, true), (9, false)] {
        let (listener, url) = listen().await;
        let connecting = tokio::spawn(async move { client().connect(url).await });
        let mut peer = Bytewise::settled(&listener, ALLOW).await;
        peer.until(HEADERS).await;
        for _ in 0..count {
            peer.send(HEADERS, END_HEADERS, 1, &status_103).await;
        }
        peer.send(HEADERS, END_HEADERS, 1, STATUS_200).await;
        match soon(connecting).await.unwrap() {
            Ok(_) => assert!(opens),
            Err(ConnectError::Handshake { source: HandshakeError::TooManyInterim { limit: 8 }, .. }) => {
                assert!(!opens);
            }
            Err(other) => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_stream_that_is_reset_before_its_head_is_a_typed_error() {
    for (reason, fatal) in
        [(Reason::INTERNAL_ERROR, false), (Reason::CANCEL, false), (Reason::HTTP_1_1_REQUIRED, true)]
    {
        let peer = Peer::new(move |exchange| async move { exchange.reset(reason) }).await;
        let error = soon(client().connect(peer.url())).await.unwrap_err();
        assert_eq!((error.blame(), error.is_fatal()), (Blame::Server, fatal), "{error}");
        assert!(error.to_string().contains(&format!("{reason:?}")), "{error}");
        assert_eq!(http2_error(error), Http2Error::Reset { code: reason.into() });
        assert_eq!(peer.accepted(), 1, "{reason:?} is not tried again");
    }
}

#[tokio::test]
async fn a_refused_stream_is_tried_once_more_on_a_new_connection() {
    for (refusals, opens) in [(1, true), (2, false)] {
        let count = Arc::new(AtomicUsize::new(0));
        let counted = count.clone();
        let peer = Peer::new(move |exchange| {
            let number = counted.fetch_add(1, Ordering::SeqCst);
            async move {
                if number < refusals { exchange.reset(Reason::REFUSED_STREAM) } else { exchange.echo().await }
            }
        })
        .await;
        let result = soon(client().connect(peer.url())).await;
        assert_eq!(peer.accepted(), 2);
        match result {
            Ok((mut websocket, _)) => {
                assert!(opens);
                ping_pong(&mut websocket, "hello").await;
            }
            Err(error) => {
                assert!(!opens && !error.is_fatal(), "{error}");
                assert_eq!(http2_error(error), Http2Error::Reset { code: 7 });
            }
        }
    }
}

#[tokio::test]
async fn a_goaway_that_leaves_the_request_out_is_followed_by_another_connection() {
    let (listener, url) = listen().await;
    let connecting = tokio::spawn(async move { client().connect(url).await });
    let mut first = Bytewise::settled(&listener, ALLOW).await;
    first.until(HEADERS).await;
    first.goaway(0, 0).await;
    let mut second = Bytewise::settled(&listener, ALLOW).await;
    second.until(HEADERS).await;
    second.send(HEADERS, END_HEADERS, 1, STATUS_200).await;
    soon(connecting).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_goaway_with_the_settings_is_followed_by_another_connection() {
    let (listener, url) = listen().await;
    let connecting = tokio::spawn(async move { client().connect(url).await });
    let mut first = Bytewise::settled(&listener, ALLOW).await;
    first.goaway(0, 0).await;
    let mut second = Bytewise::settled(&listener, ALLOW).await;
    second.until(HEADERS).await;
    second.send(HEADERS, END_HEADERS, 1, STATUS_200).await;
    soon(connecting).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_goaway_on_every_connection_is_a_typed_error() {
    let (listener, url) = listen().await;
    let connecting = tokio::spawn(async move { client().connect(url).await });
    let mut peers = Vec::new();
    for _ in 0..2 {
        let mut peer = Bytewise::settled(&listener, ALLOW).await;
        peer.until(HEADERS).await;
        peer.goaway(0, 11).await;
        peers.push(peer);
    }
    let error = soon(connecting).await.unwrap().unwrap_err();
    assert!(error.to_string().contains("ENHANCE_YOUR_CALM") && !error.is_fatal(), "{error}");
    assert_eq!(http2_error(error), Http2Error::GoAway { code: 11 });
}

#[tokio::test]
async fn a_request_within_a_goaway_is_still_answered() {
    let (listener, url) = listen().await;
    let connecting = tokio::spawn(async move { client().connect(url).await });
    let mut peer = Bytewise::settled(&listener, ALLOW).await;
    peer.until(HEADERS).await;
    peer.goaway(1, 0).await;
    peer.send(HEADERS, END_HEADERS, 1, STATUS_200).await;
    let (mut websocket, _) = soon(connecting).await.unwrap().unwrap();
    peer.send(0, 0, 1, b"\x81\x02hi").await;
    assert_eq!(soon(websocket.recv()).await.unwrap().unwrap().as_text(), Some("hi"));
}

#[tokio::test]
async fn a_request_within_a_goaway_is_not_sent_again_when_the_connection_is_lost() {
    let (listener, url) = listen().await;
    let connecting = tokio::spawn(async move { client().connect(url).await });
    let mut peer = Bytewise::settled(&listener, ALLOW).await;
    peer.until(HEADERS).await;
    peer.goaway(1, 2).await;
    drop(peer);
    let error = soon(connecting).await.unwrap().unwrap_err();
    assert!(matches!(error, ConnectError::Io { during: Stage::Handshake, .. }), "{error:?}");
    // There is no second connection.
    let next = std::future::poll_fn(|cx| std::task::Poll::Ready(listener.poll_accept(cx).is_ready())).await;
    assert!(!next);
}

#[tokio::test]
async fn a_connection_that_is_lost_before_the_head_is_an_error_of_the_network() {
    let (listener, url) = listen().await;
    let connecting = tokio::spawn(async move { client().connect(url).await });
    let mut peer = Bytewise::settled(&listener, ALLOW).await;
    peer.until(HEADERS).await;
    drop(peer);
    let error = soon(connecting).await.unwrap().unwrap_err();
    assert_eq!((error.blame(), error.is_fatal()), (Blame::Network, false), "{error}");
    assert!(matches!(error, ConnectError::Io { during: Stage::Handshake, .. }), "{error:?}");
}

#[tokio::test]
async fn a_head_that_never_comes_ends_at_the_deadline() {
    let peer = Peer::new(|exchange| async move {
        let _kept = exchange;
        std::future::pending::<()>().await;
    })
    .await;
    let client = options().opening_timeout(Duration::from_secs(2)).build().unwrap();
    let error = soon(client.connect(peer.url())).await.unwrap_err();
    assert!(matches!(error, ConnectError::Timeout { during: Stage::Handshake, .. }), "{error:?}");
}
