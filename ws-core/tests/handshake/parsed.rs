//! The opening handshake where another HTTP library reads and writes the heads.

use http::{HeaderMap, Request, Response, StatusCode, Version, header};
use ws_core::handshake::{
    Acceptance, ClientHandshake, HandshakeError, HeadLimits, Opening, RequestReader, ResponseError,
    UpgradeRequest, complete_response,
};

fn request() -> http::request::Builder {
    Request::get("/chat?room=1")
        .header("host", "example.com")
        .header("upgrade", "websocket")
        .header("connection", "Upgrade")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
        .header("sec-websocket-version", "13")
}

fn upgrade(request: http::request::Builder) -> UpgradeRequest {
    match Opening::from_request(request.body(()).unwrap(), HeadLimits::server()) {
        Ok(Opening::Upgrade(upgrade)) => upgrade,
        other => panic!("{other:?}"),
    }
}

/// The status of the refusal, and its one line.
fn refusal(request: http::request::Builder, limits: HeadLimits) -> (u16, String) {
    let refusal = Opening::from_request(request.body(()).unwrap(), limits).unwrap_err();
    (refusal.status().as_u16(), refusal.body().to_owned())
}

/// A head as httparse reads it: status and fields.
fn read_head(bytes: &[u8]) -> (u16, HeaderMap) {
    let mut fields = [httparse::EMPTY_HEADER; 32];
    let mut head = httparse::Response::new(&mut fields);
    assert!(head.parse(bytes).unwrap().is_complete());
    let fields = head.headers.iter();
    let fields = fields.map(|field| (field.name.parse().unwrap(), field.value.try_into().unwrap()));
    (head.code.unwrap(), fields.collect())
}

#[test]
fn a_head_over_a_limit_is_refused_with_the_name_of_the_limit() {
    let limits = HeadLimits::server();
    let whole = "GET /chat?room=1 HTTP/1.1\r\nhost: example.com\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\
        sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n";
    let exact = HeadLimits::server().bytes(whole.len()).fields(5).target(12);
    assert!(Opening::from_request(request().body(()).unwrap(), exact).is_ok());
    for (limits, status, setting) in [
        (limits.bytes(whole.len() - 1), 431, "HeadLimits::bytes"),
        (limits.fields(4), 431, "HeadLimits::fields = 4"),
        (limits.target(11), 414, "HeadLimits::target = 11"),
    ] {
        let (found, line) = refusal(request(), limits);
        assert!(found == status && line.contains(setting), "{found} {line}");
    }
}

#[test]
fn another_version_of_http_is_refused_with_what_to_do() {
    let (status, line) = refusal(request().version(Version::HTTP_09), HeadLimits::server());
    assert_eq!((status, line.lines().count()), (505, 1), "{line}");
    assert!(line.contains("0.9") && line.contains("HTTP/1.1"), "{line}");
    // RFC 9110 §7.8: in HTTP/1.0 nothing is upgraded, but pages are answered.
    let (status, line) = refusal(request().version(Version::HTTP_10), HeadLimits::server());
    assert!(status == 426 && line.contains("HTTP/1.0"), "{status} {line}");
    let page = Request::get("/").version(Version::HTTP_10).body(()).unwrap();
    assert!(matches!(Opening::from_request(page, HeadLimits::server()), Ok(Opening::Plain(_))));
}

#[test]
fn a_refusal_of_a_head_request_has_no_body_here_either() {
    let answer = |method| {
        let request = Request::builder().method(method).uri("/").body(()).unwrap();
        Opening::from_request(request, HeadLimits::server()).unwrap_err().encode()
    };
    let (get, head) = (answer("GET"), answer("HEAD"));
    assert!(get.ends_with(b"\r\n\r\nthere is no Host field\n"), "{}", get.escape_ascii());
    assert!(head.ends_with(b"\r\n\r\n") && get.starts_with(&head), "{}", head.escape_ascii());
}

#[test]
fn the_101_is_the_same_as_the_one_in_bytes() {
    let upgrade = upgrade(
        request().header("sec-websocket-protocol", "a, b").header("sec-websocket-extensions", "x; y=1"),
    );
    let acceptance = || {
        let mut headers = HeaderMap::new();
        headers.append("set-cookie", "a=1".parse().unwrap());
        headers.append("set-cookie", "b=2".parse().unwrap());
        Acceptance::default().subprotocol(Some("b")).extensions(Some("x; y=1".into())).headers(headers)
    };
    let (status, fields) = read_head(&upgrade.accept(acceptance()).unwrap());
    let response = upgrade.response(acceptance()).unwrap();
    assert_eq!((response.status().as_u16(), response.headers()), (status, &fields));
    assert_eq!((status, fields.len()), (101, 7));

    for wrong in [
        Acceptance::default().subprotocol(Some("c")),
        Acceptance::default().extensions(Some("z".into())),
        Acceptance::default().headers([(header::UPGRADE, "x".parse().unwrap())].into_iter().collect()),
    ] {
        assert!(upgrade.response(wrong.clone()).is_err(), "{wrong:?}");
    }
}

#[test]
fn other_responses_are_completed_as_their_version_wants() {
    let with_status = |status| Response::builder().status(status).body("").unwrap();
    let complete = |status, version| complete_response(with_status(status), version).unwrap();

    let response = complete(426, Version::HTTP_11);
    assert_eq!(response.headers()[header::CONNECTION], "close, upgrade");
    assert_eq!(response.headers()[header::UPGRADE], "websocket");
    assert_eq!(response.headers()[header::SEC_WEBSOCKET_VERSION], "13");
    let response = complete(426, Version::HTTP_2);
    assert!(!response.headers().contains_key(header::CONNECTION));
    assert!(!response.headers().contains_key(header::UPGRADE));
    assert_eq!(complete(405, Version::HTTP_2).headers()[header::ALLOW], "GET");
    assert_eq!(complete(200, Version::HTTP_10).headers()[header::CONNECTION], "close");

    let interim = complete_response(with_status(101), Version::HTTP_11).unwrap_err();
    assert_eq!(interim, ResponseError::InterimStatus(StatusCode::SWITCHING_PROTOCOLS));
}

#[test]
fn a_clients_request_is_the_same_as_the_one_in_bytes() {
    let template =
        Request::get("wss://u:p@Example.com:8443/a|b?c=d").header("cookie", "é=1").header("cookie", "2");
    let client =
        ClientHandshake::new(template.body(()).unwrap(), &["x".into(), "y".into()], Some("e; f"), [1; 16])
            .unwrap();
    let request = client.request();
    assert_eq!((request.method().as_str(), request.uri().to_string()), ("GET", "/a|b?c=d".to_owned()));
    let mut reader = RequestReader::new(HeadLimits::server());
    let Ok(Some((Opening::Upgrade(read), _))) = reader.receive(client.request_bytes()) else { panic!() };
    assert_eq!(request.headers(), read.request().headers());
    assert_eq!(request.headers()["host"], "Example.com:8443");
    assert_eq!(request.headers().get_all("cookie").iter().count(), 2);
}

#[test]
fn a_client_judges_an_answer_that_another_library_has_read() {
    let template = || Request::get("ws://h/").body(()).unwrap();
    let client = ClientHandshake::new(template(), &["chat".into()], None, *b"the sample nonce").unwrap();
    let answer = upgrade(request().header("sec-websocket-protocol", "chat"));
    let accepted = answer.response(Acceptance::default().subprotocol(Some("chat"))).unwrap();
    assert_eq!(client.judge(accepted).unwrap().subprotocol.as_deref(), Some("chat"));

    let plain = answer.response(Acceptance::default()).unwrap();
    let other = ClientHandshake::new(template(), &[], None, [0; 16]).unwrap();
    assert!(matches!(other.judge(plain), Err(HandshakeError::WrongAccept)));
    let refused = Response::builder().status(503).header("retry-after", "5").body(()).unwrap();
    match client.judge(refused) {
        Err(HandshakeError::Refused(refused)) => assert_eq!(refused.response.headers()["retry-after"], "5"),
        other => panic!("{other:?}"),
    }
}
