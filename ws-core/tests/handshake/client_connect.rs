//! The client's form of the opening handshake over HTTP/2: RFC 8441 section 5.

use http::{Method, Request, Response, Version};
use ws_core::handshake::{ConnectHandshake, HandshakeError, RequestError};

fn offering(subprotocols: &[&str], extensions: Option<&str>) -> Result<ConnectHandshake, RequestError> {
    let template = Request::get("ws://localhost/").body(()).unwrap();
    let subprotocols: Vec<String> = subprotocols.iter().map(ToString::to_string).collect();
    ConnectHandshake::new(template, &subprotocols, extensions)
}

fn request(template: http::request::Builder) -> Result<Request<()>, RequestError> {
    Ok(ConnectHandshake::new(template.body(()).unwrap(), &[], None)?.request())
}

fn judge(handshake: &ConnectHandshake, status: u16, fields: &[(&str, &str)]) -> Result<String, String> {
    let response = fields
        .iter()
        .fold(Response::builder().status(status), |response, (name, value)| response.header(*name, *value))
        .version(Version::HTTP_2);
    match handshake.judge(response.body(()).unwrap()) {
        Ok(established) => {
            assert_eq!(established.response.status(), status);
            let names: Vec<_> = established.extensions.iter().map(ToString::to_string).collect();
            Ok(format!("{} {}", established.subprotocol.unwrap_or_default(), names.join(", ")))
        }
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn an_extended_connect_is_that_of_rfc_8441_section_5_1() {
    let template = Request::get("wss://server.example.com/chat")
        .header("Origin", "http://www.example.com")
        .header("X-Many", "1")
        .header("X-Many", "2")
        .body(())
        .unwrap();
    let subprotocols = ["chat".to_string(), "superchat".to_string()];
    let handshake = ConnectHandshake::new(template, &subprotocols, Some("permessage-deflate")).unwrap();
    let request = handshake.request();
    assert_eq!(ConnectHandshake::PROTOCOL, "websocket");
    assert_eq!((request.method(), request.version()), (&Method::CONNECT, Version::HTTP_2));
    assert_eq!(request.uri(), "https://server.example.com/chat");
    let fields: Vec<_> =
        request.headers().iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
    // There is no key, no Upgrade, no Connection and no Host.
    let expected = [
        ("sec-websocket-version", "13"),
        ("sec-websocket-protocol", "chat, superchat"),
        ("sec-websocket-extensions", "permessage-deflate"),
        ("origin", "http://www.example.com"),
        ("x-many", "1"),
        ("x-many", "2"),
    ];
    assert_eq!(fields, expected);
}

#[test]
fn the_pseudo_fields_of_a_connect_come_from_the_uri() {
    for (given, sent) in [
        ("ws://h", "http://h/"),
        ("WSS://H:443/a?b=c", "https://H/a?b=c"),
        ("http://user:secret@h:8080/", "http://h:8080/"),
        ("https://[::1]:9000/x", "https://[::1]:9000/x"),
        ("ws://h:443/?", "http://h:443/?"),
    ] {
        assert_eq!(request(Request::get(given)).unwrap().uri().to_string(), sent, "{given}");
    }
}

#[test]
fn a_template_that_cannot_be_sent_as_a_connect_is_refused() {
    let host = |name: &'static str| RequestError::OwnedHeader(name.parse().unwrap());
    for (template, expected) in [
        (Request::post("ws://h/"), RequestError::Method(Method::POST)),
        (Request::get("ws://h/").version(Version::HTTP_10), RequestError::Version(Version::HTTP_10)),
        (Request::get("/a").header("Host", "h"), RequestError::MissingHost),
        (Request::get("ftp://h/"), RequestError::Scheme("ftp".into())),
        (Request::get("ws://h/").header("Host", "h"), host("host")),
        (Request::get("ws://h/").header("Upgrade", "websocket"), host("upgrade")),
        (Request::get("ws://h/").header("Connection", "close"), host("connection")),
        (Request::get("ws://h/").header("Sec-WebSocket-Key", "x"), host("sec-websocket-key")),
        (Request::get("ws://h/").header("Content-Length", "0"), host("content-length")),
    ] {
        assert_eq!(request(template).unwrap_err(), expected);
    }
    let repeated = offering(&["a", "a"], None).unwrap_err();
    assert_eq!(repeated, RequestError::RepeatedSubprotocol("a".into()));
    assert_eq!(offering(&["a b"], None).unwrap_err(), RequestError::InvalidSubprotocol("a b".into()));
    assert_eq!(offering(&[], Some("")).unwrap_err(), RequestError::InvalidExtensions(String::new()));
}

#[test]
fn fields_of_an_http_1_1_connection_are_left_out_of_a_connect() {
    let template = Request::get("ws://h/")
        .header("Keep-Alive", "1")
        .header("Proxy-Connection", "keep-alive")
        .header("TE", "gzip")
        .header("Cookie", "a=1");
    let names: Vec<_> = request(template).unwrap().headers().keys().map(ToString::to_string).collect();
    assert_eq!(names, ["sec-websocket-version", "cookie"]);
}

#[test]
fn a_2xx_with_what_was_offered_answers_a_connect() {
    let handshake = offering(&["a", "b"], Some("x, y")).unwrap();
    for (status, fields, agreed) in [
        (200, &[][..], " "),
        (204, &[], " "),
        (299, &[("sec-websocket-protocol", "b")], "b "),
        (200, &[("sec-websocket-protocol", ""), ("sec-websocket-extensions", "")], " "),
        (200, &[("sec-websocket-extensions", "y; z=1, x")], " y; z=1, x"),
        // An answer of HTTP/1.1 that a gateway has passed on unchanged proves nothing, and harms nothing.
        (200, &[("sec-websocket-accept", "x")], " "),
    ] {
        assert_eq!(judge(&handshake, status, fields).as_deref(), Ok(agreed), "{status} {fields:?}");
    }
}

#[test]
fn an_answer_to_a_connect_with_what_was_not_offered_opens_nothing() {
    let handshake = offering(&["a", "b"], Some("x")).unwrap();
    for (fields, expected) in [
        (
            &[("sec-websocket-protocol", "c")][..],
            "the server chose the subprotocol \"c\", which was not offered",
        ),
        (
            &[("sec-websocket-protocol", "a, b")],
            "the server's response has more than one Sec-WebSocket-Protocol value",
        ),
        (
            &[("sec-websocket-protocol", "a"), ("sec-websocket-protocol", "a")],
            "the server's response has more than one Sec-WebSocket-Protocol value",
        ),
        (&[("sec-websocket-extensions", "y")], "the server chose the extension \"y\", which was not offered"),
        (&[("sec-websocket-extensions", "x, x")], "the server chose the extension \"x\" more than once"),
    ] {
        assert_eq!(judge(&handshake, 200, fields).unwrap_err(), expected, "{fields:?}");
    }
    assert!(judge(&handshake, 200, &[("sec-websocket-extensions", "x;")]).is_err());
}

#[test]
fn any_other_status_refuses_a_connect_and_is_returned_whole() {
    let handshake = offering(&[], None).unwrap();
    for status in [101, 199, 300, 401, 404, 503] {
        let response = Response::builder().status(status).header("x-why", "1").body(()).unwrap();
        let Err(HandshakeError::Refused(refused)) = handshake.judge(response) else { panic!("{status}") };
        assert_eq!((refused.response.status().as_u16(), refused.head_length), (status, 0));
        assert_eq!(refused.response.headers()["x-why"], "1");
    }
}

#[test]
fn credentials_are_not_in_the_debug_form_of_a_connect() {
    let template = Request::get("ws://h/").header("Authorization", "s3cret").body(()).unwrap();
    let handshake = ConnectHandshake::new(template, &[], None).unwrap();
    assert!(!format!("{handshake:?}").contains("s3cret"));
}
