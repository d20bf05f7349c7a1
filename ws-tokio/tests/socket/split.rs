//! One WebSocket, many tasks.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::io::{DuplexStream, duplex};
use ws_core::{CloseCode, Config, Connection, DataType, Event, Message};
use ws_tokio::{Error, Sender, TrySendError, WebSocket};

fn pair(room: usize) -> (WebSocket<DuplexStream>, WebSocket<DuplexStream>) {
    let (a, b) = duplex(room);
    (
        WebSocket::new(a, Connection::client(Arc::new(Config::client()), [7; 32]), &[]),
        WebSocket::new(b, Connection::server(Arc::new(Config::server())), &[]),
    )
}

/// Polls a future once.
async fn polled<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(Pin::new(&mut *future).poll(cx))).await
}

#[tokio::test]
async fn many_tasks_send_and_each_ones_order_is_kept() {
    const TASKS: u32 = 64;
    const EACH: u32 = 200;
    let (client, mut server) = pair(4096);
    let (sender, receiver) = client.split();
    let receiving = tokio::spawn(receiver.discard());
    for task in 0..TASKS {
        let sender = sender.clone();
        tokio::spawn(async move {
            for n in 0..EACH {
                sender.send(format!("{task} {n}")).await.unwrap();
            }
        });
    }
    let mut next = vec![0; TASKS as usize];
    for _ in 0..TASKS * EACH {
        let message = server.recv().await.unwrap().unwrap();
        let (task, n) = message.as_text().unwrap().split_once(' ').unwrap();
        let (task, n): (usize, u32) = (task.parse().unwrap(), n.parse().unwrap());
        assert_eq!(n, next[task], "task {task} is out of order");
        next[task] += 1;
        // While one has not finished, none is more than twice as far as another by the middle.
        if next.iter().sum::<u32>() == TASKS * EACH / 2 {
            let (min, max) = (next.iter().min().unwrap(), next.iter().max().unwrap());
            assert!(*max <= 2 * *min, "a task starves: from {min} to {max} messages");
        }
    }
    let (info, _) = tokio::join!(sender.close(CloseCode::NORMAL_CLOSURE, ""), server.recv());
    assert!(info.unwrap().is_clean());
    assert!(receiving.await.unwrap().unwrap().unwrap().is_clean());
}

#[tokio::test(start_paused = true)]
async fn try_send_returns_the_message_when_the_queue_is_full() {
    let (client, _server) = pair(64);
    let (sender, _receiver) = client.split();
    let message = Message::binary(vec![1; 40_000]);
    sender.try_send(message.clone()).unwrap();
    sender.try_send(message.clone()).unwrap();
    match sender.try_send(message.clone()) {
        Err(TrySendError::Full(back)) => assert_eq!(back, message),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_send_that_waits_for_room_and_is_dropped_queues_nothing() {
    let (client, mut server) = pair(64);
    let (sender, receiver) = client.split();
    sender.try_send(vec![1; 70_000]).unwrap();
    let waiting = tokio::time::timeout(Duration::from_secs(1), sender.send("dropped")).await;
    assert!(waiting.is_err());
    let _receiving = tokio::spawn(receiver.discard());
    assert_eq!(server.recv().await.unwrap().unwrap().len(), 70_000);
    sender.send("kept").await.unwrap();
    assert_eq!(server.recv().await.unwrap(), Some("kept".into()));
}

#[tokio::test]
async fn pings_are_answered_while_only_the_receiver_is_polled() {
    let (client, mut server) = pair(1024);
    let (_sender, receiver) = client.split();
    let _receiving = tokio::spawn(receiver.discard());
    server.ping(b"you there?").await.unwrap();
    // The pong is an event of the core; here its arrival shows in the close that follows it.
    assert!(server.close(CloseCode::NORMAL_CLOSURE, "").await.unwrap().is_clean());
}

#[tokio::test]
async fn no_sender_overtakes_another_that_waits_for_room() {
    let (client, mut server) = pair(1024);
    let (sender, mut receiver) = client.split();
    sender.feed(vec![0; 100 << 10]).await.unwrap();
    let (waits, later) = (sender.clone(), sender);
    let mut waiting = Box::pin(waits.send("first"));
    assert!(polled(&mut waiting).await.is_pending());
    // The peer reads all, and the receiver writes: there is room, and the one that waits has not been polled.
    let room = async {
        while later.queued() > 0 {
            assert!(polled(&mut Box::pin(receiver.recv())).await.is_pending());
            tokio::task::yield_now().await;
        }
    };
    let (big, ()) = tokio::join!(server.recv(), room);
    assert_eq!(big.unwrap().unwrap().len(), 100 << 10);
    assert!(
        matches!(later.try_send("second"), Err(TrySendError::Full(_))),
        "try_send overtook a sender in line"
    );
    waiting.await.unwrap();
    later.send("second").await.unwrap();
    assert_eq!(server.recv().await.unwrap(), Some("first".into()));
    assert_eq!(server.recv().await.unwrap(), Some("second".into()));
}

#[tokio::test]
async fn a_sender_that_never_has_to_wait_lets_the_others_have_their_turns() {
    let (client, mut server) = pair(64 << 10);
    let (sender, _receiver) = client.split();
    let other = sender.clone();
    let many = async {
        for _ in 0..200 {
            sender.feed("many").await.unwrap();
        }
    };
    tokio::join!(many, async { other.feed("one").await.unwrap() });
    other.flush().await.unwrap();
    let mut before = 0;
    while server.recv().await.unwrap() != Some("one".into()) {
        before += 1;
    }
    assert!(before < 100, "{before} messages of another sender came first");
}

#[tokio::test(start_paused = true)]
async fn both_halves_return_the_round_trip_time_of_the_last_keepalive_ping() {
    let (client, mut server) = pair(1024);
    let (sender, mut receiver) = client.split();
    assert_eq!((sender.rtt(), receiver.rtt()), (None, None));
    let nothing = async { tokio::time::timeout(Duration::from_secs(30), receiver.recv()).await.is_err() };
    let (nothing, answering) =
        tokio::join!(nothing, tokio::time::timeout(Duration::from_secs(30), server.recv()));
    assert!(nothing && answering.is_err(), "the dropped send queued its message");
    assert!(sender.rtt().is_some_and(|rtt| rtt < Duration::from_secs(1)));
    assert_eq!(sender.rtt(), receiver.rtt());
}

#[tokio::test]
async fn the_halves_reunite_unless_the_sender_has_other_clones() {
    let (client, mut server) = pair(1024);
    let (sender, receiver) = client.split();
    let other = sender.clone();
    let error = receiver.reunite(sender).unwrap_err();
    drop(other);
    let mut client = error.1.reunite(error.0).unwrap();
    client.send("whole").await.unwrap();
    assert_eq!(server.recv().await.unwrap(), Some("whole".into()));
    let (stranger, _) = pair(64).0.split();
    let (_own, receiver) = client.split();
    assert!(receiver.reunite(stranger).is_err());
}

#[tokio::test]
async fn senders_return_how_the_connection_was_closed() {
    let (client, mut server) = pair(1024);
    let (sender, mut receiver) = client.split();
    let (info, last) = tokio::join!(server.close(CloseCode::SERVICE_RESTART, "soon back"), receiver.recv());
    assert!(info.unwrap().is_clean());
    assert!(matches!(last, Err(Error::Closed(info)) if info.received == Some(CloseCode::SERVICE_RESTART)));
    match sender.send("late").await {
        Err(Error::Closed(info)) => assert_eq!(&*info.reason, "soon back"),
        other => panic!("{other:?}"),
    }
    assert!(!sender.is_open());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn megabytes_both_ways_at_once_through_a_narrow_pipe() {
    let (client, server) = pair(1000);
    let run = |socket: WebSocket<DuplexStream>| async move {
        let (sender, mut receiver) = socket.split();
        let send = async |sender: Sender| {
            for n in 0..40u8 {
                sender.send(vec![n; 100_000]).await.unwrap();
            }
        };
        let receive = async {
            for n in 0..40u8 {
                assert_eq!(receiver.recv().await.unwrap(), Some(Message::binary(vec![n; 100_000])));
            }
        };
        tokio::join!(send(sender), receive);
    };
    let both = async { tokio::join!(tokio::spawn(run(client)), tokio::spawn(run(server))) };
    let (a, b) = tokio::time::timeout(Duration::from_secs(30), both).await.unwrap();
    a.unwrap();
    b.unwrap();
}

#[tokio::test]
async fn a_message_is_taken_in_pieces_and_the_rest_of_a_dropped_one_is_skipped() {
    let (mut client, mut server) = pair(1000);
    let send = async {
        for n in 0..10u8 {
            client.send_piece(DataType::Binary, &[n; 50_000], n == 9).await.unwrap();
        }
        client.send_piece(DataType::Text, "größe".as_bytes().split_at(3).0, false).await.unwrap();
        client.send_piece(DataType::Text, "größe".as_bytes().split_at(3).1, false).await.unwrap();
        client.send_piece(DataType::Text, b"", true).await.unwrap();
        client.send("whole").await.unwrap();
        client.send(vec![3; 200_000]).await.unwrap();
        client.send("last").await.unwrap();
    };
    let receive = async {
        let mut reader = server.recv_stream().await.unwrap().unwrap();
        assert_eq!(reader.data_type(), DataType::Binary);
        let mut all = Vec::new();
        while let Some(piece) = reader.next().await.unwrap() {
            assert!(!piece.is_empty());
            all.extend_from_slice(piece.as_bytes());
        }
        assert_eq!(all.len(), 500_000);
        assert!(all.chunks(50_000).zip(0u8..).all(|(chunk, n)| chunk.iter().all(|&b| b == n)));
        let reader = server.recv_stream().await.unwrap();
        assert_eq!(reader.unwrap().read_to_end(100).await.unwrap(), "größe".as_bytes());
        assert_eq!(server.recv().await.unwrap(), Some("whole".into()));
        let mut reader = server.recv_stream().await.unwrap().unwrap();
        assert!(reader.next().await.unwrap().is_some());
        drop(reader);
        let mut reader = server.recv_stream().await.unwrap().unwrap();
        assert_eq!(reader.next().await.unwrap(), Some("last".into()));
    };
    tokio::join!(send, receive);
}

#[tokio::test]
async fn streams_of_several_senders_take_turns_and_pings_pass_between_pieces() {
    let (client, mut server) = pair(1000);
    let (sender, receiver) = client.split();
    let receiving = tokio::spawn(receiver.discard());
    for n in 0..3u8 {
        let sender = sender.clone();
        tokio::spawn(async move {
            let mut message = sender.send_stream(DataType::Binary).await;
            for _ in 0..10 {
                message.write(&[n; 5000]).await.unwrap();
                assert!(matches!(sender.try_send("between"), Err(TrySendError::Full(_))));
                sender.ping(b"between").await.unwrap();
            }
            message.finish().await.unwrap();
        });
    }
    let mut seen = Vec::new();
    for _ in 0..3 {
        let message = server.recv().await.unwrap().unwrap();
        assert_eq!(message.len(), 50_000);
        assert!(message.as_bytes().iter().all(|&byte| byte == message.as_bytes()[0]));
        seen.push(message.as_bytes()[0]);
    }
    seen.sort_unstable();
    assert_eq!(seen, [0, 1, 2]);
    let (closed, _) = tokio::join!(sender.close(CloseCode::NORMAL_CLOSURE, ""), server.recv());
    assert!(closed.unwrap().is_clean());
    receiving.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_message_abandoned_half_way_closes_the_connection_with_1011() {
    let (mut client, mut server) = pair(1000);
    let mut message = client.send_stream(DataType::Text);
    message.write("ganz hübs".as_bytes().split_at(7).0).await.unwrap();
    assert!(matches!(message.write(b"ab").await, Err(Error::Send(ws_core::SendError::InvalidUtf8))));
    drop(message);
    let (ours, theirs) = tokio::join!(client.recv(), server.recv());
    assert!(matches!((ours, theirs), (Ok(None), Err(Error::Closed(_)))));
    assert_eq!(server.close_info().unwrap().code(), CloseCode::INTERNAL_ERROR);
    // One that was never begun leaves no trace.
    let (mut client, mut server) = pair(1000);
    drop(client.send_stream(DataType::Text));
    client.send_stream(DataType::Text).finish().await.unwrap();
    assert_eq!(server.recv().await.unwrap(), Some("".into()));
}

#[tokio::test]
async fn discard_drops_messages_until_the_end() {
    let (client, mut server) = pair(1000);
    let (_sender, receiver) = client.split();
    let receiving = tokio::spawn(receiver.discard());
    for _ in 0..3 {
        server.send("to be dropped").await.unwrap();
    }
    assert!(server.close(CloseCode::NORMAL_CLOSURE, "").await.unwrap().is_clean());
    assert!(receiving.await.unwrap().unwrap().unwrap().is_clean());
}

#[tokio::test]
async fn a_message_waits_for_the_end_of_another_in_pieces() {
    let (client, mut server) = pair(1000);
    let (sender, receiver) = client.split();
    let receiving = tokio::spawn(receiver.discard());
    let mut pieces = sender.send_stream(DataType::Text).await;
    pieces.write(b"one ").await.unwrap();
    let mut waits = std::pin::pin!(sender.send("two"));
    std::future::poll_fn(|cx| {
        assert!(waits.as_mut().poll(cx).is_pending());
        std::task::Poll::Ready(())
    })
    .await;
    pieces.write(b"message").await.unwrap();
    pieces.finish().await.unwrap();
    waits.await.unwrap();
    assert_eq!(server.recv().await.unwrap(), Some("one message".into()));
    assert_eq!(server.recv().await.unwrap(), Some("two".into()));
    let (closed, _) = tokio::join!(sender.close(CloseCode::NORMAL_CLOSURE, ""), server.recv());
    assert!(closed.unwrap().is_clean());
    receiving.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_send_behind_a_message_in_pieces_is_refused_if_the_websocket_was_closing_when_it_was_split() {
    let (mut client, _server) = pair(1000);
    client.start_close(CloseCode::NORMAL_CLOSURE, "").unwrap();
    let (sender, _receiver) = client.split();
    let _pieces = sender.send_stream(DataType::Text).await;
    let refused = tokio::time::timeout(std::time::Duration::from_secs(60), sender.send("late")).await;
    assert!(refused.unwrap().is_err());
}

#[tokio::test]
async fn a_send_that_waits_for_a_message_in_pieces_fails_once_the_connection_ends() {
    let (client, mut server) = pair(1000);
    let (sender, receiver) = client.split();
    let receiving = tokio::spawn(receiver.discard());
    let mut pieces = sender.send_stream(DataType::Text).await;
    pieces.write(b"one ").await.unwrap();
    let mut waits = std::pin::pin!(sender.send("two"));
    std::future::poll_fn(|cx| {
        assert!(waits.as_mut().poll(cx).is_pending());
        std::task::Poll::Ready(())
    })
    .await;
    server.close(CloseCode::NORMAL_CLOSURE, "").await.unwrap();
    receiving.await.unwrap().unwrap();
    assert!(matches!(waits.await, Err(Error::Closed(_))));
}

#[tokio::test(start_paused = true)]
async fn a_send_returns_once_its_own_message_is_written_although_that_of_another_still_waits() {
    let (client, _server) = pair(1000);
    let (other, _receiver) = client.split();
    let sender = other.clone();
    tokio::select! {
        biased;
        sent = sender.send(vec![1; 100]) => sent.unwrap(),
        sent = other.send(vec![2; 5000]) => panic!("the other send ended although the pipe has no room: {sent:?}"),
        () = tokio::time::sleep(std::time::Duration::from_secs(10)) => panic!("the send waits for the message of another sender"),
    }
    assert!(sender.queued() > 4000, "{}", sender.queued());
}

#[tokio::test]
async fn a_receiver_lends_events_and_its_callback_answers_while_senders_send() {
    const MESSAGES: usize = 1000;
    let (client, server) = pair(4096);
    let (sender, mut receiver) = server.split();
    let echo = tokio::spawn(async move {
        receiver
            .for_each_event(|connection, event| match event {
                Event::Binary(bytes) => connection.send_binary(&bytes),
                _ => Ok(()),
            })
            .await
    });
    let sending = tokio::spawn(async move {
        for _ in 0..MESSAGES {
            sender.send("from the sender").await.unwrap();
        }
    });
    let (to_server, mut from_server) = client.split();
    let feeding = {
        let to_server = to_server.clone();
        tokio::spawn(async move {
            for _ in 0..MESSAGES {
                to_server.send(vec![1; 500]).await.unwrap();
            }
        })
    };
    let (mut texts, mut echoes) = (0, 0);
    while texts < MESSAGES || echoes < MESSAGES {
        match from_server.recv().await.unwrap().unwrap() {
            Message::Text(_) => texts += 1,
            Message::Binary(bytes) => {
                assert_eq!(bytes.len(), 500);
                echoes += 1;
            }
        }
    }
    sending.await.unwrap();
    feeding.await.unwrap();
    tokio::spawn(from_server.discard());
    assert!(to_server.close(CloseCode::NORMAL_CLOSURE, "").await.unwrap().is_clean());
    echo.await.unwrap().unwrap();
}
