//! What a connection reports to an observer, and how it gives way.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::timeout;
use ws_core::{Config, Connection, Message, ProtocolError};
use ws_tokio::{Broadcast, Closer, Error, Observer, Report, SlowPolicy, WebSocket};

/// Keeps the reports; asks for giving way where more is unfinished than this.
#[derive(Debug, Clone)]
struct Kept {
    reports: Arc<Mutex<Vec<Report>>>,
    most: usize,
}

impl Observer for Kept {
    fn observe(&self, report: &Report, _: &Closer) -> bool {
        self.reports.lock().unwrap().push(*report);
        report.unfinished > self.most
    }
}

impl Kept {
    fn last(&self) -> Report {
        self.reports.lock().unwrap().last().copied().unwrap_or_default()
    }

    async fn until(&self, what: impl Fn(&Report) -> bool) {
        soon(async {
            while !what(&self.last()) {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}

fn server(most: usize) -> (WebSocket<DuplexStream>, DuplexStream, Kept) {
    server_over(1 << 20, most)
}

/// A server whose transport takes this many bytes that are not read.
fn server_over(room: usize, most: usize) -> (WebSocket<DuplexStream>, DuplexStream, Kept) {
    let (near, far) = duplex(room);
    let mut websocket = WebSocket::new(near, Connection::server(Arc::new(Config::server())), &[]);
    let kept = Kept { reports: Arc::default(), most };
    websocket.set_observer(Box::new(kept.clone()));
    (websocket, far, kept)
}

/// A client's frame of this many bytes, masked with zeros.
fn frame(first: u8, length: u16) -> Vec<u8> {
    let [high, low] = length.to_be_bytes();
    [&[first, 0xfe, high, low, 0, 0, 0, 0], &vec![7; length.into()][..]].concat()
}

async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(10), future).await.expect("timed out")
}

#[tokio::test]
async fn a_connection_reports_what_it_holds_when_it_waits_has_received_and_ends() {
    let (mut websocket, mut peer, kept) = server(usize::MAX);
    // It holds nothing.
    assert!(kept.reports.lock().unwrap().is_empty());
    let owner = tokio::spawn(async move {
        let message = websocket.recv().await.unwrap().unwrap();
        (websocket, message)
    });
    peer.write_all(&frame(0x02, 20_000)).await.unwrap();
    kept.until(|report| report.unfinished >= 20_000).await;
    let report = kept.last();
    assert!(report.memory.total() >= report.unfinished, "{report:?}");
    peer.write_all(&frame(0x80, 1000)).await.unwrap();
    let (mut websocket, message) = soon(owner).await.unwrap();
    assert_eq!(message.len(), 21_000);
    // The message is the user's: that is reported before anything waits again.
    assert_eq!(kept.last().unfinished, 0);
    websocket.send(Message::binary(vec![0; 10])).await.unwrap();
    drop(websocket);
    assert_eq!((kept.last().memory.total(), kept.last().queued), (0, 0));
}

#[tokio::test]
async fn an_echo_of_small_messages_adds_no_report_and_every_step_of_a_large_one_does() {
    let (mut websocket, mut peer, kept) = server(usize::MAX);
    let owner = tokio::spawn(async move {
        while let Some(message) = websocket.recv().await? {
            websocket.send(message).await?;
        }
        Ok::<(), Error>(())
    });
    for _ in 0..10 {
        peer.write_all(&[0x81, 0x81, 0, 0, 0, 0, b'x']).await.unwrap();
        let mut echo = [0; 3];
        soon(peer.read_exact(&mut echo)).await.unwrap();
    }
    assert!(kept.reports.lock().unwrap().is_empty(), "{:?}", kept.reports);
    for (part, before) in [(0x02, 0), (0x00, 8_000), (0x00, 16_000)] {
        peer.write_all(&frame(part, 8_000)).await.unwrap();
        kept.until(|report| report.unfinished >= before + 8_000).await;
    }
    peer.write_all(&frame(0x80, 10)).await.unwrap();
    kept.until(|report| report.memory.total() == 0).await;
    owner.abort();
}

#[tokio::test]
async fn a_peer_that_never_pauses_is_reported_too() {
    let (mut websocket, mut peer, kept) = server(usize::MAX);
    // All of it can be read without waiting.
    for part in 0..10 {
        peer.write_all(&frame(if part == 0 { 0x02 } else { 0x00 }, 60_000)).await.unwrap();
    }
    let mut receiving = Box::pin(websocket.recv());
    let poll = std::future::poll_fn(|cx| std::task::Poll::Ready(receiving.as_mut().poll(cx).is_pending()));
    assert!(poll.await);
    assert!(kept.last().unfinished > 0);
}

#[tokio::test]
async fn a_connection_that_is_to_give_way_at_once_has_freed_its_input_and_sends_1013() {
    for split in [false, true] {
        let (mut websocket, mut peer, kept) = server(10_000);
        let owner = tokio::spawn(async move {
            if split {
                let (_sender, mut receiver) = websocket.split();
                receiver.recv().await
            } else {
                websocket.recv().await
            }
        });
        peer.write_all(&frame(0x02, 20_000)).await.unwrap();
        expect_1013(&mut peer).await;
        assert_eq!((kept.last().unfinished, kept.last().memory.assembled), (0, 0));
        drop(peer);
        let error = soon(owner).await.unwrap().unwrap_err();
        assert!(matches!(error, Error::Protocol(ProtocolError::MemoryShort)), "{error}");
    }
}

#[tokio::test]
async fn a_connection_with_a_part_of_a_message_gives_way_when_a_closer_asks_and_another_ignores_it() {
    let (mut websocket, mut peer, kept) = server(usize::MAX);
    let closer = websocket.closer();
    let owner = tokio::spawn(async move {
        while let Some(message) = websocket.recv().await? {
            websocket.send(message).await?;
        }
        Ok::<(), Error>(())
    });
    // It holds nothing.
    closer.give_way();
    peer.write_all(&[0x81, 0x81, 0, 0, 0, 0, b'x']).await.unwrap();
    let mut echo = [0; 3];
    soon(peer.read_exact(&mut echo)).await.unwrap();
    assert_eq!(echo, *b"\x81\x01x");
    peer.write_all(&frame(0x02, 20_000)).await.unwrap();
    kept.until(|report| report.unfinished >= 20_000).await;
    closer.give_way();
    expect_1013(&mut peer).await;
    drop(peer);
    soon(owner).await.unwrap().unwrap_err();
    assert_eq!(kept.last().memory.total(), 0);
}

#[tokio::test]
async fn what_was_read_ahead_while_the_user_only_sends_is_dropped_when_the_connection_gives_way() {
    let (mut websocket, mut peer, kept) = server_over(4096, usize::MAX);
    let closer = websocket.closer();
    let owner = tokio::spawn(async move {
        let sent = websocket.send(vec![0; 100_000]).await;
        (websocket, sent)
    });
    let whole = frame(0x82, 30_000);
    soon(peer.write_all(&whole)).await.unwrap();
    kept.until(|report| report.unfinished >= 20_000).await;
    closer.give_way();
    let mut all = Vec::new();
    let reading = async {
        let _ = peer.read_to_end(&mut all).await;
    };
    let ending = async {
        let (mut websocket, _) = owner.await.unwrap();
        let received = websocket.recv().await;
        drop(websocket);
        received
    };
    let ((), received) = soon(async { tokio::join!(reading, ending) }).await;
    received.unwrap_err();
    let close = all.iter().rposition(|byte| *byte == 0x88).unwrap();
    assert_eq!(all[close + 2..close + 4], [0x03, 0xf5]);
    assert_eq!(kept.last().memory.total(), 0);
}

#[tokio::test]
async fn what_waits_to_be_written_is_reported_as_it_moves_and_dropped_when_the_connection_gives_way_with_it()
{
    let (mut websocket, mut peer, kept) = server_over(4096, usize::MAX);
    let closer = websocket.closer();
    let owner = tokio::spawn(async move {
        let sent = websocket.send(vec![7; 100_000]).await;
        (websocket.memory_usage().total(), sent, websocket.close_info())
    });
    kept.until(|report| report.memory.queued > 90_000 && report.has_written).await;
    let reports = kept.reports.lock().unwrap().len();
    // It begins to read, and stays.
    let mut some = [0; 10_000];
    soon(peer.read_exact(&mut some)).await.unwrap();
    kept.until(|report| report.queued < 90_000).await;
    assert!(kept.last().has_written && kept.reports.lock().unwrap().len() > reports);
    closer.give_way_with_output();
    let (held, sent, info) = soon(owner).await.unwrap();
    // A Close could follow only after much more of the message.
    assert!(matches!(sent.unwrap_err(), Error::Protocol(ProtocolError::MemoryShort)));
    let info = info.unwrap();
    assert!(held == 0 && info.sent.is_none() && info.unsent > 80_000, "{held} {info:?}");
    assert_eq!(kept.last().memory.total(), 0);
}

#[tokio::test]
async fn a_connection_to_a_member_of_a_broadcast_that_does_not_read_is_reported_and_gives_way_with_1013() {
    let (mut websocket, mut peer, kept) = server_over(4096, usize::MAX);
    let closer = websocket.closer();
    let (sender, mut receiver) = websocket.split();
    let owner = tokio::spawn(async move { receiver.recv().await });
    let room = Broadcast::new();
    let _member = room.join(sender, SlowPolicy::DropOldest(100));
    // The transport takes a part of them; the others wait, in the connection and behind it.
    for _ in 0..300 {
        room.publish(vec![7; 500]).await;
    }
    let report = kept.last();
    assert!(report.memory.queued > 100_000, "{report:?}");
    closer.give_way_with_output();
    kept.until(|report| report.memory.queued < 2000).await;
    let mut all = Vec::new();
    let (_, received) = soon(async { tokio::join!(peer.read_to_end(&mut all), owner) }).await;
    received.unwrap().unwrap_err();
    assert!(all.len() < 6000, "{} bytes", all.len());
    let close = all.iter().rposition(|byte| *byte == 0x88).unwrap();
    assert_eq!(all[close + 2..close + 4], [0x03, 0xf5]);
    assert_eq!(kept.last().memory.total(), 0);
}

#[tokio::test]
async fn a_connection_whose_peer_has_begun_to_read_ignores_that_it_is_to_give_way_with_its_output() {
    let (mut websocket, mut peer, kept) = server(usize::MAX);
    let closer = websocket.closer();
    // It has written since it reported last, and has nothing left.
    websocket.send(vec![7; 10]).await.unwrap();
    closer.give_way_with_output();
    let owner = tokio::spawn(async move { websocket.recv().await });
    let mut sent = [0; 12];
    soon(peer.read_exact(&mut sent)).await.unwrap();
    peer.write_all(&[0x81, 0x81, 0, 0, 0, 0, b'x']).await.unwrap();
    let message = soon(owner).await.unwrap().unwrap().unwrap();
    assert_eq!((message, kept.last().memory.total()), (Message::text("x"), 0));
}

async fn expect_1013(peer: &mut DuplexStream) {
    let mut close = [0; 4];
    soon(peer.read_exact(&mut close)).await.unwrap();
    assert_eq!((close[0], close[2], close[3]), (0x88, 0x03, 0xf5), "{close:x?}");
}
