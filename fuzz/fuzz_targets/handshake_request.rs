//! What a server makes of any request: the same however it is split, nothing outside the grammar, nothing that
//! httparse would not take; and its answers can be read.
#![no_main]

use http::Method;
use libfuzzer_sys::fuzz_target;
use tungstenite::handshake::derive_accept_key;
use ws_core::handshake::{Acceptance, HeadLimits, Opening, Refusal, RequestReader};
use ws_fuzz::head::{self, Head, Malformed};
use ws_fuzz::{Input, Splits};

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    let limits = HeadLimits::server()
        .bytes(input.pick(&[16 << 10, 16 << 10, 200, 64]))
        .fields(input.pick(&[100, 100, 6, 2]))
        .target(input.pick(&[8 << 10, 8 << 10, 20, 1]));
    let splits = input.splits();
    let bytes = input.rest();

    let result = receive(limits, bytes, Splits::whole());
    let shown = format!("{result:?}");
    for splits in [splits, Splits::bytewise()] {
        assert_eq!(format!("{:?}", receive(limits, bytes, splits.clone())), shown, "{splits:?}");
    }
    match &result {
        Ok(Some((opening, length))) => check_opening(opening, *length, limits, bytes),
        Ok(None) => assert!(bytes.len() < limits.bytes && expected(bytes).is_none()),
        Err(refusal) => check_refusal(refusal, limits, bytes),
    }
});

type Answer = Result<Option<(Opening, usize)>, Refusal>;

fn receive(limits: HeadLimits, bytes: &[u8], splits: Splits) -> Answer {
    let mut reader = RequestReader::new(limits);
    let mut received = 0;
    for piece in splits.cut(bytes) {
        received += piece.len();
        match reader.receive(&bytes[..received]) {
            Ok(None) => {}
            Err(refusal) => {
                assert_eq!(reader.receive(&bytes[..received]).unwrap_err(), refusal);
                return Err(refusal);
            }
            whole => {
                assert!(matches!(reader.receive(bytes), Ok(None)), "one connection, two requests");
                return whole;
            }
        }
    }
    Ok(None)
}

/// What the reference makes of the request.
#[derive(Debug, PartialEq, Eq)]
enum Expected {
    Upgrade,
    Plain,
    Refused,
}

/// `None` while the head is not whole.
fn expected(bytes: &[u8]) -> Option<Expected> {
    let head = match Head::read(without_empty_line(bytes)) {
        Ok(head) => head?,
        Err(Malformed) => return Some(Expected::Refused),
    };
    Some(judge(&head).unwrap_or(Expected::Refused))
}

/// `None` for what is refused. Whether host and target are valid is not judged.
fn judge(head: &Head<'_>) -> Option<Expected> {
    let [method, target, version] = head.start.split(|&byte| byte == b' ').collect::<Vec<_>>()[..] else {
        return None;
    };
    let get = method == b"GET";
    let target_is_legal = matches!(target.first(), Some(b'/' | b'a'..=b'z' | b'A'..=b'Z'))
        && target.iter().all(|byte| byte.is_ascii_graphic() && *byte != b'#');
    let version_is_legal = matches!(version, [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'0'..=b'9']);
    let http_10 = version.ends_with(b".0");
    if !(get || method == b"HEAD") || !target_is_legal || !version_is_legal {
        return None;
    }
    if !(http_10 && head.values("Host").is_empty()) {
        head.single("Host")?;
    }
    let lengths = head.values("Content-Length");
    let no_body = head.values("Transfer-Encoding").is_empty()
        && lengths.len() <= 1
        && lengths.iter().all(|length| !length.is_empty() && length.iter().all(|&digit| digit == b'0'));
    if !no_body {
        return None;
    }
    // RFC 9110 section 7.8: HTTP/1.0 has no Upgrade.
    let upgrade = !http_10 && head.has_token("Upgrade", "websocket");
    if !(get && (upgrade || !head.values("Sec-WebSocket-Key").is_empty())) {
        return Some(Expected::Plain);
    }
    if !(upgrade && head.has_token("Connection", "upgrade")) {
        return None;
    }
    let key = head.single("Sec-WebSocket-Key")?;
    let base64 = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    let key_is_legal = key.len() == 24 && key[..22].iter().all(base64) && key.ends_with(b"==");
    if head.single("Sec-WebSocket-Version")? != b"13" || !key_is_legal {
        return None;
    }
    let mut subprotocols: Vec<_> = head.list("Sec-WebSocket-Protocol").collect();
    let offered = subprotocols.len();
    subprotocols.sort_unstable();
    subprotocols.dedup();
    if subprotocols.len() != offered || !subprotocols.iter().all(|name| head::is_token(name)) {
        return None;
    }
    head::extensions(&head.values("Sec-WebSocket-Extensions"))?;
    Some(Expected::Upgrade)
}

fn without_empty_line(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\r\n").unwrap_or(bytes)
}

fn check_opening(opening: &Opening, length: usize, limits: HeadLimits, bytes: &[u8]) {
    let (request, upgrade) = match opening {
        Opening::Upgrade(upgrade) => (upgrade.request(), Some(upgrade)),
        Opening::Plain(request) => (request, None),
    };
    let judged = if upgrade.is_some() { Expected::Upgrade } else { Expected::Plain };
    assert_eq!(expected(bytes), Some(judged));
    let head = Head::read(without_empty_line(bytes)).unwrap().unwrap();
    assert_eq!(head.len + (bytes.len() - without_empty_line(bytes).len()), length);

    let target = head.start.split(|&byte| byte == b' ').nth(1).unwrap();
    assert!(length <= limits.bytes && head.fields.len() <= limits.fields && target.len() <= limits.target);

    // Accepted by httparse as well, with the same parts. It takes versions 1.0 and 1.1 only; a later minor version
    // is read as 1.1 (RFC 9110 section 2.5).
    if head.start.ends_with(b"HTTP/1.1") || head.start.ends_with(b"HTTP/1.0") {
        let mut storage = [httparse::EMPTY_HEADER; 128];
        let mut parsed = httparse::Request::new(&mut storage);
        assert_eq!(parsed.parse(bytes), Ok(httparse::Status::Complete(length)));
        assert_eq!(parsed.method, Some(request.method().as_str()));
        assert_eq!(parsed.path.map(str::as_bytes), Some(target));
        assert_eq!(parsed.headers.len(), head.fields.len());
    }
    // Before the header map is there.
    let values =
        |name: &str| name.parse().map(|name| request.values(&name).map(<[u8]>::to_vec).collect::<Vec<_>>());
    for name in ["host", "origin", "upgrade", "sec-websocket-key", "x"] {
        assert_eq!(values(name).unwrap(), head.values(name), "{name}");
    }
    assert_eq!(head.fields.len(), request.headers().len());
    for name in request.headers().keys() {
        let values: Vec<_> = request.headers().get_all(name).iter().map(|value| value.as_bytes()).collect();
        assert_eq!(head.values(name.as_str()), values);
    }

    let Some(upgrade) = upgrade else { return };
    let subprotocol = upgrade.subprotocols().first().map(String::as_str);
    let extensions = upgrade.extensions().first().map(ToString::to_string);
    let answer =
        upgrade.accept(Acceptance::default().subprotocol(subprotocol).extensions(extensions.clone()));
    let answer = answer.unwrap();
    let head = Head::read(&answer).unwrap().unwrap();
    assert_eq!((head.start, head.len), (&b"HTTP/1.1 101 Switching Protocols"[..], answer.len()));
    let key = upgrade.request().headers()["sec-websocket-key"].as_bytes();
    assert_eq!(head.single("Sec-WebSocket-Accept"), Some(derive_accept_key(key).as_bytes()));
    assert_eq!(head.single("Sec-WebSocket-Protocol"), subprotocol.map(str::as_bytes));
    assert_eq!(head.single("Sec-WebSocket-Extensions"), extensions.as_deref().map(str::as_bytes));
}

fn check_refusal(refusal: &Refusal, limits: HeadLimits, bytes: &[u8]) {
    let lines = bytes.split(|&byte| byte == b'\n').count();
    match (refusal.status().as_u16(), refusal.body()) {
        (431, _) => assert!(bytes.len() >= limits.bytes || lines > limits.fields + 1),
        (414, _) => assert!(bytes.len() > limits.target),
        // The reference does not judge these two.
        (400, body) if body.contains("target") || body.contains("host") => {}
        (400 | 405 | 426 | 505, _) => {
            assert!(matches!(expected(bytes), None | Some(Expected::Refused)), "{refusal}")
        }
        _ => panic!("{refusal}"),
    }
    let answer = refusal.encode();
    let head = Head::read(&answer).unwrap().unwrap();
    let status = format!("HTTP/1.1 {} ", refusal.status().as_str());
    assert!(head.start.starts_with(status.as_bytes()));
    assert!(head.has_token("Connection", "close"), "{refusal} does not close");
    let length: usize = std::str::from_utf8(head.single("Content-Length").unwrap()).unwrap().parse().unwrap();
    let is_head = without_empty_line(bytes).starts_with(Method::HEAD.as_str().as_bytes());
    assert!(answer.len() == head.len + length || is_head && answer.len() == head.len);
    match refusal.status().as_u16() {
        405 => assert_eq!(head.single("Allow"), Some(&b"GET"[..])),
        426 => assert_eq!(head.single("Sec-WebSocket-Version"), Some(&b"13"[..])),
        _ => {}
    }
}
