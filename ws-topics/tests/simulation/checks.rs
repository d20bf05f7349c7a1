//! What is checked: after each step, and at the end.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use ws_topics::PresenceChange;

use crate::model::Run;
use crate::world::{WAITING, World, matches, poll_receiver};

impl World {
    /// Looks at what a client has read.
    pub(super) fn look(&mut self, place: usize) {
        let connection = &mut self.connections[place];
        for text in connection.pipe.texts() {
            let words: Vec<_> = text.split(' ').collect();
            let is_own = |run: &&mut Run| connection.by_filter || run.topic == words[1];
            let run = connection.runs.iter_mut().find(is_own).expect("it has subscribed to this");
            match words[..] {
                ["M", topic, at] => {
                    assert!(matches(&run.topic, topic));
                    self.received += 1;
                    run.see(topic, at.parse().unwrap(), &self.published);
                }
                ["G", topic, lost, ref range @ ..] => {
                    assert_eq!(run.topic, topic);
                    self.gaps += 1;
                    let range = match range {
                        [first, last] => Some((first.parse().unwrap(), last.parse().unwrap())),
                        _ => None,
                    };
                    run.see_gap(lost.parse().ok(), range, &self.published);
                }
                _ => panic!("{text}"),
            }
        }
    }

    pub(super) fn look_at_presence(&mut self) {
        let changed = pin!(self.watch.changed());
        let Poll::Ready(changes) = changed.poll(&mut Context::from_waker(Waker::noop())) else { return };
        for change in changes {
            match change {
                PresenceChange::Joined(member) => {
                    let before = self.present.insert(member.identity.to_string(), member.value.to_string());
                    assert_eq!(before, None, "joined twice");
                }
                PresenceChange::Left(member) => {
                    assert!(self.present.remove(&*member.identity).is_some(), "left before it had joined");
                }
                other => panic!("{other:?}"),
            }
        }
    }

    /// What always is so.
    pub(super) fn check(&self) {
        let stats = self.topics.stats();
        assert_eq!(stats.offered, stats.delivered + stats.dropped + stats.ended + stats.waiting, "{stats:?}");
        assert!(stats.topics <= 4 && stats.connections <= self.connections.len(), "{stats:?}");
        assert!(stats.history_bytes <= if self.plenty { 1 << 20 } else { 8 * 540 }, "{stats:?}");
        let mut waiting = 0;
        for connection in &self.connections {
            // What comes out of a history is fetched in pieces, beside what waits.
            let own: usize = connection.subscriptions.iter().map(|(it, _)| it.waiting()).sum();
            assert!(own <= WAITING + 5, "{own} messages wait for one connection");
            assert!(connection.subscriptions.iter().all(|(it, _)| it.waiting() <= 5 + 1));
            waiting += own;
        }
        assert_eq!(waiting as u64, stats.waiting);
    }

    /// All read everything; then nothing is missing but what was reported.
    pub(super) fn finish(&mut self) {
        for place in 0..self.connections.len() {
            self.connections[place].pipe.make_room(usize::MAX);
            poll_receiver(&mut self.connections[place]);
            self.look(place);
            let connection = &mut self.connections[place];
            if !connection.sender.is_open() {
                assert!(connection.subscriptions.iter().all(|(it, _)| it.is_ended()));
                continue;
            }
            for (subscription, _) in &connection.subscriptions {
                let topic = subscription.topic();
                assert_eq!(subscription.waiting(), 0, "{topic}");
                let run = connection.runs.iter_mut().find(|run| run.topic == topic).unwrap();
                run.finish(&self.published, |other| matches(topic, other));
            }
        }
        self.check();
        self.look_at_presence();
        let mut expected: Vec<_> = self
            .connections
            .iter()
            .flat_map(|connection| &connection.subscriptions)
            .filter(|(subscription, _)| subscription.topic() == "kept/a" && !subscription.is_ended())
            .filter_map(|(_, identity)| identity.clone())
            .collect();
        expected.sort();
        expected.dedup();
        let mut present: Vec<_> = self.present.keys().cloned().collect();
        present.sort();
        assert_eq!(present, expected, "presence converges");
        assert_eq!(self.topics.presence_count("kept/a"), expected.len());
        self.connections.clear();
        let stats = self.topics.stats();
        assert_eq!((stats.waiting, stats.waiting_bytes, stats.connections), (0, 0, 0));
    }
}
