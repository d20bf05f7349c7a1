//! The parameters of permessage-deflate (RFC 7692 section 7.1) and what each side prefers.

use alloc::string::String;

use thiserror::Error;

use crate::error::debug_by_display;
use crate::setters::setters;
use crate::setting_error::SettingError;

/// The preferences of one side for permessage-deflate, and how it compresses.
///
/// A server answers offers with it, a client builds its offer from it. Names are those of RFC 7692 section 7.1. Each field has a
/// setter of the same name: `Config::server().level(6)`.
#[doc(alias = "compression")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Config {
    /// The server starts each message afresh (section 7.1.1.1). A server sets it to keep no history for what it
    /// sends, a client to keep none for what it receives. Default: `false`.
    pub server_no_context_takeover: bool,
    /// The client starts each message afresh (section 7.1.1.2). A server sets it to keep no history for what it
    /// receives; a client that sets it promises so in its offer and keeps to it. Default: `false` for a server,
    /// `true` for a client.
    pub client_no_context_takeover: bool,
    /// The largest window for what the server sends (section 7.1.2.1). A client puts it into its offer unless it is
    /// 15; a server keeps to it, and answers with it only where the client offers the parameter. Default: 12 for a
    /// server, 15 for a client.
    pub server_max_window_bits: WindowBits,
    /// The largest window for what the client sends (section 7.1.2.2). A server can only ask for it when the client
    /// offers the parameter; otherwise the window is 15 bits. Default: 12 for a server, 15 for a client.
    pub client_max_window_bits: WindowBits,
    /// How hard the compressor tries: 1 (fast) to 9 (small); 0 stores. Default: 1.
    pub level: u8,
    /// Messages shorter than this many bytes are sent uncompressed: they gain little and cost the same setup.
    /// Default: 1024.
    pub threshold: usize,
}

impl Config {
    /// Returns the server's defaults: windows of 12 bits (4 KiB) each way, context takeover, threshold 1 KiB.
    pub const fn server() -> Self {
        Self {
            server_no_context_takeover: false,
            client_no_context_takeover: false,
            server_max_window_bits: WindowBits::DEFAULT,
            client_max_window_bits: WindowBits::DEFAULT,
            level: DEFAULT_LEVEL,
            threshold: DEFAULT_THRESHOLD,
        }
    }

    /// Returns the client's defaults: it offers `client_no_context_takeover` and `client_max_window_bits`, accepts windows
    /// of 15 bits, threshold 1 KiB.
    pub const fn client() -> Self {
        Self {
            server_no_context_takeover: false,
            client_no_context_takeover: true,
            server_max_window_bits: WindowBits::MAX,
            client_max_window_bits: WindowBits::MAX,
            level: DEFAULT_LEVEL,
            threshold: DEFAULT_THRESHOLD,
        }
    }

    setters! {
        server_no_context_takeover: bool,
        client_no_context_takeover: bool,
        server_max_window_bits: WindowBits,
        client_max_window_bits: WindowBits,
        level: u8,
        threshold: usize,
    }

    /// Checks whether the settings make sense.
    ///
    /// # Errors
    /// The first setting that does not, with its value and what it must be.
    pub fn check(&self) -> Result<(), SettingError> {
        if self.level > MAX_LEVEL {
            let must = "it must be between 0 (store) and 9 (small)";
            return Err(SettingError::new("deflate.level", self.level, must));
        }
        Ok(())
    }
}

/// The parameters both sides keep to for the life of the connection (RFC 7692 section 7.1).
///
/// The RFC defines these four and no others, so the struct is exhaustive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Agreed {
    /// The server compresses each message without reference to earlier ones.
    pub server_no_context_takeover: bool,
    /// The client compresses each message without reference to earlier ones.
    pub client_no_context_takeover: bool,
    /// The window of what the server sends.
    pub server_max_window_bits: WindowBits,
    /// The window of what the client sends.
    pub client_max_window_bits: WindowBits,
}

impl Agreed {
    /// What a bare `permessage-deflate` answer means: context takeover and windows of 15 bits both ways.
    pub const PLAIN: Self = Self {
        server_no_context_takeover: false,
        client_no_context_takeover: false,
        server_max_window_bits: WindowBits::MAX,
        client_max_window_bits: WindowBits::MAX,
    };
}

/// The base-2 logarithm of an LZ77 sliding window, 8 to 15 (RFC 7692 section 7.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WindowBits(u8);

impl WindowBits {
    /// 8 bits: 256 bytes.
    pub const MIN: Self = Self(8);
    /// 15 bits: 32 KiB, what every DEFLATE implementation must be able to inflate.
    pub const MAX: Self = Self(15);
    /// 12 bits: 4 KiB, the server's default.
    pub const DEFAULT: Self = Self(12);

    /// Returns a window of `bits` bits, or `None` unless 8 ≤ `bits` ≤ 15.
    pub const fn new(bits: u8) -> Option<Self> {
        if bits >= 8 && bits <= 15 { Some(Self(bits)) } else { None }
    }

    /// Returns the number of bits, 8 to 15.
    pub const fn get(self) -> u8 {
        self.0
    }

    /// Returns the size of the window in bytes, 256 to 32,768.
    pub const fn bytes(self) -> usize {
        1 << self.0
    }

    /// Parses a parameter's value: a decimal integer from 8 to 15 without leading zeroes or a sign (section 7.1.2).
    pub(super) fn parse(value: &str) -> Option<Self> {
        Some(Self(match value {
            "8" => 8,
            "9" => 9,
            "10" => 10,
            "11" => 11,
            "12" => 12,
            "13" => 13,
            "14" => 14,
            "15" => 15,
            _ => return None,
        }))
    }
}

/// The server's answer to our offer of permessage-deflate is not one that RFC 7692 section 7.1 allows.
///
/// The client fails the handshake with it (section 7.1.3 of RFC 7692, section 4.1 of RFC 6455).
#[derive(Clone, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum NegotiationError {
    /// A parameter that section 7.1 does not define.
    #[error("permessage-deflate: unknown parameter {0:?}")]
    UnknownParameter(String),
    /// A parameter that appears twice.
    #[error("permessage-deflate: parameter {0} is repeated")]
    RepeatedParameter(&'static str),
    /// A value where the parameter takes none (sections 7.1.1.1 and 7.1.1.2).
    #[error("permessage-deflate: parameter {0} takes no value")]
    UnexpectedValue(&'static str),
    /// No value where one is needed (sections 7.1.2.1 and 7.1.2.2).
    #[error("permessage-deflate: parameter {0} lacks its value")]
    MissingValue(&'static str),
    /// A value that is not a decimal integer from 8 to 15 without leading zeroes.
    #[error("permessage-deflate: {parameter}={value:?} is not an integer from 8 to 15")]
    InvalidWindowBits {
        /// The parameter.
        parameter: &'static str,
        /// The value as received.
        value: String,
    },
    /// A window larger than the one we offered.
    #[error("permessage-deflate: {parameter}={answered} is above our offer of {offered}")]
    AboveOffer {
        /// The parameter.
        parameter: &'static str,
        /// The bits we offered.
        offered: u8,
        /// The bits the server answered.
        answered: u8,
    },
    /// A parameter of our offer that the server can only accept by answering it (sections 7.1.1.1 and 7.1.2.1),
    /// and did not.
    #[error("permessage-deflate: the answer lacks {0}, which we asked for")]
    MissingParameter(&'static str),
}

debug_by_display!(NegotiationError);

/// Bytes below which a message is not compressed.
const DEFAULT_THRESHOLD: usize = 1024;

/// Measured with zlib-rs on JSON, see `benches/deflate.rs`: level 1 saves two thirds of the bytes; level 2 saves three
/// quarters for two to three times the time, and above that a few percent more cost as much again.
const DEFAULT_LEVEL: u8 = 1;

/// The last of zlib's levels.
const MAX_LEVEL: u8 = 9;
