//! What was published, and what a subscriber may see of it.

use std::collections::HashMap;

use ws_topics::{Gap, Position, Resumed, Start};

/// What was published to each topic, by epoch; in order, with the connection that is left out.
#[derive(Debug, Default)]
pub struct Published {
    lives: HashMap<(String, u64), Vec<Option<u64>>>,
    /// The epoch of each topic that had a message.
    pub latest: HashMap<String, u64>,
}

/// What one subscription has seen.
#[derive(Debug)]
pub struct Run {
    pub topic: String,
    connection: u64,
    pub seen: Option<Position>,
    expect: Expect,
}

#[derive(Debug)]
enum Expect {
    /// A topic: what comes next is known.
    Topic { epoch: u64, next: u64, gap_of_unknown_size: bool },
    /// A filter: what was missing so far, what was reported missing, and the next offset of each topic.
    Filter { missing: u64, lost: u64, next: HashMap<(String, u64), u64> },
}

impl Published {
    pub fn add(&mut self, topic: &str, position: Position, from: Option<u64>) {
        let life = self.lives.entry((topic.into(), position.epoch)).or_default();
        life.push(from);
        assert_eq!(life.len() as u64, position.offset, "{topic}: offsets are consecutive");
        self.latest.insert(topic.into(), position.epoch);
    }

    pub fn head(&self, topic: &str, epoch: u64) -> u64 {
        self.lives.get(&(topic.into(), epoch)).map_or(0, |life| life.len() as u64)
    }

    /// How many messages with these offsets a connection gets: not its own.
    fn count(&self, topic: &str, epoch: u64, from: u64, to: u64, connection: u64) -> u64 {
        let life = self.lives.get(&(topic.to_owned(), epoch)).map(Vec::as_slice).unwrap_or_default();
        (from..=to).filter(|offset| life[*offset as usize - 1] != Some(connection)).count() as u64
    }
}

impl Run {
    /// A subscription to a topic, whose head is as it is when the subscription begins.
    pub fn of_topic(
        topic: &str,
        connection: u64,
        head: Position,
        start: Start,
        resumed: Option<Resumed>,
        kept: Option<u64>,
    ) -> Self {
        // `kept` is how many messages the history has, where the model knows that.
        let oldest = kept.map(|kept| head.offset + 1 - kept.min(head.offset));
        let (next, unknown) = match (start, resumed) {
            (Start::Live, None) => (head.offset + 1, false),
            (Start::Last(most), None) => {
                let oldest = oldest.expect("only asked where it is known");
                (oldest.max((head.offset + 1).saturating_sub(most)), false)
            }
            (Start::Since(at), Some(Resumed::Complete { missed })) => {
                assert_eq!(at.epoch, head.epoch);
                assert_eq!(missed, head.offset - at.offset);
                assert!(oldest.is_none_or(|oldest| at.offset + 1 >= oldest), "more than is kept");
                (at.offset + 1, false)
            }
            (Start::Since(at), Some(Resumed::Gap(Gap { oldest: reported, head: reported_head }))) => {
                assert_eq!(reported_head, head);
                assert!(oldest.is_none_or(|oldest| reported.offset == oldest), "{reported} {oldest:?}");
                let known = at.epoch == head.epoch && at.offset <= head.offset;
                assert!(!known || at.offset + 1 < reported.offset, "nothing was missing");
                if known { (at.offset + 1, false) } else { (reported.offset, true) }
            }
            other => panic!("{other:?}"),
        };
        let expect = Expect::Topic { epoch: head.epoch, next, gap_of_unknown_size: unknown };
        Self { topic: topic.into(), connection, seen: None, expect }
    }

    pub fn of_filter(filter: &str, connection: u64, heads: HashMap<(String, u64), u64>) -> Self {
        let next = heads.into_iter().map(|(life, head)| (life, head + 1)).collect();
        let expect = Expect::Filter { missing: 0, lost: 0, next };
        Self { topic: filter.into(), connection, seen: None, expect }
    }

    pub fn see(&mut self, topic: &str, at: Position, published: &Published) {
        let connection = self.connection;
        match &mut self.expect {
            Expect::Topic { epoch, next, gap_of_unknown_size } => {
                assert_eq!((topic, at.epoch), (&*self.topic, *epoch));
                assert!(!*gap_of_unknown_size, "the mark comes first");
                assert!(at.offset >= *next, "{topic} {at} comes again, or too late: {next} is next");
                let missing = published.count(topic, *epoch, *next, at.offset - 1, connection);
                assert_eq!(missing, 0, "{topic} {at}: messages from {next} on are missing without a mark");
                *next = at.offset + 1;
            }
            Expect::Filter { missing, lost, next } => {
                let next = next.entry((topic.into(), at.epoch)).or_insert(1);
                assert!(at.offset >= *next, "{topic} {at} comes again, or too late: {next} is next");
                *missing += published.count(topic, at.epoch, *next, at.offset - 1, connection);
                assert!(missing <= lost, "{topic} {at}: messages are missing without a mark");
                *next = at.offset + 1;
            }
        }
        let own = published.count(topic, at.epoch, at.offset, at.offset, connection) == 0;
        assert!(!own, "{topic} {at} is the connection's own");
        self.seen = Some(at);
    }

    pub fn see_gap(&mut self, lost: Option<u64>, range: Option<(Position, Position)>, published: &Published) {
        match (&mut self.expect, range) {
            (Expect::Filter { lost: sum, .. }, None) => *sum += lost.unwrap(),
            (Expect::Topic { gap_of_unknown_size, .. }, None) => {
                assert!(lost.is_none() && std::mem::take(gap_of_unknown_size), "an unknown gap, once");
            }
            (Expect::Topic { epoch, next, .. }, Some((first, last))) => {
                assert_eq!((first.epoch, last.epoch), (*epoch, *epoch));
                assert!(first.offset >= *next && last.offset >= first.offset, "{first} {last} {next}");
                let (topic, connection) = (&self.topic, self.connection);
                let before = published.count(topic, *epoch, *next, first.offset - 1, connection);
                assert_eq!(before, 0, "{before} are missing before the gap");
                // A history that has lost the connection's own messages counts them, too.
                let least = published.count(topic, *epoch, first.offset, last.offset, connection);
                let most = last.offset + 1 - first.offset;
                assert!((least..=most).contains(&lost.unwrap()), "{lost:?} for {first} to {last}");
                *next = last.offset + 1;
            }
            (expect, range) => panic!("a mark of {range:?} for {expect:?}"),
        }
    }

    /// Checks that nothing is missing at the end, when everything has been read.
    pub fn finish(&mut self, published: &Published, matches: impl Fn(&str) -> bool) {
        let connection = self.connection;
        match &mut self.expect {
            Expect::Topic { epoch, next, gap_of_unknown_size } => {
                let head = published.head(&self.topic, *epoch);
                let missing = published.count(&self.topic, *epoch, *next, head, connection);
                assert_eq!((missing, *gap_of_unknown_size), (0, false), "{}: from {next} on", self.topic);
            }
            Expect::Filter { missing, lost, next } => {
                for ((topic, epoch), life) in published.lives.iter().filter(|((topic, _), _)| matches(topic))
                {
                    let next = next.get(&(topic.clone(), *epoch)).copied().unwrap_or(1);
                    *missing += published.count(topic, *epoch, next, life.len() as u64, connection);
                }
                assert_eq!(missing, lost, "what is missing is what was reported");
            }
        }
    }

    /// All lives of topics that a filter matches, with their heads.
    pub fn heads(published: &Published, matches: impl Fn(&str) -> bool) -> HashMap<(String, u64), u64> {
        let lives = published.lives.iter().filter(|((topic, _), _)| matches(topic));
        lives.map(|(life, messages)| (life.clone(), messages.len() as u64)).collect()
    }
}
