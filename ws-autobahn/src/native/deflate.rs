//! permessage-deflate (RFC 7692), directly on the codec: its negotiation, and compressing and decompressing messages.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

/// The parameters of an offer (RFC 7692 section 7.1): what a client requests and what it supports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Offer {
    /// `server_no_context_takeover`: the server must compress each message with an empty window.
    pub(crate) server_no_takeover: bool,
    /// `server_max_window_bits`.
    pub(crate) server_bits: Option<u8>,
    /// `client_no_context_takeover`.
    pub(crate) client_no_takeover: bool,
    /// `client_max_window_bits`: the client can limit its window.
    pub(crate) client_can_limit: bool,
}

/// What the suite, as a server, requires of a client whose offer it accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Demand {
    /// `client_no_context_takeover`.
    pub(crate) no_takeover: bool,
    /// `client_max_window_bits`, only if the client has offered it.
    pub(crate) bits: Option<u8>,
}

/// The agreed parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Agreed {
    /// Those of the server's messages.
    pub(crate) server: Direction,
    /// Those of the client's messages.
    pub(crate) client: Direction,
}

/// How messages in one direction are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Direction {
    /// Whether each message begins with an empty window.
    pub(crate) no_takeover: bool,
    /// The window, as a power of two: 8 to 15.
    pub(crate) bits: u8,
}

/// The window if none was agreed (RFC 7692 section 7.1.2).
const LARGEST: u8 = 15;

impl Offer {
    /// Returns the value for `Sec-WebSocket-Extensions`.
    pub(crate) fn text(&self) -> String {
        let mut text = NAME.to_owned();
        text.extend(self.client_no_takeover.then_some("; client_no_context_takeover"));
        text.extend(self.client_can_limit.then_some("; client_max_window_bits"));
        text.extend(self.server_no_takeover.then_some("; server_no_context_takeover"));
        text.extend(self.server_bits.map(|bits| format!("; server_max_window_bits={bits}")));
        text
    }

    /// Accepts the first offer that allows one of the demands; the demands are tried in order. Returns the value for
    /// the response, and the agreed parameters.
    pub(crate) fn accept(offers: &[Self], demands: &[Demand]) -> Option<(String, Agreed)> {
        let (offer, demand) = demands.iter().find_map(|demand| {
            let fits = |offer: &&Self| demand.bits.is_none() || offer.client_can_limit;
            offers.iter().find(fits).map(|offer| (offer, demand))
        })?;
        let mut text = NAME.to_owned();
        text.extend(offer.server_no_takeover.then_some("; server_no_context_takeover"));
        text.extend(offer.server_bits.map(|bits| format!("; server_max_window_bits={bits}")));
        text.extend(demand.no_takeover.then_some("; client_no_context_takeover"));
        text.extend(demand.bits.map(|bits| format!("; client_max_window_bits={bits}")));
        let server =
            Direction { no_takeover: offer.server_no_takeover, bits: offer.server_bits.unwrap_or(LARGEST) };
        let client = Direction { no_takeover: demand.no_takeover, bits: demand.bits.unwrap_or(LARGEST) };
        Some((text, Agreed { server, client }))
    }

    /// Parses all offers of permessage-deflate in the values of `Sec-WebSocket-Extensions`; invalid ones are left out.
    pub(crate) fn parse_all(values: &[String]) -> Vec<Self> {
        extensions(values)
            .filter_map(|(name, params)| (name == NAME).then(|| Self::parse(&params)).flatten())
            .collect()
    }

    fn parse(params: &[(String, Option<String>)]) -> Option<Self> {
        let mut offer = Self::default();
        for (name, value) in params {
            match (name.as_str(), value) {
                ("server_no_context_takeover", None) => offer.server_no_takeover = true,
                ("client_no_context_takeover", None) => offer.client_no_takeover = true,
                ("server_max_window_bits", Some(value)) => offer.server_bits = Some(bits(value)?),
                ("client_max_window_bits", None) => offer.client_can_limit = true,
                ("client_max_window_bits", Some(value)) => {
                    bits(value)?;
                    offer.client_can_limit = true;
                }
                _ => return None,
            }
        }
        Some(offer)
    }
}

impl Agreed {
    /// Parses a server's answer; `Ok(None)` without one.
    ///
    /// # Errors
    /// The answer has an extension that was not offered, or an invalid parameter.
    pub(crate) fn parse(values: &[String]) -> Result<Option<Self>, String> {
        let largest = Direction { no_takeover: false, bits: LARGEST };
        let mut agreed = None;
        for (name, params) in extensions(values) {
            // RFC 6455 section 4.1: an extension that was not offered fails the connection.
            if name != NAME || agreed.is_some() {
                return Err(format!("the server agrees to the extension {name:?}, which was not offered"));
            }
            let mut these = Self { server: largest, client: largest };
            for (name, value) in params {
                let wrong = || format!("the server answers with the parameter {name:?} = {value:?}");
                match (name.as_str(), &value) {
                    ("server_no_context_takeover", None) => these.server.no_takeover = true,
                    ("client_no_context_takeover", None) => these.client.no_takeover = true,
                    ("server_max_window_bits", Some(value)) => {
                        these.server.bits = bits(value).ok_or_else(wrong)?;
                    }
                    ("client_max_window_bits", Some(value)) => {
                        these.client.bits = bits(value).ok_or_else(wrong)?;
                    }
                    _ => return Err(wrong()),
                }
            }
            agreed = Some(these);
        }
        Ok(agreed)
    }
}

/// The extension of RFC 7692.
const NAME: &str = "permessage-deflate";

/// RFC 7692 section 7.1.2: "a decimal integer value without leading zeroes between 8 to 15 inclusive".
fn bits(text: &str) -> Option<u8> {
    text.parse().ok().filter(|n| (8..=15).contains(n) && !text.starts_with(['0', '+']))
}

/// An extension: its name, and its parameters with their values.
type Extension = (String, Vec<(String, Option<String>)>);

/// Parses the list of RFC 6455 section 9.1 leniently: removes quotes and whitespace.
fn extensions(values: &[String]) -> impl Iterator<Item = Extension> {
    let elements =
        values.iter().flat_map(|value| value.split(',')).filter(|element| !element.trim().is_empty());
    elements.map(|element| {
        let mut parts = element.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default().to_ascii_lowercase();
        let param = |part: &str| match part.split_once('=') {
            Some((name, value)) => {
                (name.trim().to_ascii_lowercase(), Some(value.trim().trim_matches('"').to_owned()))
            }
            None => (part.to_ascii_lowercase(), None),
        };
        (name, parts.map(param).collect())
    })
}

/// Compresses messages of one direction.
#[derive(Debug)]
pub(crate) struct Deflater {
    direction: Direction,
    codec: Option<Compress>,
}

impl Deflater {
    /// Begins with an empty window.
    pub(crate) fn new(direction: Direction) -> Self {
        Self { direction, codec: None }
    }

    /// Returns the payload of the compressed message (RFC 7692 section 7.2.1).
    ///
    /// # Errors
    /// The codec failed.
    pub(crate) fn message(&mut self, plain: &[u8]) -> Result<Vec<u8>, String> {
        let mut out = Vec::with_capacity(plain.len() / 2 + 64);
        match self.direction.bits {
            // zlib has no window of 256 bytes: independent pieces that are no longer fit into one.
            ..=8 => {
                for piece in plain.chunks(256) {
                    let mut codec = Compress::new_with_window_bits(Compression::default(), false, 9);
                    compress(&mut codec, piece, &mut out)?;
                }
            }
            bits => {
                let new = || Compress::new_with_window_bits(Compression::default(), false, bits);
                compress(self.codec.get_or_insert_with(new), plain, &mut out)?;
            }
        }
        if out.ends_with(&TAIL) {
            out.truncate(out.len().saturating_sub(TAIL.len()));
        }
        if out.is_empty() {
            // RFC 7692 section 7.2.3.6: an empty message is an empty block; zlib does not write two of them in a row.
            out.push(0);
        }
        if self.direction.no_takeover {
            self.codec = None;
        }
        Ok(out)
    }
}

/// Compresses all of `plain` and appends it to `out`.
fn compress(codec: &mut Compress, plain: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
    let mut rest = plain;
    loop {
        out.reserve(rest.len().max(256));
        let before = codec.total_in();
        codec.compress_vec(rest, out, FlushCompress::Sync).map_err(|e| format!("compression: {e}"))?;
        let read = usize::try_from(codec.total_in().wrapping_sub(before)).unwrap_or(usize::MAX);
        rest = rest.get(read..).unwrap_or_default();
        if rest.is_empty() && out.len() < out.capacity() {
            return Ok(());
        }
    }
}

/// Decompresses messages of one direction.
#[derive(Debug)]
pub(crate) struct Inflater {
    direction: Direction,
    codec: Option<Decompress>,
}

impl Inflater {
    /// Begins with an empty window.
    pub(crate) fn new(direction: Direction) -> Self {
        Self { direction, codec: None }
    }

    /// Returns the message of a compressed payload (RFC 7692 section 7.2.2), which may have `limit` bytes at most.
    ///
    /// # Errors
    /// The data is invalid, or the message is longer.
    pub(crate) fn message(&mut self, packed: &[u8], limit: usize) -> Result<Vec<u8>, String> {
        let bits = self.direction.bits.max(9);
        let codec = self.codec.get_or_insert_with(|| Decompress::new_with_window_bits(false, bits));
        let mut out = Vec::with_capacity(packed.len().saturating_mul(4).clamp(256, 1 << 20));
        for mut rest in [packed, &TAIL[..]] {
            loop {
                if out.len() == out.capacity() {
                    out.reserve(out.capacity());
                }
                let (before, had) = (codec.total_in(), out.len());
                let status = codec
                    .decompress_vec(rest, &mut out, FlushDecompress::Sync)
                    .map_err(|e| format!("the compressed data is invalid: {e}"))?;
                let read = usize::try_from(codec.total_in().wrapping_sub(before)).unwrap_or(usize::MAX);
                rest = rest.get(read..).unwrap_or_default();
                if out.len() > limit {
                    return Err(format!("the message is longer than {limit} bytes when decompressed"));
                }
                if status == Status::StreamEnd {
                    // RFC 7692 section 7.2.3.4: a block with BFINAL set ends a stream, not the message.
                    *codec = Decompress::new_with_window_bits(false, bits);
                } else if read == 0 && out.len() == had && out.len() < out.capacity() {
                    break;
                }
                if rest.is_empty() && out.len() < out.capacity() {
                    break;
                }
            }
        }
        if self.direction.no_takeover {
            self.codec = None;
        }
        Ok(out)
    }
}

/// The bytes that a sender removes and a receiver adds again (RFC 7692 section 7.2.1).
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

#[cfg(test)]
mod tests;
