//! The request a client writes, and the templates it refuses.

use http::{HeaderName, Method, Request, Version};
use ws_core::handshake::{ClientHandshake, FieldNames, RequestError};

fn handshake(request: http::request::Builder) -> Result<String, RequestError> {
    let request = request.body(()).unwrap();
    let handshake = ClientHandshake::new(request, &[], None, *b"the sample nonce")?;
    Ok(String::from_utf8(handshake.request_bytes().to_vec()).unwrap())
}

fn offer(subprotocols: &[&str], extensions: Option<&str>) -> Result<String, RequestError> {
    let request = Request::get("ws://h").body(()).unwrap();
    let subprotocols: Vec<String> = subprotocols.iter().map(ToString::to_string).collect();
    let handshake = ClientHandshake::new(request, &subprotocols, extensions, [0; 16])?;
    Ok(String::from_utf8(handshake.request_bytes().to_vec()).unwrap())
}

#[test]
fn the_request_is_that_of_rfc_6455_section_1_3() {
    let request = Request::get("ws://server.example.com/chat").header("Origin", "http://example.com");
    let request = request.body(()).unwrap();
    let subprotocols = ["chat".to_string(), "superchat".to_string()];
    let handshake =
        ClientHandshake::new(request, &subprotocols, Some("permessage-deflate"), *b"the sample nonce")
            .unwrap();
    let expected = "GET /chat HTTP/1.1\r\n\
        Host: server.example.com\r\n\
        Upgrade: websocket\r\n\
        Connection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        Sec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Protocol: chat, superchat\r\n\
        Sec-WebSocket-Extensions: permessage-deflate\r\n\
        origin: http://example.com\r\n\r\n";
    assert_eq!(String::from_utf8_lossy(handshake.request_bytes()), expected);
}

#[test]
fn field_names_are_written_as_the_caller_spelled_them() {
    let mut names = FieldNames::default();
    let mut template = Request::get("ws://h/").body(()).unwrap();
    for (written, value) in [("X-API-Key", "1"), ("SOAPAction", "2"), ("x-api-key", "3")] {
        let name = names.append(written).unwrap();
        template.headers_mut().append(name, value.parse().unwrap());
    }
    // This one has no spelling.
    template.headers_mut().append("Origin", "null".parse().unwrap());
    assert!(names.append("x y").is_err() && names.append("x\r\n").is_err());
    template.extensions_mut().insert(names);
    let handshake = ClientHandshake::new(template, &[], None, [0; 16]).unwrap();
    let head = String::from_utf8(handshake.request_bytes().to_vec()).unwrap();
    let expected = "\r\nX-API-Key: 1\r\nx-api-key: 3\r\nSOAPAction: 2\r\norigin: null\r\n\r\n";
    assert!(head.ends_with(expected), "{head}");
}

#[test]
fn target_and_host_come_from_the_uri() {
    for (uri, target, host) in [
        ("ws://h", "/", "h"),
        ("ws://h/", "/", "h"),
        ("ws://h?q=1", "/?q=1", "h"),
        ("ws://h/a/b?q=1&r", "/a/b?q=1&r", "h"),
        ("ws://h/a?", "/a?", "h"),
        ("ws://h/a#fragment", "/a", "h"),
        ("ws://h:80/", "/", "h"),
        ("wss://h:443/", "/", "h"),
        ("http://h:80/", "/", "h"),
        ("https://h:443/", "/", "h"),
        ("ws://h:443/", "/", "h:443"),
        ("wss://h:80/", "/", "h:80"),
        ("ws://h:9001/", "/", "h:9001"),
        ("ws://h:/", "/", "h"),
        ("WS://h:80/", "/", "h"),
        ("ws://127.0.0.1:9001/", "/", "127.0.0.1:9001"),
        ("ws://[::1]/", "/", "[::1]"),
        ("wss://[2001:db8::1]:8443/x", "/x", "[2001:db8::1]:8443"),
        ("ws://user:secret@h:9001/", "/", "h:9001"),
        ("ws://user@[::1]:80/", "/", "[::1]"),
        ("ws://h/caf\u{e9}?\u{fc}", "/caf%C3%A9?%C3%BC", "h"),
    ] {
        let request = handshake(Request::get(uri)).unwrap();
        let expected = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n");
        assert!(request.starts_with(&expected), "{uri}: {request}");
        assert!(!request.contains("secret"), "{request}");
    }
}

#[test]
fn a_path_and_a_host_field_make_a_request_too() {
    let request = handshake(Request::get("/chat?x").header("host", "h:8080").header("x", "y")).unwrap();
    assert!(request.starts_with("GET /chat?x HTTP/1.1\r\nHost: h:8080\r\nUpgrade"), "{request}");
    assert_eq!(request.to_ascii_lowercase().matches("\r\nhost:").count(), 1);
    assert!(request.ends_with("\r\nx: y\r\n\r\n"), "{request}");
}

#[test]
fn a_template_without_a_usable_host_is_refused() {
    for uri in ["/chat", "*", "h:80"] {
        assert_eq!(handshake(Request::get(uri)), Err(RequestError::MissingHost), "{uri}");
    }
    let twice = Request::get("/").header("host", "a").header("host", "b");
    assert_eq!(handshake(twice), Err(RequestError::RepeatedHost));
    assert_eq!(handshake(Request::get("*").header("host", "h")), Err(RequestError::MissingHost));
    for host in ["", "a b", "u@h", "h:x"] {
        let request = Request::get("/").header("host", host);
        assert_eq!(handshake(request), Err(RequestError::InvalidHost(host.into())));
    }
    assert_eq!(handshake(Request::get("ws://h:99999/")), Err(RequestError::InvalidHost("h:99999".into())));
    assert_eq!(handshake(Request::get("ftp://h/")), Err(RequestError::Scheme("ftp".into())));
}

#[test]
fn fields_of_the_handshake_are_not_the_templates_to_set() {
    for name in [
        "host",
        "connection",
        "upgrade",
        "content-length",
        "transfer-encoding",
        "trailer",
        "sec-websocket-key",
        "sec-websocket-version",
        "sec-websocket-protocol",
        "sec-websocket-extensions",
        "sec-websocket-anything",
    ] {
        let expected = RequestError::OwnedHeader(HeaderName::from_static(name));
        assert_eq!(handshake(Request::get("ws://h/").header(name, "x")), Err(expected), "{name}");
    }
}

#[test]
fn only_get_in_http_1_1_is_a_handshake() {
    assert_eq!(handshake(Request::post("ws://h/")), Err(RequestError::Method(Method::POST)));
    let request = Request::get("ws://h/").version(Version::HTTP_10);
    assert_eq!(handshake(request), Err(RequestError::Version(Version::HTTP_10)));
}

#[test]
fn offers_are_checked_before_they_are_written() {
    assert!(offer(&["a", "b"], None).unwrap().contains("\r\nSec-WebSocket-Protocol: a, b\r\n"));
    for name in ["", "a b", "a\r\nX: y", "a,b", "é"] {
        assert_eq!(offer(&["ok", name], None), Err(RequestError::InvalidSubprotocol(name.into())));
    }
    assert_eq!(offer(&["a", "b", "a"], None), Err(RequestError::RepeatedSubprotocol("a".into())));
    for extensions in ["", "a;", "a\r\nX: y", "a; b=\"\r\n\""] {
        let expected = RequestError::InvalidExtensions(extensions.into());
        assert_eq!(offer(&[], Some(extensions)), Err(expected), "{extensions:?}");
    }
    let request = offer(&[], None).unwrap();
    assert!(!request.contains("Sec-WebSocket-Protocol") && !request.contains("Sec-WebSocket-Extensions"));
}

#[test]
fn credentials_are_not_in_the_debug_form() {
    let request =
        Request::get("ws://h/?token=secret").header("authorization", "Basic secret").body(()).unwrap();
    let handshake = ClientHandshake::new(request, &["chat".into()], None, [0; 16]).unwrap();
    let shown = format!("{handshake:?}");
    assert!(shown.contains("chat") && !shown.contains("secret"), "{shown}");
}
