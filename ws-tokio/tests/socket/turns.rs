//! Large compressed messages: other tasks have their turn about every 64 KiB.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use futures_sink::Sink;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use ws_core::deflate::{self, Agreed, PerMessageDeflate};
use ws_core::{CloseCode, Config, Connection, DataType, Event, Message, PreparedMessage, SendError};
use ws_tokio::{Broadcast, ByteStream, Outbox, SlowPolicy, WebSocket};

use crate::dropped::dropped_after;

pub(crate) const STEPS: usize = 8;
pub(crate) const LARGE: usize = STEPS * (64 << 10);

type Socket = WebSocket<DuplexStream>;

fn agreed(takeover: bool) -> Agreed {
    Agreed { server_no_context_takeover: !takeover, client_no_context_takeover: !takeover, ..Agreed::PLAIN }
}

/// A client and a server, with room for all that is sent: nothing waits for the transport.
pub(crate) fn pair(takeover: bool) -> (Socket, Socket) {
    let (a, b) = duplex(8 << 20);
    let config = Arc::new(Config::server());
    let (agreed, deflate) = (agreed(takeover), deflate::Config::server());
    let client =
        Connection::client(config.clone(), [7; 32]).with_deflate(PerMessageDeflate::client(agreed, &deflate));
    let server = Connection::server(config).with_deflate(PerMessageDeflate::server(agreed, &deflate));
    (WebSocket::new(a, client, &[]), WebSocket::new(b, server, &[]))
}

fn text(len: usize) -> String {
    (0u32..).flat_map(|n| format!("{n:x} ").into_bytes()).take(len).map(char::from).collect()
}

/// Of either type.
pub(crate) fn messages() -> [Message; 2] {
    [Message::text(text(LARGE)), Message::binary(text(LARGE))]
}

/// The message that an event is.
fn data(event: Event<'_>) -> Option<Message> {
    match event {
        Event::Text(text) => Some(Message::text(text.into_owned())),
        Event::Binary(bytes) => Some(bytes.into()),
        _ => None,
    }
}

/// What a future returns, and how many times a neighbour that is always ready was polled meanwhile.
async fn turns_of_others<F: Future>(future: F) -> (F::Output, usize) {
    let turns = Arc::new(AtomicUsize::new(0));
    let counted = turns.clone();
    let neighbour = tokio::spawn(async move {
        loop {
            counted.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
        }
    });
    let output = future.await;
    let polled = turns.load(Ordering::Relaxed);
    neighbour.abort();
    (output, polled)
}

#[tokio::test]
async fn other_tasks_run_while_a_large_message_is_sent_and_received_in_either_role() {
    for takeover in [false, true] {
        let (mut client, mut server) = pair(takeover);
        // With takeover the second refers back to the first.
        for _ in 0..=usize::from(takeover) {
            for message in messages() {
                for to_server in [true, false] {
                    let (sender, receiver) =
                        if to_server { (&mut client, &mut server) } else { (&mut server, &mut client) };
                    let (sent, turns) = turns_of_others(sender.send(message.clone())).await;
                    sent.unwrap();
                    assert!(turns >= STEPS - 1, "{turns} turns while it was compressed");
                    let (received, turns) = turns_of_others(receiver.recv()).await;
                    assert_eq!(received.unwrap(), Some(message.clone()));
                    // A step inflates what one read has brought, which may be more than 64 KiB.
                    assert!(turns >= STEPS / 2, "{turns} turns while it was inflated");
                }
            }
        }
    }
}

#[tokio::test]
async fn other_tasks_run_between_the_steps_of_clones_of_a_sender_and_of_lent_events() {
    for takeover in [false, true] {
        let (client, mut server) = pair(takeover);
        let (sender, _receiver) = client.split();
        let other = sender.clone();
        let [message, _] = messages();
        let sending = async {
            sender.feed(message.clone()).await.unwrap();
            // The second waits in line, and with takeover refers back to the first.
            tokio::join!(other.send(message.clone()), sender.send("x".repeat(2000)))
        };
        let ((one, two), turns) = turns_of_others(sending).await;
        one.and(two).unwrap();
        assert!(turns >= 2 * STEPS - 2, "{turns} turns while two were compressed");
        let mut lent = Vec::new();
        let each = |_: &mut Connection, event: Event<'_>| {
            lent.extend(data(event));
            if lent.len() == 3 { Err(SendError::MessageInProgress) } else { Ok(()) }
        };
        let (stopped, turns) = turns_of_others(server.for_each_event(each)).await;
        assert!(stopped.is_err() && turns >= STEPS, "{turns} turns while two were inflated");
        assert_eq!(lent.iter().filter(|lent| **lent == message).count(), 2);
    }
}

#[tokio::test]
async fn other_tasks_run_while_a_message_is_read_in_pieces_or_as_bytes() {
    let (mut client, mut server) = pair(true);
    client.send(vec![0; 8 * LARGE]).await.unwrap();
    let reading = async {
        let mut reader = server.recv_stream().await.unwrap().unwrap();
        let mut len = 0;
        while let Some(piece) = reader.next().await.unwrap() {
            len += piece.len();
        }
        len
    };
    let (len, turns) = turns_of_others(reading).await;
    assert_eq!(len, 8 * LARGE);
    assert!(turns >= 8 * STEPS - 8, "{turns} turns");

    let (mut client, mut server) = (ByteStream::from(client), ByteStream::from(server));
    let writing = async {
        client.write_all(&vec![0; LARGE]).await.unwrap();
        client.flush().await.unwrap();
    };
    let ((), turns) = turns_of_others(writing).await;
    assert!(turns >= STEPS - 1, "{turns} turns while it was written");
    let mut bytes = vec![1; LARGE];
    let (read, turns) = turns_of_others(server.read_exact(&mut bytes)).await;
    read.unwrap();
    assert!(turns >= STEPS - 1, "{turns} turns while it was read");
    assert_eq!(bytes, [0; LARGE]);
}

#[tokio::test]
async fn other_tasks_run_between_messages_and_pieces_that_add_up() {
    const COUNT: usize = 20;
    let message = Message::text(text(60_000));
    let (mut client, mut server) = pair(true);
    let sending = async {
        for _ in 0..COUNT {
            client.send(message.clone()).await.unwrap();
        }
    };
    let ((), turns) = turns_of_others(sending).await;
    assert!(turns >= COUNT / 2 - 1, "{turns} turns while messages were sent");
    let receiving = async {
        for _ in 0..COUNT {
            assert_eq!(server.recv().await.unwrap().as_ref(), Some(&message));
        }
    };
    let ((), turns) = turns_of_others(receiving).await;
    assert!(turns >= COUNT / 2 - 1, "{turns} turns while messages were received");
    let mut writer = client.send_stream(DataType::Text);
    let writing = async {
        for _ in 0..COUNT {
            writer.write(message.as_bytes()).await.unwrap();
        }
        writer.finish().await.unwrap();
    };
    let ((), turns) = turns_of_others(writing).await;
    assert!(turns >= COUNT / 2 - 1, "{turns} turns while pieces were written");
    let sinking = async {
        for _ in 0..COUNT {
            poll_fn(|cx| Pin::new(&mut client).poll_ready(cx)).await.unwrap();
            Pin::new(&mut client).start_send(message.clone()).unwrap();
            poll_fn(|cx| Sink::poll_flush(Pin::new(&mut client), cx)).await.unwrap();
        }
    };
    let ((), turns) = turns_of_others(sinking).await;
    assert!(turns >= COUNT / 2 - 1, "{turns} turns while a sink was sent to");
    let (sender, _receiver) = client.split();
    let sending = async {
        for _ in 0..COUNT {
            sender.send(message.clone()).await.unwrap();
        }
    };
    let ((), turns) = turns_of_others(sending).await;
    assert!(turns >= COUNT / 2 - 1, "{turns} turns while a sender sent");
}

#[tokio::test]
async fn other_tasks_run_while_a_large_message_is_prepared_or_published() {
    let [message, _] = messages();
    let (mut client, mut server) = pair(false);
    let (sent, turns) = turns_of_others(server.send_prepared(&PreparedMessage::new(message.clone()))).await;
    sent.unwrap();
    assert!(turns >= STEPS - 1, "{turns} turns while a prepared message was sent");
    assert_eq!(client.recv().await.unwrap(), Some(message.clone()));

    let (sender, _receiver) = server.split();
    let (mut second_client, second) = pair(false);
    let (second_sender, _second_receiver) = second.split();
    let room = Broadcast::new();
    let _members =
        [room.join(sender, SlowPolicy::DropNewest), room.join(second_sender, SlowPolicy::DropNewest)];
    let (published, turns) = turns_of_others(room.publish(message.clone())).await;
    assert_eq!(published.delivered, 2);
    assert!((STEPS - 1..2 * STEPS).contains(&turns), "{turns} turns while it was published: once for both");
    for client in [&mut client, &mut second_client] {
        assert_eq!(client.recv().await.unwrap(), Some(message.clone()));
    }
    // Dropped at any time before, no member gets it; what has been compressed stays for the next.
    let prepared = PreparedMessage::new(message.clone());
    for polls in 0..STEPS {
        let published = dropped_after(polls.min(1), room.publish(prepared.clone())).await;
        assert!(published.is_none(), "{polls} polls");
    }
    while dropped_after(1, room.publish(prepared.clone())).await.is_none() {
        tokio::task::yield_now().await;
    }
    for client in [&mut client, &mut second_client] {
        assert_eq!(client.recv().await.unwrap(), Some(message.clone()));
        client.close(CloseCode::NORMAL_CLOSURE, "").await.unwrap();
    }
}

#[derive(Default)]
struct Queue(Mutex<VecDeque<PreparedMessage>>);

impl Outbox for Queue {
    fn next(&self) -> Option<PreparedMessage> {
        self.0.lock().unwrap().pop_front()
    }

    fn memory_usage(&self) -> usize {
        0
    }

    fn closed(&self) {}
}

#[tokio::test]
async fn other_tasks_run_while_a_message_out_of_an_outbox_is_compressed() {
    let [message, _] = messages();
    let (mut client, server) = pair(false);
    let (sender, receiver) = server.split();
    let queue = Arc::new(Queue::default());
    sender.attach(queue.clone()).unwrap();
    let discarding = tokio::spawn(receiver.discard());
    let publish = |messages: &[&Message]| {
        queue.0.lock().unwrap().extend(messages.iter().map(|&message| message.clone().into()));
        assert!(sender.write_now(), "the connection is not slow");
    };
    let through = async {
        publish(&[&message]);
        assert_eq!(client.recv().await.unwrap(), Some(message.clone()));
    };
    let ((), turns) = turns_of_others(through).await;
    // The client inflates it in as many.
    assert!(turns >= STEPS + STEPS / 2, "{turns} turns");
    // What is published behind it does not wait for long, and is not lost.
    let small = Message::text("small");
    for together in [true, false] {
        if together {
            publish(&[&message, &small]);
        } else {
            publish(&[&message]);
            publish(&[&small]);
        }
        assert_eq!(client.recv().await.unwrap(), Some(message.clone()));
        assert_eq!(client.recv().await.unwrap(), Some(small.clone()));
    }
    // Once the connection has been closed nothing is compressed any more.
    queue.0.lock().unwrap().push_back(message.into());
    sender.write_now();
    client.close(CloseCode::NORMAL_CLOSURE, "").await.unwrap();
    discarding.await.unwrap().unwrap();
}
