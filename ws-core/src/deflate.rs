//! permessage-deflate (RFC 7692): parameters, negotiation, inflating and deflating.
//!
//! This module does no I/O and does not know connections; a connection owns one [`PerMessageDeflate`] and passes payload
//! bytes to it.
//!
//! # Memory
//!
//! A compressor of zlib-rs takes 245 KiB and four times its window, a decompressor 47 KiB. Neither belongs to a
//! connection: each message borrows one from a small pool of the thread and gives it back at its end. What a
//! connection keeps between messages is the *history*, the last `2^window_bits` bytes that a later message may refer
//! back to, and that only where context takeover is agreed (section 7.1.1). The next message gives it to the codec
//! as a preset dictionary, unless it finds the codec that the last one gave back and no other message has used it since.
//! A decompressor is used again in this way for windows of 15 bits only, its own size.
//!
//! | `*_max_window_bits` | bytes kept, this direction | with `*_no_context_takeover` |
//! |---:|---:|---:|
//! | 8 | 256 | 0 |
//! | 9 | 512 | 0 |
//! | 10 | 1,024 | 0 |
//! | 11 | 2,048 | 0 |
//! | 12 | 4,096 | 0 |
//! | 13 | 8,192 | 0 |
//! | 14 | 16,384 | 0 |
//! | 15 | 32,768 | 0 |
//!
//! The history grows with the messages, so a connection that has sent and received nothing keeps nothing. A thread
//! keeps at most four idle codecs of each kind, 1.7 MiB, and 32 KiB to inflate into. `tests/heap_deflate.rs` checks all this with an
//! allocator that counts.
//!
//! # Secrets
//!
//! The length of a compressed message reveals how much of it repeats. Do not compress a message that holds a secret
//! beside text an attacker can choose, nor, with context takeover, one that follows the other: by trying texts and
//! watching lengths the attacker learns the secret (section 8; the attacks CRIME and BREACH). Send such messages
//! by `send_uncompressed`, which a `Connection`, a `WebSocket` and a `Sender` have.

mod deflater;
mod inflater;
mod negotiate;
mod params;
mod pool;
mod window;

// The codecs are public for the fuzz targets, the tests and the benchmarks of this workspace: they are no API to keep.
#[doc(hidden)]
pub use deflater::{Compressing, DeflateError, Deflater, Flush};
#[doc(hidden)]
pub use inflater::{InflateStatus, Inflated, Inflater};
pub use negotiate::{EXTENSION_NAME, negotiate, offer};
pub use params::{Agreed, Config, NegotiationError, WindowBits};

use alloc::vec::Vec;

use crate::error::ProtocolError;

/// Both directions of one connection's permessage-deflate.
///
/// It knows which of the agreed parameters belong to which direction, so that its owner need not.
#[derive(Debug)]
pub struct PerMessageDeflate {
    agreed: Agreed,
    threshold: usize,
    inflater: Inflater,
    deflater: Deflater,
}

impl PerMessageDeflate {
    /// Returns the codec pair of a server: it deflates with the `server_*` parameters and inflates with the `client_*` ones.
    pub fn server(agreed: Agreed, config: &Config) -> Self {
        Self {
            agreed,
            threshold: config.threshold,
            inflater: Inflater::new(agreed.client_max_window_bits, agreed.client_no_context_takeover),
            deflater: Deflater::new(
                agreed.server_max_window_bits,
                agreed.server_no_context_takeover,
                config.level,
            ),
        }
    }

    /// Returns the codec pair of a client: it deflates with the `client_*` parameters and inflates with the `server_*` ones.
    pub fn client(agreed: Agreed, config: &Config) -> Self {
        Self {
            agreed,
            threshold: config.threshold,
            inflater: Inflater::new(agreed.server_max_window_bits, agreed.server_no_context_takeover),
            deflater: Deflater::new(
                agreed.client_max_window_bits,
                agreed.client_no_context_takeover,
                config.level,
            ),
        }
    }

    /// Returns the parameters both sides agreed on.
    pub fn agreed(&self) -> Agreed {
        self.agreed
    }

    #[doc(hidden)]
    /// Returns the window messages are compressed with, if what comes out does not depend on earlier ones, so that it
    /// could be sent on any connection that has the same; `None` with context takeover.
    pub fn shared_window(&self) -> Option<WindowBits> {
        self.deflater.shared_window()
    }

    #[doc(hidden)]
    /// Inflates a part of a received message; see [`Inflater::inflate`].
    ///
    /// # Errors
    ///
    /// [`ProtocolError::InvalidDeflate`] when the message is not what section 7.2.2 can decompress.
    pub fn inflate(
        &mut self,
        input: &[u8],
        last: bool,
        output: &mut Vec<u8>,
        max: usize,
    ) -> Result<Inflated, ProtocolError> {
        self.inflater.inflate(input, last, output, max)
    }

    #[doc(hidden)]
    /// Appends the compressed form of a whole message to `output`, if it is worth it.
    ///
    /// `false` means: send the message as it is, with RSV1 clear. Then `output` is unchanged, and so is everything
    /// later messages are compressed with. That is the answer for a message shorter than the configured threshold,
    /// and for one that does not shrink.
    pub fn deflate_message(&mut self, message: &[u8], output: &mut Vec<u8>) -> bool {
        message.len() >= self.threshold && self.deflater.deflate_message(message, output)
    }

    #[doc(hidden)]
    /// Begins to compress a whole message of `len` bytes in steps, unless it is shorter than the configured threshold; see
    /// [`Deflater::begin_message`].
    pub fn begin_message(&mut self, len: usize) -> Option<Compressing> {
        if len >= self.threshold { self.deflater.begin_message() } else { None }
    }

    #[doc(hidden)]
    /// Returns the compressed form of such a message; see [`Deflater::finish_message`].
    pub fn finish_message(&mut self, compressing: Compressing, message: &[u8]) -> Option<Vec<u8>> {
        self.deflater.finish_message(compressing, message)
    }

    #[doc(hidden)]
    /// Compresses the next piece of a message that is sent in pieces; see [`Deflater::deflate`].
    ///
    /// # Errors
    ///
    /// [`DeflateError`] when the compressor failed; the message cannot be finished.
    pub fn deflate(&mut self, piece: &[u8], flush: Flush, output: &mut Vec<u8>) -> Result<(), DeflateError> {
        self.deflater.deflate(piece, flush, output)
    }

    #[doc(hidden)]
    /// Returns the receiving direction, for its counters.
    pub fn inflater(&self) -> &Inflater {
        &self.inflater
    }

    #[doc(hidden)]
    /// Returns the sending direction.
    pub fn deflater(&self) -> &Deflater {
        &self.deflater
    }

    /// Heap bytes held for this connection now: the histories and, inside a message, the codecs it borrows.
    pub fn memory_usage(&self) -> usize {
        self.inflater.memory_usage().saturating_add(self.deflater.memory_usage())
    }
}
