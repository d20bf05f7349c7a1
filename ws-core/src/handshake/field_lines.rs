//! The field lines of a head that is being read, until it is whole.

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};

use super::head::{HeadError, NOT_A_NAME, field_name};

/// Lines that have been checked. Their values are in one buffer, of which the header map has slices: one allocation for all of
/// them.
#[derive(Debug, Default)]
pub(super) struct FieldLines {
    /// Each name, with the length of its value.
    names: Vec<(HeaderName, usize)>,
    values: Vec<u8>,
}

impl FieldLines {
    /// Adds a line of a head, of which `received` bytes have arrived.
    pub(super) fn push(&mut self, name: &[u8], value: &[u8], received: usize) -> Result<(), HeadError> {
        if self.names.is_empty() {
            self.names.reserve(USUAL_LINES);
            // Most heads arrive at once.
            self.values.reserve_exact(received);
        }
        self.names.push((field_name(name)?, value.len()));
        self.values.extend_from_slice(value);
        Ok(())
    }

    /// Whether there is a line of that name.
    pub(super) fn contain(&self, field: &HeaderName) -> bool {
        self.names.iter().any(|(name, _)| name == field)
    }

    pub(super) fn into_headers(self) -> Result<HeaderMap, HeadError> {
        let limit = self.names.len();
        let too_many = |_| HeadError::TooManyFields { limit };
        let mut headers = HeaderMap::try_with_capacity(limit).map_err(too_many)?;
        let mut values = Bytes::from(self.values);
        for (name, length) in self.names {
            let value = values.split_to(length.min(values.len()));
            let value =
                HeaderValue::from_maybe_shared(value).map_err(|_| HeadError::FieldLine(NOT_A_NAME))?;
            headers.try_append(name, value).map_err(too_many)?;
        }
        Ok(headers)
    }
}

/// A browser sends a dozen.
const USUAL_LINES: usize = 16;
