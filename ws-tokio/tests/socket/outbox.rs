//! Queues in front of a connection.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{DuplexStream, duplex};
use ws_core::{CloseCode, Config, DataType, Message, PreparedMessage, Role};
use ws_tokio::{Outbox, OutboxRow, Receiver, Sender, WebSocket};

#[derive(Default)]
struct Queue {
    messages: Mutex<VecDeque<PreparedMessage>>,
    closed: AtomicUsize,
    /// Whether several messages may be taken out in one turn.
    together: bool,
    /// How many turns it was locked for.
    turns: AtomicUsize,
}

impl Queue {
    fn with(messages: impl IntoIterator<Item = Message>) -> Arc<Self> {
        let queue = Self::default();
        queue.messages.lock().unwrap().extend(messages.into_iter().map(PreparedMessage::from));
        Arc::new(queue)
    }

    /// One out of which several messages may be taken in one turn.
    fn together(messages: impl IntoIterator<Item = Message>) -> Arc<Self> {
        let messages = Mutex::new(messages.into_iter().map(PreparedMessage::from).collect());
        Arc::new(Self { messages, together: true, ..Self::default() })
    }

    fn turns(&self) -> usize {
        self.turns.swap(0, Ordering::SeqCst)
    }

    fn len(&self) -> usize {
        self.messages.lock().unwrap().len()
    }

    fn closed(&self) -> usize {
        self.closed.load(Ordering::SeqCst)
    }
}

impl Outbox for Queue {
    fn next(&self) -> Option<PreparedMessage> {
        assert_eq!(self.closed(), 0, "it is asked after it was reported closed");
        self.turns.fetch_add(1, Ordering::SeqCst);
        self.messages.lock().unwrap().pop_front()
    }

    fn take(&self, row: &mut OutboxRow<'_>) -> bool {
        assert_eq!(self.closed(), 0, "it is asked after it was reported closed");
        if !self.together {
            return true;
        }
        self.turns.fetch_add(1, Ordering::SeqCst);
        let mut messages = self.messages.lock().unwrap();
        while messages.front().is_some_and(|message| row.push(message)) {
            messages.pop_front();
        }
        !messages.is_empty()
    }

    fn memory_usage(&self) -> usize {
        self.messages.lock().unwrap().iter().map(|message| message.message().len()).sum()
    }

    fn closed(&self) {
        self.closed.fetch_add(1, Ordering::SeqCst);
    }
}

type Halves = (Sender, Receiver<DuplexStream>);

/// A client, and the halves of its server, whose queue is full from 990 bytes on.
fn pair(pipe: usize) -> (WebSocket<DuplexStream>, Halves) {
    let (near, far) = duplex(pipe);
    let config = Config::server().send_high_water(990).keepalive(None);
    let server = WebSocket::from_raw(far, Role::Server, config).unwrap();
    (WebSocket::from_raw(near, Role::Client, Config::client()).unwrap(), server.split())
}

/// 500 bytes that begin with a number.
fn numbered(n: usize) -> Message {
    Message::text(format!("{n:<500}"))
}

async fn number(client: &mut WebSocket<DuplexStream>) -> usize {
    client.recv().await.unwrap().unwrap().as_text().unwrap().trim().parse().unwrap()
}

#[tokio::test]
async fn a_connection_takes_messages_out_of_an_outbox_as_it_has_room() {
    let messages = || (0..20).map(numbered);
    for queue in [Queue::with(messages()), Queue::together(messages())] {
        let (mut client, (sender, receiver)) = pair(10);
        sender.attach(queue.clone()).unwrap();
        assert!(!sender.write_now(), "there is room for two");
        assert_eq!(queue.len(), 18);
        assert!(sender.memory_usage().queued > 18 * 500, "what waits in the outbox counts");
        let receiving = tokio::spawn(receiver.discard());
        for n in 0..20 {
            assert_eq!(number(&mut client).await, n);
        }
        assert!(sender.write_now(), "all is taken out");
        client.close(CloseCode::NORMAL_CLOSURE, "").await.unwrap();
        receiving.await.unwrap().unwrap();
        assert_eq!(queue.closed(), 1);
    }
}

#[tokio::test]
async fn several_messages_are_taken_out_of_an_outbox_in_one_turn() {
    let (mut client, (sender, _receiver)) = pair(1 << 16);
    let queue = Queue::together((0..4).map(|n| Message::text(n.to_string())));
    sender.attach(queue.clone()).unwrap();
    assert!(sender.write_now());
    assert!(queue.turns() <= 2, "one in which all are taken out, and one that finds nothing");
    for n in 0..4 {
        assert_eq!(number(&mut client).await, n);
    }
    // Those of two take turns.
    sender.attach(Queue::with([])).unwrap();
    queue.messages.lock().unwrap().extend((0..4).map(|n| Message::text(n.to_string()).into()));
    assert!(sender.write_now());
    assert!(queue.turns() >= 4);
}

#[cfg(feature = "deflate")]
#[tokio::test]
async fn a_message_that_is_to_be_compressed_is_taken_out_by_itself() {
    use ws_core::Connection;
    use ws_core::deflate::{Agreed, Config as Deflate, PerMessageDeflate};

    // With context takeover what is prepared goes out uncompressed.
    let agreed = Agreed { server_no_context_takeover: true, ..Agreed::PLAIN };
    let deflate = PerMessageDeflate::server(agreed, &Deflate::server());
    let (_far, near) = duplex(1 << 16);
    let connection = Connection::server(Config::server().into()).with_deflate(deflate);
    let (sender, _receiver) = WebSocket::new(near, connection, &[]).split();
    let queue = Queue::together((0..4).map(numbered));
    sender.attach(queue.clone()).unwrap();
    assert!(sender.write_now());
    assert!(queue.turns() >= 4, "none is compressed while the queue is locked");
}

#[tokio::test]
async fn two_outboxes_of_one_connection_take_turns() {
    let (mut client, (sender, _receiver)) = pair(1 << 16);
    sender.attach(Queue::with((0..4).map(numbered))).unwrap();
    sender.attach(Queue::with((10..12).map(numbered))).unwrap();
    assert!(sender.downgrade().write_now());
    for n in [0, 10, 1, 11, 2, 3] {
        assert_eq!(number(&mut client).await, n);
    }
}

#[tokio::test]
async fn a_message_in_pieces_delays_what_an_outbox_has_and_loses_none_of_it() {
    let messages = || (0..3).map(numbered);
    for queue in [Queue::with(messages()), Queue::together(messages())] {
        let (mut client, (sender, _receiver)) = pair(1 << 16);
        let mut pieces = sender.send_stream(DataType::Text).await;
        pieces.write(b"be").await.unwrap();
        sender.attach(queue.clone()).unwrap();
        assert!(!sender.write_now());
        assert!(!sender.write_now());
        pieces.write(b"gun").await.unwrap();
        pieces.finish().await.unwrap();
        assert!(sender.write_now());
        assert_eq!(client.recv().await.unwrap(), Some("begun".into()));
        for n in 0..3 {
            assert_eq!(number(&mut client).await, n);
        }
    }
}

#[tokio::test]
async fn an_outbox_is_closed_once_however_the_connection_ends() {
    for end in ["close", "peer", "lost", "dropped", "reunited"] {
        let (mut client, (sender, mut receiver)) = pair(1 << 16);
        let queue = Queue::with([]);
        sender.attach(queue.clone()).unwrap();
        assert_eq!(queue.closed(), 0, "{end}");
        let weak = sender.downgrade();
        match end {
            "close" => {
                sender.start_close(CloseCode::NORMAL_CLOSURE, "").unwrap();
                sender.flush().await.unwrap();
            }
            "peer" => {
                client.start_close(CloseCode::NORMAL_CLOSURE, "").unwrap();
                client.flush().await.unwrap();
                assert_eq!(receiver.recv().await.unwrap(), None);
            }
            "lost" => {
                drop(client.into_inner());
                receiver.recv().await.unwrap_err();
            }
            "dropped" => {
                drop((sender, receiver));
                assert!(weak.upgrade().is_none() && !weak.write_now());
                assert_eq!(queue.closed(), 1, "{end}");
                continue;
            }
            _ => {
                let whole = receiver.reunite(sender).unwrap();
                assert!(whole.is_open() && weak.upgrade().is_none());
                assert_eq!(queue.closed(), 1, "{end}");
                continue;
            }
        }
        assert_eq!(queue.closed(), 1, "{end}");
        sender.attach(Queue::with([])).unwrap_err();
        drop((sender, receiver));
        assert_eq!(queue.closed(), 1, "{end}");
    }
}

#[tokio::test]
async fn the_clones_of_a_sender_have_one_connection_id_and_no_other_connection_has_it() {
    let (_client, (sender, _receiver)) = pair(10);
    let id = sender.connection_id();
    assert_eq!(sender.clone().connection_id(), id);
    assert_eq!(sender.downgrade().upgrade().unwrap().connection_id(), id);
    assert_ne!(id.get(), 0);
    drop((sender, _receiver));
    let (_client, (other, _receiver)) = pair(10);
    assert_ne!(other.connection_id(), id);
}
