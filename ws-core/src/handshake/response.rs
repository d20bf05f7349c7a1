//! Reading the head of a response: RFC 9112 section 4.

use super::head::{HeadFault, HeadLimits};

/// Reads the head of one HTTP/1.1 (or 1.0) response, strictly, as its bytes arrive.
///
/// The client's handshake uses it; it serves for a proxy's answer to CONNECT as well.
#[derive(Debug)]
pub struct ResponseReader {
    limits: HeadLimits,
}

impl ResponseReader {
    /// A reader at the first byte of a response.
    pub fn new(limits: HeadLimits) -> Self {
        Self { limits }
    }

    /// Looks at what is new in `buffer`, which holds *all* bytes received so far.
    ///
    /// `Ok(None)`: more is needed. `Ok(Some((response, length)))`: the head is whole and `length` bytes long. After
    /// that, and after an error, the reader is used up.
    ///
    /// # Errors
    /// [`HeadFault`], at the byte that proves it.
    pub fn receive(&mut self, buffer: &[u8]) -> Result<Option<(http::Response<()>, usize)>, HeadFault> {
        let _ = (buffer, self.limits);
        Ok(None)
    }
}
