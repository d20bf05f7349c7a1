//! A record of all messages: which sender sent them, and whether they have arrived.

use std::sync::OnceLock;

use ws_core::{DataType, Message};

use super::chance::Chance;

/// All messages of a simulation.
#[derive(Debug, Default)]
pub struct Ledger {
    /// What end 0 sends, and what end 1 sends: by sender.
    ends: [Vec<Vec<Entry>>; 2],
}

#[derive(Debug)]
struct Entry {
    message: Message,
    fate: Fate,
    arrived: bool,
    last: bool,
}

/// What the sender of a message can say about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It may have been queued: its future has not ended, or has been dropped.
    Unknown,
    /// It has been queued.
    Sent,
    /// It has not been queued, and never will.
    NotSent,
}

impl Ledger {
    pub fn new(senders: [usize; 2]) -> Self {
        let lists = senders.map(|n| (0..n.max(1)).map(|_| Vec::new()).collect());
        Self { ends: lists }
    }

    /// The next message of a sender's; its last one if `last`.
    pub fn next(
        &mut self,
        end: usize,
        sender: usize,
        chance: &mut Chance,
        max: usize,
        last: bool,
    ) -> (usize, Message) {
        let list = &mut self.ends[end][sender];
        let index = list.len();
        let size = if chance.one_in(4) { max } else { 60.min(max) };
        let message = content(sender, index, chance.below(size + 1), chance);
        list.push(Entry { message: message.clone(), fate: Fate::Unknown, arrived: false, last });
        (index, message)
    }

    pub fn settle(&mut self, end: usize, sender: usize, index: usize, fate: Fate) {
        let entry = &mut self.ends[end][sender][index];
        assert!(
            !(entry.arrived && fate == Fate::NotSent),
            "message {sender}.{index} of end {end} was not sent, and has arrived"
        );
        entry.fate = fate;
    }

    /// A message from `end` has arrived.
    pub fn arrived(&mut self, end: usize, data_type: DataType, bytes: &[u8]) {
        let shown = &bytes[..bytes.len().min(20)];
        let Some((sender, index)) = label(bytes) else {
            panic!("end {end} sent no message like this: {} bytes, {shown:?}", bytes.len())
        };
        let name = format!("message {sender}.{index} of end {end}");
        let Some(list) = self.ends[end].get_mut(sender) else { panic!("{name} has no sender") };
        assert!(index < list.len(), "{name} was never made");
        assert!(!list[index].arrived, "{name} arrives twice");
        assert!(list[index].fate != Fate::NotSent, "{name} was not sent, and arrives");
        let late = list[index..].iter().position(|entry| entry.arrived);
        assert!(late.is_none(), "{name} arrives after a later one");
        let missing = list[..index].iter().filter(|entry| entry.is_missing()).count();
        assert!(missing == 0, "{missing} messages are missing before {name}");
        let entry = &mut list[index];
        let (was, is) = (entry.message.len(), bytes.len());
        let whole = entry.message.as_bytes() == bytes && entry.message.data_type() == data_type;
        assert!(whole, "{name} arrives changed: {is} bytes of {was}");
        entry.arrived = true;
    }

    /// Whether the receiver may turn away from a message of `end`'s that begins like this: if it is known,
    /// and not a last one. It then counts as arrived.
    pub fn turned_away(&mut self, end: usize, bytes: &[u8]) -> bool {
        let Some((sender, index)) = label(bytes) else { return false };
        let entry = &mut self.ends[end][sender][index];
        if entry.last {
            return false;
        }
        assert!(
            entry.message.as_bytes().starts_with(bytes),
            "message {sender}.{index} of end {end} is changed"
        );
        entry.arrived = true;
        true
    }

    /// All that `end` sends has arrived: each of its senders' last message.
    pub fn is_done(&self, end: usize) -> bool {
        self.ends[end].iter().all(|list| list.last().is_some_and(|entry| entry.last && entry.arrived))
    }

    /// Fails unless everything that `end` sent has arrived.
    pub fn check_complete(&self, end: usize) {
        let missing = self.ends[end].iter().flatten().filter(|entry| entry.is_missing()).count();
        assert!(missing == 0, "{missing} messages of end {end} are lost");
    }
}

impl Entry {
    fn is_missing(&self) -> bool {
        self.fate == Fate::Sent && !self.arrived
    }
}

/// The content of a message, which names it.
fn content(sender: usize, index: usize, size: usize, chance: &mut Chance) -> Message {
    let label = format!("{sender}.{index}:");
    let (text, bytes) = stuff();
    let from = chance.below(1000);
    if chance.one_in(2) {
        let from = (from..).find(|&at| text.is_char_boundary(at)).unwrap();
        let to = (from + size..).find(|&at| text.is_char_boundary(at)).unwrap();
        Message::text(label + &text[from..to])
    } else {
        Message::binary([label.as_bytes(), &bytes[from..from + size]].concat())
    }
}

/// The sender and the index in a message's label.
fn label(bytes: &[u8]) -> Option<(usize, usize)> {
    let end = bytes.iter().take(20).position(|&byte| byte == b':')?;
    let (sender, index) = std::str::from_utf8(&bytes[..end]).ok()?.split_once('.')?;
    Some((sender.parse().ok()?, index.parse().ok()?))
}

/// Text of characters of all lengths, and bytes some of which compress.
fn stuff() -> &'static (String, Vec<u8>) {
    static STUFF: OnceLock<(String, Vec<u8>)> = OnceLock::new();
    STUFF.get_or_init(|| {
        let mut chance = Chance::new(0);
        let mut text = String::new();
        while text.len() < 200 << 10 {
            text.push_str(chance.pick(&[
                "a",
                "b",
                "ß",
                "größer ",
                "€",
                "𝄞",
                "\u{10FFFF}",
                "the same again, ",
                "\0",
            ]));
        }
        let bytes =
            (0..200 << 10).map(|n| if n / 5000 % 2 == 0 { chance.below(4) } else { chance.below(256) } as u8);
        (text, bytes.collect())
    })
}
