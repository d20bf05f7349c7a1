//! As `cancellation.rs`, for messages in pieces, lent events and broadcasts: every future is dropped at every await
//! point and the operation tried again; nothing is lost, nothing doubled, and counts are exact.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::io::{DuplexStream, duplex};
use ws_core::{CloseCode, Config, Connection, DataType, Event};
use ws_tokio::{Broadcast, Error, MessageReader, MessageWriter, PublishReport, SlowPolicy, WebSocket};

/// Polls a future this many times at most, then drops it: `None` if it was not done by then.
async fn dropped_after<T>(mut polls: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|cx| {
        if polls == 0 {
            return Poll::Ready(None);
        }
        polls -= 1;
        match future.as_mut().poll(cx) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending if polls == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// Tries until it is done, each time with more patience.
macro_rules! insist {
    ($polls:expr, $future:expr) => {{
        let mut patience = $polls;
        loop {
            match dropped_after(patience, $future).await {
                Some(done) => break done,
                None => patience += 1,
            }
        }
    }};
}

fn pair(pipe: usize) -> (WebSocket<DuplexStream>, WebSocket<DuplexStream>) {
    let mut config = Config::server();
    config.send_high_water = 50;
    config.max_frame_size = 125;
    config.max_read_ahead = 100;
    let config = Arc::new(config);
    let (near, far) = duplex(pipe);
    (
        WebSocket::new(near, Connection::client(Arc::clone(&config), [3; 32]), &[]),
        WebSocket::new(far, Connection::server(config), &[]),
    )
}

/// Runs it for every number of polls; the clock stands still unless all wait.
fn at_every_await<F: Future<Output = ()>>(run: impl Fn(usize) -> F) {
    for polls in 0..25 {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let limit = Duration::from_secs(60);
        let done = runtime.block_on(async { tokio::time::timeout(limit, run(polls)).await });
        assert!(done.is_ok(), "hangs with {polls} polls");
    }
}

/// Text that differs from other texts, and whose characters straddle pieces.
fn piece(n: usize) -> String {
    format!("<{n}:{}>", "größer als gedacht ".repeat(1 + n % 9))
}

const PIECES: usize = 12;

fn message() -> String {
    (0..PIECES).map(piece).collect()
}

async fn read_to_end(mut reader: MessageReader<'_>, polls: usize) -> String {
    // Too low a limit takes nothing away either.
    assert!(matches!(insist!(polls, reader.read_to_end(100)), Err(Error::OverLimit { limit: 100 })));
    let first = insist!(polls, reader.next()).unwrap().unwrap();
    let rest = insist!(polls, reader.read_to_end(1 << 20)).unwrap();
    assert!(insist!(polls, reader.next()).unwrap().is_none());
    String::from_utf8([first.as_bytes(), &rest].concat()).unwrap()
}

#[test]
fn pieces_that_are_fed_and_read_to_the_end_come_once() {
    at_every_await(async |polls| {
        let (mut near, mut far) = pair(40);
        let send = async {
            for n in 0..PIECES {
                let last = n + 1 == PIECES;
                insist!(polls, near.feed_piece(DataType::Text, piece(n).as_bytes(), last)).unwrap();
                let _ = dropped_after(polls, near.flush()).await;
            }
            insist!(polls, near.flush()).unwrap();
        };
        let receive = async {
            let reader = insist!(polls, far.recv_stream()).unwrap().unwrap();
            assert_eq!(read_to_end(reader, polls).await, message());
        };
        tokio::join!(send, receive);
    });
}

/// Writes all pieces as a caller that cannot see which of them a dropped future has queued: some twice.
async fn write_all(writer: &mut MessageWriter<'_>, polls: usize, feed: bool) {
    for n in 0..PIECES {
        let piece = piece(n);
        if feed {
            insist!(polls, writer.feed(piece.as_bytes())).unwrap();
            let _ = dropped_after(polls, writer.flush()).await;
        } else {
            insist!(polls, writer.write(piece.as_bytes())).unwrap();
        }
    }
}

#[test]
fn a_piece_whose_future_is_dropped_is_wholly_queued_or_not_at_all() {
    at_every_await(async |polls| {
        for (split, feed) in [(false, false), (false, true), (true, false), (true, true)] {
            let (mut near, mut far) = pair(40);
            let send = async {
                if split {
                    let (sender, receiver) = near.split();
                    let mut writer = insist!(polls, sender.send_stream(DataType::Text));
                    tokio::select! {
                        _ = receiver.discard() => panic!("the connection was closed"),
                        () = async {
                            write_all(&mut writer, polls, feed).await;
                            writer.finish().await.unwrap();
                        } => {}
                    }
                } else {
                    let mut writer = near.send_stream(DataType::Text);
                    write_all(&mut writer, polls, feed).await;
                    writer.finish().await.unwrap();
                }
            };
            let receive = async {
                let mut reader = far.recv_stream().await.unwrap().unwrap();
                String::from_utf8(reader.read_to_end(1 << 20).await.unwrap()).unwrap()
            };
            let ((), received) = tokio::join!(send, receive);
            let mut pieces: Vec<&str> = received.split_inclusive('>').collect();
            assert!(!feed || pieces.len() == PIECES, "a fed piece arrived twice");
            pieces.dedup();
            assert_eq!(pieces.concat(), message());
        }
    });
}

#[test]
fn a_finish_that_is_dropped_has_ended_the_message_or_closes_the_connection() {
    at_every_await(async |polls| {
        let (mut near, mut far) = pair(40);
        let send = async {
            let mut writer = near.send_stream(DataType::Text);
            writer.feed(piece(8).as_bytes()).await.unwrap();
            let _ = dropped_after(polls, writer.finish()).await;
            // Whether the message was ended is seen by whether more can be sent.
            let sent = near.send("more").await;
            let closed = near.close(CloseCode::NORMAL_CLOSURE, "").await.unwrap();
            assert!(closed.is_clean());
            (sent.is_ok(), closed.sent)
        };
        let receive = async {
            let mut texts = Vec::new();
            while let Ok(Some(message)) = far.recv().await {
                texts.push(message.as_text().unwrap().to_owned());
            }
            (texts, far.close_info().unwrap().code())
        };
        let ((ended, sent), (texts, code)) = tokio::join!(send, receive);
        assert_eq!(sent, Some(code));
        let expected: (&[String], _) = match ended {
            true => (&[piece(8), "more".to_owned()], CloseCode::NORMAL_CLOSURE),
            false => (&[], CloseCode::INTERNAL_ERROR),
        };
        assert_eq!((&texts[..], code), expected);
    });
}

#[test]
fn lent_events_and_their_answers_come_once() {
    at_every_await(async |polls| {
        let (near, mut far) = pair(40);
        let mut seen = Vec::new();
        let echo = async {
            let mut each = |connection: &mut Connection, event: Event<'_>| {
                let Event::Text(text) = event else { return Ok(()) };
                seen.push(text.clone().into_owned());
                connection.send_text(&text)
            };
            insist!(polls, far.for_each_event(&mut each)).unwrap();
        };
        let client = async {
            let (sender, mut receiver) = near.split();
            let send = async {
                for n in 0..PIECES {
                    sender.send(piece(n)).await.unwrap();
                }
            };
            let receive = async {
                let mut echoed = Vec::new();
                while echoed.len() < PIECES {
                    echoed.push(receiver.recv().await.unwrap().unwrap().as_text().unwrap().to_owned());
                }
                echoed
            };
            let ((), echoed) = tokio::join!(send, receive);
            assert!(sender.close(CloseCode::NORMAL_CLOSURE, "").await.unwrap().is_clean());
            echoed
        };
        let ((), echoed) = tokio::join!(echo, client);
        let all: Vec<String> = (0..PIECES).map(piece).collect();
        assert_eq!((&seen, &echoed), (&all, &all));
    });
}

#[test]
fn a_message_whose_publishing_is_dropped_is_whole_or_missing_and_counted_as_what_it_is() {
    at_every_await(async |polls| {
        let room = Broadcast::new();
        let mut clients = Vec::new();
        let mut kept = Vec::new();
        for (slow, pipe) in
            [(SlowPolicy::DropNewest, 1 << 20), (SlowPolicy::Wait, 40), (SlowPolicy::Wait, 40)]
        {
            let (client, server) = pair(pipe);
            let (sender, receiver) = server.split();
            kept.push((room.join(sender, slow), tokio::spawn(receiver.discard())));
            clients.push(client);
        }
        let publish = async {
            let mut told = PublishReport::default();
            for n in 0..PIECES {
                // Some are dropped, and not tried again.
                if let Some(published) = dropped_after(polls, room.publish(piece(n))).await {
                    assert_eq!(published, PublishReport { delivered: 3, ..PublishReport::default() });
                    told.delivered += 3;
                }
                tokio::task::yield_now().await;
            }
            told
        };
        let receive = async |client: &mut WebSocket<DuplexStream>| {
            let mut numbers = Vec::new();
            while let Ok(message) = tokio::time::timeout(Duration::from_secs(1), client.recv()).await {
                let text = message.unwrap().unwrap().as_text().unwrap().to_owned();
                let n: usize = text[1..text.find(':').unwrap()].parse().unwrap();
                assert_eq!(text, piece(n));
                numbers.push(n);
            }
            assert!(numbers.is_sorted_by(|a, b| a < b), "out of order or duplicated: {numbers:?}");
            numbers.len()
        };
        let [fast, slow, slower] = &mut clients[..] else { panic!("there are not three members") };
        let (told, fast, slow, slower) = tokio::join!(publish, receive(fast), receive(slow), receive(slower));
        let total = room.total();
        let attempts = if polls == 0 { 0 } else { PIECES };
        assert_eq!(fast, attempts, "the fast member missed a message");
        assert_eq!(total.delivered, (fast + slow + slower) as u64, "{total:?}");
        assert_eq!(total.delivered + total.dropped, 3 * attempts as u64, "{total:?}");
        assert!(told.delivered <= total.delivered && total.closed + total.gone == 0);
        assert!(polls != 1 || total.dropped > 0, "no call of publish was dropped before its end");
    });
}
