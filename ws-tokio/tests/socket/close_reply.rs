//! The reply to the peer's Close is held back by configuration, until the handler has sent what it has to send.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::Instant;
use ws_core::{CloseCode, Config, Role};
use ws_tokio::{Broadcast, Error, SlowPolicy, WebSocket};

fn server() -> (DuplexStream, WebSocket<DuplexStream>) {
    let mut config = Config::server();
    config.delay_close_reply = true;
    let (far, near) = duplex(4096);
    (far, WebSocket::from_raw(near, Role::Server, config).unwrap())
}

/// A client's Close with 4001.
const CLOSE: &[u8] = b"\x88\x82\0\0\0\0\x0F\xA1";

/// Fails if the reply took the deadline to be sent: in paused time a reply that is never asked for comes after
/// `close_timeout`, with the same bytes.
fn assert_at_once(begun: Instant) {
    assert!(begun.elapsed() < Duration::from_secs(1), "the reply was sent after {:?}", begun.elapsed());
}

async fn everything(mut far: DuplexStream) -> Vec<u8> {
    let mut all = Vec::new();
    far.read_to_end(&mut all).await.unwrap();
    all
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_sees_the_peers_close_can_finish_sending_and_then_closes() {
    let (mut far, mut server) = server();
    far.write_all(CLOSE).await.unwrap();
    assert_eq!(server.recv().await.unwrap(), None);
    assert!(server.is_open() && server.close_info().is_none());
    server.send("the rest").await.unwrap();
    let begun = Instant::now();
    let (info, all) = tokio::join!(server.close(CloseCode::NORMAL_CLOSURE, ""), everything(far));
    assert_eq!(all, b"\x81\x08the rest\x88\x02\x03\xE8");
    assert_eq!(info.unwrap().received, Some(CloseCode(4001)));
    assert_at_once(begun);
}

#[tokio::test(start_paused = true)]
async fn the_next_recv_or_dropping_has_the_reply_sent_with_the_peers_code() {
    for receives in [true, false] {
        let (mut far, mut server) = server();
        far.write_all(CLOSE).await.unwrap();
        assert_eq!(server.recv().await.unwrap(), None);
        server.send("the rest").await.unwrap();
        let begun = Instant::now();
        let reading = tokio::spawn(everything(far));
        if receives {
            let Err(Error::Closed(info)) = server.recv().await else { panic!("code 4001 was no error") };
            assert!(info.is_clean());
        } else {
            drop(server);
        }
        assert_eq!(reading.await.unwrap(), b"\x81\x08the rest\x88\x02\x0F\xA1", "receives: {receives}");
        assert_at_once(begun);
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_only_sends_is_stopped_by_the_deadline_of_the_reply() {
    let (mut far, mut server) = server();
    far.write_all(CLOSE).await.unwrap();
    let mut sent = 0;
    let error = loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        match server.send("tick").await {
            Ok(()) => sent += 1,
            Err(error) => break error,
        }
        assert!(sent < 10, "the Close is never replied to");
    };
    assert!(matches!(&error, Error::Closed(info) if info.received == Some(CloseCode(4001))), "{error}");
    assert!((4..=6).contains(&sent), "{sent} messages in close_timeout, which is 5 s");
    let reading = tokio::spawn(everything(far));
    drop(server);
    assert!(reading.await.unwrap().ends_with(b"\x88\x02\x0F\xA1"));
}

#[tokio::test(start_paused = true)]
async fn senders_go_on_until_the_receiver_receives_again_and_discard_replies_at_once() {
    let (mut far, near) = server();
    let (sender, mut receiver) = near.split();
    far.write_all(CLOSE).await.unwrap();
    assert_eq!(receiver.recv().await.unwrap(), None);
    sender.send("the rest").await.unwrap();
    let begun = Instant::now();
    let (end, all) = tokio::join!(receiver.recv(), everything(far));
    assert_eq!(all, b"\x81\x08the rest\x88\x02\x0F\xA1");
    assert!(matches!(end, Err(Error::Closed(_))));
    assert_at_once(begun);
    assert!(matches!(sender.send("late").await, Err(Error::Closed(_))));

    let (mut far, near) = server();
    let (_sender, receiver) = near.split();
    far.write_all(CLOSE).await.unwrap();
    let begun = Instant::now();
    let (end, all) = tokio::join!(receiver.discard(), everything(far));
    assert!(matches!(end, Err(Error::Closed(_))));
    assert_eq!(all, CLOSE_REPLY);
    assert_at_once(begun);
}

const CLOSE_REPLY: &[u8] = b"\x88\x02\x0F\xA1";

// A second each: the reply is due after five.
#[tokio::test(start_paused = true)]
async fn no_way_to_send_works_longer_than_the_deadline_of_the_close_reply() {
    for way in 0..5 {
        let (mut far, mut near) = server();
        far.write_all(CLOSE).await.unwrap();
        assert_eq!(near.recv().await.unwrap(), None);
        let mut seconds = 0;
        let mut second = async || {
            seconds += 1;
            assert!(seconds < 10, "way {way}: the Close is never replied to");
            tokio::time::sleep(Duration::from_secs(1)).await;
        };
        let room = Broadcast::new();
        match way {
            0 => {
                while near.feed("tick").await.is_ok() && near.flush().await.is_ok() {
                    second().await;
                }
            }
            1 => {
                while near.ping(b"").await.is_ok() {
                    second().await;
                }
            }
            2 => {
                let (sender, _receiver) = near.split();
                while sender.send("tick").await.is_ok() {
                    second().await;
                }
            }
            3 => {
                let (sender, _receiver) = near.split();
                let _member = room.join(sender, SlowPolicy::Wait);
                while room.publish("tick").await.delivered == 1 {
                    second().await;
                }
            }
            _ => {
                let (sender, _receiver) = near.split();
                let _member = room.join(sender, SlowPolicy::DropNewest);
                while room.try_publish("tick").delivered == 1 {
                    second().await;
                }
            }
        }
        assert!((4..=6).contains(&seconds), "way {way}: {seconds} s");
        assert!(everything(far).await.ends_with(CLOSE_REPLY), "way {way}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_ends_its_half_with_its_close_still_gets_the_reply_that_is_held_back() {
    let mut config = Config::server();
    config.delay_close_reply = true;
    let (mut far, near) = duplex(64);
    let mut server = WebSocket::from_raw(near, Role::Server, config).unwrap();
    far.write_all(CLOSE).await.unwrap();
    far.shutdown().await.unwrap();
    let reading = tokio::spawn(async move {
        // Only after the server, which waits for it, has read ahead up to the end.
        tokio::time::sleep(Duration::from_secs(1)).await;
        everything(far).await
    });
    server.send(vec![0; 100]).await.unwrap();
    assert_eq!(server.recv().await.unwrap(), None);
    assert!(server.is_open(), "the reply is held back");
    server.send("the rest").await.unwrap();
    assert!(server.close(CloseCode::NORMAL_CLOSURE, "").await.unwrap().is_clean());
    let all = reading.await.unwrap();
    assert!(all.ends_with(b"\x81\x08the rest\x88\x02\x03\xE8"), "{all:?}");
}
