//! The wire log of a case: what was sent and received and when, in bounded memory.

use std::{collections::VecDeque, time::Duration};

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::native::{
    frame::{CLOSE, Header, TEXT, apply_mask, name},
    payload::{hex, words},
};

/// What happened on a connection.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    start: Instant,
    first: Vec<Line>,
    last: VecDeque<Line>,
    skipped: usize,
}

/// A line of the log.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// The time since the connection was open.
    pub(crate) at: Duration,
    /// What happened.
    pub(crate) what: What,
}

/// An event of the log.
#[derive(Clone, Debug)]
pub(crate) enum What {
    /// The suite sent a frame that begins with these bytes.
    Sent(Bytes),
    /// The suite sent further bytes of a frame.
    SentMore(Bytes),
    /// The suite received a frame.
    Received(Bytes),
    /// Anything else.
    Note(String),
}

/// The beginning of a sequence of bytes.
#[derive(Clone, Debug)]
pub(crate) struct Bytes {
    prefix: Vec<u8>,
    total: u64,
}

/// How many bytes of a frame are kept.
const KEPT: usize = 64;
/// How many lines are kept from the beginning, and the same number from the end.
const LINES: usize = 40;

impl Log {
    /// Creates an empty log that begins now.
    pub(crate) fn new() -> Self {
        Self { start: Instant::now(), first: Vec::new(), last: VecDeque::new(), skipped: 0 }
    }

    /// Logs a frame that the suite sent.
    pub(crate) fn sent(&mut self, bytes: &[u8]) {
        self.add(What::Sent(Bytes::of(bytes, bytes.len() as u64)));
    }

    /// Logs further bytes of a frame that the suite sent.
    pub(crate) fn sent_more(&mut self, bytes: &[u8]) {
        self.add(What::SentMore(Bytes::of(bytes, bytes.len() as u64)));
    }

    /// Logs a received frame that begins with these bytes and has `total` bytes.
    pub(crate) fn received(&mut self, bytes: &[u8], total: u64) {
        self.add(What::Received(Bytes::of(bytes, total)));
    }

    /// Logs another event.
    pub(crate) fn note(&mut self, words: impl Into<String>) {
        self.add(What::Note(words.into()));
    }

    fn add(&mut self, what: What) {
        let line = Line { at: self.start.elapsed(), what };
        if self.first.len() < LINES {
            self.first.push(line);
            return;
        }
        if self.last.len() == LINES {
            self.last.pop_front();
            self.skipped = self.skipped.saturating_add(1);
        }
        self.last.push_back(line);
    }

    /// Returns the lines, with a note where some were left out.
    pub(crate) fn lines(&self) -> Vec<Line> {
        let mut lines = self.first.clone();
        if let (1.., Some(next)) = (self.skipped, self.last.front()) {
            lines.push(Line { at: next.at, what: What::Note(format!("{} lines left out", self.skipped)) });
        }
        lines.extend(self.last.iter().cloned());
        lines
    }

    /// Returns the log for the report of the case.
    pub(crate) fn json(&self) -> Value {
        let line = |line: &Line| {
            let (way, bytes) = match &line.what {
                What::Sent(bytes) | What::SentMore(bytes) => ("sent", Some(bytes)),
                What::Received(bytes) => ("received", Some(bytes)),
                What::Note(_) => ("note", None),
            };
            json!({ "ms": millis(line.at), "way": way, "words": line.what.words(),
                "hex": bytes.map(Bytes::hex), "bytes": bytes.map(|b| b.total) })
        };
        self.lines().iter().map(line).collect()
    }
}

fn millis(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e5).round() / 100.0
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:9.2} ms  {}", millis(self.at), self.what.words())?;
        match &self.what {
            What::Sent(bytes) | What::SentMore(bytes) | What::Received(bytes) => {
                write!(f, "\n              {}", bytes.hex())
            }
            What::Note(_) => Ok(()),
        }
    }
}

impl What {
    /// Describes the direction, the frame, its bits and its content.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Sent(bytes) => format!("sent      {}", bytes.words()),
            Self::SentMore(bytes) => format!("sent      {} more bytes of the frame", bytes.total),
            Self::Received(bytes) => format!("received  {}", bytes.words()),
            Self::Note(words) => words.clone(),
        }
    }
}

impl Bytes {
    fn of(bytes: &[u8], total: u64) -> Self {
        Self { prefix: bytes.iter().take(KEPT).copied().collect(), total }
    }

    fn hex(&self) -> String {
        let dots = if self.total > self.prefix.len() as u64 { " ..." } else { "" };
        format!("{}{dots}", hex(&self.prefix))
    }

    /// Describes a frame.
    fn words(&self) -> String {
        let Some((header, size)) = Header::read(&self.prefix) else { return format!("{} bytes", self.total) };
        let mut text = name(header.opcode);
        text.extend((!header.fin).then_some(", FIN not set"));
        text.extend((header.rsv != 0).then(|| format!(", RSV = {}", header.rsv)));
        text.extend(header.mask.map(|_| ", masked"));
        text.extend((!header.minimal).then_some(", length not minimal"));
        text.push_str(&format!(", {} bytes", header.length));
        let mut payload = self.prefix.get(size..).unwrap_or_default().to_vec();
        if let Some(key) = header.mask {
            apply_mask(&mut payload, key);
        }
        match (header.opcode, payload.split_first_chunk::<2>()) {
            (_, _) if payload.is_empty() => {}
            (CLOSE, Some((code, reason))) => {
                text.push_str(&format!(", code {}", u16::from_be_bytes(*code)));
                text.extend((!reason.is_empty()).then(|| format!(" {}", words(reason))));
            }
            // The bytes of a compressed payload are not readable.
            (TEXT | 2, _) if header.rsv == 4 => text.push_str(", compressed"),
            _ => {
                let complete = payload.len() as u64 == header.length;
                text.push_str(&format!(": {}{}", words(&payload), if complete { "" } else { " ..." }));
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::native::frame::{close_body, frame, text};

    #[test]
    fn frames_are_logged_in_words_and_in_hex() {
        let mut log = Log::new();
        log.sent(&text("Hello").rsv(2).more().encode(Some([1, 2, 3, 4])));
        let close = frame(CLOSE, close_body(1002, b"why")).encode(None);
        log.received(&close, close.len() as u64);
        let lines: Vec<String> = log.lines().iter().map(|line| line.what.words()).collect();
        assert_eq!(lines[0], "sent      text, FIN not set, RSV = 2, masked, 5 bytes: \"Hello\"");
        assert_eq!(lines[1], "received  close, 5 bytes, code 1002 \"why\"");
        assert!(log.lines()[1].to_string().ends_with("880503ea776879"));
        assert_eq!(log.json()[1]["hex"], "880503ea776879");
    }

    #[test]
    fn a_long_log_keeps_its_beginning_and_its_end() {
        let mut log = Log::new();
        (0..1000).for_each(|n| log.note(n.to_string()));
        let lines: Vec<String> = log.lines().iter().map(|line| line.what.words()).collect();
        assert_eq!(lines.len(), 2 * LINES + 1);
        assert_eq!((&lines[0][..], &lines[2 * LINES][..]), ("0", "999"));
        assert_eq!(lines[LINES], format!("{} lines left out", 1000 - 2 * LINES));
    }
}
