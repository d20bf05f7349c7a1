//! Who may do what.

use std::sync::{Arc, Mutex};

use ws_topics::{Action, SubscribeOptions, TopicError, Topics, TopicsOptions};

use crate::support::Peer;

#[tokio::test(start_paused = true)]
async fn the_hook_decides_for_each_connection_topic_and_action() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let record = Arc::clone(&asked);
    let options = TopicsOptions::default().authorize(move |access| {
        record.lock().unwrap().push((access.connection, access.topic.to_owned(), access.action));
        access.topic.starts_with("open") && access.action != Action::Presence
    });
    let topics = Topics::new(options).unwrap();
    let mut peer = Peer::fast();
    let (id, live) = (peer.sender.connection_id(), SubscribeOptions::default);
    let forbidden = |topic: &str| TopicError::Forbidden { topic: topic.into() };

    let _open = topics.subscribe(&peer.sender, "open/a", live()).unwrap();
    assert_eq!(topics.subscribe(&peer.sender, "secret/#", live()).unwrap_err(), forbidden("secret/#"));
    topics.publish_from(&peer.sender, "open/a", "unseen by its author").unwrap();
    assert_eq!(topics.publish_from(&peer.sender, "secret", "x").unwrap_err(), forbidden("secret"));
    assert_eq!(topics.batch().publish_from(&peer.sender, "secret", "x").unwrap_err(), forbidden("secret"));
    let present = live().present("ann", "");
    assert_eq!(topics.subscribe(&peer.sender, "open/a", present).unwrap_err(), forbidden("open/a"));
    assert_eq!(topics.presence_for(&peer.sender, "open/a").unwrap_err(), forbidden("open/a"));
    // The server itself is not asked about.
    topics.publish("open/a", "from the server").unwrap();
    assert_eq!(topics.presence("open/a"), []);
    assert_eq!(topics.subscribers("open/a"), 1);
    assert_eq!(peer.read().await, ["from the server"]);

    let expected = [
        ("open/a", Action::Subscribe),
        ("secret/#", Action::Subscribe),
        ("open/a", Action::Publish),
        ("secret", Action::Publish),
        ("secret", Action::Publish),
        ("open/a", Action::Subscribe),
        ("open/a", Action::Presence),
        ("open/a", Action::Presence),
    ];
    let expected: Vec<_> = expected.map(|(topic, action)| (id, topic.to_owned(), action)).into();
    assert_eq!(*asked.lock().unwrap(), expected);
}
