//! The field lines of a head, in the bytes in which they came.

use std::ops::Range;
use std::slice;

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};

use super::head::{LONGEST_NAME, NAME_TOO_LONG, NOT_A_NAME, append_value, field_name};
use super::head_error::HeadError;

/// Lines that have been checked, one behind the other in one buffer.
#[derive(Debug, Clone, Default)]
pub(super) struct FieldLines {
    lines: Vec<Line>,
    bytes: Vec<u8>,
}

/// Where in the buffer a line is.
#[derive(Debug, Clone)]
struct Line {
    name: Range<usize>,
    value: Range<usize>,
}

impl FieldLines {
    /// Adds a line that has been received, of which name and value are in these places.
    pub(super) fn push(
        &mut self,
        received: &[u8],
        name: Range<usize>,
        value: Range<usize>,
    ) -> Result<(), HeadError> {
        if name.len() > LONGEST_NAME {
            return Err(HeadError::FieldLine(NAME_TOO_LONG));
        }
        if self.lines.is_empty() {
            self.lines.reserve_exact(USUAL_LINES);
            // Most heads arrive at once.
            self.bytes.reserve_exact(received.len());
        }
        // Each line is copied when it is there, so that nothing can change what has been checked.
        let start = self.bytes.len();
        self.bytes.extend_from_slice(received.get(name.start..value.end).unwrap_or_default());
        let moved = |at: usize| start.saturating_add(at.saturating_sub(name.start));
        self.lines.push(Line { name: start..moved(name.end), value: moved(value.start)..moved(value.end) });
        Ok(())
    }

    /// Whether there is a line of that name.
    pub(super) fn contain(&self, field: &HeaderName) -> bool {
        self.values(field).next().is_some()
    }

    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    /// The values of all lines of that name, in order.
    pub(super) fn values<'a>(&'a self, name: &'a HeaderName) -> Values<'a> {
        Values { lines: self.lines.iter(), name, bytes: &self.bytes }
    }

    /// All fields, with slices of the buffer for values.
    pub(super) fn to_headers(&self) -> Result<HeaderMap, HeadError> {
        let limit = self.lines.len();
        let mut headers =
            HeaderMap::try_with_capacity(limit).map_err(|_| HeadError::TooManyFields { limit })?;
        let bytes = Bytes::copy_from_slice(&self.bytes);
        for line in &self.lines {
            let name = field_name(bytes.get(line.name.clone()).unwrap_or_default())?;
            let start = line.value.start.min(bytes.len());
            let value = bytes.slice(start..line.value.end.clamp(start, bytes.len()));
            let value =
                HeaderValue::from_maybe_shared(value).map_err(|_| HeadError::FieldLine(NOT_A_NAME))?;
            append_value(&mut headers, name, value, limit)?;
        }
        Ok(headers)
    }
}

impl Line {
    fn is(&self, field: &HeaderName, bytes: &[u8]) -> bool {
        let field = field.as_str().as_bytes();
        self.name.len() == field.len()
            && bytes.get(self.name.clone()).is_some_and(|name| name.eq_ignore_ascii_case(field))
    }
}

/// See [`FieldLines::values`].
pub(super) struct Values<'a> {
    lines: slice::Iter<'a, Line>,
    name: &'a HeaderName,
    bytes: &'a [u8],
}

impl<'a> Iterator for Values<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let line = self.lines.find(|line| line.is(self.name, self.bytes))?;
        self.bytes.get(line.value.clone())
    }
}

/// A browser sends a dozen.
const USUAL_LINES: usize = 16;
