//! The peer's close code is an error for every way to receive, unless it is 1000, 1001 or none.

use std::future::poll_fn;
use std::io::ErrorKind;
use std::pin::Pin;
use std::sync::Arc;

use futures_core::Stream;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use ws_core::{CloseCause, CloseCode, Config, Connection, Initiator, Message};
use ws_tokio::{ByteStream, Error, WebSocket};

/// The codes a peer may close with, and whether they report no fault.
const CODES: [(Option<u16>, bool); 20] = [
    (None, true),
    (Some(1000), true),
    (Some(1001), true),
    (Some(1002), false),
    (Some(1003), false),
    (Some(1007), false),
    (Some(1008), false),
    (Some(1009), false),
    (Some(1010), false),
    (Some(1011), false),
    (Some(1012), false),
    (Some(1013), false),
    (Some(1014), false),
    (Some(3000), false),
    (Some(3001), false),
    (Some(3999), false),
    (Some(4000), false),
    (Some(4001), false),
    (Some(4100), false),
    (Some(4999), false),
];

/// A server's Close frame.
fn close_frame(code: Option<u16>) -> Vec<u8> {
    match code {
        None => ws_wire::frame(0x88, b"", None),
        Some(code) => ws_wire::frame(0x88, &[&code.to_be_bytes()[..], b"why"].concat(), None),
    }
}

fn client(stream: DuplexStream) -> WebSocket<DuplexStream> {
    WebSocket::new(stream, Connection::client(Arc::new(Config::client()), [1; 32]), &[])
}

/// A client whose server has sent `frames`, a Close last, and waits for the client's.
async fn closed_by(frames: &[u8]) -> WebSocket<DuplexStream> {
    let (near, mut far) = duplex(4096);
    far.write_all(frames).await.unwrap();
    tokio::spawn(async move { far.read_to_end(&mut Vec::new()).await });
    client(near)
}

/// Whether the result says that the peer reported no fault; the record must be that of its Close.
fn judged<T: std::fmt::Debug>(code: Option<u16>, result: Result<T, Error>) -> bool {
    match result {
        Ok(_) => true,
        Err(Error::Closed(info)) => {
            assert_eq!(info.received.map(u16::from), code);
            assert!(info.is_clean() && !info.is_normal() && &*info.reason == "why", "{info}");
            assert_eq!((info.initiator, info.cause), (Initiator::Remote, CloseCause::Handshake));
            false
        }
        Err(error) => panic!("{code:?}: {error}"),
    }
}

#[tokio::test(start_paused = true)]
async fn the_peers_close_is_an_error_unless_it_has_1000_or_1001_or_no_code_for_every_way_to_receive() {
    for (code, normal) in CODES {
        let frames = close_frame(code);
        let mut socket = closed_by(&frames).await;
        for _ in 0..2 {
            // And ever after.
            assert_eq!(judged(code, socket.recv().await), normal, "recv: {code:?}");
        }
        assert_eq!(socket.close_info().unwrap().is_normal(), normal);

        let mut socket = closed_by(&frames).await;
        assert_eq!(
            judged(code, socket.for_each_event(|_, _| Ok(())).await),
            normal,
            "for_each_event: {code:?}"
        );

        let mut socket = closed_by(&frames).await;
        let stream = socket.recv_stream().await.map(|reader| assert!(reader.is_none()));
        assert_eq!(judged(code, stream), normal, "recv_stream: {code:?}");

        let mut socket = closed_by(&frames).await;
        let mut next = async || poll_fn(|cx| Pin::new(&mut socket).poll_next(cx)).await;
        assert_eq!(next().await.is_none_or(|item| judged(code, item)), normal, "Stream: {code:?}");
        assert!(next().await.is_none(), "an error is the last item");

        let (sender, mut receiver) = closed_by(&frames).await.split();
        assert_eq!(judged(code, receiver.recv().await), normal, "Receiver: {code:?}");
        let late = sender.send("late").await;
        assert!(matches!(late, Err(Error::Closed(info)) if info.is_normal() == normal), "{code:?}");

        let (_sender, mut receiver) = closed_by(&frames).await.split();
        let mut next = async || poll_fn(|cx| Pin::new(&mut receiver).poll_next(cx)).await;
        assert_eq!(next().await.is_none_or(|item| judged(code, item)), normal, "its Stream: {code:?}");
        assert!(next().await.is_none());

        let (_sender, receiver) = closed_by(&frames).await.split();
        assert_eq!(judged(code, receiver.discard().await), normal, "discard: {code:?}");

        // Closing is what was asked for: how the peer took it is in the record.
        let mut socket = closed_by(&frames).await;
        let info = socket.close(CloseCode::NORMAL_CLOSURE, "").await.unwrap();
        assert!(info.is_clean(), "{code:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn messages_before_a_close_that_reports_a_fault_are_received_first() {
    for cut in 0..=16 {
        let frames = [b"\x81\x03one\x82\x03two".as_slice(), &close_frame(Some(1011))].concat();
        let (near, mut far) = duplex(4096);
        let (first, rest) = frames.split_at(cut);
        let mut socket = WebSocket::new(near, Connection::client(Arc::new(Config::client()), [1; 32]), first);
        far.write_all(rest).await.unwrap();
        tokio::spawn(async move { far.read_to_end(&mut Vec::new()).await });
        assert_eq!(socket.recv().await.unwrap(), Some("one".into()));
        assert_eq!(socket.recv().await.unwrap(), Some(Message::binary(b"two".as_slice())));
        assert!(!judged(Some(1011), socket.recv().await));
    }
}

#[tokio::test(start_paused = true)]
async fn a_sent_code_that_the_peer_repeats_is_no_error_and_any_other_code_is() {
    for (answer, normal) in [(Some(4000), true), (Some(1000), true), (None, true), (Some(1011), false)] {
        let (near, mut far) = duplex(4096);
        let (sender, mut receiver) = client(near).split();
        sender.start_close(CloseCode(4000), "ours").unwrap();
        far.write_all(&close_frame(answer)).await.unwrap();
        let peer = tokio::spawn(async move { far.read_to_end(&mut Vec::new()).await });
        let received = receiver.recv().await;
        let info = receiver.close_info().unwrap();
        assert_eq!((info.initiator, info.is_clean(), info.is_normal()), (Initiator::Local, true, normal));
        match received {
            Ok(None) => assert!(normal, "{answer:?}"),
            Err(Error::Closed(info)) => assert!(!normal && info.received == Some(CloseCode::INTERNAL_ERROR)),
            other => panic!("{answer:?}: {other:?}"),
        }
        drop((sender, receiver));
        peer.await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_byte_stream_ends_with_1000_or_no_code_and_every_other_code_is_an_error_of_reading() {
    for (code, _) in CODES {
        let frames = [b"\x82\x03abc".as_slice(), &close_frame(code)].concat();
        let mut bytes = ByteStream::new(closed_by(&frames).await);
        let mut all = Vec::new();
        let end = bytes.read_to_end(&mut all).await;
        assert_eq!(all, b"abc", "{code:?}");
        match code {
            None | Some(1000) => assert_eq!(end.unwrap(), 3),
            // 1001 included: a peer that goes away has not said that this was all.
            Some(code) => {
                let error = end.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::ConnectionAborted, "{code}: {error}");
                assert!(error.to_string().contains(&format!("received {code}")), "{error}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_close_inside_a_message_that_is_read_in_pieces_is_an_error_whatever_its_code() {
    for (code, normal) in CODES {
        let frames = [b"\x02\x03abc".as_slice(), &close_frame(code)].concat();
        let mut socket = closed_by(&frames).await;
        let mut reader = socket.recv_stream().await.unwrap().unwrap();
        assert_eq!(reader.next().await.unwrap(), Some(Message::binary(b"abc".as_slice())));
        match reader.next().await.unwrap_err() {
            Error::MessageCutOff => assert!(normal, "{code:?}"),
            error => assert!(!judged::<()>(code, Err(error)) && !normal),
        }
    }
}
