//! What handlers, guards and pages learn of a request.

use crate::common::{ask, echo, get, opening, run};
use http::StatusCode;
use ws_server::{Endpoint, HostPolicy, Request, Response, Server, WebSocket, response};

/// Everything that the request line and one field say, in one line.
fn facts(request: &Request) -> String {
    let other = (request.header("x-other"), request.header("x-binary"));
    format!("{} {} {:?} {other:?}", request.method(), request.uri(), request.header("x-room"))
}

async fn page(request: Request) -> Response {
    response::text(StatusCode::OK, &facts(&request))
}

#[tokio::test]
async fn method_target_and_fields_are_those_that_were_sent() {
    let guard = async |request: Request| match request.query() {
        Some("refuse") => Err(response::text(StatusCode::FORBIDDEN, &facts(&request))),
        _ => Ok(request),
    };
    let socket = Endpoint::new(async |_: WebSocket| {}).guard(guard);
    let server = run(Server::builder().get("/page", page).endpoint("/socket", socket)).await;
    let fields = "X-Room: lobby\r\nX-Room: second\r\nX-Binary: \u{e9}\r\n";
    let request = get("/page?a=b").replace("\r\n\r\n", &format!("\r\n{fields}\r\n"));
    let answer = ask(&server, request).await;
    let known = "Some(\"lobby\") (None, None)";
    assert!(answer.trim_end().ends_with(&format!("\r\n\r\nGET /page?a=b {known}")), "{answer}");
    let answer = ask(&server, opening("/socket?refuse", fields)).await;
    assert!(answer.trim_end().ends_with(&format!("GET /socket?refuse {known}")), "{answer}");
}

#[tokio::test]
async fn a_page_sees_whether_only_the_head_is_asked_for() {
    let page = async |request: Request| {
        let status = if request.method() == http::Method::HEAD { 202 } else { 200 };
        response::text(StatusCode::from_u16(status).unwrap(), "")
    };
    let server = run(Server::builder().get("/", page)).await;
    assert!(ask(&server, get("/")).await.starts_with("HTTP/1.1 200 "));
    assert!(ask(&server, get("/").replacen("GET", "HEAD", 1)).await.starts_with("HTTP/1.1 202 "));
}

#[tokio::test]
async fn a_host_that_is_not_allowed_is_refused_with_the_name_of_the_policy() {
    for (policy, name) in [
        (HostPolicy::Loopback, "(HostPolicy::Loopback)"),
        (HostPolicy::List(vec!["a.example".into()]), "(HostPolicy::List)"),
    ] {
        let server = run(Server::builder().route("/", echo).allowed_hosts(policy)).await;
        let answer = ask(&server, opening("/", "").replace("Host: localhost", "Host: evil.example")).await;
        assert!(answer.starts_with("HTTP/1.1 421 ") && answer.contains(name), "{answer}");
    }
}

#[tokio::test]
async fn the_refusal_of_a_guard_arrives_whole_although_the_peer_reads_slowly() {
    // More than the sockets between hold, so that the peer's reading is waited for.
    const LENGTH: usize = 24 << 20;
    let guard = async |_: Request| Err(response::text(StatusCode::FORBIDDEN, &"x".repeat(LENGTH)));
    let server = run(Server::builder().endpoint("/", Endpoint::new(echo).guard(guard))).await;
    let answer = ask(&server, opening("/", "")).await;
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(body.trim_end().len() >= LENGTH, "{}", body.len());
}
