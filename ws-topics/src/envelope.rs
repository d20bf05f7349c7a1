//! What servers send each other.

use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use ws_tokio::Message;
use ws_tokio::ws_core::Utf8Bytes;

/// What is published on a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Envelope {
    /// A live message: the servers number what they publish to a topic, in runs.
    Live { origin: u64, at: Number, topic: Box<str>, message: Message },
    /// A message that is stored in the log of a topic.
    Stored { topic: Box<str>, epoch: u64, offset: u64, record: Record },
    /// A server is there.
    Beat(Beat),
    /// Who is present by a server.
    Presence { origin: u64, topic: Box<str>, note: Note },
}

/// The number of a message of a server in a topic. A later run has a larger number, whatever the topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Number {
    pub(crate) run: u64,
    pub(crate) number: u64,
}

/// The upper half of what a server counts: runs, heartbeats and versions. It is another one, by chance, for each process, so that two servers that have the same
/// name are taken for two.
pub(crate) const LIFE: u64 = 0xFFFF_FFFF_0000_0000;

/// Whom something is from: by the name of the server, and any of its counts.
pub(crate) const fn server(origin: u64, count: u64) -> u64 {
    origin ^ (count & LIFE)
}

/// A heartbeat of a server, or a part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Beat {
    pub(crate) origin: u64,
    /// Counts them.
    pub(crate) beat: u64,
    /// Which part this is, and whether it is the last.
    pub(crate) part: u32,
    pub(crate) is_last: bool,
    /// The server ends.
    pub(crate) goodbye: bool,
    /// The latest run that the server had begun a heartbeat ago.
    pub(crate) runs: u64,
    /// What it had published to live topics a heartbeat ago, for a while after that.
    pub(crate) live: Vec<(Box<str>, Number)>,
    /// Likewise what it had stored: epoch and offset.
    pub(crate) stored: Vec<(Box<str>, u64, u64)>,
}

/// What servers say about who is present in a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Note {
    /// What the list has come to.
    Digest { version: u64 },
    /// What has changed between two versions of the list.
    Changes { base: u64, version: u64, set: Vec<(Arc<str>, Arc<str>)>, gone: Vec<Arc<str>> },
    /// A part of a whole list.
    Whole { version: u64, part: u32, is_last: bool, members: Vec<(Arc<str>, Arc<str>)> },
    /// Somebody, or everybody if it is 0, is to send the list.
    Ask { of: u64 },
}

impl Note {
    /// The version of the list that it is about.
    pub(crate) const fn version(&self) -> Option<u64> {
        match self {
            Self::Digest { version } | Self::Changes { version, .. } | Self::Whole { version, .. } => {
                Some(*version)
            }
            Self::Ask { .. } => None,
        }
    }
}

/// A durable message, as it is in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) id: u128,
    pub(crate) message: Message,
}

const VERSION: u8 = 1;

impl Envelope {
    pub(crate) fn encode(&self) -> Bytes {
        let mut to = BytesMut::with_capacity(match self {
            Self::Live { topic, message, .. } => 32 + topic.len() + message.len(),
            Self::Stored { topic, record, .. } => 48 + topic.len() + record.message.len(),
            Self::Beat(_) | Self::Presence { .. } => 256,
        });
        to.put_u8(VERSION);
        match self {
            Self::Live { origin, at, topic, message } => {
                to.put_u8(0);
                to.put_u64(*origin);
                put_number(&mut to, *at);
                put_text(&mut to, topic);
                put_message(&mut to, message);
            }
            Self::Stored { topic, epoch, offset, record } => {
                to.put_u8(1);
                put_text(&mut to, topic);
                to.put_u64(*epoch);
                to.put_u64(*offset);
                record.put(&mut to);
            }
            Self::Beat(beat) => {
                to.put_u8(2);
                beat.put(&mut to);
            }
            Self::Presence { origin, topic, note } => {
                to.put_u8(3);
                to.put_u64(*origin);
                put_text(&mut to, topic);
                note.put(&mut to);
            }
        }
        to.freeze()
    }

    /// Returns nothing if it is not valid, or of a later version.
    pub(crate) fn decode(mut from: Bytes) -> Option<Self> {
        if from.try_get_u8().ok()? != VERSION {
            return None;
        }
        Some(match from.try_get_u8().ok()? {
            0 => Self::Live {
                origin: from.try_get_u64().ok()?,
                at: get_number(&mut from)?,
                topic: get_text(&mut from)?,
                message: get_message(from)?,
            },
            1 => Self::Stored {
                topic: get_text(&mut from)?,
                epoch: from.try_get_u64().ok()?,
                offset: from.try_get_u64().ok()?,
                record: Record::get(from)?,
            },
            2 => Self::Beat(Beat::get(&mut from)?),
            3 => Self::Presence {
                origin: from.try_get_u64().ok()?,
                topic: get_text(&mut from)?,
                note: Note::get(&mut from)?,
            },
            _ => return None,
        })
    }
}

impl Record {
    pub(crate) fn encode(&self) -> Bytes {
        let mut to = BytesMut::with_capacity(24 + self.message.len());
        to.put_u8(VERSION);
        self.put(&mut to);
        to.freeze()
    }

    pub(crate) fn decode(mut from: Bytes) -> Option<Self> {
        if from.try_get_u8().ok()? == VERSION { Self::get(from) } else { None }
    }

    fn put(&self, to: &mut BytesMut) {
        to.put_u128(self.id);
        put_message(to, &self.message);
    }

    fn get(mut from: Bytes) -> Option<Self> {
        Some(Self { id: from.try_get_u128().ok()?, message: get_message(from)? })
    }
}

impl Beat {
    fn put(&self, to: &mut BytesMut) {
        to.put_u64(self.origin);
        to.put_u64(self.beat);
        to.put_u32(self.part);
        to.put_u8(u8::from(self.is_last) | (u8::from(self.goodbye) << 1));
        to.put_u64(self.runs);
        put_count(to, self.live.len());
        for (topic, number) in &self.live {
            put_text(to, topic);
            put_number(to, *number);
        }
        put_count(to, self.stored.len());
        for (topic, epoch, offset) in &self.stored {
            put_text(to, topic);
            to.put_u64(*epoch);
            to.put_u64(*offset);
        }
    }

    fn get(from: &mut Bytes) -> Option<Self> {
        let (origin, beat) = (from.try_get_u64().ok()?, from.try_get_u64().ok()?);
        let (part, flags) = (from.try_get_u32().ok()?, from.try_get_u8().ok()?);
        let runs = from.try_get_u64().ok()?;
        let live = get_list(from, |from| Some((get_text(from)?, get_number(from)?)))?;
        let stored = get_list(from, |from| {
            Some((get_text(from)?, from.try_get_u64().ok()?, from.try_get_u64().ok()?))
        })?;
        let (is_last, goodbye) = (flags & 1 != 0, flags & 2 != 0);
        Some(Self { origin, beat, part, is_last, goodbye, runs, live, stored })
    }
}

impl Note {
    fn put(&self, to: &mut BytesMut) {
        match self {
            Self::Digest { version } => {
                to.put_u8(0);
                to.put_u64(*version);
            }
            Self::Changes { base, version, set, gone } => {
                to.put_u8(1);
                to.put_u64(*base);
                to.put_u64(*version);
                put_members(to, set);
                put_count(to, gone.len());
                gone.iter().for_each(|identity| put_text(to, identity));
            }
            Self::Whole { version, part, is_last, members } => {
                to.put_u8(2);
                to.put_u64(*version);
                to.put_u32(*part);
                to.put_u8(u8::from(*is_last));
                put_members(to, members);
            }
            Self::Ask { of } => {
                to.put_u8(3);
                to.put_u64(*of);
            }
        }
    }

    fn get(from: &mut Bytes) -> Option<Self> {
        Some(match from.try_get_u8().ok()? {
            0 => Self::Digest { version: from.try_get_u64().ok()? },
            1 => Self::Changes {
                base: from.try_get_u64().ok()?,
                version: from.try_get_u64().ok()?,
                set: get_members(from)?,
                gone: get_list(from, get_text)?,
            },
            2 => Self::Whole {
                version: from.try_get_u64().ok()?,
                part: from.try_get_u32().ok()?,
                is_last: from.try_get_u8().ok()? != 0,
                members: get_members(from)?,
            },
            3 => Self::Ask { of: from.try_get_u64().ok()? },
            _ => return None,
        })
    }
}

fn put_number(to: &mut BytesMut, number: Number) {
    to.put_u64(number.run);
    to.put_u64(number.number);
}

fn get_number(from: &mut Bytes) -> Option<Number> {
    Some(Number { run: from.try_get_u64().ok()?, number: from.try_get_u64().ok()? })
}

/// The names and values that are sent are shorter than 64 KiB: their bounds say so.
fn put_text(to: &mut BytesMut, text: &str) {
    let length = u32::try_from(text.len()).unwrap_or(0);
    to.put_u32(length);
    to.put_slice(text.as_bytes().get(..length as usize).unwrap_or_default());
}

fn get_text<T: for<'t> From<&'t str>>(from: &mut Bytes) -> Option<T> {
    let length = from.try_get_u32().ok()? as usize;
    if length > from.len() {
        return None;
    }
    std::str::from_utf8(&from.split_to(length)).ok().map(T::from)
}

fn put_count(to: &mut BytesMut, count: usize) {
    to.put_u32(u32::try_from(count).unwrap_or(u32::MAX));
}

/// Every element takes at least one byte: what is reserved for them is bounded by what has arrived.
fn get_list<T>(from: &mut Bytes, mut get: impl FnMut(&mut Bytes) -> Option<T>) -> Option<Vec<T>> {
    let count = from.try_get_u32().ok()? as usize;
    if count > from.len() {
        return None;
    }
    (0..count).map(|_| get(from)).collect()
}

fn put_members(to: &mut BytesMut, members: &[(Arc<str>, Arc<str>)]) {
    put_count(to, members.len());
    for (identity, value) in members {
        put_text(to, identity);
        put_text(to, value);
    }
}

fn get_members(from: &mut Bytes) -> Option<Vec<(Arc<str>, Arc<str>)>> {
    get_list(from, |from| Some((get_text(from)?, get_text(from)?)))
}

/// The payload is what is left.
fn put_message(to: &mut BytesMut, message: &Message) {
    to.put_u8(u8::from(message.is_text()));
    to.put_slice(message.as_bytes());
}

fn get_message(mut from: Bytes) -> Option<Message> {
    match from.try_get_u8().ok()? {
        0 => Some(Message::binary(from)),
        1 => Some(Message::text(Utf8Bytes::try_from(from).ok()?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
