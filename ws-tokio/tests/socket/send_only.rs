//! A handler that only sends answers pings and notices the peer's Close.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::net::{TcpListener, TcpStream};
use ws_core::{CloseCause, CloseCode, Config, Event, Message, Role, TransportEnd};
use ws_tokio::{Error, WebSocket};

/// A client's frame, masked with zeros.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    ws_wire::frame(first, payload, Some([0; 4]))
}

fn server(config: Config) -> (DuplexStream, WebSocket<DuplexStream>) {
    let (far, near) = duplex(1 << 20);
    (far, WebSocket::from_raw(near, Role::Server, config).unwrap())
}

/// Reads a frame of a server, of at most 125 bytes.
async fn next_frame(stream: &mut (impl AsyncRead + Unpin)) -> (u8, Vec<u8>) {
    let frame = async {
        let first = stream.read_u8().await.unwrap();
        let mut payload = vec![0; stream.read_u8().await.unwrap().into()];
        stream.read_exact(&mut payload).await.unwrap();
        (first, payload)
    };
    soon("a frame", frame).await
}

/// Fails, instead of hanging, where what is tested is broken.
async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let outcome = tokio::time::timeout(Duration::from_secs(60), future).await;
    outcome.unwrap_or_else(|_| panic!("{what} has not come within 60 s"))
}

/// First bytes of frames: FIN, RSV, opcode.
const TEXT: u8 = 0x81;
const TEXT_PART: u8 = 0x01;
const LAST: u8 = 0x80;
const BINARY: u8 = 0x82;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8A;

#[tokio::test]
async fn a_send_answers_a_ping_and_fails_once_the_peer_has_closed() {
    let (mut far, mut server) = server(Config::server());
    far.write_all(&frame(PING, b"alive?")).await.unwrap();
    server.send("tick").await.unwrap();
    assert_eq!(next_frame(&mut far).await, (PONG, b"alive?".to_vec()));
    assert_eq!(next_frame(&mut far).await, (TEXT, b"tick".to_vec()));

    far.write_all(&frame(CLOSE, b"\x03\xE8done")).await.unwrap();
    let Err(Error::Closed(info)) = server.send("late").await else {
        panic!("the send succeeded although the peer has closed")
    };
    assert_eq!((info.received, &*info.reason), (Some(CloseCode::NORMAL_CLOSURE), "done"));
    assert_eq!(next_frame(&mut far).await, (CLOSE, b"\x03\xE8".to_vec()));
    assert_eq!(far.read(&mut [0; 1]).await.unwrap(), 0, "the write side has been shut down");
    assert_eq!(server.recv().await.unwrap(), None);
}

#[tokio::test]
async fn over_tcp_a_loop_that_only_sends_answers_pings_and_ends_with_the_peers_close() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (far, near) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
    let (mut far, near) = (far.unwrap(), near.unwrap().0);
    let sending = tokio::spawn(async move {
        let mut server = WebSocket::from_raw(near, Role::Server, Config::server()).unwrap();
        let mut tick = tokio::time::interval(Duration::from_millis(1));
        loop {
            tick.tick().await;
            if let Err(error) = server.send("tick").await {
                return error;
            }
        }
    });
    far.write_all(&frame(PING, b"alive?")).await.unwrap();
    let pong = async { while next_frame(&mut far).await != (PONG, b"alive?".to_vec()) {} };
    soon("a pong", pong).await;
    // A message that is never received hides nothing.
    far.write_all(&frame(TEXT, b"for nobody")).await.unwrap();
    far.write_all(&frame(CLOSE, b"\x03\xE8")).await.unwrap();
    soon("a Close", async { while next_frame(&mut far).await.0 != CLOSE {} }).await;
    let Error::Closed(info) = soon("the end of the loop", sending).await.unwrap() else {
        panic!("the send succeeded on a closed connection")
    };
    assert!(info.is_clean());
}

#[tokio::test]
async fn a_send_fails_once_the_peer_has_gone_without_a_close() {
    let (far, mut server) = server(Config::server());
    drop(far);
    let Err(Error::Closed(info)) = server.send("late").await else {
        panic!("the send succeeded although the transport has ended")
    };
    assert_eq!(info.cause, CloseCause::Transport(TransportEnd::Eof));
}

#[tokio::test]
async fn a_prepared_an_uncompressed_and_a_streamed_message_notice_a_close_too() {
    for way in 0..4 {
        let (mut far, mut server) = server(Config::server());
        far.write_all(&frame(CLOSE, b"\x03\xE8")).await.unwrap();
        let result = match way {
            0 => server.send_prepared(&ws_core::PreparedMessage::new("late")).await,
            1 => server.send_uncompressed("late").await,
            2 => server.send_piece(ws_core::DataType::Text, b"late", true).await,
            _ => server.send_stream(ws_core::DataType::Text).write(b"late").await,
        };
        assert!(matches!(result, Err(Error::Closed(_))), "{way}: {result:?}");
    }
}

/// Whole messages, one in fragments that a ping interrupts, and a last one.
fn conversation() -> Vec<u8> {
    [
        frame(TEXT, b"one"),
        frame(PING, b"1"),
        frame(BINARY, &[2; 300]),
        frame(TEXT, b""),
        frame(TEXT_PART, b"th"),
        frame(PING, b"2"),
        frame(LAST, b"ree"),
        frame(TEXT, b"four"),
    ]
    .concat()
}

fn expected() -> Vec<Message> {
    vec!["one".into(), vec![2; 300].into(), "".into(), "three".into(), "four".into()]
}

// Paused: the server lingers after each close.
#[tokio::test(start_paused = true)]
async fn what_sends_have_taken_is_received_later_in_order_however_it_is_received() {
    let bytes = conversation();
    for way in 0..3 {
        for cut in 0..bytes.len() {
            let (mut far, mut server) = server(Config::server());
            far.write_all(&bytes[..cut]).await.unwrap();
            server.send("a").await.unwrap();
            far.write_all(&bytes[cut..]).await.unwrap();
            server.send("b").await.unwrap();
            far.write_all(&frame(CLOSE, b"\x03\xE8")).await.unwrap();
            let mut received = Vec::new();
            match way {
                0 => {
                    while let Some(message) = server.recv().await.unwrap() {
                        received.push(message);
                    }
                }
                1 => {
                    let each = |_: &mut _, event: Event<'_>| {
                        match event {
                            Event::Text(text) => received.push(Message::text(text.into_owned())),
                            Event::Binary(bytes) => received.push(bytes.into()),
                            _ => {}
                        }
                        Ok(())
                    };
                    server.for_each_event(each).await.unwrap();
                }
                _ => {
                    while let Some(mut reader) = server.recv_stream().await.unwrap() {
                        let data_type = reader.data_type();
                        let bytes = reader.read_to_end(1 << 20).await.unwrap();
                        received.push(match data_type {
                            ws_core::DataType::Text => String::from_utf8(bytes).unwrap().into(),
                            ws_core::DataType::Binary => bytes.into(),
                        });
                    }
                }
            }
            assert_eq!(received, expected(), "way {way}, cut at {cut}");
        }
    }
}

#[tokio::test]
async fn what_is_kept_for_later_is_bounded_and_the_rest_is_noticed_once_it_has_been_received() {
    const BUDGET: usize = 10_000;
    let mut config = Config::server();
    config.max_read_ahead = BUDGET;
    let (mut far, mut server) = server(config);
    let message = frame(BINARY, &[7; 100]);
    far.write_all(&message.repeat(5000)).await.unwrap();
    far.write_all(&frame(PING, b"behind")).await.unwrap();
    for _ in 0..100 {
        server.send("tick").await.unwrap();
        // One read passes over the budget.
        let kept = server.memory_usage().total();
        assert!(kept <= BUDGET + (70 << 10), "{kept} bytes are kept");
    }
    for _ in 0..100 {
        assert_eq!(
            next_frame(&mut far).await,
            (TEXT, b"tick".to_vec()),
            "a ping was answered although the budget is used up"
        );
    }
    for n in 0..5000 {
        assert_eq!(server.recv().await.unwrap(), Some(vec![7; 100].into()), "message {n}");
    }
    // The first send follows a receive, in which the handler took what had arrived.
    server.send("tock").await.unwrap();
    assert_eq!(next_frame(&mut far).await, (TEXT, b"tock".to_vec()));
    server.send("tock").await.unwrap();
    assert_eq!(next_frame(&mut far).await, (PONG, b"behind".to_vec()));
    assert_eq!(server.memory_usage().total(), 0);
}

#[tokio::test]
async fn endless_empty_messages_that_are_kept_for_later_are_bounded() {
    let mut config = Config::server();
    config.max_read_ahead = 1000;
    let (mut far, mut server) = server(config);
    far.write_all(&frame(TEXT, b"").repeat(100_000)).await.unwrap();
    for _ in 0..10 {
        server.send("tick").await.unwrap();
    }
    assert!(server.memory_usage().total() <= 1000 + (70 << 10), "{:?}", server.memory_usage());
}

#[tokio::test]
async fn a_message_over_the_limit_can_still_be_taken_in_pieces_after_a_send() {
    let mut config = Config::server();
    config.max_message_size = 1000;
    let (mut far, mut server) = server(config);
    far.write_all(&frame(BINARY, &[5; 20_000])).await.unwrap();
    server.send("tick").await.unwrap();
    server.send("tick").await.unwrap();
    let mut reader = server.recv_stream().await.unwrap().unwrap();
    assert_eq!(reader.read_to_end(20_000).await.unwrap(), vec![5; 20_000]);
}

#[tokio::test]
async fn a_fault_of_the_peer_ends_a_send_and_is_answered() {
    let (mut far, mut server) = server(Config::server());
    far.write_all(b"\x81\x00").await.unwrap(); // not masked
    assert!(matches!(server.send("tick").await, Err(Error::Closed(_))));
    let (first, payload) = next_frame(&mut far).await;
    assert_eq!((first, &payload[..2]), (CLOSE, &b"\x03\xEA"[..]));
}

#[tokio::test]
async fn a_send_that_is_dropped_loses_no_message_that_it_has_received() {
    let (mut far, near) = duplex(64);
    let mut server = WebSocket::from_raw(near, Role::Server, Arc::new(Config::server())).unwrap();
    far.write_all(&frame(TEXT, b"one")).await.unwrap();
    {
        let mut send = pin!(server.send(vec![0; 1000]));
        let mut polls = 0;
        let dropped = poll_fn(|cx| {
            polls += 1;
            if polls == 2 {
                Poll::Ready(())
            } else {
                send.as_mut().poll(cx).map(|_| panic!("the send ended although the pipe is full"))
            }
        });
        tokio::time::timeout(Duration::from_millis(1), dropped).await.unwrap_or_default();
    }
    assert_eq!(server.recv().await.unwrap(), Some("one".into()));
}

#[tokio::test(start_paused = true)]
async fn control_frames_are_counted_by_the_second_where_the_user_only_sends() {
    let mut config = Config::server();
    config.max_control_rate = Some(5);
    let (mut far, mut server) = server(config);
    let ping = frame(PING, b"");
    for _ in 0..20 {
        far.write_all(&ping.repeat(5)).await.unwrap();
        server.send("tick").await.unwrap();
        tokio::time::sleep(Duration::from_millis(1001)).await;
    }
    far.write_all(&ping.repeat(6)).await.unwrap();
    assert!(matches!(server.send("tick").await, Err(Error::Closed(_))));
}

#[tokio::test]
async fn messages_are_answered_although_a_close_or_a_fault_arrived_behind_them() {
    let text = |payload: &[u8]| frame(TEXT, payload);
    let messages = [text(b"one"), text(b"two")].concat();
    let close = frame(CLOSE, &1000u16.to_be_bytes());
    for (behind, code) in [(close, 1000), (vec![0xC1, 0x80], 1002)] {
        let (mut peer, mut server) = server(Config::server());
        peer.write_all(&[&messages[..], &behind].concat()).await.unwrap();
        let echo = tokio::spawn(async move {
            while let Some(message) = server.recv().await? {
                server.send(message).await?;
            }
            Ok::<_, Error>(())
        });
        for text in ["one", "two"] {
            assert_eq!(next_frame(&mut peer).await, (0x81, text.as_bytes().to_vec()), "{code}");
        }
        let (first, payload) = next_frame(&mut peer).await;
        assert_eq!((first, &payload[..2]), (0x88, &u16::to_be_bytes(code)[..]));
        drop(peer);
        assert_eq!(soon("the end", echo).await.unwrap().is_ok(), code == 1000);
    }
}
