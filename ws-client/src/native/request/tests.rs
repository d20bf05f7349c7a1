//! Requests: addresses, fields, subprotocols.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::ORIGIN;
use ws_core::handshake::ClientHandshake;

use super::*;
use crate::request_error::InvalidUrl;

fn host_of(url: &str) -> String {
    Request::new(url).unwrap().template().unwrap().headers()["host"].to_str().unwrap().to_owned()
}

fn target_of(url: &str) -> String {
    Request::new(url).unwrap().template().unwrap().uri().to_string()
}

#[test]
fn host_carries_the_port_only_when_it_is_not_the_default() {
    assert_eq!(host_of("ws://example.com"), "example.com");
    assert_eq!(host_of("ws://example.com:80/"), "example.com");
    assert_eq!(host_of("wss://example.com:443/"), "example.com");
    assert_eq!(host_of("wss://example.com:80/"), "example.com:80");
    assert_eq!(host_of("ws://user:pw@example.com:9001/"), "example.com:9001");
    assert_eq!(host_of("ws://[::1]:9001/"), "[::1]:9001");
}

#[cfg(feature = "url")]
#[test]
fn an_international_host_name_is_sent_in_punycode() {
    assert_eq!(host_of("ws://BÜCHER.example/"), "xn--bcher-kva.example");
    assert_eq!(Request::new("ws://a\u{2060}\u{fffd}/").unwrap_err(), InvalidUrl::Domain.into());
}

#[cfg(not(feature = "url"))]
#[test]
fn without_its_feature_an_international_host_name_is_an_error_and_punycode_is_not() {
    assert_eq!(Request::new("ws://BÜCHER.example/").unwrap_err(), InvalidUrl::International.into());
    assert_eq!(host_of("ws://XN--bcher-kva.example/"), "xn--bcher-kva.example");
}

#[test]
fn target_is_origin_form_and_percent_encoded() {
    assert_eq!(target_of("ws://h"), "/");
    assert_eq!(target_of("ws://h?q=1"), "/?q=1");
    assert_eq!(target_of("ws://h/a b?c d"), "/a%20b?c%20d");
    assert_eq!(target_of("ws://h/ü?ü='"), "/%C3%BC?%C3%BC=%27");
    assert_eq!(target_of("ws://h/a/./b/%2e%2E/c/.."), "/a/");
    assert_eq!(target_of("ws://h/%23"), "/%23");
}

#[test]
fn ports_default_to_80_and_443() {
    assert_eq!(Request::new("ws://h").unwrap().port(), 80);
    assert_eq!(Request::new("wss://h").unwrap().port(), 443);
    assert_eq!(Request::new("wss://h:1").unwrap().port(), 1);
}

#[test]
fn credentials_are_decoded_into_basic_and_shown_nowhere() {
    let request = Request::new("ws://us%40er:p%C3%A4ss%3A@h/").unwrap();
    let value = request.headers()[AUTHORIZATION].to_str().unwrap();
    let decoded = STANDARD.decode(value.strip_prefix("Basic ").unwrap()).unwrap();
    assert_eq!(decoded, "us@er:päss:".as_bytes());
    let shown = format!("{request:?}");
    assert!(!shown.contains("us%40") && !shown.contains("p%C3") && !shown.contains("Basic"), "{shown}");
    assert_eq!(request.url(), "ws://h/");
}

#[test]
fn credentials_that_basic_cannot_carry_are_an_error() {
    assert_eq!(Request::new("ws://a%3Ab:c@h/").unwrap_err(), UrlError::Credentials);
    assert_eq!(Request::new("ws://a:c%0A@h/").unwrap_err(), UrlError::Credentials);
}

#[test]
fn a_url_that_is_not_a_websocket_address_says_what_to_write() {
    for (url, expected) in [
        ("http://h/", UrlError::Http { found: "http", instead: "ws" }),
        ("https://h/", UrlError::Http { found: "https", instead: "wss" }),
        ("localhost:9001", UrlError::NoScheme),
        ("example.com/chat", UrlError::NoScheme),
        ("", UrlError::NoScheme),
        ("ftp://h/", UrlError::Scheme("ftp".into())),
        ("ws://h/#top", UrlError::Fragment),
        ("ws://h/#", UrlError::Fragment),
        ("ws://h:0/", UrlError::PortZero),
        ("ws://", UrlError::Host),
        ("ws://:80/", UrlError::Host),
        ("ws:h", UrlError::NoScheme),
    ] {
        assert_eq!(Request::new(url).unwrap_err(), expected, "{url}");
    }
    for (url, expected) in [
        ("ws://[::1", InvalidUrl::Ipv6),
        ("ws://[fe80::1%25eth0]/", InvalidUrl::Ipv6),
        ("ws://h:99999/", InvalidUrl::Port),
        ("ws://h:+1/", InvalidUrl::Port),
        ("ws://127.1/", InvalidUrl::Ipv4),
        ("ws://0177.0.0.1/", InvalidUrl::Ipv4),
        ("ws://a b/", InvalidUrl::HostCharacter(' ')),
        ("ws://ex%61mple.com/", InvalidUrl::HostCharacter('%')),
        ("ws://evil\\@h/", InvalidUrl::Backslash),
        ("ws://h/a\\b", InvalidUrl::Backslash),
        ("ws://h/a\r\nb: c", InvalidUrl::Control),
    ] {
        assert_eq!(Request::new(url).unwrap_err(), expected.into(), "{url}");
    }
}

#[test]
fn credentials_are_sensitive_and_not_shown() {
    let request = Request::new("wss://h/").unwrap();
    let request = request.header("Authorization", "Bearer s3cret").unwrap();
    let request = request.header("Cookie", "id=s3cret").unwrap();
    let request = request.header("X-Api-Key", "s3cret").unwrap();
    let request = request.secret_header("X-Mine", "s3cret").unwrap();
    let request = request.header("X-Open", "shown").unwrap();
    for name in ["authorization", "cookie", "x-api-key", "x-mine"] {
        assert!(request.headers()[name].is_sensitive(), "{name}");
    }
    let shown = format!("{request:?}");
    assert!(!shown.contains("s3cret") && shown.contains("shown"), "{shown}");
    let from_url = Request::new("wss://u:p@h/").unwrap();
    assert!(from_url.headers()[AUTHORIZATION].is_sensitive());
}

#[test]
fn fields_are_text_or_of_the_types_of_http() {
    let request = Request::new("ws://h").unwrap().header("X-Text", String::from("text")).unwrap();
    let request = request.header(ORIGIN, HeaderValue::from_static("https://h")).unwrap();
    let request = request.header(HeaderName::from_static("x-number"), 7).unwrap();
    for (name, value) in [("x-text", "text"), ("origin", "https://h"), ("x-number", "7")] {
        assert_eq!(request.headers()[name], value);
    }
    let sent = ClientHandshake::new(request.template().unwrap(), &[], None, [0; 16]).unwrap();
    let sent = String::from_utf8(sent.request_bytes().to_vec()).unwrap();
    assert!(sent.contains("\r\nX-Text: text\r\norigin: https://h\r\nx-number: 7\r\n"), "{sent}");
}

#[test]
fn the_fields_of_the_handshake_cannot_be_set() {
    let request = || Request::new("ws://h").unwrap();
    for name in ["Upgrade", "connection", "SEC-WEBSOCKET-KEY", "Sec-WebSocket-Protocol", "Content-Length"] {
        assert!(matches!(request().header(name, "x"), Err(HeaderError::Owned { .. })), "{name}");
    }
    assert!(matches!(request().header("x y", "x"), Err(HeaderError::Name(_))));
    assert!(matches!(request().header(&b"\xff"[..], "x"), Err(HeaderError::Name(_))));
    assert!(matches!(request().header("x", "a\r\nb: c"), Err(HeaderError::Value(_))));
    assert!(matches!(request().header("x", "a\0"), Err(HeaderError::Value(_))));
}
