//! One message to many connections, and what becomes of it on slow ones.

use std::sync::Arc;
use std::time::Duration;

use bytes::Buf;
use tokio::io::{AsyncReadExt, DuplexStream, duplex};
use ws_core::deflate::{self, Agreed, PerMessageDeflate, WindowBits};
use ws_core::{CloseCode, Config, Connection, DataType, Message, PreparedMessage};
use ws_tokio::{Broadcast, PublishReport, Receiver, SlowPolicy, WebSocket};

fn config() -> Arc<Config> {
    let mut config = Config::server();
    config.send_high_water = 990;
    config.keepalive = None;
    Arc::new(config)
}

fn client(stream: DuplexStream) -> WebSocket<DuplexStream> {
    WebSocket::new(stream, Connection::client(Arc::new(Config::client()), [7; 32]), &[])
}

/// A member whose peer is the client returned; it reads nothing until asked to.
fn member(room: &Broadcast, slow: SlowPolicy, pipe: usize) -> (WebSocket<DuplexStream>, impl Sized) {
    let (a, b) = duplex(pipe);
    let (sender, receiver) = WebSocket::new(b, Connection::server(config()), &[]).split();
    let member = room.join(sender, slow);
    let receiving = tokio::spawn(receiver.discard());
    (client(a), (member, receiving))
}

/// 500 bytes that begin with a number.
fn numbered(n: u32) -> Message {
    Message::text(format!("{n:<500}"))
}

async fn numbers(client: &mut WebSocket<DuplexStream>) -> Vec<u32> {
    let mut numbers = Vec::new();
    while let Ok(Ok(Some(message))) = tokio::time::timeout(Duration::from_secs(1), client.recv()).await {
        numbers.push(message.as_text().unwrap().trim().parse().unwrap());
    }
    numbers
}

#[tokio::test(start_paused = true)]
async fn a_fast_member_gets_everything_and_a_slow_one_what_its_policy_leaves() {
    let room = Broadcast::new();
    let (mut fast, _fast) = member(&room, SlowPolicy::DropNewest, 1 << 20);
    let (mut newest, _newest) = member(&room, SlowPolicy::DropNewest, 10);
    let (mut oldest, _oldest) = member(&room, SlowPolicy::DropOldest(3), 10);
    let by_parity =
        SlowPolicy::conflate(|message| message.as_text().unwrap().trim().parse::<u32>().unwrap() % 2);
    let (mut conflated, _conflated) = member(&room, by_parity, 10);
    for n in 0..20 {
        room.publish(numbered(n)).await;
    }
    // Two of 500 bytes pass the high-water mark of 990; a third waits for the first to move.
    assert_eq!(numbers(&mut fast).await, (0..20).collect::<Vec<_>>());
    assert_eq!(numbers(&mut newest).await, [0, 1]);
    assert_eq!(numbers(&mut oldest).await, [0, 1, 17, 18, 19]);
    assert_eq!(numbers(&mut conflated).await, [0, 1, 18, 19]);
    assert_eq!(
        room.total(),
        PublishReport { delivered: 20 + 2 + 5 + 4, dropped: 18 + 15 + 16, closed: 0, gone: 0 }
    );
}

/// A connection that is a member of two rooms, each with its own policy, and reads nothing until asked to.
fn member_of_both(rooms: [(&Broadcast, SlowPolicy); 2]) -> (WebSocket<DuplexStream>, impl Sized) {
    let (a, b) = duplex(10);
    let (sender, receiver) = WebSocket::new(b, Connection::server(config()), &[]).split();
    let members = rooms.map(|(room, slow)| room.join(sender.clone(), slow));
    (client(a), (members, tokio::spawn(receiver.discard())))
}

#[tokio::test(start_paused = true)]
async fn a_connection_in_two_rooms_conflates_each_by_itself() {
    let (prices, volumes) = (Broadcast::new(), Broadcast::new());
    let always_the_same = || SlowPolicy::conflate(|_| 0);
    let (mut slow, _slow) = member_of_both([(&prices, always_the_same()), (&volumes, always_the_same())]);
    for n in 0..10 {
        prices.publish(numbered(n)).await;
        volumes.publish(numbered(100 + n)).await;
    }
    // The first two find room; of what waits then, the latest of each room, where its first one waited.
    assert_eq!(numbers(&mut slow).await, [0, 100, 9, 109]);
}

#[tokio::test(start_paused = true)]
async fn dropping_the_oldest_of_one_room_leaves_what_another_conflates() {
    let (news, prices) = (Broadcast::new(), Broadcast::new());
    let (mut slow, _slow) =
        member_of_both([(&news, SlowPolicy::DropOldest(2)), (&prices, SlowPolicy::conflate(|_| 0))]);
    for n in 0..10 {
        prices.publish(numbered(n)).await;
        news.publish(numbered(100 + n)).await;
    }
    assert_eq!(numbers(&mut slow).await, [0, 100, 9, 108, 109]);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_has_gone_out_waits_again_at_the_end() {
    let room = Broadcast::new();
    let by_ten =
        SlowPolicy::conflate(|message| message.as_text().unwrap().trim().parse::<u32>().unwrap() / 10);
    let (mut slow, _slow) = member(&room, by_ten, 10);
    for n in [0, 1, 10, 20, 30] {
        room.publish(numbered(n)).await;
    }
    // Reading makes room for 10; 11 then finds no 10 to take the place of, and waits behind 31.
    assert_eq!(slow.recv().await.unwrap(), Some(numbered(0)));
    assert_eq!(slow.recv().await.unwrap(), Some(numbered(1)));
    tokio::time::sleep(Duration::from_millis(1)).await;
    for n in [31, 11, 32, 12] {
        room.publish(numbered(n)).await;
    }
    assert_eq!(numbers(&mut slow).await, [10, 20, 32, 12]);
}

#[tokio::test(start_paused = true)]
async fn a_member_too_slow_is_closed_with_1013_if_that_is_the_policy() {
    let room = Broadcast::new();
    let (mut slow, _slow) = member(&room, SlowPolicy::Close, 10);
    for n in 0..5 {
        room.publish(numbered(n)).await;
    }
    assert_eq!(room.total(), PublishReport { delivered: 2, dropped: 0, closed: 1, gone: 0 });
    assert!(room.is_empty());
    assert_eq!(numbers(&mut slow).await, [0, 1]);
    assert_eq!(slow.close_info().unwrap().code(), CloseCode::TRY_AGAIN_LATER);
}

#[tokio::test(start_paused = true)]
async fn publish_waits_for_a_member_if_that_is_the_policy() {
    let room = Broadcast::new();
    let (mut slow, _slow) = member(&room, SlowPolicy::Wait, 10);
    room.publish(numbered(0)).await;
    room.publish(numbered(1)).await;
    assert_eq!(room.try_publish(numbered(99)).dropped, 1);
    let waiting = tokio::time::timeout(Duration::from_secs(1), room.publish(numbered(98))).await;
    assert!(waiting.is_err(), "publish returned although there was no room");
    let (published, read) = tokio::join!(room.publish(numbered(2)), numbers(&mut slow));
    assert_eq!(published.delivered, 1);
    assert_eq!(read, [0, 1, 2]);
}

#[tokio::test]
async fn members_leave_when_they_are_dropped_or_closed() {
    let room = Broadcast::new();
    let (mut stays, _stays) = member(&room, SlowPolicy::DropNewest, 4096);
    let (_leaves, leaving) = member(&room, SlowPolicy::DropNewest, 4096);
    let (mut closes, _closes) = member(&room, SlowPolicy::DropNewest, 4096);
    assert_eq!(room.len(), 3);
    drop(leaving);
    closes.close(CloseCode::NORMAL_CLOSURE, "").await.unwrap();
    let published = room.publish("hello").await;
    assert_eq!(published, PublishReport { delivered: 1, gone: 1, ..PublishReport::default() });
    assert_eq!(stays.recv().await.unwrap(), Some("hello".into()));
    assert_eq!(room.len(), 1);
}

fn compressing(agreed: Agreed) -> (DuplexStream, ws_tokio::Sender, Receiver<DuplexStream>) {
    let (a, b) = duplex(1 << 20);
    let codec = PerMessageDeflate::server(agreed, &deflate::Config::server());
    let (sender, receiver) = WebSocket::new(b, Connection::server(config()).with_deflate(codec), &[]).split();
    (a, sender, receiver)
}

#[tokio::test]
async fn a_prepared_message_is_compressed_once_for_all_that_can_share_it() {
    let alone = Agreed { server_no_context_takeover: true, ..Agreed::PLAIN };
    let prepared = PreparedMessage::new("to be said to everyone again and again. ".repeat(100));
    let room = Broadcast::new();
    let (mut a, first, _ra) = compressing(alone);
    let (mut b, second, _rb) = compressing(alone);
    let (mut c, takeover, _rc) = compressing(Agreed::PLAIN);
    let _members = [first, second, takeover].map(|sender| room.join(sender, SlowPolicy::DropNewest));
    assert_eq!(room.publish(prepared.clone()).await.delivered, 3);
    let (mut one, mut two, mut plain) = ([0; 64], [0; 64], [0; 4]);
    a.read_exact(&mut one).await.unwrap();
    b.read_exact(&mut two).await.unwrap();
    c.read_exact(&mut plain).await.unwrap();
    assert_eq!(one[0], 0xC1, "compressed");
    assert_eq!(one, two);
    assert_eq!(plain, [0x81, 126, 0x0F, 0xA0], "with context takeover the message is sent uncompressed");
}

#[test]
fn connections_of_a_class_share_the_bytes_that_a_prepared_message_is_compressed_to() {
    let class = |bits| Agreed {
        server_no_context_takeover: true,
        server_max_window_bits: WindowBits::new(bits).unwrap(),
        ..Agreed::PLAIN
    };
    // Digits of no pattern: to less than half, and still too long to be copied.
    let digits: String = (0..8000u64).map(|n| (n * n * 2_654_435_761 % 1_000_003).to_string()).collect();
    let prepared = PreparedMessage::new(digits);
    let mut connections = [class(15), class(15), class(9)].map(|agreed| {
        let codec = PerMessageDeflate::server(agreed, &deflate::Config::server());
        let mut connection = Connection::server(Arc::new(Config::server())).with_deflate(codec);
        connection.send_prepared(&prepared).unwrap();
        connection
    });
    let [first, second, other] = connections.each_mut().map(|connection| {
        let mut output = connection.output();
        assert_eq!(output.chunk()[0], 0xC1, "compressed");
        // Past the header the payload lies where it was compressed to.
        output.advance(output.chunk().len());
        assert!(output.remaining() > 4096);
        output.chunk().as_ptr()
    });
    assert_eq!(first, second, "compressed twice for one class");
    assert_ne!(first, other, "another window size has other bytes");
}

#[tokio::test(start_paused = true)]
async fn a_member_that_closes_while_publish_waits_for_it_is_gone() {
    let room = Broadcast::new();
    let (slow, _slow) = member(&room, SlowPolicy::Wait, 10);
    room.publish(numbered(0)).await;
    room.publish(numbered(1)).await;
    let leaving = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        drop(slow);
    };
    let (published, ()) = tokio::join!(room.publish(numbered(2)), leaving);
    assert_eq!(published, PublishReport { gone: 1, ..PublishReport::default() });
}

#[tokio::test(start_paused = true)]
async fn messages_that_wait_for_a_slow_member_are_dropped_when_the_member_closes() {
    let room = Broadcast::new();
    let (mut slow, _slow) = member(&room, SlowPolicy::DropOldest(3), 10);
    for n in 0..5 {
        room.publish(numbered(n)).await;
    }
    let _ = slow.close(CloseCode::NORMAL_CLOSURE, "").await;
    assert_eq!(slow.close_info().unwrap().received, Some(CloseCode::NORMAL_CLOSURE));
    assert_eq!(room.publish(numbered(5)).await, PublishReport { gone: 1, ..PublishReport::default() });
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_a_slow_member_goes_out_once_there_is_room_for_all_of_it() {
    let room = Broadcast::new();
    let (mut slow, _slow) = member(&room, SlowPolicy::DropOldest(3), 100);
    // The pipe takes 100 bytes of the first, so that three pass the high-water mark and the fourth waits.
    for message in [numbered(0), numbered(1), numbered(2), "3".into()] {
        room.publish(message).await;
    }
    assert_eq!(room.total().delivered, 4);
    assert_eq!(numbers(&mut slow).await, [0, 1, 2, 3]);
}

#[tokio::test(start_paused = true)]
async fn what_comes_while_a_message_goes_out_in_pieces_waits_behind_it_in_order() {
    let room = Broadcast::new();
    let (a, b) = duplex(1 << 20);
    let (sender, receiver) = WebSocket::new(b, Connection::server(config()), &[]).split();
    let _member = room.join(sender.clone(), SlowPolicy::DropOldest(3));
    let _receiving = tokio::spawn(receiver.discard());
    let mut client = client(a);
    let mut pieces = sender.send_stream(DataType::Text).await;
    pieces.write(b"1").await.unwrap();
    for message in ["2", "3"] {
        assert_eq!(room.publish(message).await.delivered, 1);
    }
    pieces.finish().await.unwrap();
    assert_eq!(numbers(&mut client).await, [1, 2, 3]);
}
