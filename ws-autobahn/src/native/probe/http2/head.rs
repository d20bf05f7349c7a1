//! Heads of HTTP/2 to send: a valid one, and the changes that cases make to it.

use crate::native::http2::{
    frames::{CONTINUATION, END_HEADERS, END_STREAM, Frame, HAS_PRIORITY, HEADERS, PADDED, frame},
    hpack::literals,
    message::{extended_connect, owned},
};

/// The fields of a request or response, and the frames that carry them. `{scheme}`, `{host}`, `{path}` and
/// `{subprotocol}` are replaced by the values of the connection.
#[derive(Clone, Debug)]
pub(crate) struct Fields {
    fields: Vec<(String, String)>,
    /// Whether the head ends the stream.
    pub(crate) ends: bool,
    pieces: usize,
    padding: Option<u8>,
    priority: bool,
}

/// Returns the request of RFC 8441 section 5.
pub(crate) fn connect() -> Fields {
    Fields::new(extended_connect("{scheme}", "{host}", "{path}"))
}

/// Returns an answer with this status.
pub(crate) fn answer(status: &str) -> Fields {
    Fields::new(owned(&[(":status", status)]))
}

/// Returns these fields.
pub(crate) fn fields(fields: &[(&str, &str)]) -> Fields {
    Fields::new(owned(fields))
}

impl Fields {
    fn new(fields: Vec<(String, String)>) -> Self {
        Self { fields, ends: false, pieces: usize::MAX, padding: None, priority: false }
    }

    /// Adds a field.
    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.fields.push((name.to_owned(), value.into()));
        self
    }

    /// Adds a field before all others.
    pub(crate) fn with_first(mut self, name: &str, value: &str) -> Self {
        self.fields.insert(0, (name.to_owned(), value.to_owned()));
        self
    }

    /// Adds a field this many times; `#` in its name is replaced by its number.
    pub(crate) fn with_many(mut self, count: usize, name: &str, value: &str) -> Self {
        self.fields.extend((0..count).map(|n| (name.replace('#', &n.to_string()), value.to_owned())));
        self
    }

    /// Removes a field.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.fields.retain(|(n, _)| n != name);
        self
    }

    /// Sets the value of a field.
    pub(crate) fn set(mut self, name: &str, value: &str) -> Self {
        for (_, old) in self.fields.iter_mut().filter(|(n, _)| n == name) {
            value.clone_into(old);
        }
        self
    }

    /// Ends the stream with the head.
    pub(crate) fn ending(self) -> Self {
        Self { ends: true, ..self }
    }

    /// Splits the field block into frames of this many bytes, HEADERS and CONTINUATION.
    pub(crate) fn in_pieces(self, pieces: usize) -> Self {
        Self { pieces, ..self }
    }

    /// Pads HEADERS with this many bytes.
    pub(crate) fn padded(self, padding: u8) -> Self {
        Self { padding: Some(padding), ..self }
    }

    /// Adds the deprecated priority to HEADERS.
    pub(crate) fn prioritized(self) -> Self {
        Self { priority: true, ..self }
    }

    /// Returns the fields with the values for the names in braces.
    pub(crate) fn filled(&self, values: &[(&str, &str)]) -> Vec<(String, String)> {
        let fill =
            |text: &String| values.iter().fold(text.clone(), |text, (name, value)| text.replace(name, value));
        self.fields.iter().map(|(name, value)| (name.clone(), fill(value))).collect()
    }

    /// Returns the frames.
    pub(crate) fn frames(&self, stream: u32, values: &[(&str, &str)]) -> Vec<Frame> {
        let filled = self.filled(values);
        let block = literals(filled.iter().map(|(name, value)| (&name[..], &value[..])));
        let size = self.pieces.min(LARGEST_PIECE);
        let mut frames: Vec<Frame> = Vec::new();
        for piece in block.chunks(size) {
            let kind = if frames.is_empty() { HEADERS } else { CONTINUATION };
            frames.push(frame(kind, 0, stream, piece));
        }
        if let Some(first) = frames.first_mut() {
            if self.priority {
                first.flags |= HAS_PRIORITY;
                first.payload.splice(..0, [0, 0, 0, 0, 15]);
            }
            if let Some(padding) = self.padding {
                first.flags |= PADDED;
                first.payload.insert(0, padding);
                first.payload.extend(vec![0; usize::from(padding)]);
            }
            first.flags |= if self.ends { END_STREAM } else { 0 };
        }
        if let Some(last) = frames.last_mut() {
            last.flags |= END_HEADERS;
        }
        frames
    }
}

/// Leaves space for padding and priority below the largest frame (RFC 9113 section 4.2).
const LARGEST_PIECE: usize = 16_000;
