//! What is dropped, or happens, between the steps in which large messages are compressed and inflated.

use std::time::Duration;

use tokio::time::advance;
use ws_core::{CloseCause, Connection, Deadline, Event, Message};
use ws_tokio::Error;

use crate::dropped::dropped_after;
use crate::turns::{LARGE, STEPS, messages, pair};

#[tokio::test]
async fn a_send_dropped_at_any_poll_is_sent_whole_or_not_at_all_and_the_next_one_inflates() {
    for takeover in [false, true] {
        let [message, _] = messages();
        let (mut client, mut server) = pair(takeover);
        let mut before = None;
        for polls in 1..STEPS + 4 {
            let done = dropped_after(polls, client.send(message.clone())).await.is_some();
            // No memory is held for what is not sent.
            let held = client.memory_usage().total();
            assert!(held <= *before.get_or_insert(held) + (64 << 10), "{held} bytes after {polls} polls");
            client.send("after it").await.unwrap();
            let mut received = server.recv().await.unwrap().unwrap();
            assert_eq!(received == message, done, "after {polls} polls");
            if done {
                received = server.recv().await.unwrap().unwrap();
            }
            assert_eq!(received, Message::text("after it"), "after {polls} polls");
        }
        let (sender, _receiver) = client.split();
        for polls in 1..STEPS + 4 {
            let done = dropped_after(polls, sender.feed(message.clone())).await.is_some();
            sender.send("after it").await.unwrap();
            let mut received = server.recv().await.unwrap().unwrap();
            assert_eq!(received == message, done, "after {polls} polls");
            if done {
                received = server.recv().await.unwrap().unwrap();
            }
            assert_eq!(received, Message::text("after it"), "after {polls} polls");
        }
    }
}

#[tokio::test]
async fn a_recv_dropped_between_any_two_steps_loses_nothing_whole_or_in_pieces() {
    let (mut client, mut server) = pair(true);
    for message in messages() {
        for in_pieces in [false, true] {
            client.send(message.clone()).await.unwrap();
            let mut polls = 0;
            let received = loop {
                if let Some(received) = dropped_after(1, server.recv()).await {
                    break received.unwrap().unwrap().as_bytes().to_vec();
                }
                polls += 1;
                if in_pieces && polls == STEPS / 4 {
                    let mut reader = server.recv_stream().await.unwrap().unwrap();
                    break reader.read_to_end(LARGE).await.unwrap();
                }
                tokio::task::yield_now().await;
            };
            assert_eq!(received, message.as_bytes());
            assert!(polls >= STEPS / 4, "{polls} polls");
        }
    }
}

#[tokio::test]
async fn a_ping_that_has_arrived_before_a_send_is_answered_between_its_steps() {
    let (mut client, mut server) = pair(true);
    let [message, _] = messages();
    server.ping(b"?").await.unwrap();
    let mut send = Box::pin(client.send(message));
    for _ in 0..STEPS / 2 {
        assert!(dropped_after(1, &mut send).await.is_none());
        tokio::task::yield_now().await;
    }
    let mut pongs = 0;
    let each = |_: &mut Connection, event: Event<'_>| {
        pongs += usize::from(matches!(event, Event::Pong(_)));
        Ok(())
    };
    assert!(dropped_after(1, server.for_each_event(each)).await.is_none());
    assert_eq!(pongs, 1);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_passes_between_the_steps_of_a_send_ends_the_connection() {
    let (mut client, _silent) = pair(true);
    let [message, _] = messages();
    let mut send = Box::pin(client.send(message));
    let mut steps = 0;
    let sent = loop {
        if let Some(sent) = dropped_after(1, &mut send).await {
            break sent;
        }
        steps += 1;
        // Less than any deadline has: the ping is due in the second step, and its answer in the fourth.
        advance(Duration::from_secs(15)).await;
    };
    let Err(Error::Closed(info)) = sent else { panic!("{sent:?} after {steps} steps") };
    assert_eq!(info.cause, CloseCause::Timeout(Deadline::Keepalive));
    assert!(steps < STEPS - 1, "{steps} steps");
}

#[tokio::test]
async fn a_send_that_notices_the_end_leaves_what_is_still_to_be_inflated() {
    // So short that all of it has been read.
    let message = Message::binary(vec![0; LARGE]);
    let (mut client, mut server) = pair(false);
    client.send(message.clone()).await.unwrap();
    // Without a Close.
    drop(client.into_inner());
    assert!(dropped_after(1, server.recv()).await.is_none());
    for _ in 0..3 {
        // Refused once the end has been noticed.
        let _ = server.send("a").await;
    }
    assert_eq!(server.recv().await.unwrap(), Some(message));
}

#[tokio::test]
async fn the_end_of_the_transport_waits_for_what_is_still_to_be_inflated() {
    let [message, _] = messages();
    let (mut client, mut server) = pair(false);
    client.send(message.clone()).await.unwrap();
    drop(client);
    assert_eq!(server.recv().await.unwrap(), Some(message));
    assert!(server.recv().await.is_ok());
}
