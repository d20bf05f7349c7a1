//! A message that is cut at every place, by every way in which a stream or a connection ends, and frames of every shape.

use tokio::sync::mpsc;
use ws_server::ws_core::{CloseCause, TransportEnd};
use ws_server::{CloseInfo, Message, Server, WebSocket};

use crate::bytes::*;
use crate::common::{Running, frame as masked, options, reply, run, soon};

/// A server that echoes, and reports how each WebSocket ended and how many messages it received.
async fn reporting() -> (Running, mpsc::UnboundedReceiver<(CloseInfo, usize)>) {
    let (sender, ends) = mpsc::unbounded_channel();
    let handler = move |mut socket: WebSocket| {
        let sender = sender.clone();
        async move {
            let mut count = 0;
            while let Ok(Some(message)) = socket.recv().await {
                count += 1;
                let _ = socket.send(message).await;
            }
            let _ = sender.send((socket.close_info().unwrap(), count));
        }
    };
    (run(Server::builder().route("/", handler)).await, ends)
}

/// A text, a text in two fragments with a ping between them, and a Close: 3 places where a message is whole.
fn conversation() -> Vec<u8> {
    let close = masked(0x88, &1000_u16.to_be_bytes());
    [masked(0x81, b"one"), masked(0x01, b"tw"), masked(0x89, b"?"), masked(0x80, b"o"), close].concat()
}

/// How many messages are whole in this many bytes of the conversation, and whether the Close is.
fn whole(bytes: usize) -> (usize, bool) {
    let messages = usize::from(bytes >= 9) + usize::from(bytes >= 9 + 8 + 7 + 7);
    (messages, bytes >= conversation().len())
}

#[tokio::test]
async fn end_stream_at_every_byte_of_a_conversation_is_1006_unless_the_close_was_whole() {
    let (server, mut ends) = reporting().await;
    let conversation = conversation();
    let mut peer = Raw::begin(&server).await;
    peer.open(1, "/").await;
    let mut stream = 3;
    for cut in 0..=conversation.len() {
        // With the last bytes, and in an empty frame behind them.
        for with_bytes in [true, false] {
            peer.open(stream, "/").await;
            if with_bytes {
                peer.data(stream, END_STREAM, &conversation[..cut]).await;
            } else {
                peer.data(stream, 0, &conversation[..cut]).await;
                peer.data(stream, END_STREAM, b"").await;
            }
            let (info, count) = soon(ends.recv()).await.unwrap();
            let (messages, closed) = whole(cut);
            assert_eq!(count, messages, "{cut} bytes");
            assert_eq!(info.is_clean(), closed, "{cut} bytes: {info:?}");
            if !closed {
                assert_eq!(info.cause, CloseCause::Transport(TransportEnd::Eof), "{cut} bytes");
            }
            stream += 2;
        }
        peer.echo(1, "nothing noticed").await;
    }
    server.until(|stats| (stats.open(), stats.connections()) == (1, 1)).await;
}

#[tokio::test]
async fn a_reset_at_every_byte_of_a_conversation_is_a_reset_unless_the_close_was_whole() {
    let (server, mut ends) = reporting().await;
    let conversation = conversation();
    let mut peer = Raw::begin(&server).await;
    peer.open(1, "/").await;
    let mut stream = 3;
    for cut in 0..=conversation.len() {
        peer.open(stream, "/").await;
        peer.data(stream, 0, &conversation[..cut]).await;
        peer.send(RST_STREAM, 0, stream, &CANCEL.to_be_bytes()).await;
        let (info, count) = soon(ends.recv()).await.unwrap();
        let (messages, closed) = whole(cut);
        assert!(count <= messages, "{cut} bytes");
        assert!(closed || !info.is_clean(), "{cut} bytes: {info:?}");
        if !closed {
            assert_eq!(info.cause, CloseCause::Transport(TransportEnd::Reset), "{cut} bytes");
        }
        peer.echo(1, "nothing noticed").await;
        stream += 2;
    }
    server.until(|stats| (stats.open(), stats.connections()) == (1, 1)).await;
}

#[tokio::test]
async fn trailers_at_every_byte_of_a_conversation_end_the_stream_as_end_stream_does() {
    let (server, mut ends) = reporting().await;
    let conversation = conversation();
    let mut peer = Raw::begin(&server).await;
    peer.open(1, "/").await;
    let trailers = fields(&[("x-checksum", "7")]);
    let mut stream = 3;
    for cut in 0..=conversation.len() {
        peer.open(stream, "/").await;
        peer.data(stream, 0, &conversation[..cut]).await;
        peer.send(HEADERS, END_HEADERS | END_STREAM, stream, &trailers).await;
        let (info, count) = soon(ends.recv()).await.unwrap();
        assert_eq!((count, info.is_clean()), whole(cut), "{cut} bytes: {info:?}");
        stream += 2;
    }
    // Fields in the middle of a stream that does not end with them are malformed (RFC 9113 section 8.1).
    peer.open(stream, "/").await;
    peer.send(HEADERS, END_HEADERS, stream, &trailers).await;
    assert!(!soon(ends.recv()).await.unwrap().0.is_clean());
    peer.echo(1, "nothing noticed").await;
}

#[tokio::test]
async fn the_end_of_the_connection_at_every_byte_of_a_conversation_ends_each_websocket_on_it() {
    let (server, mut ends) = reporting().await;
    let conversation = conversation();
    for cut in 0..=conversation.len() {
        for abruptly in [false, true] {
            let mut peer = Raw::begin(&server).await;
            peer.open(1, "/").await;
            peer.open(3, "/").await;
            peer.echo(3, "beside").await;
            peer.data(1, 0, &conversation[..cut]).await;
            if abruptly {
                // GOAWAY with a fault: nothing goes on (RFC 9113 section 6.8).
                peer.send(GOAWAY, 0, 0, &[0, 0, 0, 0, 0, 0, 0, 2]).await;
            }
            drop(peer);
            for _ in 0..2 {
                let (info, _) = soon(ends.recv()).await.unwrap();
                // At most the one that had its Close.
                assert!(!info.is_clean() || cut == conversation.len(), "{cut} bytes: {info:?}");
            }
        }
    }
    server.until(|stats| (stats.open(), stats.connections()) == (0, 0)).await;
}

#[tokio::test]
async fn a_goaway_of_the_client_at_every_byte_lets_its_websockets_go_on_to_their_close() {
    let (server, mut ends) = reporting().await;
    let conversation = conversation();
    for cut in 0..=conversation.len() {
        let mut peer = Raw::begin(&server).await;
        peer.open(1, "/").await;
        peer.data(1, 0, &conversation[..cut]).await;
        peer.send(GOAWAY, 0, 0, &[0; 8]).await;
        peer.data(1, END_STREAM, &conversation[cut..]).await;
        let (info, count) = soon(ends.recv()).await.unwrap();
        assert_eq!((count, info.is_clean()), (2, true), "{cut} bytes: {info:?}");
    }
}

#[tokio::test]
async fn a_conversation_is_the_same_in_frames_of_every_shape() {
    let (server, mut ends) = reporting().await;
    let conversation = conversation();
    let (messages, close) = conversation.split_at(conversation.len() - 8);
    let answers = [reply(0x81, b"one"), reply(0x8a, b"?"), reply(0x81, b"two")].concat();
    let padded =
        |bytes: &[u8], padding: usize| [&[padding.try_into().unwrap()], bytes, &vec![0; padding]].concat();
    let mut peer = Raw::begin(&server).await;
    let shapes = ["one byte", "padded", "empty between", "empty and padded", "two halves"];
    for (shape, stream) in shapes.into_iter().zip((1..).step_by(2)) {
        peer.open(stream, "/").await;
        for bytes in [messages, close] {
            match shape {
                "one byte" => {
                    for byte in bytes {
                        peer.data(stream, 0, &[*byte]).await;
                    }
                }
                "padded" => {
                    for (padding, byte) in bytes.iter().enumerate() {
                        peer.data(stream, PADDED, &padded(&[*byte], padding * 7)).await;
                    }
                }
                "empty between" => {
                    for byte in bytes {
                        peer.data(stream, 0, &[]).await;
                        peer.data(stream, 0, &[*byte]).await;
                    }
                }
                "empty and padded" => {
                    for bytes in bytes.chunks(2) {
                        peer.data(stream, PADDED, &padded(b"", 200)).await;
                        peer.data(stream, 0, bytes).await;
                    }
                }
                _ => {
                    let (one, two) = bytes.split_at(bytes.len() / 2);
                    peer.data(stream, 0, one).await;
                    peer.data(stream, PADDED, &padded(two, 0)).await;
                }
            }
            if bytes == messages {
                // The ping may be answered before what it came with.
                let mut received = peer.bytes(stream, answers.len()).await;
                let mut expected = answers.clone();
                received.sort_unstable();
                expected.sort_unstable();
                assert_eq!(received, expected, "{shape}");
            }
        }
        peer.data(stream, END_STREAM, b"").await;
        let (info, count) = soon(ends.recv()).await.unwrap();
        assert_eq!((count, info.is_clean()), (2, true), "{shape}: {info:?}");
    }
}

#[tokio::test]
async fn padding_uses_up_no_window() {
    let (server, _ends) = reporting().await;
    let mut peer = Raw::begin(&server).await;
    peer.open(1, "/").await;
    // Ten windows of a stream, of which nothing but padding and one message in each frame.
    let message = masked(0x81, b"x");
    let frame = [&[240][..], &message, &[0; 240]].concat();
    for _ in 0..10 * STREAM_WINDOW / frame.len() {
        peer.data(1, PADDED, &frame).await;
        assert_eq!(peer.bytes(1, 3).await, reply(0x81, b"x"));
    }
}

#[tokio::test]
async fn handlers_that_read_nothing_hold_up_no_other_inbound() {
    let deaf = async |socket: WebSocket| {
        std::future::pending::<()>().await;
        drop(socket);
    };
    let server = run(Server::builder().route("/", crate::common::echo).route("/deaf", deaf)).await;
    let mut peer = Raw::begin(&server).await;
    peer.open(1, "/").await;
    // All other streams that the server allows, each with its whole window used up.
    for stream in (3..).step_by(2).take(127) {
        peer.open(stream, "/deaf").await;
        for _ in 0..4 {
            peer.data(stream, 0, &[0; STREAM_WINDOW / 4]).await;
        }
    }
    for n in 0..100 {
        peer.echo(1, &format!("message {n}")).await;
    }
    assert_eq!(server.stats.open(), 128);
}

#[tokio::test]
async fn a_window_that_is_closed_holds_up_its_websocket_alone_and_opens_byte_by_byte() {
    let (server, mut ends) = reporting().await;
    // SETTINGS_INITIAL_WINDOW_SIZE = 0.
    let mut peer = Raw::with(&server, &[0, 4, 0, 0, 0, 0]).await;
    peer.open(1, "/").await;
    peer.open(3, "/").await;
    peer.send(WINDOW_UPDATE, 0, 3, &1_000_u32.to_be_bytes()).await;
    let text = "the answer waits";
    peer.data(1, 0, &masked(0x81, text.as_bytes())).await;
    peer.echo(3, "the other flows").await;
    let answer = reply(0x81, text.as_bytes());
    for byte in &answer {
        peer.send(WINDOW_UPDATE, 0, 1, &1_u32.to_be_bytes()).await;
        assert_eq!(peer.bytes(1, 1).await, [*byte]);
    }
    // A window that becomes negative by SETTINGS (RFC 9113 section 6.9.2) is no fault of either end.
    peer.send(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 10]).await;
    peer.data(1, 0, &masked(0x81, b"8 bytes!")).await;
    assert_eq!(peer.bytes(1, 10).await, reply(0x81, b"8 bytes!"));
    peer.send(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]).await;
    peer.data(1, 0, &masked(0x81, b"x")).await;
    peer.echo(3, "the other still flows").await;
    peer.send(WINDOW_UPDATE, 0, 1, &13_u32.to_be_bytes()).await;
    assert_eq!(peer.bytes(1, 3).await, reply(0x81, b"x"));
    peer.send(RST_STREAM, 0, 1, &CANCEL.to_be_bytes()).await;
    let (info, _) = soon(ends.recv()).await.unwrap();
    assert_eq!(info.cause, CloseCause::Transport(TransportEnd::Reset));
}

#[tokio::test]
async fn more_than_the_window_of_a_stream_resets_that_stream_and_more_than_the_connections_ends_it() {
    let deaf = async |mut socket: WebSocket| {
        // As soon as it has something, it reads no more.
        let _ = socket.recv().await;
        std::future::pending::<Option<Message>>().await
    };
    let options = options(|options| {
        let http2 = options.http2.as_mut().unwrap();
        http2.connection_window = Some(3 * 65_536);
    });
    let deaf = move |socket: WebSocket| async move {
        let _ = deaf(socket).await;
    };
    let builder = Server::builder().route("/", crate::common::echo).route("/deaf", deaf).options(options);
    let server = run(builder).await;
    let mut peer = Raw::begin(&server).await;
    peer.open(1, "/").await;
    peer.open(3, "/deaf").await;
    let message = masked(0x82, &[0; 100]);
    let frame = frame(DATA, 0, 3, &message.repeat(100));
    // The server reads ahead of its handler by a window at most.
    let mut reset = None;
    for _ in 0..60 {
        assert!(peer.try_send(&frame).await);
        let ping = [7; 8];
        peer.send(PING, 0, 0, &ping).await;
        while let Some(next) = peer.next().await {
            match next.kind {
                RST_STREAM => reset = Some(next),
                PING => break,
                _ => {}
            }
        }
        if reset.is_some() {
            break;
        }
    }
    assert_eq!(reset.expect("the stream is reset").code(), FLOW_CONTROL_ERROR);
    peer.echo(1, "nothing noticed").await;
    // What a stream that was reset is sent counts in the connection's window, and is given back.
    for _ in 0..100 {
        peer.try_send(&frame).await;
    }
    peer.echo(1, "still nothing noticed").await;
}

#[tokio::test]
async fn a_client_that_ends_its_half_with_its_close_gets_the_answer_and_the_end_of_the_stream() {
    let (server, mut ends) = reporting().await;
    let mut peer = Raw::begin(&server).await;
    peer.open(1, "/").await;
    peer.data(1, END_STREAM, &masked(0x88, &[3, 0xe8])).await;
    let (mut answer, mut ended) = (Vec::new(), false);
    while !ended {
        let frame = peer.next_of(1).await.unwrap();
        assert_eq!(frame.kind, DATA, "{frame:?}");
        ended = frame.flags & END_STREAM != 0;
        answer.extend(frame.payload);
    }
    assert_eq!(answer, reply(0x88, &[3, 0xe8]));
    assert!(soon(ends.recv()).await.unwrap().0.is_clean());
}
