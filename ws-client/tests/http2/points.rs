//! What a server sends, cut at every place by every way in which a stream or a connection ends, and floods of a server.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use super::common::*;
use super::frames::*;
use super::opening::listen;
use super::peer::*;
use tokio::io::AsyncWriteExt as _;
use ws_client::{CloseInfo, WebSocket};

const DATA: u8 = 0;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const PADDED: u8 = 8;

/// A text, a text in two fragments with a ping between them, and a Close.
const CONVERSATION: &[u8] = b"\x81\x03one\x01\x02tw\x89\x01?\x80\x01o\x88\x02\x03\xe8";

/// A client of two WebSockets on one connection, and the server's end of it: streams 1 and 3.
async fn two() -> (WebSocket, WebSocket, Bytewise) {
    let (listener, url) = listen().await;
    let client = client();
    let address = url.clone();
    let second = client.clone();
    let connecting = tokio::spawn(async move { client.connect(address).await });
    let mut peer = Bytewise::settled(&listener, ALLOW).await;
    peer.until(HEADERS).await;
    peer.send(HEADERS, END_HEADERS, 1, STATUS_200).await;
    let (one, _) = soon(connecting).await.unwrap().unwrap();
    let connecting = tokio::spawn(async move { second.connect(url).await });
    peer.until(HEADERS).await;
    peer.send(HEADERS, END_HEADERS, 3, STATUS_200).await;
    let (two, _) = soon(connecting).await.unwrap().unwrap();
    (one, two, peer)
}

/// Receives to the end; the number of messages, and how it ended.
async fn to_the_end(websocket: &mut WebSocket) -> (usize, CloseInfo) {
    let mut count = 0;
    while let Ok(Some(_)) = soon(websocket.recv()).await {
        count += 1;
    }
    (count, websocket.close_info().unwrap())
}

/// Shows that a WebSocket on stream 3 has noticed nothing.
async fn notices_nothing(websocket: &mut WebSocket, peer: &mut Bytewise) {
    peer.send(DATA, 0, 3, b"\x81\x04here").await;
    assert_eq!(soon(websocket.recv()).await.unwrap().unwrap().as_text(), Some("here"));
}

#[tokio::test]
async fn every_end_at_every_byte_of_what_a_server_sends_is_an_error_unless_the_close_was_whole() {
    for end in ["END_STREAM", "RST_STREAM", "trailers", "GOAWAY", "FIN"] {
        for cut in 0..=CONVERSATION.len() {
            let (mut one, mut two, mut peer) = two().await;
            let bytes = &CONVERSATION[..cut];
            if end == "END_STREAM" {
                peer.send(DATA, END_STREAM, 1, bytes).await;
            } else {
                peer.send(DATA, 0, 1, bytes).await;
            }
            match end {
                "END_STREAM" => {}
                "RST_STREAM" => peer.send(RST_STREAM, 0, 1, &[0, 0, 0, 2]).await,
                "trailers" => peer.send(HEADERS, END_HEADERS | END_STREAM, 1, b"\x00\x01x\x01y").await,
                // A fault of the connection, which takes no stream of the client's any more.
                "GOAWAY" => peer.goaway(0, 2).await,
                _ => peer.0.shutdown().await.unwrap(),
            }
            let (count, info) = to_the_end(&mut one).await;
            let whole = usize::from(cut >= 5) + usize::from(cut >= 15);
            let closed = cut == CONVERSATION.len();
            assert!(count <= whole, "{end} after {cut} bytes: {count} messages");
            assert!(closed || !info.is_clean(), "{end} after {cut} bytes: {info:?}");
            match end {
                "END_STREAM" | "trailers" => {
                    assert_eq!(
                        (count, info.is_clean()),
                        (whole, closed),
                        "{end} after {cut} bytes: {info:?}"
                    );
                    notices_nothing(&mut two, &mut peer).await;
                }
                "RST_STREAM" => notices_nothing(&mut two, &mut peer).await,
                _ => assert!(!to_the_end(&mut two).await.1.is_clean(), "{end} after {cut} bytes"),
            }
        }
    }
}

#[tokio::test]
async fn a_goaway_that_includes_a_websocket_lets_it_go_on_from_every_byte() {
    for cut in 0..=CONVERSATION.len() {
        let (mut one, mut two, mut peer) = two().await;
        peer.send(DATA, 0, 1, &CONVERSATION[..cut]).await;
        peer.goaway(3, 0).await;
        peer.send(DATA, 0, 1, &CONVERSATION[cut..]).await;
        peer.send(DATA, END_STREAM, 1, b"").await;
        let (count, info) = to_the_end(&mut one).await;
        assert_eq!((count, info.is_clean()), (2, true), "after {cut} bytes: {info:?}");
        notices_nothing(&mut two, &mut peer).await;
    }
}

#[tokio::test]
async fn a_client_reads_frames_of_every_shape() {
    let (mut one, mut two, mut peer) = two().await;
    for (n, byte) in CONVERSATION.iter().enumerate() {
        peer.send(DATA, 0, 1, b"").await;
        let padding = vec![0; n * 10];
        peer.send(DATA, PADDED, 1, &[&[(n * 10) as u8][..], &[*byte], &padding].concat()).await;
        // Nobody knows these.
        peer.send(0x7f, 255, 1, b"whatever").await;
    }
    peer.send(DATA, END_STREAM, 1, b"").await;
    let (count, info) = to_the_end(&mut one).await;
    assert_eq!((count, info.is_clean()), (2, true), "{info:?}");
    notices_nothing(&mut two, &mut peer).await;
}

#[tokio::test]
async fn pings_and_settings_of_a_server_without_end_are_each_answered() {
    let (_one, mut two, mut peer) = two().await;
    for _ in 0..10 {
        for _ in 0..500 {
            peer.send(PING, 0, 0, b"are you?").await;
            peer.send(SETTINGS, 0, 0, &[0, 4, 0, 0, 255, 255]).await;
        }
        for _ in 0..500 {
            peer.until(PING).await;
        }
        notices_nothing(&mut two, &mut peer).await;
    }
}

#[tokio::test]
async fn what_a_server_must_not_send_ends_its_connection_with_an_error() {
    let more = [b"\x00\x01x\x7f\x00".as_slice(), &[b'f'; 127]].concat().repeat(100);
    for (name, kind, flags, stream, payload) in [
        ("DATA on no stream", DATA, 0, 0, b"x".to_vec()),
        ("DATA on an idle stream", DATA, 0, 5, b"x".to_vec()),
        ("PUSH_PROMISE", 5, 4, 1, b"\0\0\0\x02\x82".to_vec()),
        ("CONTINUATION without HEADERS", CONTINUATION, 4, 1, Vec::new()),
        ("a window above 2^31 - 1", 8, 0, 0, vec![0x7f, 255, 255, 255]),
        ("fields without end", HEADERS, 0, 1, more.clone()),
    ] {
        let (mut one, mut two, mut peer) = two().await;
        peer.send(kind, flags, stream, &payload).await;
        if name == "fields without end" {
            for _ in 0..1000 {
                // The client ends it.
                let mut frame = u32::try_from(more.len()).unwrap().to_be_bytes()[1..].to_vec();
                frame.extend([CONTINUATION, 0, 0, 0, 0, 1]);
                frame.extend(&more);
                if peer.0.write_all(&frame).await.is_err() {
                    break;
                }
            }
        }
        for websocket in [&mut one, &mut two] {
            let info = to_the_end(websocket).await.1;
            assert!(!info.is_clean(), "{name}: {info:?}");
        }
    }
}

#[tokio::test]
async fn a_connect_over_http_2_can_be_dropped_at_every_await() {
    let peer = Peer::echo().await;
    // On a connection that has to be opened, and on one that is shared.
    for shared in [false, true] {
        let mut polls = 0;
        loop {
            let client = client();
            let kept = if shared { Some(client.connect(peer.url()).await.unwrap().0) } else { None };
            let opened = dropped_after(polls, client.connect(peer.url())).await;
            let done = opened.is_some();
            drop(opened);
            // The next one opens, and what was open goes on.
            let (mut next, _) = soon(client.connect(peer.url())).await.unwrap();
            ping_pong(&mut next, "next").await;
            if let Some(mut kept) = kept {
                ping_pong(&mut kept, "kept").await;
            }
            if done {
                break;
            }
            polls += 1;
            assert!(polls < 1000, "it is never done");
        }
        assert!(polls > 1, "nothing was dropped");
    }
    peer.until_open(0).await;
}

#[tokio::test]
async fn a_send_a_recv_and_a_close_over_http_2_can_be_dropped_at_every_await() {
    let peer = Peer::echo().await;
    let client = client();
    for polls in 0..30 {
        let (mut websocket, _) = client.connect(peer.url()).await.unwrap();
        // Larger than all windows together, so that a send waits again and again.
        let payload = vec![7; 300_000];
        let mut echoes = 0;
        for n in 0..3 {
            let mut patience = polls;
            // A feed that is dropped has queued nothing.
            while dropped_after(patience, websocket.feed(payload.clone())).await.is_none() {
                patience += 1;
            }
            if n == 1 {
                let _ = dropped_after(polls, websocket.flush()).await;
            }
        }
        let mut patience = polls;
        while echoes < 3 {
            match dropped_after(patience, websocket.recv()).await {
                Some(message) => {
                    assert!(message.unwrap().unwrap().as_bytes() == payload);
                    echoes += 1;
                }
                None => {
                    patience += 1;
                    // The network is real: something else has to run meanwhile.
                    tokio::task::yield_now().await;
                }
            }
        }
        while dropped_after(patience, websocket.close(ws_client::CloseCode::NORMAL_CLOSURE, ""))
            .await
            .is_none()
        {
            patience += 1;
            tokio::task::yield_now().await;
        }
        assert!(websocket.close_info().unwrap().is_clean(), "{polls} polls");
    }
    assert_eq!(peer.accepted(), 1);
}

/// Polls a future at most `polls` times, then drops it; `None` if it was not done by then.
async fn dropped_after<T>(polls: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        future.as_mut().poll(cx).map(Some)
    })
    .await
}
