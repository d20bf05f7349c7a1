use super::*;

/// Version 2: command, family, body.
fn binary(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).unwrap().to_be_bytes();
    [SIGNATURE, &[command, family], &length, body].concat()
}

fn client(address: &str) -> ProxyHeader {
    ProxyHeader::Client(address.parse().unwrap())
}

const V4: [u8; 12] = [192, 0, 2, 1, 192, 0, 2, 2, 0xdc, 0x04, 0x01, 0xbb];

/// Every prefix asks for more, never for more than the header has; the whole is a header, and what follows is left.
fn assert_header(bytes: &[u8], header: ProxyHeader) {
    for end in 0..bytes.len() {
        match parse(&bytes[..end]) {
            Ok(Parsed::More(more)) => assert!((1..=bytes.len() - end).contains(&more), "{more} at {end}"),
            other => panic!("{other:?} at {end} of {bytes:?}"),
        }
    }
    let whole = Ok(Parsed::Whole(header, bytes.len()));
    assert_eq!(parse(bytes), whole);
    assert_eq!(parse(&[bytes, b"\r\nGET"].concat()), whole);
    assert!(looks_like_one(bytes));
}

#[test]
fn a_line_of_version_1_names_the_client() {
    for (line, header) in [
        ("PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n", client("192.0.2.1:56324")),
        ("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", client("255.255.255.255:65535")),
        ("PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n", client("0.0.0.0:0")),
        ("PROXY TCP6 2001:db8::1 ::1 1 2\r\n", client("[2001:db8::1]:1")),
        ("PROXY TCP6 :: :: 0 0\r\n", client("[::]:0")),
        ("PROXY UNKNOWN\r\n", ProxyHeader::Unknown),
        ("PROXY UNKNOWN ffff::1 anything <b> 1\r\n", ProxyHeader::Unknown),
    ] {
        assert_header(line.as_bytes(), header);
    }
    let longest = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
    let line = format!("PROXY UNKNOWN {longest} {longest} 65535 65535\r\n");
    assert_eq!(line.len(), LONGEST_LINE);
    assert_header(line.as_bytes(), ProxyHeader::Unknown);
}

#[test]
fn a_malformed_line_of_version_1_is_refused() {
    for line in [
        "PROXY TCP4 192.0.2.1 192.0.2.2 56324\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 56324 443 \r\n",
        "PROXY TCP4  192.0.2.1 192.0.2.2 56324 443\r\n",
        "PROXY TCP4 192.0.2.01 192.0.2.2 56324 443\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.300 56324 443\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 +6324 443\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 056324 443\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 56324 65536\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 56324 \r\n",
        "PROXY TCP4 2001:db8::1 2001:db8::2 56324 443\r\n",
        "PROXY TCP6 192.0.2.1 192.0.2.2 56324 443\r\n",
        "PROXY UDP4 192.0.2.1 192.0.2.2 56324 443\r\n",
        "PROXY UNKNOWNS\r\n",
        "PROXY \r\nxxxxxxxxxxxx",
        "PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\rX",
        "PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\n\r\n",
    ] {
        assert_eq!(parse(line.as_bytes()), Err(ProxyHeaderError::Line), "{line:?}");
    }
    let long = format!("PROXY UNKNOWN {}\r\n", "x".repeat(LONGEST_LINE - 15));
    assert_eq!(long.len(), LONGEST_LINE + 1);
    assert_eq!(parse(long.as_bytes()), Err(ProxyHeaderError::LongLine));
    // Without the end of the line too, and no byte beyond is waited for.
    assert_eq!(parse(&long.as_bytes()[..LONGEST_LINE - 1]), Err(ProxyHeaderError::LongLine));
}

#[test]
fn a_header_of_version_2_names_the_client_whatever_extensions_follow() {
    assert_header(&binary(0x21, 0x11, &V4), client("192.0.2.1:56324"));
    let mut v6 = Vec::from([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    v6.extend([0; 16]);
    v6.extend([0, 7, 1, 0xbb]);
    assert_header(&binary(0x21, 0x21, &v6), client("[2001:db8::1]:7"));
    let extensions = [&V4[..], &[0xea, 0, 3, 1, 2, 3], &[0x04, 0, 0]].concat();
    assert_header(&binary(0x21, 0x11, &extensions), client("192.0.2.1:56324"));
    assert_header(&binary(0x21, 0x31, &[b'/'; 216]), ProxyHeader::Unknown);
    // Datagrams.
    assert_header(&binary(0x21, 0x12, &V4), ProxyHeader::Unknown);
}

#[test]
fn local_and_unspec_headers_are_skipped_by_their_length() {
    for body in [&[][..], &V4, &[1, 2, 3]] {
        assert_header(&binary(0x20, 0x00, body), ProxyHeader::Local);
        assert_header(&binary(0x20, 0x11, body), ProxyHeader::Local);
        assert_header(&binary(0x21, 0x00, body), ProxyHeader::Unknown);
    }
}

#[test]
fn a_malformed_header_of_version_2_is_refused_for_its_fault() {
    use ProxyHeaderError::*;
    for (bytes, error) in [
        (binary(0x11, 0x11, &V4), Version(1)),
        (binary(0x31, 0x11, &V4), Version(3)),
        (binary(0x22, 0x11, &V4), Command(2)),
        (binary(0x21, 0x41, &V4), Family(0x41)),
        (binary(0x21, 0x13, &V4), Family(0x13)),
        (binary(0x20, 0xf1, &V4), Family(0xf1)),
        (binary(0x21, 0x11, &V4[..11]), ShortAddresses),
        (binary(0x21, 0x21, &[0; 35]), ShortAddresses),
        (binary(0x21, 0x31, &[0; 215]), ShortAddresses),
        (binary(0x21, 0x11, &[&V4[..], &[4, 0]].concat()), Tlv),
        (binary(0x21, 0x11, &[&V4[..], &[4, 0, 1]].concat()), Tlv),
        (binary(0x21, 0x11, &[&V4[..], &[3, 0, 3, 1, 2, 3]].concat()), Checksum),
        (binary(0x21, 0x11, &[&V4[..], &[3, 0, 4, 1, 2, 3, 4]].concat()), Checksum),
        (binary(0x21, 0x11, &vec![0; LONGEST - FIXED + 1]), Long(LONGEST + 1)),
        (b"GET / HTTP/1.1\r\n".to_vec(), Missing),
        (b"\x16\x03\x01".to_vec(), Missing),
        (b"\r\n\r\nGET".to_vec(), Missing),
        (b"proxy TCP4 1".to_vec(), Missing),
    ] {
        assert_eq!(parse(&bytes), Err(error), "{bytes:?}");
        assert!(!error.to_string().is_empty());
    }
    // The length is judged before the bytes come.
    assert_eq!(parse(&binary(0x21, 0x11, &[0; 5000])[..FIXED]), Err(Long(5016)));
}

#[test]
fn a_checksum_is_checked_wherever_it_stands() {
    // RFC 3720 appendix B.4.
    assert_eq!(crc32c([0; 32].iter()), 0x8a91_36aa);
    let body = [&V4[..], &[5, 0, 1, 9], &[3, 0, 4, 0, 0, 0, 0], &[4, 0, 2, 0, 0]].concat();
    let mut bytes = binary(0x21, 0x11, &body);
    let checksum = crc32c(bytes.iter()).to_be_bytes();
    let at = FIXED + V4.len() + 4 + 3;
    bytes[at..at + 4].copy_from_slice(&checksum);
    assert_header(&bytes, client("192.0.2.1:56324"));
    // All bytes but the type of the checksum itself, without which there is none.
    for byte in (FIXED..bytes.len()).filter(|byte| byte + 3 != at) {
        let mut damaged = bytes.clone();
        damaged[byte] ^= 0x20;
        assert!(parse(&damaged).is_err(), "byte {byte}");
    }
    // Two of them.
    let twice = [&V4[..], &[3, 0, 4, 0, 0, 0, 0], &[3, 0, 4, 0, 0, 0, 0]].concat();
    assert_eq!(parse(&binary(0x21, 0x11, &twice)), Err(ProxyHeaderError::Checksum));
}
