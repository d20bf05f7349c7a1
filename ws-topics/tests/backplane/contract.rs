//! What every backplane has to do. Each step panics with what is wrong.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::timeout;
use ws_topics::bytes::Bytes;
use ws_topics::{Backplane, Channel, Entry, History, Inbox, Incoming, Interest, Link};

/// In what backplanes differ.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// How long a payload may be.
    pub(crate) payload: usize,
    /// Whether a subscription by a filter brings nothing else.
    pub(crate) exact_filters: bool,
}

const PATIENCE: Duration = Duration::from_secs(20);

/// Runs all steps and returns how many there were. `delete` deletes the log of a topic.
pub(crate) async fn check<B: Backplane>(backplane: &B, limits: Limits, delete: impl AsyncFn(&str)) -> usize {
    let names = Names::new();
    let mut steps = 0;
    macro_rules! step {
        ($name:ident($($argument:expr),*)) => {
            timeout(PATIENCE, $name($($argument),*)).await.expect(concat!("in time: ", stringify!($name)));
            println!("  {} {}", B::NAME, stringify!($name));
            steps += 1;
        };
    }
    step!(what_is_published_after_a_subscription_was_confirmed_comes(backplane, &names));
    step!(the_order_of_a_channel_is_kept(backplane, &names));
    step!(a_subscription_that_has_ended_brings_nothing(backplane, &names));
    step!(filters_match_as_in_mqtt(backplane, &names, limits));
    step!(names_that_are_special_elsewhere_do_not_mix(backplane, &names));
    step!(a_payload_may_be_empty_and_as_long_as_the_limit(backplane, &names, limits));
    step!(entries_get_consecutive_offsets_and_are_read_in_their_order(backplane, &names));
    step!(an_entry_that_is_appended_again_is_stored_once(backplane, &names));
    step!(several_servers_append_to_one_log(backplane, &names));
    step!(a_log_keeps_what_its_limits_say(backplane, &names));
    step!(a_page_has_not_many_more_bytes_than_asked_for(backplane, &names));
    step!(a_log_that_was_deleted_has_another_epoch(backplane, &names, &delete));
    step!(dropped_futures_leave_a_connection_that_works(backplane, &names));
    steps
}

/// Topics that no other run has used.
pub(crate) struct Names {
    run: u128,
}

impl Names {
    pub(crate) fn new() -> Self {
        #[expect(clippy::disallowed_methods, reason = "other runs have to have other names")]
        let now = SystemTime::now();
        Self { run: now.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos() }
    }

    pub(crate) fn topic(&self, name: &str) -> Box<str> {
        format!("contract-{}/{name}", self.run).into()
    }
}

fn topic(name: &str) -> Channel {
    Channel::Topic(name.into())
}

fn entries(server: u64, numbers: impl IntoIterator<Item = u64>) -> Vec<Entry> {
    numbers.into_iter().map(|number| entry(server, number, format!("{server}-{number}").into())).collect()
}

fn entry(server: u64, number: u64, payload: Bytes) -> Entry {
    Entry { id: u128::from(server) << 64 | u128::from(number), payload }
}

async fn message(inbox: &mut impl Inbox) -> Bytes {
    match inbox.next().await.expect("connected") {
        Incoming::Message(payload) => payload,
        Incoming::Lost => panic!("messages were lost"),
    }
}

/// Publishes a last message to a channel that the inbox is subscribed to, and returns what comes before it.
async fn until_end(link: &impl Link, inbox: &mut impl Inbox, channel: &Channel) -> Vec<Bytes> {
    let end = Bytes::from_static(b"the end");
    link.publish(channel, end.clone()).await.unwrap();
    let mut all = Vec::new();
    loop {
        let next = message(inbox).await;
        if next == end {
            return all;
        }
        all.push(next);
    }
}

async fn what_is_published_after_a_subscription_was_confirmed_comes<B: Backplane>(
    backplane: &B,
    names: &Names,
) {
    let (sender, _) = backplane.connect().await.unwrap();
    let (receiver, mut inbox) = backplane.connect().await.unwrap();
    for number in 0..50 {
        let name = names.topic(&format!("confirmed/{number}"));
        let channel = if number % 2 == 0 { Channel::Topic(name) } else { Channel::Presence(name) };
        receiver.subscribe(&Interest::Channel(channel.clone())).await.unwrap();
        sender.publish(&channel, format!("{number}").into()).await.unwrap();
        assert_eq!(message(&mut inbox).await, format!("{number}"));
    }
    // The own messages come, too, if they are subscribed to.
    receiver.subscribe(&Interest::Channel(Channel::Servers)).await.unwrap();
    receiver.publish(&Channel::Servers, "hello".into()).await.unwrap();
    while message(&mut inbox).await != "hello" {}
}

async fn the_order_of_a_channel_is_kept<B: Backplane>(backplane: &B, names: &Names) {
    let (sender, _) = backplane.connect().await.unwrap();
    let (receiver, mut inbox) = backplane.connect().await.unwrap();
    let channel = Channel::Topic(names.topic("order"));
    receiver.subscribe(&Interest::Channel(channel.clone())).await.unwrap();
    // Twice is once.
    receiver.subscribe(&Interest::Channel(channel.clone())).await.unwrap();
    for number in 0..3_000_u32 {
        sender.publish(&channel, Bytes::copy_from_slice(&number.to_be_bytes())).await.unwrap();
    }
    for number in 0..3_000_u32 {
        assert_eq!(*message(&mut inbox).await, number.to_be_bytes());
    }
}

async fn a_subscription_that_has_ended_brings_nothing<B: Backplane>(backplane: &B, names: &Names) {
    let (link, mut inbox) = backplane.connect().await.unwrap();
    let (gone, end) = (Channel::Topic(names.topic("gone/1")), Channel::Topic(names.topic("end")));
    let wide = Interest::Filter(names.topic("gone/#"));
    let other = Interest::Filter(names.topic("gone/+"));
    for interest in [&Interest::Channel(gone.clone()), &Interest::Channel(end.clone()), &wide, &other] {
        link.subscribe(interest).await.unwrap();
    }
    link.unsubscribe(&Interest::Channel(gone.clone())).await.unwrap();
    link.unsubscribe(&other).await.unwrap();
    // What was on its way when they ended may come.
    until_end(&link, &mut inbox, &end).await;
    link.publish(&gone, "filter".into()).await.unwrap();
    assert_eq!(message(&mut inbox).await, "filter", "the other filter goes on");
    link.unsubscribe(&wide).await.unwrap();
    until_end(&link, &mut inbox, &end).await;
    link.publish(&gone, "nobody".into()).await.unwrap();
    assert_eq!(until_end(&link, &mut inbox, &end).await, [""; 0]);
}

async fn filters_match_as_in_mqtt<B: Backplane>(backplane: &B, names: &Names, limits: Limits) {
    let (sender, _) = backplane.connect().await.unwrap();
    for (filter, matched, other) in [
        ("f1/+/c", vec!["f1/b/c", "f1//c"], vec!["f1/b", "f1/b/d", "f1/b/x/c"]),
        ("f2/#", vec!["f2", "f2/b", "f2/b/c", "f2/"], vec!["f22", "f3/b"]),
        ("f4/+", vec!["f4/b"], vec!["f4", "f4/b/c"]),
        ("f5/a.b*[c]/+", vec!["f5/a.b*[c]/d"], vec!["f5/aXb*[c]/d"]),
    ] {
        let (link, mut inbox) = backplane.connect().await.unwrap();
        let end = Channel::Topic(names.topic("end-of-filter"));
        link.subscribe(&Interest::Channel(end.clone())).await.unwrap();
        link.subscribe(&Interest::Filter(names.topic(filter))).await.unwrap();
        for name in matched.iter().chain(&other) {
            sender.publish(&Channel::Topic(names.topic(name)), (*name).into()).await.unwrap();
            // Presence is no message.
            sender.publish(&Channel::Presence(names.topic(name)), "presence".into()).await.unwrap();
        }
        let mut found = Vec::new();
        sender.publish(&end, "the end".into()).await.unwrap();
        let mut ended = false;
        // Channels are not in order among each other.
        while !ended || matched.iter().any(|name| !found.contains(&Bytes::from_static(name.as_bytes()))) {
            match message(&mut inbox).await {
                end if end == "the end" => ended = true,
                name => found.push(name),
            }
        }
        for name in &found {
            let wanted = matched.iter().any(|other| name == other);
            let superset = !limits.exact_filters && other.iter().any(|other| name == other);
            assert!(wanted || superset, "{filter} brings {name:?}");
        }
    }
}

async fn names_that_are_special_elsewhere_do_not_mix<B: Backplane>(backplane: &B, names: &Names) {
    let special = [
        "a.b",
        "a/b",
        "a b",
        "a*",
        "a>",
        "*",
        ">",
        "%",
        "=",
        "=2E",
        "%s",
        "a\u{3000}b",
        "a:b",
        "{a}",
        "",
        "/",
        "ü/ß",
        "a\\b",
        "[a]",
        "a?",
        "a\r\nb",
        "a\tb",
        "}a{",
        "a\u{85}b",
        "A",
        "a",
    ];
    let (link, mut inbox) = backplane.connect().await.unwrap();
    for name in special {
        link.subscribe(&Interest::Channel(Channel::Topic(names.topic(name)))).await.unwrap();
    }
    for name in special {
        link.publish(&Channel::Topic(names.topic(name)), name.into()).await.unwrap();
        assert_eq!(message(&mut inbox).await, name);
    }
    for name in special {
        let stored = link.append(&names.topic(name), &History::default(), &entries(1, [1])).await.unwrap();
        assert_eq!(stored.offsets, [1], "{name:?} has a log of its own");
    }
}

async fn a_payload_may_be_empty_and_as_long_as_the_limit<B: Backplane>(
    backplane: &B,
    names: &Names,
    limits: Limits,
) {
    let (link, mut inbox) = backplane.connect().await.unwrap();
    let name = names.topic("long");
    let history = History::default().max_bytes(8 << 20);
    link.subscribe(&Interest::Channel(topic(&name))).await.unwrap();
    for (number, length) in [(1, 0), (2, 100_000), (3, limits.payload - 1_024)] {
        let payload = Bytes::from(vec![7; length]);
        link.publish(&topic(&name), payload.clone()).await.unwrap();
        assert_eq!(message(&mut inbox).await, payload);
        link.append(&name, &history, &[entry(1, number, payload.clone())]).await.unwrap();
        let page = link.read(&name, &history, number - 1, 10, 10).await.unwrap();
        assert_eq!(page.entries, [(number, payload)]);
    }
}

async fn entries_get_consecutive_offsets_and_are_read_in_their_order<B: Backplane>(
    backplane: &B,
    names: &Names,
) {
    let (link, _) = backplane.connect().await.unwrap();
    let (name, history) = (names.topic("log"), History::default());
    let empty = link.read(&name, &history, 0, 10, 1 << 20).await.unwrap();
    assert_eq!((empty.oldest, empty.head, empty.entries.len()), (1, 0, 0));
    assert!(empty.epoch < 1 << 53);
    let stored = link.append(&name, &history, &entries(1, 1..=3)).await.unwrap();
    assert_eq!((stored.epoch, stored.offsets), (empty.epoch, vec![1, 2, 3]));
    let stored = link.append(&name, &history, &entries(1, 4..=300)).await.unwrap();
    assert_eq!(stored.offsets, (4..=300).collect::<Vec<_>>());
    let page = link.read(&name, &history, 0, 5, 1 << 20).await.unwrap();
    assert_eq!((page.epoch, page.oldest, page.head), (empty.epoch, 1, 300));
    assert_eq!(page.entries.len(), 5);
    let mut after = 0;
    while after < 300 {
        let page = link.read(&name, &history, after, 77, 1 << 20).await.unwrap();
        assert!(!page.entries.is_empty());
        for (offset, payload) in page.entries {
            after += 1;
            assert_eq!((offset, payload), (after, Bytes::from(format!("1-{after}"))));
        }
    }
    let page = link.read(&name, &history, 300, 10, 1 << 20).await.unwrap();
    assert_eq!((page.head, page.entries.len()), (300, 0));
    let page = link.read(&name, &history, 1_000, 10, 1 << 20).await.unwrap();
    assert_eq!((page.head, page.entries.len()), (300, 0), "an offset of the future");
}

async fn an_entry_that_is_appended_again_is_stored_once<B: Backplane>(backplane: &B, names: &Names) {
    let (name, history) = (names.topic("again"), History::default());
    let (link, _) = backplane.connect().await.unwrap();
    let first = link.append(&name, &history, &entries(1, 1..=10)).await.unwrap();
    drop(link);
    let (link, _) = backplane.connect().await.unwrap();
    assert_eq!(link.append(&name, &history, &entries(1, 1..=10)).await.unwrap(), first);
    // A part of the batch, with something new behind it.
    let stored = link.append(&name, &history, &entries(1, 8..=12)).await.unwrap();
    assert_eq!(stored.offsets, [8, 9, 10, 11, 12]);
    assert_eq!(link.read(&name, &history, 0, 100, 1 << 20).await.unwrap().entries.len(), 12);
    // The same number of another server is another entry.
    assert_eq!(link.append(&name, &history, &entries(2, [1])).await.unwrap().offsets, [13]);
}

async fn several_servers_append_to_one_log<B: Backplane>(backplane: &B, names: &Names) {
    let (name, history) = (names.topic("several"), History::default());
    let append = async |server: u64| {
        let (link, _) = backplane.connect().await.unwrap();
        let mut offsets = Vec::new();
        for number in 0..20 {
            let batch = entries(server, number * 5..number * 5 + 5);
            offsets.extend(link.append(&name, &history, &batch).await.unwrap().offsets);
        }
        assert!(offsets.is_sorted(), "{offsets:?}");
        offsets
    };
    let (a, b, c) = tokio::join!(append(1), append(2), append(3));
    let mut all = [a, b, c].concat();
    all.sort_unstable();
    assert_eq!(all, (1..=300).collect::<Vec<_>>());
}

async fn a_log_keeps_what_its_limits_say<B: Backplane>(backplane: &B, names: &Names) {
    let (link, _) = backplane.connect().await.unwrap();
    let (name, ten, three) =
        (names.topic("limits"), History::default().max_messages(10), History::default().max_messages(3));
    link.append(&name, &ten, &entries(1, 1..=50)).await.unwrap();
    let page = link.read(&name, &ten, 0, 100, 1 << 20).await.unwrap();
    assert_eq!((page.oldest, page.head), (41, 50));
    assert_eq!(page.entries.first().map(|(offset, _)| *offset), Some(41));
    assert_eq!(page.entries.len(), 10);
    // Other limits apply from the next append on.
    link.append(&name, &three, &entries(1, [51])).await.unwrap();
    let page = link.read(&name, &three, 0, 100, 1 << 20).await.unwrap();
    assert_eq!((page.oldest, page.head, page.entries.len()), (49, 51, 3));
}

async fn a_page_has_not_many_more_bytes_than_asked_for<B: Backplane>(backplane: &B, names: &Names) {
    let (link, _) = backplane.connect().await.unwrap();
    let (name, history) = (names.topic("bytes"), History::default().max_bytes(4 << 20));
    let big: Vec<Entry> = (1..=20).map(|number| entry(1, number, vec![1; 100_000].into())).collect();
    link.append(&name, &history, &big).await.unwrap();
    let page = link.read(&name, &history, 0, 100, 250_000).await.unwrap();
    assert!((1..=4).contains(&page.entries.len()), "{}", page.entries.len());
    let page = link.read(&name, &history, 3, 100, 1).await.unwrap();
    assert_eq!(page.entries.len(), 1);
    assert_eq!(page.entries[0].0, 4);
}

async fn a_log_that_was_deleted_has_another_epoch<B: Backplane>(
    backplane: &B,
    names: &Names,
    delete: &impl AsyncFn(&str),
) {
    let (link, _) = backplane.connect().await.unwrap();
    let (name, history) = (names.topic("deleted"), History::default());
    let first = link.append(&name, &history, &entries(1, 1..=5)).await.unwrap();
    delete(&name).await;
    let second = link.append(&name, &history, &entries(1, 6..=7)).await.unwrap();
    assert_ne!(first.epoch, second.epoch);
    assert_eq!(second.offsets, [1, 2]);
    delete(&name).await;
    let page = link.read(&name, &history, 2, 10, 1 << 20).await.unwrap();
    assert!(page.epoch != first.epoch && page.epoch != second.epoch);
    assert_eq!((page.oldest, page.head), (1, 0));
}

async fn dropped_futures_leave_a_connection_that_works<B: Backplane>(backplane: &B, names: &Names) {
    let (link, mut inbox) = backplane.connect().await.unwrap();
    let (name, history) = (names.topic("dropped"), History::default());
    let interest = Interest::Channel(topic(&name));
    link.subscribe(&interest).await.unwrap();
    for number in 0..200_u64 {
        let short = Duration::from_micros(number * 10);
        let _ = timeout(short, inbox.next()).await;
        let _ = timeout(short, link.append(&name, &history, &entries(1, [number]))).await;
        let _ = timeout(short, link.read(&name, &history, 0, 5, 1_000)).await;
        let _ = timeout(short, link.publish(&topic(&name), "x".into())).await;
        let _ =
            timeout(short, link.subscribe(&Interest::Filter(names.topic(&format!("dropped/{number}/+")))))
                .await;
        let _ =
            timeout(short, link.unsubscribe(&Interest::Filter(names.topic(&format!("dropped/{number}/+")))))
                .await;
    }
    link.unsubscribe(&interest).await.unwrap();
    link.subscribe(&interest).await.unwrap();
    until_end(&link, &mut inbox, &topic(&name)).await;
    let stored = link.append(&name, &history, &entries(1, 0..200)).await.unwrap();
    let mut offsets = stored.offsets;
    offsets.sort_unstable();
    assert_eq!(offsets, (1..=200).collect::<Vec<_>>(), "each is there, and once");
}
