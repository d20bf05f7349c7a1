//! What WebSockets that share an HTTP/2 connection do to each other, and what travels on them.

use std::sync::Arc;

use super::common::*;
use super::frames::*;
use super::opening::listen;
use super::peer::*;
use http::Response;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use ws_client::{CloseCode, Config, Http2Config, Message};

#[tokio::test]
async fn a_megabyte_goes_each_way_over_http_2() {
    let peer = Peer::echo().await;
    let (mut websocket, _) = client().connect(peer.url()).await.unwrap();
    let payload: Vec<u8> = (0..1_000_000u32).map(|i| (i % 251) as u8).collect();
    for _ in 0..3 {
        soon(websocket.send(payload.clone())).await.unwrap();
        assert!(soon(websocket.recv()).await.unwrap() == Some(Message::binary(payload.clone())));
    }
}

#[tokio::test]
async fn a_close_is_clean_and_ends_the_stream_but_not_the_connection() {
    let peer = Peer::echo().await;
    let client = client();
    let (mut websocket, _) = client.connect(peer.url()).await.unwrap();
    soon(websocket.close(CloseCode::NORMAL_CLOSURE, "done")).await.unwrap();
    let info = websocket.close_info().unwrap();
    assert!(info.is_normal(), "{info:?}");
    let (mut other, _) = client.connect(peer.url()).await.unwrap();
    ping_pong(&mut other, "hello").await;
    assert_eq!(peer.accepted(), 1);
}

#[tokio::test]
async fn a_client_ends_its_side_at_once_when_both_have_closed_and_waits_for_no_server_that_does_not() {
    for server_begins in [false, true] {
        let (sender, mut seen) = tokio::sync::mpsc::unbounded_channel();
        let peer = Peer::new(move |exchange| {
            let sender = sender.clone();
            async move {
                let mut stream = exchange.accept(Response::new(()));
                if server_begins {
                    stream.write_all(b"\x88\x02\x03\xe8").await.unwrap();
                }
                // The Close of the client, masked.
                let mut close = [0; 8];
                stream.read_exact(&mut close).await.unwrap();
                if !server_begins {
                    stream.write_all(b"\x88\x02\x03\xe8").await.unwrap();
                }
                sender.send(stream.read(&mut close).await.unwrap()).unwrap();
                // It never ends its own side.
                std::future::pending::<()>().await;
                drop(stream);
            }
        })
        .await;
        let mut config = Config::client();
        config.close_timeout = std::time::Duration::from_secs(600);
        let client = options().connection(config).build().unwrap();
        let (mut websocket, _) = soon(client.connect(peer.url())).await.unwrap();
        let info = match server_begins {
            true => {
                assert_eq!(soon(websocket.recv()).await.unwrap(), None);
                websocket.close_info().unwrap()
            }
            false => soon(websocket.close(CloseCode::NORMAL_CLOSURE, "")).await.unwrap(),
        };
        assert!(info.is_normal(), "{info:?}");
        assert_eq!(soon(seen.recv()).await, Some(0), "END_STREAM");
    }
}

#[tokio::test]
async fn a_websocket_that_is_not_read_does_not_stall_the_others() {
    let peer = Peer::new(|exchange| async move {
        if exchange.path() != "/flood" {
            return exchange.echo().await;
        }
        let mut websocket = exchange.websocket();
        while websocket.send(vec![0; 10_000]).await.is_ok() {}
    })
    .await;
    let client = client();
    // More than a connection window of the crate's default would hold of them.
    let mut slow = Vec::new();
    for _ in 0..20 {
        slow.push(client.connect(format!("ws://{}/flood", peer.address)).await.unwrap().0);
    }
    let (mut websocket, _) = client.connect(peer.url()).await.unwrap();
    for number in 0..500 {
        ping_pong(&mut websocket, &format!("{number}")).await;
    }
    let payload = vec![7; 500_000];
    soon(websocket.send(payload.clone())).await.unwrap();
    assert!(soon(websocket.recv()).await.unwrap() == Some(Message::binary(payload)));
    // What waited is still there.
    for websocket in &mut slow {
        assert_eq!(soon(websocket.recv()).await.unwrap().unwrap().len(), 10_000);
    }
    assert_eq!(peer.accepted(), 1);
}

#[tokio::test]
async fn tiny_messages_of_a_server_that_nobody_reads_do_not_end_the_connection() {
    const MESSAGES: usize = 50_000;
    let peer = Peer::new(|exchange| async move {
        if exchange.path() != "/flood" {
            return exchange.echo().await;
        }
        // A DATA frame for each message.
        let mut stream = exchange.accept(Response::new(()));
        for _ in 0..MESSAGES {
            stream.write_all(b"\x82\x01x").await.unwrap();
        }
        stream.shutdown().await.unwrap();
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await;
    let client = client();
    let (mut slow, _) = client.connect(format!("ws://{}/flood", peer.address)).await.unwrap();
    let (mut websocket, _) = client.connect(peer.url()).await.unwrap();
    for number in 0..100 {
        ping_pong(&mut websocket, &format!("{number}")).await;
    }
    let mut received = 0;
    while let Ok(Some(_)) = soon(slow.recv()).await {
        received += 1;
    }
    assert_eq!(received, MESSAGES);
    ping_pong(&mut websocket, "still here").await;
    assert_eq!(peer.accepted(), 1);
}

#[tokio::test]
async fn many_websockets_that_are_dropped_while_they_receive_do_not_end_the_connection() {
    let peer = Peer::new(|exchange| async move {
        if exchange.path() != "/flood" {
            return exchange.echo().await;
        }
        // A DATA frame for each message; most are on their way when the client resets the stream.
        let mut stream = exchange.accept(Response::new(()));
        for _ in 0..1000 {
            if stream.write_all(b"\x82\x01x").await.is_err() {
                break;
            }
        }
    })
    .await;
    let client = client();
    let (mut websocket, _) = client.connect(peer.url()).await.unwrap();
    for _ in 0..5 {
        let mut dropped = Vec::new();
        for _ in 0..40 {
            dropped.push(soon(client.connect(format!("ws://{}/flood", peer.address))).await.unwrap().0);
        }
        drop(dropped);
        ping_pong(&mut websocket, "hello").await;
    }
    assert_eq!(peer.accepted(), 1);
}

#[tokio::test]
async fn a_fault_on_one_websocket_ends_that_one_only() {
    let peer = Peer::new(|exchange| async move {
        if exchange.path() != "/fault" {
            return exchange.echo().await;
        }
        let mut stream = exchange.accept(Response::new(()));
        // A reserved opcode.
        stream.write_all(b"\x83\x00").await.unwrap();
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await;
    let client = client();
    let (mut good, _) = client.connect(peer.url()).await.unwrap();
    let (mut bad, _) = client.connect(format!("ws://{}/fault", peer.address)).await.unwrap();
    assert!(soon(bad.recv()).await.is_err());
    drop(bad);
    ping_pong(&mut good, "hello").await;
    assert_eq!(peer.accepted(), 1);
}

#[tokio::test]
async fn every_way_in_which_a_stream_ends_without_a_close_is_an_error() {
    for end in ["END_STREAM", "RST_STREAM", "GOAWAY", "FIN"] {
        let (listener, url) = listen().await;
        let connecting = tokio::spawn(async move { client().connect(url).await });
        let mut peer = Bytewise::settled(&listener, ALLOW).await;
        peer.until(HEADERS).await;
        peer.send(HEADERS, END_HEADERS, 1, STATUS_200).await;
        let (mut websocket, _) = soon(connecting).await.unwrap().unwrap();
        peer.send(0, 0, 1, b"\x81\x02hi").await;
        match end {
            "END_STREAM" => peer.send(0, 1, 1, b"").await,
            "RST_STREAM" => peer.send(RST_STREAM, 0, 1, &[0, 0, 0, 2]).await,
            "GOAWAY" => peer.goaway(0, 2).await,
            _ => peer.0.shutdown().await.unwrap(),
        }
        if end != "GOAWAY" {
            // What came before the end is delivered. (A GOAWAY that leaves a stream out takes what it has with it.)
            assert_eq!(soon(websocket.recv()).await.unwrap().unwrap().as_text(), Some("hi"), "{end}");
        }
        let error = loop {
            match soon(websocket.recv()).await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("{end} looks like a clean close"),
                Err(error) => break error,
            }
        };
        let info = websocket.close_info().unwrap();
        assert!(!info.is_normal(), "{end}: {info:?} {error}");
    }
}

#[tokio::test]
async fn a_small_window_of_the_server_and_of_the_client_carry_any_message() {
    let mut builder = allowing();
    builder.initial_window_size(1000).initial_connection_window_size(65_535);
    let peer = Peer::with(builder, Exchange::echo).await;
    let http2 = Http2Config::default().stream_window(1000);
    let client = options().http2(http2).build().unwrap();
    let (mut websocket, _) = client.connect(peer.url()).await.unwrap();
    soon(websocket.send(vec![1; 20_000])).await.unwrap();
    assert_eq!(soon(websocket.recv()).await.unwrap().unwrap().len(), 20_000);
}

#[cfg(feature = "deflate")]
#[tokio::test]
async fn permessage_deflate_is_agreed_over_http_2() {
    use ws_client::deflate::{self, PerMessageDeflate};
    use ws_client::ws_core::Connection;
    use ws_client::ws_core::handshake::Extension;

    let peer = Peer::new(|exchange| async move {
        let offers = exchange.request.headers().get_all("sec-websocket-extensions");
        let offers = Extension::parse_list(offers.iter().map(|offer| offer.as_bytes())).unwrap();
        let config = deflate::Config::server();
        let parameters = offers.iter().map(|offer| {
            offer.parameters.iter().map(|p| (p.name.as_str(), p.value.as_deref())).collect::<Vec<_>>()
        });
        let (agreed, answer) = deflate::negotiate(parameters, &config).unwrap();
        let stream =
            exchange.accept(Response::builder().header("sec-websocket-extensions", answer).body(()).unwrap());
        let connection = Connection::server(Arc::new(Config::server()))
            .with_deflate(PerMessageDeflate::server(agreed, &config));
        let mut websocket = ws_client::ws_tokio::WebSocket::new(stream, connection, &[]);
        while let Ok(Some(message)) = websocket.recv().await {
            websocket.send(message).await.unwrap();
        }
    })
    .await;
    let (mut websocket, negotiated) = client().connect(peer.url()).await.unwrap();
    assert!(negotiated.deflate().is_some());
    let text = "a text that repeats itself ".repeat(5000);
    ping_pong(&mut websocket, &text).await;
    ping_pong(&mut websocket, "short").await;
}
