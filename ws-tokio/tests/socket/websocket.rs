//! The async WebSocket over an in-memory pipe.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use ws_core::{
    Binary, CloseCause, CloseCode, Config, Connection, DataType, Deadline, Event, Initiator, Message,
    ProtocolError, SendError, TransportEnd,
};
use ws_tokio::{Error, WebSocket};

fn server(stream: DuplexStream) -> WebSocket<DuplexStream> {
    WebSocket::new(stream, Connection::server(Arc::new(Config::server())), &[])
}

fn client(stream: DuplexStream) -> WebSocket<DuplexStream> {
    WebSocket::new(stream, Connection::client(Arc::new(Config::client()), [7; 32]), &[])
}

fn pair(room: usize) -> (WebSocket<DuplexStream>, WebSocket<DuplexStream>) {
    let (a, b) = duplex(room);
    (client(a), server(b))
}

#[tokio::test]
async fn messages_of_every_size_are_echoed() {
    let (mut client, mut server) = pair(4096);
    let echo = tokio::spawn(async move {
        while let Ok(Some(message)) = server.recv().await {
            server.send(message).await.unwrap();
        }
        server.close_info().unwrap()
    });
    for size in [0, 1, 125, 126, 4095, 4096, 65_535, 65_536, 300_000, 1 << 20] {
        let bytes = Message::binary(vec![0xA5; size]);
        client.send(bytes.clone()).await.unwrap();
        assert_eq!(client.recv().await.unwrap(), Some(bytes));
        let text = Message::text("é".repeat(size / 2));
        client.send(text.clone()).await.unwrap();
        assert_eq!(client.recv().await.unwrap(), Some(text));
    }
    let info = client.close(CloseCode(4001), "done").await.unwrap();
    assert!(info.is_clean());
    assert_eq!((info.initiator, info.code(), info.unsent), (Initiator::Local, CloseCode(4001), 0));
    let info = echo.await.unwrap();
    assert_eq!((info.initiator, info.code(), &*info.reason), (Initiator::Remote, CloseCode(4001), "done"));
}

#[tokio::test]
async fn lent_messages_of_every_size_are_echoed() {
    let (mut client, mut server) = pair(4096);
    let echo = tokio::spawn(async move {
        let echo = |connection: &mut Connection, event: Event<'_>| match event {
            Event::Text(text) => connection.send_text(&text),
            Event::Binary(Binary::Owned(bytes)) => connection.send(bytes.into()),
            Event::Binary(bytes) => connection.send_binary(&bytes),
            _ => Ok(()),
        };
        let Err(Error::Closed(info)) = server.for_each_event(echo).await else {
            panic!("code 4001 was no error")
        };
        *info
    });
    for size in [0, 1, 125, 126, 4095, 4096, 65_535, 65_536, 300_000, 1 << 20] {
        let bytes = Message::binary(vec![0xA5; size]);
        client.send(bytes.clone()).await.unwrap();
        assert_eq!(client.recv().await.unwrap(), Some(bytes));
        let text = Message::text("é".repeat(size / 2));
        client.send(text.clone()).await.unwrap();
        assert_eq!(client.recv().await.unwrap(), Some(text));
    }
    client.close(CloseCode(4001), "done").await.unwrap();
    assert_eq!(echo.await.unwrap().code(), CloseCode(4001));
}

#[tokio::test(start_paused = true)]
async fn answers_to_lent_messages_never_pile_up_beyond_the_high_water_mark() {
    let (mut raw, stream) = duplex(1024);
    let mut socket = server(stream);
    let most = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&most);
    let echo = tokio::spawn(async move {
        let echo = |connection: &mut Connection, event: Event<'_>| {
            let Event::Binary(_) = event else { return Ok(()) };
            seen.fetch_max(connection.queued(), Ordering::Relaxed);
            connection.send_binary(&[7; 10_000])
        };
        socket.for_each_event(echo).await
    });
    // Small questions, a large answer to each; the answers are not read at first.
    raw.write_all(&b"\x82\x81\0\0\0\0!".repeat(100)).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(most.load(Ordering::Relaxed) <= (64 << 10));
    for _ in 0..100 {
        let mut answer = [0; 10_004];
        raw.read_exact(&mut answer).await.unwrap();
        assert_eq!(answer[..4], [0x82, 126, 0x27, 0x10]);
    }
    drop(raw);
    assert!(echo.await.unwrap().is_err());
}

#[tokio::test]
async fn a_refused_answer_to_a_lent_message_ends_the_loop() {
    let (mut client, mut server) = pair(4096);
    client.send("too long a ping").await.unwrap();
    let refused = server.for_each_event(|connection, _| connection.ping(&[0; 126])).await;
    assert!(matches!(refused, Err(Error::Send(SendError::ControlTooLong(126)))));
}

#[tokio::test]
async fn an_answer_while_closing_is_dropped_and_the_loop_ends_cleanly() {
    let (mut client, mut server) = pair(4096);
    for _ in 0..3 {
        client.feed("hello").await.unwrap();
    }
    client.flush().await.unwrap();
    let serve = server.for_each_event(|connection, event| match event {
        Event::Text(text) => {
            connection.send_text(&text).and_then(|()| connection.close(CloseCode(4000), "enough"))
        }
        _ => Ok(()),
    });
    let (served, received) = tokio::join!(serve, async { (client.recv().await, client.recv().await) });
    served.unwrap();
    assert_eq!(received.0.unwrap(), Some("hello".into()));
    let Err(Error::Closed(info)) = received.1 else { panic!("code 4000 was no error") };
    assert_eq!(info.code(), CloseCode(4000));
}

#[tokio::test(start_paused = true)]
async fn two_ends_that_both_send_megabytes_first_do_not_deadlock() {
    let (mut client, mut server) = pair(64 << 10);
    let send = async |socket: &mut WebSocket<DuplexStream>| {
        for _ in 0..3 {
            socket.send(vec![1; 1 << 20]).await.unwrap();
        }
        for _ in 0..3 {
            assert_eq!(socket.recv().await.unwrap().unwrap().len(), 1 << 20);
        }
    };
    tokio::join!(send(&mut client), send(&mut server));
}

#[tokio::test]
async fn fed_messages_go_out_in_one_write_when_recv_would_wait() {
    let (raw, stream) = duplex(1 << 20);
    let mut socket = server(stream);
    let mut raw = raw;
    for _ in 0..10 {
        socket.feed("hello").await.unwrap();
    }
    let nothing = tokio::time::timeout(Duration::from_millis(20), raw.read_u8()).await;
    assert!(nothing.is_err(), "feed must not write by itself");
    tokio::select! {
        _ = socket.recv() => panic!("recv returned although nothing was sent"),
        read = async { let mut all = [0; 70]; raw.read_exact(&mut all).await.map(|_| all) } => {
            assert_eq!(&read.unwrap()[..7], b"\x81\x05hello");
        }
    }
}

#[tokio::test]
async fn a_piecewise_message_arrives_whole() {
    let (mut client, mut server) = pair(64);
    let send = async {
        client.send_piece(DataType::Text, "zwölf".as_bytes().split_at(3).0, false).await.unwrap();
        client.ping(b"between").await.unwrap();
        client.send_piece(DataType::Text, "zwölf".as_bytes().split_at(3).1, true).await.unwrap();
    };
    let (_, message) = tokio::join!(send, server.recv());
    assert_eq!(message.unwrap(), Some("zwölf".into()));
}

#[tokio::test]
async fn a_fault_is_answered_with_its_code_before_it_is_reported() {
    let (mut raw, stream) = duplex(1024);
    let mut socket = server(stream);
    raw.write_all(&[0x81, 0x00]).await.unwrap();
    let read = async {
        let mut all = Vec::new();
        raw.read_to_end(&mut all).await.unwrap();
        drop(raw);
        all
    };
    let (result, sent) = tokio::join!(socket.recv(), read);
    assert!(matches!(result, Err(Error::Protocol(ProtocolError::UnmaskedFrame))), "{result:?}");
    assert_eq!(&sent[..1], &[0x88]);
    assert_eq!(&sent[2..4], &1002u16.to_be_bytes());
}

#[tokio::test]
async fn an_end_of_stream_without_a_close_is_1006_with_its_cause() {
    let (raw, stream) = duplex(1024);
    let mut socket = server(stream);
    drop(raw);
    match socket.recv().await {
        Err(Error::Closed(info)) => {
            assert_eq!(info.cause, CloseCause::Transport(TransportEnd::Eof));
            assert_eq!(info.code(), CloseCode::ABNORMAL_CLOSURE);
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_to_a_silent_peer_ends_after_ping_and_timeout() {
    let (_raw, stream) = duplex(1024);
    let mut socket = server(stream);
    let start = tokio::time::Instant::now();
    match socket.recv().await {
        Err(Error::Closed(info)) => assert_eq!(info.cause, CloseCause::Timeout(Deadline::Keepalive)),
        other => panic!("{other:?}"),
    }
    assert_eq!(start.elapsed().as_secs(), 40);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_stands_still_ends_after_message_timeout_with_1008_whatever_else_the_peer_sends() {
    let (mut raw, stream) = duplex(1024);
    let mut socket = server(stream);
    let start = tokio::time::Instant::now();
    let peer = async {
        // A fragment "a" of a text, masked with zeros, and then nothing but pongs.
        raw.write_all(&[0x01, 0x81, 0, 0, 0, 0, b'a']).await.unwrap();
        for _ in 0..7 {
            tokio::time::sleep(Duration::from_secs(10)).await;
            if raw.write_all(&[0x8A, 0x80, 0, 0, 0, 0]).await.is_err() {
                break;
            }
        }
        let mut received = Vec::new();
        raw.read_to_end(&mut received).await.unwrap();
        received
    };
    let stalled = async {
        let error = socket.recv().await.unwrap_err();
        (error, start.elapsed().as_secs(), socket.close_info().unwrap())
    };
    let ((error, elapsed, info), received) = tokio::join!(stalled, peer);
    let timeout = Duration::from_secs(60);
    assert!(
        matches!(error, Error::Protocol(ProtocolError::MessageStalled { timeout: t }) if t == timeout),
        "{error}"
    );
    assert!((60..=61).contains(&elapsed), "it is over once the Close has been sent, after {elapsed} s");
    assert_eq!(info.sent, Some(CloseCode::POLICY_VIOLATION));
    let close = b"\x03\xf0message made no progress within the limit of message_timeout = 60s";
    assert!(received.ends_with(close), "{received:x?}");
}

#[tokio::test(start_paused = true)]
async fn a_connection_to_a_peer_that_answers_pings_stays_open_and_has_a_round_trip_time() {
    let (mut client, mut server) = pair(1024);
    tokio::select! {
        result = client.recv() => panic!("{result:?}"),
        result = server.recv() => panic!("{result:?}"),
        () = tokio::time::sleep(Duration::from_secs(300)) => {}
    }
    assert!(server.connection().rtt().is_some());
}

#[tokio::test(start_paused = true)]
async fn what_is_read_while_a_send_waits_is_a_sign_of_life() {
    let (mut raw, stream) = duplex(64);
    let mut socket = server(stream);
    // The ping of 20 s is written; its answer is due by 40 s.
    assert!(tokio::time::timeout(Duration::from_secs(21), socket.recv()).await.is_err());
    let peer = async {
        tokio::time::sleep(Duration::from_secs(9)).await;
        // At 30 s the peer says something, no pong, and still reads nothing.
        raw.write_all(b"\x81\x82\0\0\0\0hi").await.unwrap();
        tokio::time::sleep(Duration::from_secs(15)).await;
        let mut all = vec![0; 10 + 4 + 1000];
        raw.read_exact(&mut all).await.unwrap();
    };
    let send = async { tokio::join!(socket.send(vec![7; 1000]), peer) };
    let (sent, ()) = tokio::time::timeout(Duration::from_secs(60), send).await.expect("the send ends");
    sent.unwrap();
    assert_eq!(socket.recv().await.unwrap(), Some("hi".into()));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_stops_reading_ends_in_a_write_timeout() {
    let (_raw, stream) = duplex(16);
    let mut socket = server(stream);
    let start = tokio::time::Instant::now();
    match socket.send(vec![0; 1000]).await {
        Err(Error::Closed(info)) => {
            assert_eq!(info.cause, CloseCause::Timeout(Deadline::Write));
            assert!(info.unsent > 900, "{}", info.unsent);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(start.elapsed().as_secs(), 30);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_never_answers_a_close_ends_in_a_close_timeout() {
    let (_raw, stream) = duplex(1024);
    let info = server(stream).close(CloseCode::NORMAL_CLOSURE, "").await.unwrap();
    assert_eq!(info.cause, CloseCause::Timeout(Deadline::Close));
}

#[tokio::test]
async fn both_ends_closing_at_once_see_a_clean_close() {
    let (mut client, mut server) = pair(1024);
    let (a, b) =
        tokio::join!(client.close(CloseCode::NORMAL_CLOSURE, "a"), server.close(CloseCode::GOING_AWAY, "b"));
    let (a, b) = (a.unwrap(), b.unwrap());
    assert!(a.is_clean() && b.is_clean());
    assert_eq!((a.code(), b.code()), (CloseCode::GOING_AWAY, CloseCode::NORMAL_CLOSURE));
}

#[tokio::test]
async fn bytes_read_with_the_handshake_are_the_first_frames() {
    let (_raw, stream) = duplex(1024);
    let connection = Connection::client(Arc::new(Config::client()), [0; 32]);
    let mut socket = WebSocket::new(stream, connection, b"\x81\x02hi\x82\x01");
    assert_eq!(socket.recv().await.unwrap(), Some("hi".into()));
}
