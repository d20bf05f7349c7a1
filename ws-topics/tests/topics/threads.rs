//! Publishers and subscribers on several threads.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use ws_topics::{History, SubscribeOptions, TopicsOptions};

use crate::support::{Peer, check_counts, topics};

/// All subscribers see the same order, each publisher's messages in its own; those that come in the middle see the rest of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn publishers_on_several_threads_are_seen_in_one_order_by_all() {
    const PUBLISHERS: usize = 3;
    const MESSAGES: usize = 400;
    let options = TopicsOptions::default()
        .history("a", History::default().max_messages(PUBLISHERS * MESSAGES + 1))
        .frame(|it| format!("{} {}", it.position.offset, it.message.as_text().unwrap()).into());
    let topics = topics(options);
    let seen = topics.publish("a", "first").unwrap().position.unwrap();
    let live = SubscribeOptions::default;
    let stop = AtomicBool::new(false);
    let (mut peers, visitor) = (Vec::new(), Peer::fast());
    thread::scope(|scope| {
        let publishers: Vec<_> = (0..PUBLISHERS)
            .map(|publisher| {
                let topics = topics.clone();
                scope.spawn(move || {
                    for n in 0..MESSAGES {
                        topics.publish("a", format!("{publisher} {n}")).unwrap();
                    }
                })
            })
            .collect();
        // Topics and filters come and go meanwhile.
        let (churn, stop, visitor) = (topics.clone(), &stop, &visitor);
        let runtime = tokio::runtime::Handle::current();
        scope.spawn(move || {
            let _runtime = runtime.enter();
            for n in 0.. {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                drop(churn.subscribe(&visitor.sender, "a", live()).unwrap());
                drop(churn.subscribe(&visitor.sender, "+", live()).unwrap());
                drop(churn.subscribe(&visitor.sender, &format!("b/{n}"), live()).unwrap());
            }
        });
        for n in 0..20 {
            let peer = Peer::fast();
            let (topic, options) = match n % 3 {
                0 => ("+", live()),
                _ => ("a", live().since(seen)),
            };
            let subscription = topics.subscribe(&peer.sender, topic, options).unwrap();
            peers.push((peer, subscription));
        }
        publishers.into_iter().for_each(|publisher| publisher.join().unwrap());
        stop.store(true, Ordering::Relaxed);
    });
    let whole = read(&mut peers[1].0).await;
    assert_eq!(whole.len(), PUBLISHERS * MESSAGES);
    for (offset, text) in (2..).zip(&whole) {
        assert_eq!(text.split(' ').next().unwrap(), format!("{offset}"));
    }
    for publisher in 0..PUBLISHERS {
        let mut own = whole.iter().filter_map(|text| {
            let mut words = text.split(' ').skip(1);
            (words.next() == Some(&publisher.to_string()))
                .then(|| words.next().unwrap().parse::<usize>().unwrap())
        });
        assert!((0..MESSAGES).all(|n| own.next() == Some(n)));
    }
    for (n, (peer, _)) in peers.iter_mut().enumerate().filter(|(n, _)| *n != 1) {
        let part = read(peer).await;
        assert!(whole.ends_with(&part), "subscriber {n} sees another order, or not all");
        assert!(n % 3 == 0 || part.len() == whole.len(), "subscriber {n} misses some");
    }
    check_counts(&topics);
}

/// Rows, rows whose sender is left out, and batches, while somebody looks at the queues.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_and_batches_of_several_threads_reach_all_subscribers_in_one_order() {
    const MESSAGES: usize = 600;
    let topics = topics(
        TopicsOptions::default()
            .max_waiting_messages(usize::MAX)
            .max_waiting_bytes(usize::MAX)
            .frame(|it| format!("{} {}", it.position.offset, it.message.as_text().unwrap()).into()),
    );
    let mut peers: Vec<Peer> = (0..6).map(|_| Peer::fast()).collect();
    let subscribe = |peer: &Peer| {
        let options = SubscribeOptions::default().max_messages(usize::MAX).max_bytes(usize::MAX);
        topics.subscribe(&peer.sender, "a", options).unwrap()
    };
    let _subscriptions: Vec<_> = peers.iter().map(subscribe).collect();
    let (runtime, stop) = (tokio::runtime::Handle::current(), AtomicBool::new(false));
    let text = |publisher: usize, n: usize| format!("{publisher} {n}");
    thread::scope(|scope| {
        let (topics, author, runtime) = (&topics, &peers[0].sender, &runtime);
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                topics.stats();
                thread::yield_now();
            }
        });
        let publishers = [
            scope.spawn(move || {
                let _runtime = runtime.enter();
                for n in 0..MESSAGES {
                    topics.publish("a", text(0, n)).unwrap();
                }
            }),
            scope.spawn(move || {
                let _runtime = runtime.enter();
                for n in 0..MESSAGES {
                    topics.publish_from(author, "a", text(1, n)).unwrap();
                }
            }),
            scope.spawn(move || {
                for first in (0..MESSAGES).step_by(20) {
                    topics.publish_all((first..first + 20).map(|n| ("a", text(2, n)))).unwrap();
                }
            }),
        ];
        publishers.into_iter().for_each(|publisher| publisher.join().unwrap());
        stop.store(true, Ordering::Relaxed);
    });
    let mut all = Vec::new();
    for peer in &mut peers {
        all.push(read(peer).await);
    }
    let offsets = |texts: &[String]| -> Vec<usize> {
        texts.iter().map(|text| text.split(' ').next().unwrap().parse().unwrap()).collect()
    };
    assert_eq!(offsets(&all[1]), (1..=3 * MESSAGES).collect::<Vec<_>>());
    assert!(all[2..].iter().all(|texts| *texts == all[1]), "others see another order, or not all");
    let of = |publisher: usize, texts: &[String]| -> Vec<String> {
        let own = format!(" {publisher} ");
        texts.iter().filter(|text| text.contains(&own)).cloned().collect()
    };
    for publisher in 0..3 {
        assert_eq!(of(publisher, &all[1]).len(), MESSAGES);
        let expected = if publisher == 1 { Vec::new() } else { of(publisher, &all[1]) };
        assert_eq!(of(publisher, &all[0]), expected, "{publisher}");
    }
    check_counts(&topics);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_is_forgotten_and_made_anew_reaches_its_new_subscribers() {
    let topics = topics(TopicsOptions::default());
    let peers = [Peer::fast(), Peer::fast()];
    thread::scope(|scope| {
        for peer in &peers {
            let topics = &topics;
            scope.spawn(move || {
                for _ in 0..10_000 {
                    for name in ["a", "+"] {
                        let subscription =
                            topics.subscribe(&peer.sender, name, SubscribeOptions::default()).unwrap();
                        assert!(topics.publish("a", "x").unwrap().subscribers >= 1);
                        drop(subscription);
                    }
                }
            });
        }
    });
    check_counts(&topics);
}

/// Reads up to the last message.
async fn read(peer: &mut Peer) -> Vec<String> {
    peer.sender.flush().await.unwrap();
    // What is delivered has been written by now: a ping behind it marks the end.
    peer.sender.feed("end").await.unwrap();
    peer.sender.flush().await.unwrap();
    let mut texts = Vec::new();
    loop {
        match peer.client.recv().await.unwrap().unwrap().as_text().unwrap() {
            "end" => return texts,
            text => texts.push(text.to_owned()),
        }
    }
}
