//! How a refusal is shown by the client that got it, and dated by the server that sends it.

use http::HeaderValue;
use ws_core::handshake::{ClientHandshake, HandshakeError, HeadLimits, Opening, Refused};

/// A refusal with this body.
fn refused(body: &[u8]) -> Refused {
    let request = http::Request::get("ws://h/").body(()).unwrap();
    let handshake = ClientHandshake::new(request, &[], None, [0; 16]).unwrap();
    let answer = http::Response::builder().status(404).header("set-cookie", "s3cret").body(()).unwrap();
    let Err(HandshakeError::Refused(mut refused)) = handshake.judge(answer) else { panic!("it opened") };
    *refused.response.body_mut() = body.to_vec();
    *refused
}

#[test]
fn a_body_is_shown_as_one_line_of_at_most_500_characters() {
    assert_eq!(refused(b"").body_text(), "");
    assert_eq!(refused(b" \r\n no room\n ").body_text(), "no room");
    assert_eq!(refused(b"a\nb\x1b[2J\xff").body_text(), "a\\nb\\u{1b}[2J\u{fffd}");
    // What changes how its surroundings look is escaped as well.
    assert_eq!(refused("a\u{202e}b\u{feff}c".as_bytes()).body_text(), "a\\u{202e}b\\u{feff}c");
    let longest = "\u{1f600}".repeat(500);
    assert_eq!(refused(longest.as_bytes()).body_text(), longest);
    assert_eq!(refused("x".repeat(500).as_bytes()).body_text(), "x".repeat(500));
    assert_eq!(refused("x".repeat(501).as_bytes()).body_text(), format!("{}...", "x".repeat(500)));
}

#[test]
fn debug_output_of_a_refusal_has_the_body_and_no_field() {
    let text = format!("{:?}", refused(b"no room"));
    assert!(text.starts_with("Refused { status: 404, body: \"no room\""), "{text}");
    assert!(!text.contains("s3cret"), "{text}");
    let error = HandshakeError::Refused(Box::new(refused(b"no room")));
    assert_eq!(format!("{error:?}"), format!("{error} (it says: no room)"));
    let error = HandshakeError::Refused(Box::new(refused(b"")));
    assert_eq!(format!("{error:?}"), error.to_string());
}

#[test]
fn a_dated_refusal_differs_by_its_date_alone() {
    let request = http::Request::get("/").header("upgrade", "websocket").body(()).unwrap();
    let Err(refusal) = Opening::from_request(request, HeadLimits::server()) else { panic!("it opens") };
    let date = "Sun, 06 Nov 1994 08:49:37 GMT";
    let dated = String::from_utf8(refusal.encode_with_date(HeaderValue::from_static(date))).unwrap();
    let field = dated.lines().find(|line| line.to_ascii_lowercase().starts_with("date: ")).unwrap();
    assert!(field.ends_with(date), "{field}");
    let without: String = dated.split_inclusive("\r\n").filter(|line| line.trim_end() != field).collect();
    assert_eq!(without, String::from_utf8(refusal.encode()).unwrap());
}
