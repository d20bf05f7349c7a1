//! The header that a load balancer writes before a connection: the PROXY protocol, versions 1 and 2, as haproxy's
//! `doc/proxy-protocol.txt` defines it. Without I/O, and without anything but `std`, so that `fuzz` can include it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// What a header says about the connection behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProxyHeader {
    /// LOCAL: the proxy has opened the connection for itself, to check whether the server lives.
    Local,
    /// UNKNOWN, UNSPEC, a Unix socket, datagrams: the client has no address that can be used.
    Unknown,
    /// The client has this address.
    Client(SocketAddr),
}

/// What the bytes so far are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parsed {
    /// The beginning of a header. At least this many more bytes are part of it, so that reading them takes nothing of what
    /// follows.
    More(usize),
    /// A header, which has this length.
    Whole(ProxyHeader, usize),
}

/// Bytes that are no header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProxyHeaderError {
    Missing,
    Line,
    LongLine,
    Version(u8),
    Command(u8),
    Family(u8),
    Long(usize),
    ShortAddresses,
    Tlv,
    Checksum,
}

/// The longest header that is read: one line of version 1 is shorter, one of version 2 with certificates hardly longer.
pub(crate) const LONGEST: usize = 4096;

/// Parses a header at the beginning of these bytes.
pub(crate) fn parse(received: &[u8]) -> Result<Parsed, ProxyHeaderError> {
    if received.is_empty() {
        return Ok(Parsed::More(SHORTEST_LINE.min(FIXED)));
    }
    if is_prefix(received, SIGNATURE) {
        return version_2(received);
    }
    if is_prefix(received, LINE) {
        return version_1(received);
    }
    Err(ProxyHeaderError::Missing)
}

/// Whether these bytes begin as a header of either version does, as far as they go; at least three bytes are needed to
/// say so.
pub(crate) fn looks_like_one(received: &[u8]) -> bool {
    received.len() >= 3 && (is_prefix(received, SIGNATURE) || is_prefix(received, LINE))
}

/// Whether the bytes begin with `begin`, as far as they go.
fn is_prefix(received: &[u8], begin: &[u8]) -> bool {
    received.iter().zip(begin).all(|(byte, expected)| byte == expected)
}

/// Section 2.1: `PROXY TCP4 192.0.2.1 192.0.2.2 56324 443` and CR LF.
fn version_1(received: &[u8]) -> Result<Parsed, ProxyHeaderError> {
    let Some(end) = received.iter().take(LONGEST_LINE - 1).position(|&byte| byte == b'\r') else {
        if received.len() > LONGEST_LINE - 2 {
            return Err(ProxyHeaderError::LongLine);
        }
        let shortest = if received.starts_with(b"PROXY TCP4 ") { SHORTEST_TCP4 } else { SHORTEST_LINE };
        // CR and LF are still to come.
        return Ok(Parsed::More(shortest.saturating_sub(received.len()).max(2)));
    };
    match received.get(end.saturating_add(1)) {
        Some(b'\n') => {}
        Some(_) => return Err(ProxyHeaderError::Line),
        None => return Ok(Parsed::More(1)),
    }
    let length = end.saturating_add(2);
    let line = received.get(LINE.len()..end).ok_or(ProxyHeaderError::Line)?;
    let header = line_of(line).ok_or(ProxyHeaderError::Line)?;
    Ok(Parsed::Whole(header, length))
}

/// What follows `PROXY `, without CR and LF.
fn line_of(line: &[u8]) -> Option<ProxyHeader> {
    // "The receiver must ignore anything presented before the CRLF" of an UNKNOWN connection.
    if line == b"UNKNOWN" || line.starts_with(b"UNKNOWN ") {
        return Some(ProxyHeader::Unknown);
    }
    // Exactly one space between two parts.
    let mut parts = std::str::from_utf8(line).ok()?.split(' ');
    let mut next = || parts.next();
    let (family, source, destination) = (next()?, next()?, next()?);
    let (source_port, destination_port) = (port(next()?)?, port(next()?)?);
    if parts.next().is_some() {
        return None;
    }
    let address = |text: &str| match family {
        "TCP4" => text.parse().map(IpAddr::V4).ok(),
        "TCP6" => text.parse().map(IpAddr::V6).ok(),
        _ => None,
    };
    address(destination)?;
    let _ = destination_port;
    Some(ProxyHeader::Client(SocketAddr::new(address(source)?, source_port)))
}

/// A decimal number between 0 and 65535 without leading zeros.
fn port(text: &str) -> Option<u16> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let plain = text == "0" || !text.starts_with('0');
    text.parse().ok().filter(|_| digits && plain)
}

/// Section 2.2.
fn version_2(received: &[u8]) -> Result<Parsed, ProxyHeaderError> {
    let Some((fixed, rest)) = received.split_first_chunk::<FIXED>() else {
        return Ok(Parsed::More(FIXED.saturating_sub(received.len())));
    };
    let [.., command, family, high, low] = *fixed;
    if command >> 4 != 2 {
        return Err(ProxyHeaderError::Version(command >> 4));
    }
    let is_local = match command & 0xf {
        0 => true,
        1 => false,
        other => return Err(ProxyHeaderError::Command(other)),
    };
    // "Other values are unspecified and must be rejected as invalid by receivers."
    if family >> 4 > 3 || family & 0xf > 2 {
        return Err(ProxyHeaderError::Family(family));
    }
    let length = usize::from(u16::from_be_bytes([high, low]));
    let whole = FIXED.saturating_add(length);
    if whole > LONGEST {
        return Err(ProxyHeaderError::Long(whole));
    }
    let Some(body) = rest.get(..length) else {
        return Ok(Parsed::More(length.saturating_sub(rest.len())));
    };
    // What a LOCAL or UNSPEC header has for addresses is skipped, whatever its length.
    let header = match (is_local, family >> 4) {
        (true, _) => ProxyHeader::Local,
        (false, 0) => ProxyHeader::Unknown,
        (false, number) => {
            let (header, extensions) = addresses(number, body)?;
            check_extensions(fixed, body, extensions)?;
            // Datagrams cannot have brought the client here.
            if family & 0xf == STREAM { header } else { ProxyHeader::Unknown }
        }
    };
    Ok(Parsed::Whole(header, whole))
}

/// The client's address, and what follows the addresses.
fn addresses(family: u8, body: &[u8]) -> Result<(ProxyHeader, &[u8]), ProxyHeaderError> {
    let short = ProxyHeaderError::ShortAddresses;
    match family {
        // Two addresses of four bytes, two ports.
        1 => {
            let ([a, b, c, d, _, _, _, _, high, low, _, _], rest) =
                body.split_first_chunk::<12>().ok_or(short)?;
            let source = Ipv4Addr::new(*a, *b, *c, *d);
            Ok((ProxyHeader::Client((source, u16::from_be_bytes([*high, *low])).into()), rest))
        }
        // Two addresses of sixteen bytes, two ports.
        2 => {
            let (source, rest) = body.split_first_chunk::<16>().ok_or(short)?;
            let (_destination, rest) = rest.split_first_chunk::<16>().ok_or(short)?;
            let ([high, low, _, _], rest) = rest.split_first_chunk::<4>().ok_or(short)?;
            let port = u16::from_be_bytes([*high, *low]);
            Ok((ProxyHeader::Client((Ipv6Addr::from(*source), port).into()), rest))
        }
        // Two paths of 108 bytes.
        _ => Ok((ProxyHeader::Unknown, body.get(216..).ok_or(short)?)),
    }
}

/// Section 2.2.1: each extension has a type, a length and a value; they are skipped by the length, apart from the
/// checksum.
fn check_extensions(fixed: &[u8; FIXED], body: &[u8], mut rest: &[u8]) -> Result<(), ProxyHeaderError> {
    let mut has_checksum = false;
    while !rest.is_empty() {
        let ([kind, high, low], behind) = rest.split_first_chunk::<3>().ok_or(ProxyHeaderError::Tlv)?;
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let (value, behind) = behind.split_at_checked(length).ok_or(ProxyHeaderError::Tlv)?;
        rest = behind;
        if *kind != CHECKSUM {
            continue;
        }
        let Ok(sent) = <[u8; 4]>::try_from(value) else { return Err(ProxyHeaderError::Checksum) };
        // A second one would be part of what the first one covers, and the other way round.
        if has_checksum {
            return Err(ProxyHeaderError::Checksum);
        }
        has_checksum = true;
        // Section 2.2.4: computed with its own four bytes as zero.
        let before = body.len().saturating_sub(rest.len().saturating_add(4));
        let parts = [fixed.as_slice(), body.get(..before).unwrap_or_default(), &[0; 4], rest];
        if crc32c(parts.into_iter().flatten()) != u32::from_be_bytes(sent) {
            return Err(ProxyHeaderError::Checksum);
        }
    }
    Ok(())
}

/// RFC 9260 appendix A: the CRC of Castagnoli, reflected.
fn crc32c<'a>(bytes: impl Iterator<Item = &'a u8>) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 };
        }
    }
    !crc
}

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
const LINE: &[u8] = b"PROXY ";
/// Signature, version and command, family and transport, length.
const FIXED: usize = 16;
/// The whole line with CR and LF; section 2.1 computes it.
const LONGEST_LINE: usize = 107;
/// `PROXY UNKNOWN` with CR and LF.
const SHORTEST_LINE: usize = 15;
/// `PROXY TCP4 0.0.0.0 0.0.0.0 0 0` with CR and LF.
const SHORTEST_TCP4: usize = 32;
/// `PP2_TYPE_CRC32C`.
const CHECKSUM: u8 = 3;
/// `SOCK_STREAM`, in the lower half of the byte of the family.
const STREAM: u8 = 1;

impl fmt::Display for ProxyHeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("there is none"),
            Self::Line => f.write_str("its line is malformed"),
            Self::LongLine => write!(f, "its line is longer than {LONGEST_LINE} bytes"),
            Self::Version(version) => write!(f, "its version is {version}, and not 2"),
            Self::Command(command) => write!(f, "its command is {command}, and neither LOCAL nor PROXY"),
            Self::Family(family) => {
                write!(f, "its family and transport are {family:#04x}, which is undefined")
            }
            Self::Long(length) => write!(f, "it has {length} bytes, and at most {LONGEST} are read"),
            Self::ShortAddresses => f.write_str("it is shorter than its addresses"),
            Self::Tlv => f.write_str("it ends within an extension"),
            Self::Checksum => f.write_str("its checksum is wrong"),
        }
    }
}

#[cfg(test)]
// The path is named for `fuzz`, which includes this file.
#[path = "proxy_header/tests.rs"]
mod tests;
