//! The bytes of a binary message: borrowed or owned.

use alloc::vec::Vec;
use core::ops::Deref;

use bytes::Bytes;

use crate::copy;

/// The bytes of a binary message: borrowed from where they were read, or owned. Dereferences to them.
///
/// Like a [`Cow`](alloc::borrow::Cow), but what is owned is [`Bytes`], which can be part of a larger buffer: a large
/// message is given away with the buffer it was read into, and goes on from there without a copy.
#[derive(Debug, Clone)]
pub enum Binary<'b> {
    /// They lie in the input.
    Lent(&'b [u8]),
    /// They have been assembled, or were large.
    Owned(Bytes),
}

impl Binary<'_> {
    /// Returns the bytes as owned ones: copied only if they are borrowed.
    pub fn into_bytes(self) -> Bytes {
        match self {
            Self::Lent(bytes) => copy::bytes(bytes),
            Self::Owned(bytes) => bytes,
        }
    }
}

impl Deref for Binary<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match self {
            Self::Lent(bytes) => bytes,
            Self::Owned(bytes) => bytes,
        }
    }
}

impl AsRef<[u8]> for Binary<'_> {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

/// Compares the bytes, whether borrowed or owned.
impl PartialEq for Binary<'_> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Binary<'_> {}

impl<'b> From<&'b [u8]> for Binary<'b> {
    fn from(bytes: &'b [u8]) -> Self {
        Self::Lent(bytes)
    }
}

impl<'b, const N: usize> From<&'b [u8; N]> for Binary<'b> {
    fn from(bytes: &'b [u8; N]) -> Self {
        Self::Lent(bytes)
    }
}

impl From<Vec<u8>> for Binary<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Owned(bytes.into())
    }
}

impl From<Bytes> for Binary<'_> {
    fn from(bytes: Bytes) -> Self {
        Self::Owned(bytes)
    }
}

impl From<Binary<'_>> for Bytes {
    fn from(binary: Binary<'_>) -> Self {
        binary.into_bytes()
    }
}
