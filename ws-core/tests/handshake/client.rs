//! The server's answer as a client judges it: raw bytes → outcome, with the rule's source.
//!
//! Each row is fed whole, one byte at a time, and split at every place; the outcome must come at the marked byte.

use crate::client_rows::{CHOICES, FIELDS, LINES, OTHER_ANSWERS, STATUS_LINE};
use crate::table::{expand, places};
use http::{Request, StatusCode, Version};
use ws_core::handshake::{
    BodyFraming, ClientHandshake, Established, HandshakeError, HeadError, HeadLimits, MAX_INTERIM_RESPONSES,
    ResponseReader,
};

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
