//! Messages that are published together, and members that take nothing.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use ws_core::{CloseCause, Config, Connection, Deadline, Message};
use ws_tokio::{Broadcast, Error, PublishReport, Receiver, SlowPolicy, WebSocket};

/// A transport that takes up to `room` bytes, and keeps each write; nothing comes from it.
#[derive(Clone, Default)]
struct Transport(Arc<Mutex<Taken>>);

#[derive(Default)]
struct Taken {
    writes: Vec<Vec<u8>>,
    room: usize,
    fails: bool,
    waker: Option<Waker>,
}

impl Transport {
    fn with_room(room: usize) -> Self {
        Self(Arc::new(Mutex::new(Taken { room, ..Taken::default() })))
    }

    fn give_room(&self, room: usize) {
        let mut taken = self.0.lock().unwrap();
        taken.room += room;
        taken.waker.take().into_iter().for_each(Waker::wake);
    }

    fn fail(&self) {
        self.0.lock().unwrap().fails = true;
        self.give_room(0);
    }

    fn writes(&self) -> Vec<Vec<u8>> {
        self.0.lock().unwrap().writes.clone()
    }
}

impl AsyncRead for Transport {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

impl AsyncWrite for Transport {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut taken = self.0.lock().unwrap();
        if taken.fails {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let length = bytes.len().min(taken.room);
        if length == 0 {
            taken.waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        taken.room -= length;
        taken.writes.push(bytes[..length].to_vec());
        Poll::Ready(Ok(length))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// At most 1,000 bytes wait for each member.
fn member(room: &Broadcast, slow: SlowPolicy, transport: &Transport) -> (impl Sized, Receiver<Transport>) {
    let mut config = Config::server();
    config.send_high_water = 1000;
    config.keepalive = None;
    let websocket = WebSocket::new(transport.clone(), Connection::server(Arc::new(config)), &[]);
    let (sender, receiver) = websocket.split();
    (room.join(sender, slow), receiver)
}

/// 100 bytes, framed in 102, that begin with a number.
fn numbered(n: u32) -> Message {
    Message::text(format!("{n:<100}"))
}

/// The numbers of the messages in these bytes.
fn numbers(bytes: &[u8]) -> Vec<u32> {
    let frames = bytes.chunks(102);
    frames.map(|frame| std::str::from_utf8(&frame[2..]).unwrap().trim().parse().unwrap()).collect()
}

#[tokio::test]
async fn what_is_published_together_goes_out_in_one_write_for_each_member() {
    let room = Broadcast::new();
    let transports = [Transport::with_room(10_000), Transport::with_room(10_000)];
    let _members = transports.each_ref().map(|transport| member(&room, SlowPolicy::DropNewest, transport));
    let published = room.publish_all((0..9).map(numbered)).await;
    assert_eq!(published, PublishReport { delivered: 18, ..PublishReport::default() });
    for transport in &transports {
        let writes = transport.writes();
        assert_eq!(writes.len(), 1, "number of writes");
        assert_eq!(numbers(&writes[0]), (0..9).collect::<Vec<_>>());
    }
    assert_eq!(room.total(), published);
    assert_eq!(room.publish_all(Vec::<Message>::new()).await, PublishReport::default());
    assert_eq!(transports[0].writes().len(), 1, "an empty batch was written");
}

#[tokio::test]
async fn what_is_published_in_a_row_goes_out_in_one_write_for_each_member() {
    let room = Broadcast::new();
    let transports = [0, 1, 2].map(|_| Transport::with_room(100_000));
    let (_first, mut first) = member(&room, SlowPolicy::DropNewest, &transports[0]);
    let _second = member(&room, SlowPolicy::Wait, &transports[1]);
    for n in 0..8 {
        let published = room.publish(numbered(n)).await;
        assert_eq!(published, PublishReport { delivered: 2, ..PublishReport::default() });
    }
    // One that joins in between gets what comes after that.
    let _third = member(&room, SlowPolicy::DropNewest, &transports[2]);
    assert_eq!(room.publish(numbered(8)).await.delivered, 3);
    assert!(transports.iter().all(|transport| transport.writes().is_empty()), "nobody has waited yet");
    tokio::task::yield_now().await;
    for (transport, from) in transports.iter().zip([0, 0, 8]) {
        let writes = transport.writes();
        assert_eq!(writes.len(), 1, "writes");
        assert_eq!(numbers(&writes[0]), (from..9).collect::<Vec<_>>());
    }

    // What is queued is written also by its own receiver.
    room.publish(numbered(9)).await;
    let receiving = tokio::time::timeout(Duration::ZERO, first.recv()).await;
    assert!(receiving.is_err() && numbers(&transports[0].writes().concat()) == (0..10).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_is_published_in_a_row_to_a_large_room_goes_out_in_one_write_for_each_member() {
    let room = Broadcast::new();
    let transports: Vec<_> = (0..300).map(|_| Transport::with_room(100_000)).collect();
    let _members: Vec<_> =
        transports.iter().map(|transport| member(&room, SlowPolicy::Wait, transport)).collect();
    // Each publish lets other tasks run, as there are many members: the task that writes must not be one that does so too early.
    let publishing = room.clone();
    let publisher = tokio::spawn(async move {
        for n in 0..8 {
            publishing.publish(numbered(n)).await;
        }
    });
    publisher.await.unwrap();
    while transports.iter().any(|transport| transport.writes().is_empty()) {
        tokio::task::yield_now().await;
    }
    for transport in &transports {
        let writes = transport.writes();
        assert_eq!(writes.len(), 1, "writes");
        assert_eq!(numbers(&writes[0]), (0..8).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn publishing_without_a_pause_lets_the_task_that_writes_run_after_16_messages() {
    let room = Broadcast::new();
    let transport = Transport::with_room(10_000);
    let _member = member(&room, SlowPolicy::DropNewest, &transport);
    for n in 0..40u8 {
        room.publish(vec![n]).await;
    }
    let lengths = || transport.writes().iter().map(Vec::len).collect::<Vec<_>>();
    assert_eq!(lengths(), [48, 48]);
    tokio::task::yield_now().await;
    assert_eq!(lengths(), [48, 48, 24]);
}

#[test]
fn a_runtime_that_ends_before_its_task_has_run_leaves_nothing_unwritten() {
    let runtime = || tokio::runtime::Builder::new_current_thread().build().unwrap();
    let room = Broadcast::new();
    let transport = Transport::with_room(10_000);
    let _member = member(&room, SlowPolicy::DropNewest, &transport);
    let first = runtime();
    first.block_on(room.publish(numbered(0)));
    drop(first);
    assert_eq!(transport.writes().len(), 1);
    runtime().block_on(async {
        room.publish(numbered(1)).await;
        tokio::task::yield_now().await;
        assert_eq!(transport.writes().len(), 2);
    });
}

#[test]
fn what_is_published_outside_of_a_runtime_is_written_at_once() {
    let room = Broadcast::new();
    let transport = Transport::with_room(10_000);
    let _member = member(&room, SlowPolicy::DropNewest, &transport);
    let publish = std::pin::pin!(room.publish(numbered(0)));
    assert!(publish.poll(&mut Context::from_waker(Waker::noop())).is_ready());
    assert_eq!(transport.writes().len(), 1);
}

#[tokio::test]
async fn a_batch_beyond_the_high_water_mark_makes_no_fast_member_slow() {
    let room = Broadcast::new();
    let (quick, slow) = (Transport::with_room(1_000_000), Transport::with_room(0));
    let _members = [
        member(&room, SlowPolicy::DropNewest, &quick),
        member(&room, SlowPolicy::DropNewest, &slow),
        member(&room, SlowPolicy::Close, &slow),
    ];
    let published = room.publish_all((0..100).map(numbered)).await;
    assert_eq!(numbers(&quick.writes().concat()), (0..100).collect::<Vec<_>>());
    assert_eq!(quick.writes().len(), 10, "each ten messages exceed the high-water mark");
    assert!(slow.writes().is_empty());
    assert_eq!(published, PublishReport { delivered: 120, dropped: 90, closed: 1, gone: 0 });
    assert_eq!(room.len(), 2, "a closed member has not left");
}

#[tokio::test]
async fn a_batch_waits_for_members_that_want_every_message_and_for_none_that_has_gone() {
    let room = Broadcast::new();
    let (slow, gone) = (Transport::with_room(500), Transport::with_room(0));
    let (_member, mut receiver) = member(&room, SlowPolicy::Wait, &slow);
    let (_other, mut closing) = member(&room, SlowPolicy::Wait, &gone);
    let publishing = room.publish_all((0..100).map(numbered));
    let ((), published) = tokio::join!(
        async {
            // Its peer reads again, some bytes at a time.
            for _ in 0..60 {
                slow.give_room(200);
                tokio::task::yield_now().await;
                let _ = tokio::time::timeout(Duration::ZERO, receiver.recv()).await;
            }
            gone.fail();
            let _ = tokio::time::timeout(Duration::ZERO, closing.recv()).await;
        },
        publishing,
    );
    assert_eq!(numbers(&slow.writes().concat()), (0..100).collect::<Vec<_>>());
    assert_eq!(published, PublishReport { delivered: 110, dropped: 0, closed: 0, gone: 1 });
    assert_eq!(room.total(), published);
}

#[tokio::test(start_paused = true)]
async fn a_member_that_takes_nothing_is_closed_by_the_write_deadline() {
    let room = Broadcast::new();
    let transport = Transport::with_room(0);
    let (_member, mut receiver) = member(&room, SlowPolicy::DropNewest, &transport);
    let begin = tokio::time::Instant::now();
    let waiting = tokio::spawn(async move { receiver.recv().await });
    // It waits already when the message comes.
    tokio::task::yield_now().await;
    room.publish(numbered(0)).await;
    let ended = tokio::time::timeout(Duration::from_secs(60), waiting)
        .await
        .expect("the connection did not end")
        .unwrap();
    let Err(Error::Closed(info)) = ended else { panic!("{ended:?}") };
    assert_eq!(info.cause, CloseCause::Timeout(Deadline::Write));
    assert_eq!(begin.elapsed(), Config::server().write_timeout);
}

#[tokio::test]
async fn more_members_than_a_task_may_write_to_at_a_time_are_written_to_at_once() {
    let room = Broadcast::new();
    let mut peers = Vec::new();
    let mut members = Vec::new();
    for _ in 0..300 {
        let (server, peer) = tokio::io::duplex(1024);
        let connection = Connection::server(Arc::new(Config::server()));
        // No task polls the receiver: a member gets the message from the publishing task or not at all.
        let (sender, receiver) = WebSocket::new(server, connection, &[]).split();
        members.push((room.join(sender, SlowPolicy::DropNewest), receiver));
        peers.push(peer);
    }
    assert_eq!(room.publish(numbered(7)).await.delivered, 300);
    for mut peer in peers {
        let mut bytes = vec![0; 102];
        tokio::time::timeout(Duration::from_secs(5), peer.read_exact(&mut bytes)).await.unwrap().unwrap();
        assert_eq!(numbers(&bytes), [7]);
    }
}
