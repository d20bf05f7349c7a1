//! The server's side of the opening handshake over HTTP/2 and HTTP/3: RFC 8441 sections 4 and 5.

use http::{HeaderMap, Request, Version, header};
use ws_core::handshake::{Acceptance, HeadLimits, Opening, Refusal, ResponseError, UpgradeRequest};

/// An extended CONNECT that is as it should be.
fn connect() -> http::request::Builder {
    Request::connect("https://example.com/chat?room=1")
        .version(Version::HTTP_2)
        .header("sec-websocket-version", "13")
}

fn judge(request: http::request::Builder, protocol: Option<&str>) -> Result<Opening, Refusal> {
    Opening::from_connect(request.body(()).unwrap(), protocol, HeadLimits::server())
}

fn upgrade(request: http::request::Builder) -> UpgradeRequest {
    match judge(request, Some("websocket")) {
        Ok(Opening::Upgrade(upgrade)) => upgrade,
        other => panic!("{other:?}"),
    }
}

fn refusal(request: http::request::Builder, protocol: Option<&str>) -> Refusal {
    judge(request, protocol).expect_err("it is not refused")
}

/// The status of the refusal, and its one line.
fn refused(request: http::request::Builder, protocol: Option<&str>) -> (u16, String) {
    let refusal = refusal(request, protocol);
    (refusal.status().as_u16(), refusal.body().to_owned())
}

#[test]
fn an_extended_connect_is_answered_with_200_and_what_was_agreed_on() {
    let upgrade = upgrade(
        connect()
            .header("sec-websocket-protocol", "a, b")
            .header("sec-websocket-protocol", "c")
            .header("sec-websocket-extensions", "x; y=1"),
    );
    assert_eq!((upgrade.host(), upgrade.uri().path()), ("example.com", "/chat"));
    assert_eq!((upgrade.uri().query(), upgrade.subprotocols().len()), (Some("room=1"), 3));
    let mut headers = HeaderMap::new();
    headers.append("set-cookie", "a=1".parse().unwrap());
    headers.append("set-cookie", "b=2".parse().unwrap());
    let acceptance = Acceptance::default()
        .subprotocol(upgrade.select_subprotocol(["c", "a"]))
        .extensions(Some("x; y=1".into()))
        .headers(headers);
    let response = upgrade.response(acceptance).unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()[header::SEC_WEBSOCKET_PROTOCOL], "c");
    assert_eq!(response.headers()[header::SEC_WEBSOCKET_EXTENSIONS], "x; y=1");
    assert_eq!(response.headers().get_all("set-cookie").iter().count(), 2);
    // RFC 8441 §5: no Upgrade, no Connection, no Sec-WebSocket-Accept.
    assert_eq!(response.headers().len(), 4);
}

#[test]
fn what_was_not_offered_cannot_be_agreed_on_over_http_2_either() {
    let upgrade = upgrade(connect().header("sec-websocket-protocol", "a"));
    for wrong in [
        Acceptance::default().subprotocol(Some("b")),
        Acceptance::default().extensions(Some("z".into())),
        Acceptance::default().headers([(header::UPGRADE, "x".parse().unwrap())].into_iter().collect()),
    ] {
        assert!(upgrade.response(wrong.clone()).is_err(), "{wrong:?}");
    }
}

#[test]
fn a_key_is_neither_required_nor_looked_at_over_http_2() {
    for key in ["dGhlIHNhbXBsZSBub25jZQ==", "no key"] {
        let upgrade = upgrade(connect().header("sec-websocket-key", key));
        let response = upgrade.response(Acceptance::default()).unwrap();
        assert_eq!((response.status().as_u16(), response.headers().len()), (200, 0), "{key}");
    }
}

#[test]
fn the_answer_to_an_extended_connect_has_no_bytes_of_http_1() {
    assert_eq!(upgrade(connect()).accept(Acceptance::default()), Err(ResponseError::NotHttp1));
}

#[test]
fn another_version_of_the_protocol_gets_400_with_the_supported_one() {
    let without = Request::connect("https://example.com/").version(Version::HTTP_2);
    let other = |version| {
        let request = Request::connect("https://example.com/").version(Version::HTTP_2);
        request.header("sec-websocket-version", version)
    };
    for request in
        [without, other("8"), other("14"), other("13, 8"), connect().header("sec-websocket-version", "13")]
    {
        let refusal = refusal(request, Some("websocket"));
        assert_eq!(refusal.status(), 400);
        let response = refusal.response(Version::HTTP_2);
        assert_eq!(response.headers()[header::SEC_WEBSOCKET_VERSION], "13", "{refusal}");
        assert_eq!((response.status().as_u16(), response.body().as_str()), (400, refusal.body()));
    }
}

#[test]
fn a_connect_is_judged_by_its_protocol() {
    assert_eq!(refused(connect(), Some("connect-udp")).0, 501);
    assert_eq!(refused(connect(), Some("")).0, 501);
    assert!(
        judge(connect(), Some("WebSocket")).is_ok(),
        "RFC 9110 section 7.8: names are compared without case"
    );
    let tunnel = || Request::connect("example.com:443").version(Version::HTTP_2);
    let refusal = refusal(tunnel(), None);
    assert_eq!(
        (refusal.status().as_u16(), &refusal.headers()[header::ALLOW]),
        (405, &"GET".parse().unwrap())
    );
    for method in ["GET", "HEAD", "POST"] {
        let request = connect().method(method);
        assert_eq!(refused(request, Some("websocket")).0, 400, "{method}: RFC 8441 section 4");
    }
}

#[test]
fn without_a_protocol_get_and_head_are_plain_requests() {
    let request =
        |method| Request::builder().method(method).uri("https://example.com/page").version(Version::HTTP_2);
    for method in ["GET", "HEAD"] {
        assert!(matches!(judge(request(method), None), Ok(Opening::Plain(_))), "{method}");
        // A key or a version of a proxy that knows only HTTP/1.1 changes nothing.
        let odd = request(method).header("sec-websocket-key", "x").header("sec-websocket-version", "13");
        assert!(matches!(judge(odd, None), Ok(Opening::Plain(_))), "{method}");
    }
    for method in ["POST", "OPTIONS", "PRI"] {
        assert_eq!(refused(request(method), None).0, 405, "{method}");
    }
}

#[test]
fn a_request_of_http_2_or_3_without_a_protocol_is_plain_for_from_request_too() {
    for version in [Version::HTTP_2, Version::HTTP_3] {
        let judge = |request: http::request::Builder| {
            let request = request.version(version).body(()).unwrap();
            Opening::from_request(request, HeadLimits::server())
        };
        assert!(matches!(judge(Request::get("https://example.com/")), Ok(Opening::Plain(_))));
        assert_eq!(judge(connect()).unwrap_err().status(), 405);
    }
}

#[test]
fn fields_of_the_connection_are_malformed_over_http_2() {
    for (name, value) in [
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("keep-alive", "timeout=5"),
        ("proxy-connection", "close"),
        ("transfer-encoding", "chunked"),
        ("te", "trailers, deflate"),
    ] {
        assert_eq!(refused(connect().header(name, value), Some("websocket")).0, 400, "{name}");
        let page = Request::get("https://example.com/").version(Version::HTTP_2).header(name, value);
        assert_eq!(refused(page, None).0, 400, "{name}");
    }
    assert!(judge(connect().header("te", "trailers"), Some("websocket")).is_ok());
}

#[test]
fn a_request_of_http_2_names_one_host() {
    let only =
        |uri: &str| Request::connect(uri).version(Version::HTTP_2).header("sec-websocket-version", "13");
    for (request, allowed) in [
        (only("/chat").header("host", "example.com"), true),
        (only("https://example.com/").header("host", "EXAMPLE.com:443"), true),
        (only("http://example.com:80/").header("host", "example.com"), true),
        (only("/chat"), false),
        (only("https://example.com/").header("host", "example.org"), false),
        (only("https://example.com/").header("host", "example.com:80"), false),
        (only("https://example.com/").header("host", "example.com").header("host", "example.com"), false),
        (only("https://example.com/").header("host", "a b"), false),
        (only("https://user@example.com/"), false),
        (only("ftp://example.com/"), false),
        (only("*").header("host", "example.com"), false),
    ] {
        let text = format!("{request:?}");
        let judged = judge(request, Some("websocket")).map_err(|refusal| refusal.status().as_u16());
        assert_eq!(judged.map(|_| ()), if allowed { Ok(()) } else { Err(400) }, "{text}");
    }
}

#[test]
fn lists_and_bodies_are_judged_as_over_http_1() {
    for (name, value) in [
        ("sec-websocket-protocol", "a, a"),
        ("sec-websocket-protocol", "a b"),
        ("sec-websocket-extensions", "x; =1"),
        ("content-length", "1"),
    ] {
        assert_eq!(refused(connect().header(name, value), Some("websocket")).0, 400, "{name}: {value}");
    }
}

#[test]
fn the_limits_of_the_head_hold_over_http_2_and_are_named() {
    let judge = |limits| Opening::from_connect(connect().body(()).unwrap(), Some("websocket"), limits);
    // As HTTP/1.1 would write it.
    let whole = "CONNECT /chat?room=1 HTTP/1.1\r\nsec-websocket-version: 13\r\n\r\n".len();
    let exact = HeadLimits::server().bytes(whole).fields(1).target(12);
    assert!(judge(exact).is_ok());
    for (limits, status, setting) in [
        (exact.bytes(whole - 1), 431, "HeadLimits::bytes"),
        (exact.fields(0), 431, "HeadLimits::fields = 0"),
        (exact.target(11), 414, "HeadLimits::target = 11"),
    ] {
        let refusal = judge(limits).unwrap_err();
        assert!(refusal.status() == status && refusal.body().contains(setting), "{refusal}");
    }
}

#[test]
fn a_refusal_has_the_fields_of_its_version_of_http() {
    let request = Request::get("/").header("upgrade", "websocket").header("host", "h").body(()).unwrap();
    let refusal = Opening::from_request(request, HeadLimits::server()).unwrap_err();
    let response = refusal.response(Version::HTTP_11);
    assert_eq!(
        (response.status().as_u16(), &response.headers()[header::UPGRADE]),
        (426, &"websocket".parse().unwrap())
    );
    assert_eq!(response.headers()[header::CONNECTION], "close, upgrade");
    let response = refusal.response(Version::HTTP_2);
    assert!(!response.headers().contains_key(header::UPGRADE), "RFC 9113 section 8.2.2");
    assert!(!response.headers().contains_key(header::CONNECTION), "RFC 9113 section 8.2.2");
    assert_eq!(response.body(), refusal.body());
    // RFC 9110 §9.3.2: the answer to a HEAD request has no body.
    let head = Request::head("https://h/").version(Version::HTTP_2).header("connection", "close");
    assert_eq!(self::refusal(head, None).response(Version::HTTP_2).body(), "");
}
