//! From a request to an answer.

use h2::ext::Protocol;
use http::{HeaderMap, Request};
use ws_server::{Endpoint, Request as Asked, Response, Server, WebSocketHub, response};

use crate::common::{echo, run, soon};
use crate::hosts::{Embedded, HOSTS, Host, client, endpoint, facts};
use crate::peer::{Socket, connect};

#[tokio::test]
async fn a_websocket_is_opened_over_http_2_in_every_framework_with_its_subprotocol() {
    for host in HOSTS {
        let embedded = Embedded::serve(host, WebSocketHub::default(), endpoint()).await;
        let client = embedded.client().await;
        let request = connect("/")
            .header("sec-websocket-protocol", "a, b")
            .header("sec-websocket-key", "anything")
            .header("origin", "http://localhost");
        let peer = client.ask(request).await.unwrap();
        assert_eq!(peer.head.status(), 200, "{host:?}");
        let headers = peer.head.headers();
        assert_eq!(headers["sec-websocket-protocol"], "b", "{host:?}");
        assert!(headers.contains_key("date"), "{host:?}: RFC 9110 section 6.6.1");
        for name in
            ["upgrade", "connection", "sec-websocket-accept", "sec-websocket-extensions", "content-length"]
        {
            assert!(!headers.contains_key(name), "{host:?}: {name}");
        }
        let mut socket = Socket::new(peer);
        socket.echo("over HTTP/2").await;
        client.open("/").await.echo("beside it").await;
        let stats = embedded.sockets.stats();
        assert_eq!((stats.opened(), stats.accepted()), (2, 2), "{host:?}");
    }
}

#[tokio::test]
async fn a_handler_behind_hyper_sees_the_facts_of_a_request_over_http_2() {
    let endpoint = Endpoint::new(facts);
    let embedded = Embedded::serve(Host::Hyper, WebSocketHub::default(), endpoint).await;
    let mut socket = embedded.client().await.open("/?x=1").await;
    assert_eq!(socket.recv().await, "HTTP/2.0 / Some(\"x=1\") true true");
}

/// The status, the fields that a refusal has, and the body.
fn essence(status: u16, headers: &HeaderMap, body: &str) -> (u16, Vec<Option<String>>, String) {
    let names = ["sec-websocket-version", "allow", "retry-after", "content-length", "connection", "upgrade"];
    let field = |name| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    (status, names.map(field).to_vec(), body.to_owned())
}

#[tokio::test]
async fn refusals_over_http_2_are_in_every_framework_those_of_our_own_server() {
    let own = run(Server::builder().endpoint("/", endpoint())).await;
    let mut servers = vec![("own".to_owned(), own.address)];
    for host in HOSTS {
        let embedded = Embedded::serve(host, WebSocketHub::default(), endpoint()).await;
        servers.push((format!("{host:?}"), embedded.address));
    }
    let version = |version| {
        let protocol = Protocol::from_static("websocket");
        Request::connect("http://localhost/").extension(protocol).header("sec-websocket-version", version)
    };
    let protocol = |protocol| {
        Request::connect("http://localhost/").extension(Protocol::from_static(protocol)).header("x", "y")
    };
    type Asking = Box<dyn Fn() -> http::request::Builder>;
    let requests: [(Asking, u16); 8] = [
        (Box::new(move || version("8")), 400),
        (Box::new(move || protocol("websocket")), 400),
        (Box::new(move || protocol("connect-udp")), 501),
        (Box::new(|| connect("/").header("origin", "http://elsewhere.example")), 403),
        (Box::new(|| connect("/").header("sec-websocket-protocol", "a b")), 400),
        (Box::new(|| connect("/").header("sec-websocket-extensions", ";")), 400),
        (Box::new(|| connect("/").header("host", "elsewhere.example")), 400),
        (Box::new(|| Request::post("http://localhost/")), 405),
    ];
    for (request, status) in requests {
        let mut expected = None;
        for (name, address) in &servers {
            let mut peer = client(*address).await.ask(request()).await.unwrap();
            let headers = peer.head.headers().clone();
            assert_eq!(peer.head.status(), status, "{name}: {headers:?}");
            assert!(headers.contains_key("date"), "{name}: {status}");
            let answer = essence(status, &headers, &peer.text().await);
            assert_eq!(&answer, expected.get_or_insert_with(|| answer.clone()), "{name}");
        }
    }
}

#[tokio::test]
async fn compression_is_negotiated_over_http_2_in_every_framework() {
    for host in HOSTS {
        let embedded = Embedded::serve(host, WebSocketHub::default(), endpoint()).await;
        let client = embedded.client().await;
        let request = connect("/").header("sec-websocket-extensions", "permessage-deflate");
        let mut peer = client.ask(request).await.unwrap();
        let answer = peer.head.headers()["sec-websocket-extensions"].to_str().unwrap().to_owned();
        assert!(answer.starts_with("permessage-deflate"), "{host:?}: {answer}");
        // "Hello" as RFC 7692 section 7.2.3.1 compresses it.
        let compressed = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
        peer.write(&crate::common::frame(0xc1, &compressed)).await;
        let echo = peer.data().await.unwrap().unwrap();
        // Below the threshold of compression.
        assert_eq!(echo[..], *b"\x81\x05Hello", "{host:?}");
    }
}

#[tokio::test]
async fn a_request_over_http_2_that_is_reset_in_a_guard_holds_nothing_in_any_framework() {
    for host in [Host::Hyper, Host::Tower, Host::Route] {
        let (asked, mut asking) = tokio::sync::mpsc::unbounded_channel();
        let guard = move |request: Asked| {
            asked.send(()).unwrap();
            async move {
                if request.query() == Some("wait") {
                    std::future::pending::<()>().await;
                }
                Ok::<Asked, Response>(request)
            }
        };
        let options = crate::common::options(|options| options.max_handshakes = Some(1));
        let sockets = WebSocketHub::new(options).unwrap();
        let embedded = Embedded::serve(host, sockets, Endpoint::new(echo).guard(guard)).await;
        let client = embedded.client().await;
        for _ in 0..3 {
            let mut requests = client.requests.clone().ready().await.unwrap();
            let (_answer, mut send) =
                requests.send_request(connect("/?wait").body(()).unwrap(), false).unwrap();
            soon(asking.recv()).await.unwrap();
            send.send_reset(h2::Reason::CANCEL);
            // The place is free again once hyper has seen the reset.
            soon(async {
                while client.ask(connect("/")).await.unwrap().head.status() != 200 {
                    tokio::task::yield_now().await;
                }
                asking.recv().await.unwrap();
            })
            .await;
        }
    }
}

#[tokio::test]
async fn over_http_2_a_guard_refuses_and_an_answer_at_once_says_that_all_are_taken() {
    let guard = async |_: Asked| Err::<Asked, Response>(response::unauthorized());
    let guarded = Endpoint::new(echo).guard(guard);
    let embedded = Embedded::serve(Host::Hyper, WebSocketHub::default(), guarded).await;
    let mut refused = embedded.client().await.ask(connect("/")).await.unwrap();
    assert_eq!(
        (refused.head.status().as_u16(), &refused.head.headers()["www-authenticate"]),
        (401, &"Basic".parse().unwrap())
    );
    assert!(refused.text().await.contains("password"));
    assert_eq!(embedded.sockets.stats().refused(), 1);
    for host in HOSTS {
        let options = crate::common::options(|options| {
            options.max_connections = Some(1);
            options.overload_wait = std::time::Duration::ZERO;
        });
        let embedded = Embedded::serve(host, WebSocketHub::new(options).unwrap(), endpoint()).await;
        let client = embedded.client().await;
        let _open = client.open("/").await;
        let mut full = client.ask(connect("/")).await.unwrap();
        assert_eq!(full.head.status(), 503, "{host:?}");
        assert!(full.head.headers().contains_key("retry-after"), "{host:?}");
        for name in ["connection", "upgrade"] {
            assert!(!full.head.headers().contains_key(name), "{host:?}: {name}");
        }
        assert!(!full.text().await.is_empty());
    }
}
