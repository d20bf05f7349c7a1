//! Random bytes of the operating system.

use std::io;

use crate::error::ConnectError;

/// Fills `bytes`; the error of the dependency stays out of the public API.
pub(crate) fn fill(bytes: &mut [u8]) -> Result<(), ConnectError> {
    getrandom::fill(bytes).map_err(|error| {
        ConnectError::Random(match error.raw_os_error() {
            Some(code) => io::Error::from_raw_os_error(code),
            None => io::Error::other(error.to_string()),
        })
    })
}
