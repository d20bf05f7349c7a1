//! The server's answer as a client judges it: raw bytes → outcome, with the rule's source.
//!
//! Each row is fed whole, one byte at a time, and split at every place; the outcome must come at the marked byte.

use crate::table::{expand, places};
use http::{Request, StatusCode, Version};
use ws_core::handshake::{
    BodyFraming, ClientHandshake, Established, HandshakeError, HeadError, HeadLimits, MAX_INTERIM_RESPONSES,
    ResponseReader,
};

/// Source of the rule, raw bytes, `open` or how the error begins.
type Row = (&'static str, &'static str, &'static str);

const LINES: &[(&str, &str)] = &[
    ("{101}", "HTTP/1.1 101 Switching Protocols\r\n"),
    ("{U}", "Upgrade: websocket\r\n"),
    ("{C}", "Connection: Upgrade\r\n"),
    ("{A}", "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"),
    (
        "{UCA}",
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n",
    ),
    ("{P}", "Sec-WebSocket-Protocol"),
    ("{E}", "Sec-WebSocket-Extensions"),
    ("{100}", "HTTP/1.1 100 Continue\r\n\r\n"),
];

const STATUS_LINE: &[Row] = &[
    ("RFC 6455 §1.3", "{101}{UCA}\r\n", "open"),
    ("RFC 9112 §4", "HTTP/1.1 101 \r\n{UCA}\r\n", "open"),
    ("RFC 9112 §4, leniently", "HTTP/1.1 101\r\n{UCA}\r\n", "open"),
    ("RFC 9112 §4", "HTTP/1.1 101 G~\t g\r\n{UCA}\r\n", "open"),
    ("RFC 9110 §2.5", "HTTP/1.9 101 x\r\n{UCA}\r\n", "open"),
    ("RFC 9110 §7.8", "HTTP/1.0 101 x\r\n{UCA}\r\n", "the server switched protocols in HTTP/1.0"),
    (
        "RFC 9112 §2.3",
        "HTTP/2.0¶ 101 x\r\n{UCA}\r\n",
        "the server's response cannot be read: HTTP version 2.0",
    ),
    ("RFC 9112 §2.3", "h¶ttp/1.1 101 x\r\n", "the server's response cannot be read: malformed start"),
    ("RFC 9112 §4", "\r¶\n{101}{UCA}\r\n", "the server's response cannot be read: malformed start"),
    ("RFC 9112 §4", "HTTP/1.1  ¶101 x\r\n", "the server's response cannot be read: malformed start"),
    ("RFC 9112 §4", "HTTP/1.1\t¶101 x\r\n", "the server's response cannot be read: malformed start"),
    ("RFC 9112 §4", "HTTP/1.1 1x¶1 x\r\n", "the server's response cannot be read: malformed start"),
    ("RFC 9112 §4", "HTTP/1.1 1011¶ x\r\n", "the server's response cannot be read: malformed start"),
    ("RFC 9110 §15", "HTTP/1.1 099¶ x\r\n", "the server's response cannot be read: malformed start"),
    ("RFC 9112 §2.2", "HTTP/1.1 101\n¶{UCA}\r\n", "the server's response cannot be read: malformed start"),
    ("RFC 9112 §2.2", "HTTP/1.1 101 x\n¶{UCA}\r\n", "the server's response cannot be read: malformed start"),
    ("RFC 9112 §2.2", "HTTP/1.1 101 x\r\r¶\n", "the server's response cannot be read: malformed start"),
    ("RFC 9112 §4", "HTTP/1.1 101 x\0¶\r\n", "the server's response cannot be read: malformed start"),
    ("HTTP/0.9", "<¶html>", "the server's response cannot be read: malformed start"),
    ("SSH", "S¶SH-2.0-OpenSSH\r\n", "the server's response cannot be read: malformed start"),
];

const FIELDS: &[Row] = &[
    ("RFC 9112 §5", "{101}uPGRADE:WebSocket\r\nconnection:\tUPGRADE \r\n{A}\r\n", "open"),
    ("RFC 9110 §7.6.1", "{101}{U}Connection: keep-alive, Upgrade\r\n{A}\r\n", "open"),
    ("RFC 9110 §5.3", "{101}{U}Connection: keep-alive\r\n{C}{A}\r\n", "open"),
    ("RFC 9112 §6.3", "{101}{UCA}Content-Length: 0\r\n\r\n", "open"),
    ("RFC 9112 §5.2", "{101}{UCA}X: a\r\n b\r\n\r\n", "open"),
    ("RFC 9112 §5.2", "{101}Upgrade:\r\n\twebsocket\r\n{C}{A}\r\n", "open"),
    ("RFC 9112 §5.2", "{101}{U}Connection: keep-alive,\r\n  Upgrade\r\n{A}\r\n", "open"),
    (
        "RFC 9112 §5.2",
        "{101}{U}{C}Sec-WebSocket-Accept:\r\n \r\n s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
        "open",
    ),
    ("RFC 9112 §5.2", "{101}{UCA}X: a\r\n \r\n\r\n", "open"),
    (
        "RFC 9112 §5.2: a space is not nothing",
        "{101}Upgrade: web\r\n socket\r\n{C}{A}\r\n",
        "the Upgrade field of",
    ),
    (
        "RFC 9112 §2.2",
        "{101} ¶X: a\r\n{UCA}\r\n",
        "the server's response cannot be read: malformed field line: it begins with whitespace",
    ),
    (
        "RFC 9112 §2.2",
        "{101}{UCA}X: a\r\n b\n¶\r\n",
        "the server's response cannot be read: malformed field line: a control character",
    ),
    (
        "RFC 9112 §2.2",
        "{101}{UCA}X: a\r\n \r ¶\r\n",
        "the server's response cannot be read: malformed field line: a CR without LF",
    ),
    (
        "RFC 9110 §5.1",
        "{101}{UCA}X: a\r\n b\r\n:¶\r\n",
        "the server's response cannot be read: malformed field line: a character that",
    ),
    (
        "RFC 9112 §5.1",
        "{101}Upgrade ¶: websocket\r\n",
        "the server's response cannot be read: malformed field line: whitespace before the colon",
    ),
    (
        "RFC 9112 §2.2",
        "{101}Upgrade: websocket\n¶{C}",
        "the server's response cannot be read: malformed field",
    ),
    ("RFC 9112 §2.2", "{101}X: \ry¶\r\n", "the server's response cannot be read: malformed field"),
    ("RFC 9110 §5.5", "{101}X: \0¶\r\n", "the server's response cannot be read: malformed field"),
    ("RFC 9112 §2.2", "{101}{UCA}\n¶", "the server's response cannot be read: malformed field"),
    ("RFC 6455 §4.1", "{101}{C}{A}\r\n", "the Upgrade field of"),
    ("RFC 6455 §4.1", "{101}Upgrade: h2c\r\n{C}{A}\r\n", "the Upgrade field of"),
    ("RFC 6455 §4.1", "{101}Upgrade: websocket2\r\n{C}{A}\r\n", "the Upgrade field of"),
    ("RFC 9110 §7.8", "{101}Upgrade: websocket, h2c\r\n{C}{A}\r\n", "open"),
    ("RFC 9110 §7.8", "{101}Upgrade: h2c ,, WebSocket\r\n{C}{A}\r\n", "open"),
    ("RFC 9110 §5.3", "{101}{U}{U}{C}{A}\r\n", "open"),
    ("RFC 9110 §5.3", "{101}Upgrade: h2c\r\n{U}Connection: close\r\n{C}{A}\r\n", "open"),
    ("RFC 6455 §4.1", "{101}Upgrade: websocket h2c\r\n{C}{A}\r\n", "the Upgrade field of"),
    ("RFC 6455 §4.1", "{101}Upgrade:\r\n{C}{A}\r\n", "the Upgrade field of"),
    ("RFC 6455 §4.1", "{101}{U}{A}\r\n", "the Connection field of"),
    ("RFC 6455 §4.1", "{101}{U}Connection: close\r\n{A}\r\n", "the Connection field of"),
    ("RFC 6455 §4.1", "{101}{U}Connection: Upgrades\r\n{A}\r\n", "the Connection field of"),
    ("RFC 6455 §4.1", "{101}{U}{C}\r\n", "the server's 101 has no Sec-WebSocket-Accept"),
    ("RFC 6455 §11.3.3", "{101}{UCA}{A}\r\n", "the server's 101 has more than one Sec-WebSocket-Accept"),
    (
        "RFC 6455 §4.1",
        "{101}{U}{C}Sec-WebSocket-Accept:\r\n\r\n",
        "the server's Sec-WebSocket-Accept does not",
    ),
    (
        "RFC 6455 §4.1",
        "{101}{U}{C}Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOp=\r\n\r\n",
        "the server's Sec-WebSocket-Accept does not",
    ),
    (
        "RFC 6455 §4.1",
        "{101}{U}{C}Sec-WebSocket-Accept: S3PPLMBITXAQ9KYGZZHZRBK+XOO=\r\n\r\n",
        "the server's Sec-WebSocket-Accept does not",
    ),
    (
        "RFC 6455 §4.1",
        "{101}{U}{C}Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo\r\n\r\n",
        "the server's Sec-WebSocket-Accept does not",
    ),
    (
        "RFC 6455 §4.1",
        "{101}{U}{C}Sec-WebSocket-Accept: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        "the server's Sec-WebSocket-Accept does not",
    ),
];

const CHOICES: &[Row] = &[
    ("RFC 6455 §4.1", "{101}{UCA}{P}: chat\r\n\r\n", "open"),
    ("RFC 6455 §4.1", "{101}{UCA}{P}:\t superchat \r\n\r\n", "open"),
    ("RFC 6455 §4.1", "{101}{UCA}{P}: other\r\n\r\n", "the server chose the subprotocol \"other\""),
    ("RFC 6455 §4.1", "{101}{UCA}{P}: Chat\r\n\r\n", "the server chose the subprotocol \"Chat\""),
    (
        "RFC 6455 §4.2.2",
        "{101}{UCA}{P}: chat, superchat\r\n\r\n",
        "the server's 101 has more than one Sec-WebSocket-P",
    ),
    (
        "RFC 6455 §4.2.2",
        "{101}{UCA}{P}: ,chat,,other\r\n\r\n",
        "the server's 101 has more than one Sec-WebSocket-P",
    ),
    ("RFC 9110 §5.6.1.2", "{101}{UCA}{P}:\r\n\r\n", "open"),
    ("RFC 9110 §5.6.1.2", "{101}{UCA}{P}: , ,\r\n\r\n", "open"),
    ("RFC 9110 §5.6.1.2", "{101}{UCA}{P}: chat, \r\n\r\n", "open"),
    ("RFC 9110 §5.6.1.2", "{101}{UCA}{P}:\r\n{P}: ,superchat\r\n\r\n", "open"),
    ("RFC 6455 §4.1", "{101}{UCA}{P}: other,\r\n\r\n", "the server chose the subprotocol \"other\""),
    (
        "RFC 6455 §11.3.4",
        "{101}{UCA}{P}: chat\r\n{P}: chat\r\n\r\n",
        "the server's 101 has more than one Sec-WebSocket-P",
    ),
    ("RFC 6455 §4.1", "{101}{UCA}{E}: permessage-deflate; server_max_window_bits=10\r\n\r\n", "open"),
    ("RFC 6455 §11.3.2", "{101}{UCA}{E}: permessage-deflate\r\n{E}: x-extra\r\n\r\n", "open"),
    (
        "RFC 6455 §4.1",
        "{101}{UCA}{E}: bbf-usp-protocol\r\n\r\n",
        "the server chose the extension \"bbf-usp-protocol\"",
    ),
    ("RFC 6455 §4.1", "{101}{UCA}{E}: permessage-deflate, y\r\n\r\n", "the server chose the extension \"y\""),
    (
        "RFC 7692 §5.1",
        "{101}{UCA}{E}: x-extra, x-extra\r\n\r\n",
        "the server chose the extension \"x-extra\" more than once",
    ),
    (
        "RFC 7692 §5.1",
        "{101}{UCA}{E}: x-extra\r\n{E}: x-extra;a\r\n\r\n",
        "the server chose the extension \"x-extra\" more",
    ),
    (
        "RFC 6455 §9.1",
        "{101}{UCA}{E}: permessage-deflate;\r\n\r\n",
        "Sec-WebSocket-Extensions is outside its grammar",
    ),
    (
        "RFC 6455 §9.1",
        "{101}{UCA}{E}: x-extra; a=\"\r\n\r\n",
        "Sec-WebSocket-Extensions is outside its grammar",
    ),
    ("RFC 9110 §5.6.1.2", "{101}{UCA}{E}:\r\n\r\n", "open"),
    ("RFC 9110 §5.6.1.2", "{101}{UCA}{E}: ,\r\n{E}: x-extra, \r\n\r\n", "open"),
    ("RFC 6455 §9.1", "{101}{UCA}{E}: ;\r\n\r\n", "Sec-WebSocket-Extensions is outside its grammar"),
];

const OTHER_ANSWERS: &[Row] = &[
    ("RFC 9110 §15.2", "{100}{101}{UCA}\r\n", "open"),
    ("RFC 8297", "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n{101}{UCA}\r\n", "open"),
    ("contract: 8", "{100}{100}{100}{100}{100}{100}{100}{100}{101}{UCA}\r\n", "open"),
    (
        "contract: 8",
        "{100}{100}{100}{100}{100}{100}{100}{100}{100}¶{101}{UCA}\r\n",
        "the server sent more than 8 interim",
    ),
    (
        "RFC 6455 §4.1",
        "HTTP/1.1 200 OK\r\n{UCA}\r\n¶hello",
        "the server refused the handshake with status 200 OK",
    ),
    (
        "RFC 6455 §4.1",
        "HTTP/1.1 301 x\r\nLocation: /y\r\n\r\n",
        "the server refused the handshake with status 301",
    ),
    (
        "RFC 6455 §4.1",
        "HTTP/1.1 401 x\r\nWWW-Authenticate: Basic\r\n\r\n",
        "the server refused the handshake with status 401",
    ),
    ("RFC 6455 §4.1", "HTTP/1.0 503 x\r\n\r\n", "the server refused the handshake with status 503"),
    (
        "RFC 6455 §4.1",
        "{100}HTTP/1.1 404 Not Found\r\n\r\n",
        "the server refused the handshake with status 404",
    ),
    ("RFC 9110 §15", "HTTP/1.1 999 x\r\n\r\n", "the server refused the handshake with status 999"),
];

fn handshake() -> ClientHandshake {
    let request = Request::get("ws://server.example.com/chat").body(()).unwrap();
    let subprotocols = ["chat".to_string(), "superchat".to_string()];
    let offer = "permessage-deflate; client_max_window_bits, permessage-deflate, x-extra";
    ClientHandshake::new(request, &subprotocols, Some(offer), *b"the sample nonce").unwrap()
}

/// `open` or the error, and the length of the head.
fn outcome(result: Result<Option<(Established, usize)>, HandshakeError>) -> Option<(String, Option<usize>)> {
    match result {
        Ok(None) => None,
        Ok(Some((_, length))) => Some(("open".into(), Some(length))),
        Err(HandshakeError::Refused(refused)) => {
            let length = refused.head_length;
            Some((HandshakeError::Refused(refused).to_string(), Some(length)))
        }
        Err(error) => Some((error.to_string(), None)),
    }
}

#[test]
fn every_row_has_its_outcome_however_it_is_split() {
    let rows = [STATUS_LINE, FIELDS, CHOICES, OTHER_ANSWERS].concat();
    for (source, text, expected) in &rows {
        let (bytes, decided_at) = expand(text, LINES);
        let check = |result: Option<(String, Option<usize>)>, how: &str| {
            let (message, length) = result.unwrap_or_else(|| panic!("nothing, {how}: {source}: {text:?}"));
            assert!(message.starts_with(expected), "{message}, {how}: {source}: {text:?}");
            assert!(length.is_none_or(|length| length == decided_at), "{how}: {source}: {text:?}");
        };
        check(outcome(handshake().receive(&bytes)), "whole");
        check(outcome(handshake().receive(&[&bytes[..], b"\x81\x05hello"].concat())), "with more behind it");

        let mut one_by_one = handshake();
        for end in 0..decided_at {
            assert_eq!(outcome(one_by_one.receive(&bytes[..end])), None, "{end} bytes: {source}: {text:?}");
        }
        check(outcome(one_by_one.receive(&bytes[..decided_at])), "at its byte");
        for place in places(bytes.len()) {
            let mut split = handshake();
            let first = outcome(split.receive(&bytes[..place]));
            check(first.or_else(|| outcome(split.receive(&bytes))), "split");
        }
    }
    assert!(rows.len() >= 60, "the table has {} rows", rows.len());
}

#[test]
fn what_the_server_chose_is_returned() {
    let (bytes, _) = expand("{101}{UCA}{P}: superchat\r\n{E}: x-extra;a=\"1\"\r\nX: y\r\n\r\n¶frames", LINES);
    let (established, length) = handshake().receive(&bytes).unwrap().unwrap();
    assert_eq!(&bytes[length..], b"frames");
    assert_eq!(established.subprotocol.as_deref(), Some("superchat"));
    assert_eq!(established.extensions.iter().map(ToString::to_string).collect::<Vec<_>>(), ["x-extra; a=1"]);
    assert_eq!(established.response.headers()["x"], "y");
    let (bytes, _) = expand("{101}{UCA}\r\n", LINES);
    let (established, _) = handshake().receive(&bytes).unwrap().unwrap();
    assert_eq!((established.subprotocol, established.extensions), (None, Vec::new()));
}

#[test]
fn a_fold_in_a_response_is_read_as_a_space() {
    for (value, expected) in [
        (" a\r\n b", "a b"),
        ("a \t\r\n\t b \r\n\tc ", "a b c"),
        ("\r\n a", "a"),
        ("a\r\n \r\n", "a"),
        (" \r\n\t", ""),
    ] {
        let head = format!("HTTP/1.1 200 OK\r\nX:{}\r\nY: z\r\n\r\n", value.trim_end_matches("\r\n"));
        let mut one_by_one = ResponseReader::new(HeadLimits::client());
        for end in 0..=head.len() {
            let Some((response, length)) = one_by_one.receive(&head.as_bytes()[..end]).unwrap() else {
                continue;
            };
            assert_eq!((end, length), (head.len(), head.len()), "{head:?}");
            assert_eq!(response.headers()["x"], expected, "{head:?}");
            assert_eq!(response.headers()["y"], "z", "{head:?}");
        }
        assert!(one_by_one.receive(head.as_bytes()).unwrap().is_none(), "{head:?} was read");
    }
    // A line that is folded counts once.
    let few = HeadLimits::client().fields(2);
    let head = b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\n c\r\nY: z\r\n\r\n";
    assert!(ResponseReader::new(few).receive(head).unwrap().is_some());
}

#[test]
fn an_error_repeats_only_the_beginning_of_a_long_name() {
    for (length, expected) in
        [(100, "x".repeat(100)), (101, "x".repeat(100) + "..."), (60_000, "x".repeat(100) + "...")]
    {
        let name = "x".repeat(length);
        let (bytes, _) = expand(&format!("{{101}}{{UCA}}{{P}}: {name}\r\n\r\n"), LINES);
        let error = handshake().receive(&bytes).unwrap_err();
        assert!(matches!(error, HandshakeError::UnofferedSubprotocol(name) if name == expected));
        let (bytes, _) = expand(&format!("{{101}}{{UCA}}{{E}}: {name}\r\n\r\n"), LINES);
        let error = handshake().receive(&bytes).unwrap_err();
        assert!(matches!(error, HandshakeError::UnofferedExtension(name) if name == expected));
    }
}

#[test]
fn without_an_offer_every_choice_is_an_error() {
    let request = || Request::get("ws://h").body(()).unwrap();
    let mut handshake = ClientHandshake::new(request(), &[], None, *b"the sample nonce").unwrap();
    let (bytes, _) = expand("{101}{UCA}{P}: chat\r\n\r\n", LINES);
    assert!(
        matches!(handshake.receive(&bytes), Err(HandshakeError::UnofferedSubprotocol(name)) if name == "chat")
    );
    let mut handshake = ClientHandshake::new(request(), &[], None, *b"the sample nonce").unwrap();
    let (bytes, _) = expand("{101}{UCA}{E}: permessage-deflate\r\n\r\n", LINES);
    assert!(matches!(handshake.receive(&bytes), Err(HandshakeError::UnofferedExtension(_))));
}

#[test]
fn a_refusal_carries_status_version_fields_and_framing() {
    let head = b"HTTP/1.0 403 Forbidden\r\nX-Why: no\r\nContent-Length: 2\r\n\r\nno";
    let Err(HandshakeError::Refused(refused)) = handshake().receive(head) else { panic!("not refused") };
    assert_eq!(refused.response.status(), StatusCode::FORBIDDEN);
    assert_eq!(refused.response.version(), Version::HTTP_10);
    assert_eq!(refused.response.headers()["x-why"], "no");
    assert_eq!(refused.framing, BodyFraming::Length(2));
    assert_eq!(&head[refused.head_length..], b"no");
}

#[test]
fn a_head_over_its_limit_is_an_error_at_the_limit() {
    let head = |fields: &str| expand(&format!("{{101}}{{UCA}}{fields}\r\n"), LINES).0;
    let empty = head("X: \r\n").len();
    let filled = |length: usize| head(&format!("X: {}\r\n", "x".repeat(length - empty)));
    assert!(handshake().receive(&filled(65536)).unwrap().is_some());
    let mut reader = handshake();
    let over = filled(65537);
    assert!(reader.receive(&over[..65535]).unwrap().is_none());
    let error = reader.receive(&over[..65536]).unwrap_err();
    assert!(matches!(error, HandshakeError::Head(HeadError::TooLong { limit: 65536 })));
    assert!(error.to_string().contains("HeadLimits::bytes = 65536"), "{error}");

    assert!(handshake().receive(&head(&"A: b\r\n".repeat(97))).unwrap().is_some());
    let error = handshake().receive(&head(&"A: b\r\n".repeat(98))).unwrap_err();
    assert!(error.to_string().contains("HeadLimits::fields = 100"), "{error}");
}

#[test]
fn interim_responses_count_towards_the_limit_on_bytes() {
    let limits = HeadLimits::client().bytes(200);
    let mut handshake = handshake().with_limits(limits);
    let (bytes, _) = expand("{100}{100}{100}{101}{UCA}\r\n", LINES);
    assert!(matches!(
        handshake.receive(&bytes),
        Err(HandshakeError::Head(HeadError::TooLong { limit: 200 }))
    ));
    assert_eq!(MAX_INTERIM_RESPONSES, 8);
}

#[test]
fn an_end_of_stream_inside_the_head_says_how_far_it_came() {
    let mut handshake = handshake();
    assert!(handshake.receive(b"HTTP/1.1 10").unwrap().is_none());
    let error = handshake.end_of_stream(b"HTTP/1.1 10");
    assert!(matches!(error, HandshakeError::UnexpectedEnd { received: 11 }));
}

#[test]
fn a_response_can_be_read_by_itself_once() {
    let mut reader = ResponseReader::new(HeadLimits::client());
    assert!(reader.receive(b"HTTP/1.1 200 Connection established\r\n").unwrap().is_none());
    let head = b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n\x16\x03";
    let (response, length) = reader.receive(head).unwrap().unwrap();
    assert_eq!((response.status(), length), (StatusCode::OK, head.len() - 2));
    assert!(reader.receive(head).unwrap().is_none());
}
