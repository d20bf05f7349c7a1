//! Headers of the PROXY protocol: an encoder that shares no code with the parser writes them, intact or damaged, and the
//! parser must find what was written, at every split.
#![no_main]

use std::net::{IpAddr, SocketAddr};

use libfuzzer_sys::fuzz_target;
use ws_fuzz::Input;

/// The parser needs nothing but `std`, so that this target builds without the server.
#[allow(dead_code, reason = "the server uses the rest")]
#[path = "../../ws-server/src/transport/proxy_header.rs"]
mod proxy_header;

use proxy_header::{LONGEST, Parsed, ProxyHeader, parse};

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    match input.byte() % 3 {
        0 => drop(bytes(input.rest())),
        1 => line(input),
        _ => binary(input),
    }
});

/// Any bytes: the answer at each prefix fits those before it, and reading what is asked for never goes beyond the header.
fn bytes(stream: &[u8]) -> Option<(ProxyHeader, usize)> {
    let mut promised = 0;
    for end in 0..=stream.len() {
        match parse(&stream[..end]) {
            Ok(Parsed::More(more)) => {
                assert!(more > 0 && end + more <= LONGEST, "{more} more at {end}");
                promised = promised.max(end + more);
            }
            Ok(Parsed::Whole(header, length)) => {
                assert!(length == end && promised <= end, "{length} of {end}, {promised} promised");
                assert_eq!(parse(stream), Ok(Parsed::Whole(header, length)), "what follows changes nothing");
                return Some((header, length));
            }
            Err(error) => {
                assert_eq!(parse(stream), Err(error), "a fault stays the same fault");
                assert!(!error.to_string().contains('\n'));
                return None;
            }
        }
    }
    None
}

/// Version 1, as section 2.1 of the specification writes it.
fn line(mut input: Input<'_>) {
    let kind = input.byte();
    if kind >> 1 & 7 == 0 {
        return unknown(input);
    }
    let v6 = kind % 2 == 1;
    let (source, destination) = (address(&mut input, v6), address(&mut input, v6));
    let family = if v6 { "TCP6" } else { "TCP4" };
    let mut line = format!(
        "PROXY {family} {} {} {} {}\r\n",
        source.ip(),
        destination.ip(),
        source.port(),
        destination.port()
    )
    .into_bytes();
    let whole = line.len();
    assert!(whole <= 107);
    line.extend_from_slice(input.bytes(8));
    assert_eq!(bytes(&line), Some((ProxyHeader::Client(source), whole)));
    damage(&mut input, &line[..whole]);
}

/// A line of a client whose address the proxy does not know: what follows is ignored up to its end.
fn unknown(mut input: Input<'_>) {
    let mut line = b"PROXY UNKNOWN".to_vec();
    let rest: Vec<u8> = input.bytes(91).iter().copied().filter(|byte| *byte != b'\r').collect();
    if !rest.is_empty() {
        line.push(b' ');
        line.extend_from_slice(&rest);
    }
    line.extend_from_slice(b"\r\n");
    let whole = line.len();
    assert!(whole <= 107);
    line.extend_from_slice(input.bytes(8));
    assert_eq!(bytes(&line), Some((ProxyHeader::Unknown, whole)));
    damage(&mut input, &line[..whole]);
}

/// Version 2, as section 2.2 writes it, with extensions and perhaps a checksum.
fn binary(mut input: Input<'_>) {
    let kind = input.byte();
    let (source, destination) = (address(&mut input, kind % 2 == 1), address(&mut input, kind % 2 == 1));
    let (family, mut body) = match (source, destination) {
        (SocketAddr::V4(from), SocketAddr::V4(to)) => {
            (0x11, [&from.ip().octets()[..], &to.ip().octets(), &ports(source, destination)].concat())
        }
        (SocketAddr::V6(from), SocketAddr::V6(to)) => {
            (0x21, [&from.ip().octets()[..], &to.ip().octets(), &ports(source, destination)].concat())
        }
        _ => unreachable!("both are of one family"),
    };
    let (command, family, expected) = match kind >> 1 & 7 {
        0 => (0x20, 0x00, ProxyHeader::Local),
        1 => (0x21, 0x00, ProxyHeader::Unknown),
        // Datagrams.
        2 => (0x21, family + 1, ProxyHeader::Unknown),
        // Unix sockets: two paths.
        3 => {
            body = vec![input.byte(); 216];
            (0x21, 0x31 + (kind >> 4 & 1), ProxyHeader::Unknown)
        }
        _ => (0x21, family, ProxyHeader::Client(source)),
    };
    let mut checksum_at = None;
    for _ in 0..input.byte() % 4 {
        let tag = input.byte();
        let length = usize::from(input.byte());
        let value = input.bytes(length);
        if tag == 3 {
            if checksum_at.is_none() {
                body.extend_from_slice(&[3, 0, 4]);
                checksum_at = Some(16 + body.len());
                body.extend_from_slice(&[0; 4]);
            }
            continue;
        }
        body.push(tag);
        body.extend_from_slice(&u16::try_from(value.len()).unwrap().to_be_bytes());
        body.extend_from_slice(value);
    }
    let mut stream = b"\r\n\r\n\0\r\nQUIT\n".to_vec();
    stream.extend_from_slice(&[command, family]);
    stream.extend_from_slice(&u16::try_from(body.len()).unwrap().to_be_bytes());
    stream.extend_from_slice(&body);
    if let Some(at) = checksum_at {
        let checksum = castagnoli(&stream).to_be_bytes();
        stream[at..at + 4].copy_from_slice(&checksum);
    }
    let whole = stream.len();
    stream.extend_from_slice(input.bytes(8));
    assert_eq!(bytes(&stream), Some((expected, whole)));
    let is_checked = checksum_at.is_some() && command == 0x21 && family & 0xf0 != 0;
    let damaged = damage(&mut input, &stream[..whole]);
    if let (Some((at, result)), Some(checksum)) = (damaged, checksum_at)
        && is_checked
        && (checksum..checksum + 4).contains(&at)
    {
        assert_eq!(result, None, "a wrong checksum is accepted");
    }
}

/// Changes one byte; the parser must still keep its promises. Returns where, and what was found.
fn damage(input: &mut Input<'_>, header: &[u8]) -> Option<(usize, Option<(ProxyHeader, usize)>)> {
    let at = usize::from(input.byte()) | usize::from(input.byte()) << 8;
    let mut damaged = header.to_vec();
    let at = at % damaged.len();
    let flipped = input.byte();
    damaged[at] ^= flipped;
    let found = bytes(&damaged);
    (flipped != 0).then_some((at, found))
}

fn address(input: &mut Input<'_>, v6: bool) -> SocketAddr {
    let mut octets = [0; 16];
    for octet in &mut octets {
        *octet = input.byte();
    }
    let port = u16::from_be_bytes([input.byte(), input.byte()]);
    let [a, b, c, d, ..] = octets;
    let ip = if v6 { IpAddr::from(octets) } else { IpAddr::from([a, b, c, d]) };
    SocketAddr::new(ip, port)
}

fn ports(source: SocketAddr, destination: SocketAddr) -> [u8; 4] {
    let ([a, b], [c, d]) = (source.port().to_be_bytes(), destination.port().to_be_bytes());
    [a, b, c, d]
}

/// CRC-32C by long division, most significant bit first, and so not as the parser computes it.
fn castagnoli(bytes: &[u8]) -> u32 {
    let mut remainder = u32::MAX;
    for byte in bytes {
        remainder ^= u32::from(byte.reverse_bits()) << 24;
        for _ in 0..8 {
            let carry = remainder >> 31;
            remainder <<= 1;
            if carry == 1 {
                remainder ^= 0x1edc_6f41;
            }
        }
    }
    !remainder.reverse_bits()
}
