//! What a client makes of any response: the same however it is split, open only on the right 101, and a refusal's body
//! within its limit.
#![no_main]

use http::{HeaderMap, Request};
use libfuzzer_sys::fuzz_target;
use ws_core::handshake::{
    BodyFraming, BodyProgress, ClientHandshake, Established, HandshakeError, HeadLimits,
    MAX_INTERIM_RESPONSES, Refused,
};
use ws_fuzz::head::{self, Head};
use ws_fuzz::{Input, Splits};

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    let limits = HeadLimits::server()
        .bytes(input.pick(&[64 << 10, 64 << 10, 300, 64]))
        .fields(input.pick(&[100, 100, 4, 1]))
        .target(0);
    let body_limit = input.pick(&[64 << 10, 4, 0, 1]);
    let splits = input.splits();
    let bytes = input.rest();

    let whole = receive(limits, bytes, Splits::whole());
    for splits in [splits.clone(), Splits::bytewise()] {
        let other = receive(limits, bytes, splits.clone());
        assert_eq!(format!("{other:?}"), format!("{whole:?}"), "{splits:?}");
    }
    match whole {
        Ok(Some((established, length))) => check_established(&established, length, limits, bytes),
        Ok(None) => assert!(bytes.len() < limits.bytes),
        Err(HandshakeError::Refused(refused)) => check_refused(*refused, limits, body_limit, bytes, splits),
        Err(_) => {}
    }
});

fn receive(
    limits: HeadLimits,
    bytes: &[u8],
    splits: Splits,
) -> Result<Option<(Established, usize)>, HandshakeError> {
    let request = Request::get("ws://example.com/chat").body(()).unwrap();
    let subprotocols = SUBPROTOCOLS.map(String::from);
    let handshake = ClientHandshake::new(request, &subprotocols, Some(OFFER), *b"the sample nonce").unwrap();
    let mut handshake = handshake.with_limits(limits);
    let mut received = 0;
    for piece in splits.cut(bytes) {
        received += piece.len();
        let answer = handshake.receive(&bytes[..received])?;
        if answer.is_some() {
            return Ok(answer);
        }
    }
    Ok(None)
}

/// RFC 6455 section 4.1, on the final head as the reference cuts it.
fn check_established(established: &Established, length: usize, limits: HeadLimits, bytes: &[u8]) {
    let (head, end) = final_head(bytes);
    assert_eq!(end, length);
    assert!(length <= limits.bytes && head.fields.len() <= limits.fields);
    assert!(head.start.starts_with(b"HTTP/1.") && head.start[8..].starts_with(b" 101"), "not a 101");
    assert!(head.has_token("Upgrade", "websocket"));
    assert!(head.has_token("Connection", "upgrade"));
    assert_eq!(head.single("Sec-WebSocket-Accept").unwrap(), b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    let subprotocol = established.subprotocol.as_ref().map(String::as_bytes);
    assert_eq!(head.list("Sec-WebSocket-Protocol").collect::<Vec<_>>(), Vec::from_iter(subprotocol));
    assert!(subprotocol.is_none_or(|name| SUBPROTOCOLS.iter().any(|offered| offered.as_bytes() == name)));
    let extensions = head::extensions(&head.values("Sec-WebSocket-Extensions")).unwrap();
    assert!(extensions.len() <= 1 && extensions.iter().all(|(name, _)| OFFER.starts_with(name.as_str())));
    assert_eq!(extensions.len(), established.extensions.len());
    check_with_httparse(&bytes[end - head.len..], &head, established.response.status().as_u16());
    check_fields(&head, established.response.headers());
}

/// The same fields with the same values, folds joined.
fn check_fields(head: &Head<'_>, headers: &HeaderMap) {
    assert_eq!(head.fields.len(), headers.len());
    for name in headers.keys() {
        let values: Vec<_> = headers.get_all(name).iter().map(|value| value.as_bytes()).collect();
        assert_eq!(head.values(name.as_str()), values);
    }
}

fn check_refused(mut refused: Refused, limits: HeadLimits, limit: usize, bytes: &[u8], splits: Splits) {
    let (head, end) = final_head(bytes);
    assert_eq!(end, refused.head_length);
    assert!(end <= limits.bytes && head.fields.len() <= limits.fields);
    check_with_httparse(&bytes[end - head.len..], &head, refused.response.status().as_u16());
    check_fields(&head, refused.response.headers());

    let body = &bytes[end..];
    let mut results = Vec::new();
    for splits in [Splits::whole(), splits, Splits::bytewise()] {
        let mut reader = refused.body_reader(limit);
        for piece in splits.cut(body) {
            reader.receive(piece);
        }
        results.push((reader.progress(), reader.into_body()));
    }
    let (progress, kept) = &results[0];
    assert!(results.iter().all(|result| result == &results[0]), "{results:?}");
    assert!(kept.len() <= limit);
    match refused.framing {
        BodyFraming::None | BodyFraming::Invalid => assert!(kept.is_empty()),
        BodyFraming::Length(length) => {
            let there = body.len().min(usize::try_from(length).unwrap_or(usize::MAX));
            assert_eq!(kept[..], body[..there.min(limit)]);
            assert_eq!(*progress == BodyProgress::LimitReached, there > limit);
        }
        BodyFraming::UntilClose => {
            assert_eq!(kept[..], body[..body.len().min(limit)]);
            assert_eq!(*progress == BodyProgress::LimitReached, body.len() > limit);
        }
        BodyFraming::Chunked => check_chunked(*progress, kept, limit, body),
    }
    let reader = refused.body_reader(limit);
    refused.attach(reader, true);
}

/// The chunks as httparse reads their sizes: what was kept is what they hold.
fn check_chunked(progress: BodyProgress, kept: &[u8], limit: usize, mut body: &[u8]) {
    let mut content = Vec::new();
    let mut ended = false;
    while let Ok(httparse::Status::Complete((start, size))) = httparse::parse_chunk_size(body) {
        body = &body[start..];
        if size == 0 {
            ended = true;
            break;
        }
        let chunk = &body[..body.len().min(usize::try_from(size).unwrap_or(usize::MAX))];
        content.extend_from_slice(chunk);
        let Some(rest) = body[chunk.len()..].strip_prefix(b"\r\n") else { break };
        body = rest;
    }
    assert!(content.starts_with(kept) || kept.starts_with(&content), "{kept:?} is kept of {content:?}");
    if progress == BodyProgress::Complete {
        assert!(ended && kept == content && content.len() <= limit);
    }
}

/// The first head that is not an interim response, and where it ends.
fn final_head(bytes: &[u8]) -> (Head<'_>, usize) {
    let mut end = 0;
    for _ in 0..=MAX_INTERIM_RESPONSES {
        let head = Head::read_response(&bytes[end..]).unwrap().unwrap();
        end += head.len;
        if head.start.get(9) != Some(&b'1') || head.start.get(9..12) == Some(b"101") {
            return (head, end);
        }
    }
    panic!("too many interim responses are taken");
}

fn check_with_httparse(bytes: &[u8], head: &Head<'_>, status: u16) {
    let mut storage = [httparse::EMPTY_HEADER; 128];
    let mut parsed = httparse::Response::new(&mut storage);
    // httparse takes versions 1.0 and 1.1 only; a later minor version is read as 1.1 (RFC 9110 section 2.5).
    if matches!(head.start.get(7), Some(b'0' | b'1')) {
        let mut config = httparse::ParserConfig::default();
        config.allow_obsolete_multiline_headers_in_responses(true);
        assert_eq!(config.parse_response(&mut parsed, bytes), Ok(httparse::Status::Complete(head.len)));
        assert_eq!(parsed.code, Some(status));
        assert_eq!(parsed.headers.len(), head.fields.len());
    }
}

const SUBPROTOCOLS: [&str; 2] = ["chat", "superchat"];
const OFFER: &str = "permessage-deflate; client_max_window_bits";
