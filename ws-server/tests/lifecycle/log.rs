//! What a server writes into its log: facts, never payload.

use std::future::Future;
use std::pin::Pin;

use crate::common::log::logged;
use crate::common::{echo, frame, get, opening, options, reply, run};
use ws_server::{CloseCode, Endpoint, HostPolicy, Request, Response, Server, WebSocket, response};

#[tokio::test]
async fn the_log_says_how_a_connection_ended_and_nothing_that_was_sent() {
    let (log, _guard) = logged();
    let server = run(Server::builder().route("/room", echo)).await;
    let mut peer = server.connect().await;
    peer.send(opening("/room?token=hush", "Cookie: hush\r\nX-Own: hush\r\n")).await;
    peer.head().await;
    peer.send(frame(0x81, b"hush")).await;
    peer.bytes(6).await;
    let mut body = vec![0x0f, 0xa1];
    body.extend_from_slice(b"hush");
    peer.send(frame(0x88, &body)).await;
    assert_eq!(peer.rest().await, reply(0x88, &[0x0f, 0xa1]));
    drop(peer);
    crate::common::ask(&server, get("/room")).await;
    crate::common::ask(&server, "GET /hush HTTP/1.1\r\nhush\r\n\r\n").await;
    server.until(|stats| stats.connections() == 0).await;

    let (text, line) = log.closed();
    let handler =
        text.lines().find(|line| line.contains("handler ended")).unwrap_or_else(|| panic!("{text}"));
    let facts = ["initiator=Remote", "cause=closing handshake", "sent=4001", "received=4001", "unsent=0"];
    // A frame with a payload of four bytes each way, and a Close of eight bytes one way and four the other.
    let traffic = ["messages_sent=1", "messages_received=1", "bytes_sent=10", "bytes_received=22"];
    for fact in facts.into_iter().chain(traffic).chain([" duration=0."]) {
        assert!(line.contains(fact), "{fact}: {line}");
    }
    // The span of the opening handshake has ended with it, and the id leads from one to the other.
    let open = text.lines().find(|line| line.contains(": open ")).unwrap_or_else(|| panic!("{text}"));
    let id = line.split_whitespace().find(|word| word.starts_with("id=")).unwrap();
    for fact in
        [" INFO handshake{", &format!("{{{id} "), "path=\"/room\"", "peer=127.0.0.1:", "http=HTTP/1.1"]
    {
        assert!(open.contains(fact), "{fact}: {open}");
    }
    assert!(
        !line.contains('{') && !handler.contains('{'),
        "by default no span is as long as a connection: {text}"
    );
    assert!(!text.contains("hush"), "{text}");
    // `recv` returned the peer's code as an error, and the handler passed it on: the peer's doing, not a failure here.
    assert!(line.contains(" INFO "), "{line}");
    assert!(handler.contains(" DEBUG ") && handler.contains("peer's close"), "{handler}");
    assert!(!text.contains(" WARN ") && !text.contains(" ERROR "), "{text}");
}

#[tokio::test]
async fn the_log_says_in_one_line_why_a_request_was_refused() {
    let (log, _guard) = logged();
    let server = run(Server::builder().route("/", echo).allowed_hosts(HostPolicy::Loopback)).await;
    crate::common::ask(&server, opening("/", "Origin: https://evil.example\r\n")).await;
    crate::common::ask(&server, get("http://rebound.example/")).await;
    crate::common::ask(&server, "GET / HTTP/1.1\r\n hush\r\n\r\n").await;
    crate::common::ask(&server, "PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n").await;
    crate::common::ask(&server, opening("/", "").replace("Connection: Upgrade\r\n", "")).await;
    server.until(|stats| stats.connections() == 0).await;

    let text = log.text();
    let line = |word| text.lines().filter(|line| line.contains(word)).collect::<Vec<_>>();
    for (word, facts) in [
        ("evil.example", ["refused", "status=403", "setting origin"]),
        ("rebound.example", ["refused", "status=421", "setting handshake.allowed_hosts"]),
        ("whitespace", ["failed", "400", "malformed field line"]),
        ("PROXY protocol", ["failed", "400", "load balancer"]),
        ("lacks Connection: Upgrade", ["failed", "426", "a proxy"]),
    ] {
        let lines = line(word);
        assert_eq!(lines.len(), 1, "{text}");
        assert!(facts.iter().all(|fact| lines[0].contains(fact)), "{facts:?}: {lines:?}");
    }
    assert!(!text.contains("hush"), "{text}");
}

#[tokio::test]
async fn the_log_names_the_rule_that_a_peer_broke() {
    let (log, _guard) = logged();
    let server = run(Server::builder().route("/room", echo)).await;
    let mut peer = server.connect().await;
    peer.send(opening("/room", "")).await;
    peer.head().await;
    // A client must mask (RFC 6455 section 5.1).
    peer.send(reply(0x81, b"hush")).await;
    peer.rest().await;
    drop(peer);
    server.until(|stats| stats.connections() == 0).await;

    let (text, line) = log.closed();
    for fact in [" INFO ", "sent=1002", "is not masked"] {
        assert!(line.contains(fact), "{fact}: {line}");
    }
    let failing = text.lines().any(|line| line.contains("handler ended") && !line.contains(" DEBUG "));
    assert!(failing, "no Close of the peer's ended it: {text}");
    assert!(!text.contains("hush"), "{text}");
}

/// Whether a handler that does so is logged as failing, when its peer closes with `code` or is closed by it.
async fn is_logged_as_failing(handler: fn(WebSocket) -> Handling, code: Option<u16>) -> bool {
    let (log, _guard) = logged();
    let server = run(Server::builder().route("/room", handler)).await;
    let mut peer = server.open("/room").await;
    match code {
        Some(code) => peer.send(frame(0x88, &code.to_be_bytes())).await,
        None => {
            peer.bytes(4).await;
            peer.send(frame(0x88, &4000u16.to_be_bytes())).await;
        }
    }
    peer.rest().await;
    drop(peer);
    server.until(|stats| stats.connections() == 0).await;
    let (text, line) = log.closed();
    assert!(line.contains(" INFO "), "{line}");
    text.lines().any(|line| line.contains("handler") && !line.contains(" DEBUG "))
}

type Handling = Pin<Box<dyn Future<Output = Result<(), Box<dyn std::error::Error + Send + Sync>>> + Send>>;

#[tokio::test]
async fn a_handler_that_passes_on_the_peers_close_is_not_logged_as_failing_and_one_that_fails_is() {
    let passes_on = |mut socket: WebSocket| -> Handling {
        Box::pin(async move {
            while socket.recv().await?.is_some() {}
            Ok(socket.send("late").await?)
        })
    };
    assert!(!is_logged_as_failing(passes_on, Some(4001)).await, "recv returned it");
    assert!(!is_logged_as_failing(passes_on, Some(1000)).await, "send returned it");
    let in_own_words = |mut socket: WebSocket| -> Handling {
        Box::pin(async move {
            let ended = socket.recv().await;
            Err(format!("it ended: {ended:?}").into())
        })
    };
    assert!(!is_logged_as_failing(in_own_words, Some(4001)).await, "what it says may be the peer's close");
    assert!(is_logged_as_failing(in_own_words, Some(1000)).await, "that was no error");
    let closes = |mut socket: WebSocket| -> Handling {
        Box::pin(async move {
            socket.close(CloseCode(4000), "").await?;
            Ok(socket.send("late").await?)
        })
    };
    assert!(is_logged_as_failing(closes, None).await, "it closed by itself");
}

#[tokio::test]
async fn the_log_the_request_and_the_stream_name_a_connection_by_the_same_id() {
    let (log, _guard) = logged();
    let (report, mut reported) = tokio::sync::mpsc::unbounded_channel();
    let handler = move |mut socket: WebSocket, request: Request| {
        report.send((request.id(), socket.get_ref().id())).unwrap();
        async move { socket.recv().await.map(drop) }
    };
    let server = run(Server::builder().route("/", handler)).await;
    let _peers = (server.open("/").await, server.open("/").await);
    let (first, second) = (reported.recv().await.unwrap(), reported.recv().await.unwrap());
    assert!(first.0 != second.0, "{first:?} {second:?}");
    for (request, stream) in [first, second] {
        assert_eq!(stream, Some(request));
        assert!(log.text().contains(&format!("handshake{{id={request} ")), "{}", log.text());
    }
}

#[tokio::test]
async fn a_connection_has_a_span_for_its_life_if_the_options_ask_for_one() {
    let (log, _guard) = logged();
    let handler = async |mut socket: WebSocket| {
        tracing::info!("begun");
        socket.recv().await.map(drop)
    };
    let options = options(|options| options.connection_span = true);
    let server = run(Server::builder().route("/room", handler).options(options)).await;
    let mut peer = server.open("/room?token=hush").await;
    peer.send(frame(0x88, &1000u16.to_be_bytes())).await;
    peer.rest().await;
    drop(peer);
    server.until(|stats| stats.connections() == 0).await;
    let text = log.text();
    for event in [": begun", "handler done", ": closed "] {
        let line =
            text.lines().find(|line| line.contains(event)).unwrap_or_else(|| panic!("{event}: {text}"));
        for fact in [" connection{id=", "peer=127.0.0.1:", "path=\"/room\"}: "] {
            assert!(line.contains(fact), "{fact}: {line}");
        }
        assert!(!line.contains("handshake{"), "it is over: {line}");
    }
    assert!(!text.contains("hush"), "{text}");
}

#[tokio::test]
async fn a_refusal_is_logged_in_the_span_of_its_handshake_without_its_query() {
    let (log, _guard) = logged();
    let endpoint = Endpoint::new(echo)
        .guard(async |_: Request| -> Result<Request, Response> { Err(response::unauthorized()) });
    let server = run(Server::builder().endpoint("/room", endpoint)).await;
    for path in ["/room?token=hush", "/other?token=hush"] {
        let answer = crate::common::ask(&server, opening(path, "Authorization: Bearer hush\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 40"), "{answer}");
    }
    server.until(|stats| (stats.refused(), stats.connections()) == (2, 0)).await;
    let text = log.text();
    let lines: Vec<&str> = text.lines().filter(|line| line.contains("refused")).collect();
    for (line, fact) in lines.iter().zip(["status=401", "reason=\"no_endpoint\""]) {
        assert!(line.contains(" INFO handshake{id=") && line.contains(fact), "{fact}: {line}");
    }
    assert_eq!(lines.len(), 2, "{text}");
    assert!(!text.contains("hush"), "{text}");
}

#[tokio::test]
async fn an_error_of_the_handlers_own_is_a_warning_also_when_its_connection_is_closed() {
    let handler = async |mut socket: WebSocket| -> Result<(), String> {
        socket.close(CloseCode(4000), "").await.unwrap();
        Err("no such room".into())
    };
    let (log, _guard) = logged();
    let server = run(Server::builder().route("/room", handler)).await;
    let mut peer = server.open("/room").await;
    peer.bytes(4).await;
    peer.send(frame(0x88, &4000u16.to_be_bytes())).await;
    peer.rest().await;
    drop(peer);
    server.until(|stats| stats.connections() == 0).await;
    let text = log.text();
    let line = text.lines().find(|line| line.contains("handler failed")).unwrap_or_else(|| panic!("{text}"));
    assert!(line.contains(" WARN ") && line.contains("no such room"), "{line}");
}
