//! The handshake's own scanner against another parser of HTTP heads, over heads damaged at random.
//!
//! The other one is laxer. Whatever ours accepts it must accept too, and see the same fields in it: were the two to
//! read one head differently, a proxy in front could be made to see another request than the server.

use crate::support::miri;
use http::Request;
use ws_core::handshake::{
    ClientHandshake, HandshakeError, HeadLimits, Opening, RequestReader, ResponseReader,
};

const REQUEST: &[u8] =
    b"GET /chat?a=b HTTP/1.1\r\nHost: h:80\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nContent-Length: 0\r\n\
    Sec-WebSocket-Extensions: a; b=\"c\"\r\nSec-WebSocket-Protocol: x, y\r\n\r\n";
const RESPONSE: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Extensions: a\r\n\r\n";

/// How many heads are damaged.
const CASES: usize = miri::few_or(40, 10_000);

/// Bytes that mean something in a head, and some that must not be in one.
const ALPHABET: &[u8] = b"\r\n\r\n\r\n :;,=\"\\/*#?@[]%\t\0\x7f\x80\xffaGT01";

/// A generator with a fixed seed (xorshift), so that a failure comes again.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }

    /// One to three changes: a byte replaced, put in or taken out, a stretch doubled.
    fn damage(&mut self, head: &[u8]) -> Vec<u8> {
        let mut head = head.to_vec();
        for _ in 0..=self.below(3) {
            let at = self.below(head.len());
            let byte = ALPHABET[self.below(ALPHABET.len())];
            match self.below(4) {
                0 => head[at] = byte,
                1 => head.insert(at, byte),
                2 => drop(head.remove(at)),
                _ => {
                    let end = (at + self.below(30)).min(head.len());
                    let stretch = head[at..end].to_vec();
                    head.splice(at..at, stretch);
                }
            }
        }
        head
    }
}

fn fields(headers: &[httparse::Header<'_>]) -> Vec<(String, Vec<u8>)> {
    let mut fields: Vec<_> =
        headers.iter().map(|field| (field.name.to_ascii_lowercase(), field.value.to_vec())).collect();
    fields.sort();
    fields
}

/// A value whose folds are spaces (RFC 9112 section 5.2), found by their shape.
fn unfold(value: &[u8]) -> Vec<u8> {
    let mut unfolded: String = value.iter().copied().map(char::from).collect();
    while let Some(at) = unfolded.find("\r\n") {
        let before = unfolded[..at].trim_end_matches([' ', '\t']);
        let after = unfolded[at + 2..].trim_start_matches([' ', '\t']);
        unfolded = format!("{before} {after}");
    }
    // Each char is one byte.
    unfolded.trim_matches([' ', '\t']).chars().map(|char| char as u8).collect()
}

fn fields_of(headers: &http::HeaderMap) -> Vec<(String, Vec<u8>)> {
    let mut fields: Vec<_> =
        headers.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect();
    fields.sort();
    fields
}

#[test]
fn an_accepted_request_is_the_same_to_another_parser() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut accepted = 0;
    for _ in 0..CASES {
        let head = random.damage(REQUEST);
        let whole = RequestReader::new(HeadLimits::server()).receive(&head);
        let mut one_by_one = RequestReader::new(HeadLimits::server());
        let singles = (1..=head.len()).find_map(|end| one_by_one.receive(&head[..end]).transpose());
        assert_eq!(
            format!("{:?}", whole.as_ref().ok().and_then(Option::as_ref)),
            format!("{:?}", singles.as_ref().and_then(|result| result.as_ref().ok()))
        );
        assert_eq!(whole.as_ref().err(), singles.as_ref().and_then(|result| result.as_ref().err()));

        let Ok(Some((opening, length))) = whole else { continue };
        accepted += 1;
        let request = match opening {
            Opening::Upgrade(upgrade) => upgrade.into_request(),
            Opening::Plain(request) => request.into_request(),
        };
        let mut headers = [httparse::EMPTY_HEADER; 100];
        let mut other = httparse::Request::new(&mut headers);
        assert_eq!(other.parse(&head), Ok(httparse::Status::Complete(length)), "{}", head.escape_ascii());
        assert_eq!(other.method, Some(request.method().as_str()));
        assert_eq!(other.path, Some(request.uri().to_string().as_str()), "{}", head.escape_ascii());
        assert_eq!(fields(other.headers), fields_of(request.headers()), "{}", head.escape_ascii());
    }
    assert!(
        accepted > CASES / 10,
        "only {accepted} damaged heads were accepted: the test has lost its teeth"
    );
}

#[test]
fn an_accepted_response_is_the_same_to_another_parser() {
    let mut random = Random(0xd1b5_4a32_d192_ed03);
    let (mut accepted, mut opened, mut folded) = (0, 0, 0);
    for _ in 0..CASES {
        let head = random.damage(RESPONSE);
        let request = Request::get("ws://h").body(()).unwrap();
        let mut handshake = ClientHandshake::new(request, &[], Some("a"), *b"the sample nonce").unwrap();
        let whole = handshake.receive(&head);
        let request = Request::get("ws://h").body(()).unwrap();
        let mut one_by_one = ClientHandshake::new(request, &[], Some("a"), *b"the sample nonce").unwrap();
        let singles = (1..=head.len()).find_map(|end| one_by_one.receive(&head[..end]).transpose());
        let text = |result: Option<Result<_, HandshakeError>>| format!("{result:?}");
        opened += usize::from(matches!(whole, Ok(Some(_))));
        assert_eq!(text(whole.transpose()), text(singles), "{}", head.escape_ascii());

        let Ok(Some((response, length))) = ResponseReader::new(HeadLimits::client()).receive(&head) else {
            continue;
        };
        accepted += 1;
        let mut headers = [httparse::EMPTY_HEADER; 100];
        let mut other = httparse::Response::new(&mut headers);
        // RFC 9112 §5.2: a client may take folded lines; the other parser leaves the folds in the value.
        let mut config = httparse::ParserConfig::default();
        config.allow_obsolete_multiline_headers_in_responses(true);
        let parsed = config.parse_response(&mut other, &head);
        assert_eq!(parsed, Ok(httparse::Status::Complete(length)), "{}", head.escape_ascii());
        assert_eq!(other.code, Some(response.status().as_u16()));
        folded += usize::from(other.headers.iter().any(|field| field.value.contains(&b'\n')));
        let fields: Vec<_> =
            fields(other.headers).into_iter().map(|(name, value)| (name, unfold(&value))).collect();
        assert_eq!(fields, fields_of(response.headers()), "{}", head.escape_ascii());
    }
    assert!(
        accepted > CASES / 10 && opened > CASES / 200 && (folded > 0 || CASES < 1000),
        "accepted {accepted}, opened {opened}, folded {folded}: the test has lost its teeth"
    );
}
