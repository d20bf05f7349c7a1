//! The client against the endpoint, over TCP.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use ws_client::{Backoff, Client, Options};
use ws_server::{Endpoint, Server};
use ws_topics::{
    ClientError, EndpointOptions, Event, History, SUBPROTOCOL, SubscribeRequest, TopicsClient,
    TopicsEndpoint, TopicsOptions,
};

/// A server whose connections can be cut off.
struct Served {
    endpoint: TopicsEndpoint,
    url: String,
    cut: Arc<Notify>,
    /// New connections are refused meanwhile.
    down: Arc<AtomicBool>,
    _server: tokio::task::JoinHandle<()>,
}

impl Served {
    async fn new() -> Self {
        let options = TopicsOptions::default()
            .history("kept/#", History::default())
            .history("long/#", History::default().max_messages(10_001).max_bytes(16 << 20));
        let endpoint = TopicsEndpoint::new(options, EndpointOptions::default().publish(true)).unwrap();
        let (cut, down) = (Arc::new(Notify::new()), Arc::new(AtomicBool::new(false)));
        let serve = {
            let (endpoint, cut, down) = (endpoint.clone(), Arc::clone(&cut), Arc::clone(&down));
            Endpoint::new(move |socket, _| {
                let (endpoint, cut, down) = (endpoint.clone(), Arc::clone(&cut), Arc::clone(&down));
                async move {
                    if down.load(Ordering::SeqCst) {
                        return;
                    }
                    tokio::select! {
                        _ = endpoint.run(socket, "user") => {}
                        () = cut.notified() => {}
                    }
                }
            })
        };
        let server = Server::builder()
            .endpoint("/", serve.subprotocols([SUBPROTOCOL]))
            .bind("127.0.0.1:0")
            .await
            .unwrap();
        let url = format!("ws://{}/", server.local_addr().unwrap());
        let server = tokio::spawn(async move {
            let _ = server.serve().await;
        });
        Self { endpoint, url, cut, down, _server: server }
    }

    fn client(&self) -> TopicsClient {
        let backoff = Backoff::default().initial(Duration::from_millis(1)).max(Duration::from_millis(20));
        let client = Options::default().backoff(backoff).build().unwrap();
        TopicsClient::new(&client, self.url.as_str()).unwrap()
    }

    /// Ends all connections, and refuses new ones until [`up`](Self::up).
    fn down(&self) {
        self.down.store(true, Ordering::SeqCst);
        self.cut.notify_waiters();
    }

    fn up(&self) {
        self.down.store(false, Ordering::SeqCst);
    }
}

fn live() -> SubscribeRequest {
    SubscribeRequest::default()
}

async fn text(subscription: &mut ws_topics::ClientSubscription) -> String {
    loop {
        match subscription.next().await.unwrap() {
            Event::Message { message, .. } => return message.as_text().unwrap().to_owned(),
            Event::Disconnected | Event::Resumed { .. } => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_client_subscribes_and_publishes() {
    let served = Served::new().await;
    let client = served.client();
    let mut news = client.subscribe("news", live()).await.unwrap();
    let position = client.publish("news", "hello").await.unwrap().unwrap();
    let event = news.next().await.unwrap();
    let Event::Message { topic, position: at, message, .. } = event else { panic!("{event:?}") };
    assert_eq!((topic.as_str(), at, message.as_text()), ("news", position, Some("hello")));
    assert_eq!(client.publish("nobody", "x").await.unwrap(), None);
}

/// Each end sends more than the other reads ahead: neither may wait for the other with all that it does.
#[tokio::test]
async fn many_large_messages_each_way_at_once_do_not_make_both_ends_wait_for_each_other() {
    let served = Served::new().await;
    let client = served.client();
    let mut large = client.subscribe("large", live()).await.unwrap();
    served.down();
    assert!(matches!(large.next().await.unwrap(), Event::Disconnected));
    let mut publishing = tokio::task::JoinSet::new();
    for _ in 0..500 {
        let client = client.clone();
        publishing.spawn(async move { client.publish("large", "x".repeat(128 << 10)).await.map(drop) });
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    // All of them are sent in a row now.
    served.up();
    let (seen, taking) = tokio::sync::watch::channel(0_u32);
    let reading = tokio::spawn(async move {
        while let Ok(event) = large.next().await {
            assert!(!matches!(event, Event::Disconnected), "the connection has ended");
            seen.send_modify(|seen| *seen += 1);
        }
    });
    let all = tokio::time::timeout(Duration::from_secs(20), publishing.join_all()).await.unwrap();
    assert!(all.iter().all(Result::is_ok) && *taking.borrow() > 0);
    reading.abort();
}

#[tokio::test]
async fn a_subscription_resumes_after_a_loss_of_connection_without_loss_or_duplicate() {
    let served = Served::new().await;
    let client = served.client();
    let mut kept = client.subscribe("kept/a", live()).await.unwrap();
    for round in 0..20 {
        served.endpoint.topics().publish("kept/a", format!("{round} live")).unwrap();
        if round % 2 == 0 {
            assert_eq!(text(&mut kept).await, format!("{round} live"));
        }
        served.down();
        served.endpoint.topics().publish("kept/a", format!("{round} missed")).unwrap();
        served.up();
        if round % 2 != 0 {
            assert_eq!(text(&mut kept).await, format!("{round} live"));
        }
        assert_eq!(text(&mut kept).await, format!("{round} missed"));
    }
}

#[tokio::test]
async fn ten_thousand_missed_messages_are_resumed_completely_and_in_order() {
    let served = Served::new().await;
    let topics = served.endpoint.topics();
    let client = served.client();
    let mut kept = client.subscribe("long/a", live()).await.unwrap();
    topics.publish("long/a", "seen").unwrap();
    assert_eq!(text(&mut kept).await, "seen");
    served.down();
    assert_eq!(kept.next().await.unwrap(), Event::Disconnected);
    topics.publish_all((0..10_000).map(|number| ("long/a", number.to_string()))).unwrap();
    let begun = std::time::Instant::now();
    served.up();
    for number in 0..10_000 {
        assert_eq!(text(&mut kept).await, number.to_string());
    }
    // `benches/resume.rs` measures it, without checks and optimized: less than 200 ms.
    println!("10,000 messages after {:?}", begun.elapsed());
}

#[tokio::test]
async fn a_topic_without_history_reports_what_was_lost_meanwhile() {
    let served = Served::new().await;
    let client = served.client();
    // It keeps the topic, and so its epoch.
    let mut other = served.client().subscribe("news", live()).await.unwrap();
    let mut news = client.subscribe("news", live()).await.unwrap();
    served.endpoint.topics().publish("news", "1").unwrap();
    assert_eq!((text(&mut news).await, text(&mut other).await), ("1".into(), "1".into()));
    let _watch = served.endpoint.topics().watch_presence("news").unwrap();
    served.down();
    assert_eq!(news.next().await.unwrap(), Event::Disconnected);
    served.endpoint.topics().publish("news", "2").unwrap();
    served.up();
    loop {
        match news.next().await.unwrap() {
            Event::Gap { lost, range, .. } => {
                assert_eq!(
                    (lost, range.map(|(first, last)| (first.offset, last.offset))),
                    (Some(1), Some((2, 2)))
                );
                break;
            }
            Event::Resumed { missed, .. } => assert_eq!(missed, None),
            Event::Disconnected => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_filter_reports_a_gap_of_unknown_size_after_a_loss_of_connection() {
    let served = Served::new().await;
    let client = served.client();
    let mut all = client.subscribe("kept/#", live()).await.unwrap();
    served.endpoint.topics().publish("kept/a", "1").unwrap();
    assert_eq!(text(&mut all).await, "1");
    served.down();
    assert_eq!(all.next().await.unwrap(), Event::Disconnected);
    served.up();
    loop {
        match all.next().await.unwrap() {
            Event::Gap { lost: None, range: None, .. } => break,
            Event::Resumed { .. } | Event::Disconnected => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_publication_survives_a_loss_of_connection_and_is_published_once() {
    let served = Served::new().await;
    let (reader, writer) = (served.client(), served.client());
    let mut kept = reader.subscribe("kept/a", live()).await.unwrap();
    for round in 0..20 {
        let publishing = {
            let writer = writer.clone();
            tokio::spawn(async move { writer.publish("kept/a", round.to_string()).await })
        };
        served.cut.notify_waiters();
        let position = publishing.await.unwrap().unwrap().unwrap();
        assert_eq!(position.offset, round + 1);
        assert_eq!(text(&mut kept).await, round.to_string());
    }
}

#[tokio::test]
async fn a_subscription_that_is_not_read_loses_nothing_and_delays_no_other() {
    let served = Served::new().await;
    let client = served.client();
    let mut slow = client.subscribe("kept/slow", live().max_waiting(4)).await.unwrap();
    let mut fast = client.subscribe("kept/fast", live()).await.unwrap();
    for number in 0..200 {
        served.endpoint.topics().publish("kept/slow", number.to_string()).unwrap();
        served.endpoint.topics().publish("kept/fast", number.to_string()).unwrap();
        assert_eq!(text(&mut fast).await, number.to_string());
    }
    for number in 0..200 {
        assert_eq!(text(&mut slow).await, number.to_string());
    }
}

#[tokio::test]
async fn a_dropped_subscription_is_ended_at_the_server_and_may_begin_again() {
    let served = Served::new().await;
    let client = served.client();
    for round in 0..20 {
        let mut news = client.subscribe("kept/a", live()).await.unwrap();
        let twice = client.subscribe("kept/a", live()).await.err().unwrap();
        assert!(matches!(twice, ClientError::AlreadySubscribed { .. }), "{twice}");
        let published = served.endpoint.topics().publish("kept/a", round.to_string()).unwrap();
        assert_eq!(published.subscribers, 1);
        assert_eq!(text(&mut news).await, round.to_string());
    }
    // A request that is answered after the one that ended it.
    client.presence("kept/a").await.unwrap();
    assert_eq!(served.endpoint.topics().subscribers("kept/a"), 0);
}

#[tokio::test]
async fn presence_is_reported_and_can_be_asked_for() {
    let served = Served::new().await;
    let (ada, bob) = (served.client(), served.client());
    let mut room = bob.subscribe("room", live().watch(true)).await.unwrap();
    let here = ada.subscribe("room", live().present("Ada")).await.unwrap();
    let event = room.next().await.unwrap();
    let Event::Presence { joined, .. } = event else { panic!("{event:?}") };
    assert_eq!((&*joined[0].identity, &*joined[0].value), ("user", "Ada"));
    assert_eq!(bob.presence("room").await.unwrap(), joined);
    drop(here);
    let event = room.next().await.unwrap();
    let Event::Presence { left, .. } = event else { panic!("{event:?}") };
    assert_eq!(left, joined);
}

#[tokio::test]
async fn a_refusal_of_the_server_is_an_error_with_its_code() {
    let served = Served::new().await;
    let error = served.client().subscribe("a+", live()).await.err().unwrap();
    let ClientError::Refused { code, .. } = &error else { panic!("{error}") };
    assert_eq!(code, "name");
}

#[tokio::test]
async fn a_server_without_the_subprotocol_ends_the_client() {
    let server = Server::builder()
        .endpoint(
            "/",
            Endpoint::new(|mut socket: ws_server::WebSocket, _| async move {
                while let Ok(Some(_)) = socket.recv().await {}
            }),
        )
        .bind("127.0.0.1:0")
        .await
        .unwrap();
    let url = format!("ws://{}/", server.local_addr().unwrap());
    let _server = tokio::spawn(async move { server.serve().await });
    let client = TopicsClient::new(&Client::new().unwrap(), url.as_str()).unwrap();
    let error = client.subscribe("a", live()).await.err().unwrap();
    assert!(matches!(error, ClientError::NoSubprotocol), "{error}");
    // What `main` prints when it returns the error.
    assert!(format!("{error:?}").contains("check the path of the URL"), "{error:?}");
    assert!(matches!(client.publish("a", "x").await, Err(ClientError::Ended)));
}

#[tokio::test]
async fn close_ends_the_connection_with_a_closing_handshake_for_all_that_use_the_client() {
    let served = Served::new().await;
    let client = served.client();
    let mut news = client.subscribe("news", live()).await.unwrap();
    let other = client.clone();
    client.close().await;
    assert!(matches!(news.next().await, Err(ClientError::Ended)));
    assert!(matches!(other.publish("news", "x").await, Err(ClientError::Ended)));
    assert_eq!(served.endpoint.topics().subscribers("news"), 0, "the server has seen the end");
    // And again, and while there is no connection.
    other.close().await;
    served.down();
    served.client().close().await;
}

#[tokio::test]
async fn dropping_the_future_of_next_loses_nothing_whether_the_client_is_behind_or_not() {
    let served = Served::new().await;
    let client = served.client();
    let mut kept = client.subscribe("kept/a", live().max_waiting(4)).await.unwrap();
    for number in 0..200 {
        served.endpoint.topics().publish("kept/a", number.to_string()).unwrap();
    }
    let mut expected = 0;
    while expected < 200 {
        // Polled once, and dropped.
        let polled = tokio::select! {
            biased;
            event = kept.next() => Some(event.unwrap()),
            () = tokio::task::yield_now() => None,
        };
        match polled {
            Some(Event::Message { message, .. }) => {
                assert_eq!(message.as_text(), Some(expected.to_string().as_str()));
                expected += 1;
            }
            None | Some(Event::Resumed { .. }) => {}
            Some(other) => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn what_has_no_answer_fails_when_the_client_is_closed() {
    let served = Served::new().await;
    served.down();
    let client = served.client();
    let calls =
        async { tokio::join!(client.publish("a", "x"), client.presence("a"), client.subscribe("a", live())) };
    let close = async {
        tokio::task::yield_now().await;
        client.close().await;
    };
    let ((published, presence, subscribed), ()) = tokio::join!(calls, close);
    assert!(matches!(published, Err(ClientError::Ended)), "{published:?}");
    assert!(matches!(presence, Err(ClientError::Ended)), "{presence:?}");
    assert!(matches!(subscribed, Err(ClientError::Ended)), "{subscribed:?}");
}

#[tokio::test]
async fn a_connection_that_cannot_be_opened_is_an_error_that_names_the_cause() {
    let backoff = Backoff::default().initial(Duration::from_millis(1)).max_failures(2);
    let client = Options::default().backoff(backoff).build().unwrap();
    // Nothing listens on port 1.
    let topics = TopicsClient::new(&client, "ws://127.0.0.1:1/").unwrap();
    let error = topics.subscribe("a", live()).await.err().unwrap();
    assert!(matches!(error, ClientError::Connect(_)), "{error}");
    assert!(error.to_string().contains("127.0.0.1:1"), "{error}");
    assert!(std::error::Error::source(&error).is_none(), "the message has the cause");
}
