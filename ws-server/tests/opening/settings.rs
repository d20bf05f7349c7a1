//! What cannot work is said when the server is built, and what can does.

use std::time::Duration;

use crate::common::{Running, ask, echo, get, options, run, soon};
use ws_server::{Endpoint, Server, ServerBuilder, ServerOptions, TcpOptions, WebSocket};

#[tokio::test]
async fn an_impossible_setting_is_named_when_the_server_is_built() {
    let refusals: [(ServerBuilder, &str); 6] = [
        (Server::builder(), "routes = none"),
        (Server::builder().route("/", echo).route("/", echo), "route = \"/\""),
        (Server::builder().health("/a").page("/a", "text/plain", ""), "page = \"/a\""),
        (Server::builder().page("/", "text/plain\r\nX: y", ""), "content_type = \"text/plain\\r\\nX: y\""),
        (
            Server::builder().endpoint("/", Endpoint::new(echo).subprotocols(["a b"])),
            "subprotocols = \"a b\"",
        ),
        (
            Server::builder().route("/", echo).options(options(|o| o.max_connections = Some(0))),
            "max_connections = 0",
        ),
    ];
    for (builder, named) in refusals {
        let error = builder.bind("127.0.0.1:0").await.unwrap_err().to_string();
        assert!(error.starts_with(named) && error.contains("is not possible: "), "{error}");
        assert!(!error.contains('\n'), "{error}");
    }
    assert!(Server::builder().route("/", echo).build().unwrap_err().to_string().contains("call bind()"));
}

#[tokio::test]
async fn durations_beyond_the_clock_mean_never() {
    let options = options(|options| {
        options.handshake.timeout = Duration::MAX;
        options.handshake.answer_timeout = Duration::MAX;
        options.handshake.linger_timeout = Duration::MAX;
        options.overload_wait = Duration::MAX / 2;
        options.retry_after = Duration::MAX;
        options.drain_timeout = Duration::MAX;
        options.drain_spread = Duration::from_millis(10);
    });
    let mut server = run(Server::builder().route("/", echo).health("/healthz").options(options)).await;
    assert!(ask(&server, get("/healthz")).await.starts_with("HTTP/1.1 200 "));
    drop(server.open("/").await);
    server.until(|stats| stats.connections() == 0).await;
    server.stop();
    assert_eq!(server.drained().await.aborted, 0);
}

/// What a server sets on the socket of a connection.
async fn has_nodelay(nodelay: bool) -> bool {
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let handler = move |socket: WebSocket| {
        tell.send(socket.get_ref().tcp().unwrap().nodelay().unwrap()).unwrap();
        async {}
    };
    let options = options(|options| options.nodelay = nodelay);
    let server = run(Server::builder().route("/", handler).options(options)).await;
    server.open("/").await;
    soon(told.recv()).await.unwrap()
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_system_takes_little_ahead_of_what_it_can_send() {
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let handler = move |socket: WebSocket| {
        let tcp = socket2::SockRef::from(socket.get_ref().tcp().unwrap());
        tell.send(tcp.tcp_notsent_lowat().unwrap()).unwrap();
        async {}
    };
    let server = run(Server::builder().route("/", handler)).await;
    server.open("/").await;
    assert_eq!(soon(told.recv()).await, Some(32 << 10));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn two_servers_share_a_port_and_the_sockets_have_the_options_that_are_set() {
    let tcp = TcpOptions::default()
        .keepalive(Some(Duration::from_millis(41_500)))
        .user_timeout(Some(Duration::from_millis(4_321)))
        .reuse_port(true);
    let (report, mut reported) = tokio::sync::mpsc::unbounded_channel();
    let handler = move |socket: WebSocket| {
        let options = socket2::SockRef::from(socket.get_ref().tcp().unwrap());
        let found = (options.tcp_keepalive_time().unwrap(), options.tcp_user_timeout().unwrap());
        report.send(found).unwrap();
        async {}
    };
    let builder = || Server::builder().options(ServerOptions::default().tcp(tcp.clone()));
    let first = Running::start(builder().route("/", handler).bind("127.0.0.1:0").await.unwrap());
    // One that does not accept would keep half of the connections waiting.
    let second = builder().route("/", async |_: WebSocket| {}).bind(first.address).await.unwrap();
    assert_eq!(second.local_addr().unwrap(), first.address);
    drop(second);
    let _peer = first.open("/").await;
    let found = reported.recv().await.unwrap();
    assert_eq!(found, (Duration::from_secs(42), Some(Duration::from_millis(4_321))));
    let error = Server::builder().route("/", async |_: WebSocket| {}).bind(first.address).await.unwrap_err();
    assert!(error.to_string().contains("the port is taken"), "{error}");
}

#[tokio::test]
async fn small_messages_are_sent_at_once_unless_they_are_to_be_gathered() {
    assert!(options(|_| {}).nodelay, "the default");
    assert!(has_nodelay(true).await);
    assert!(!has_nodelay(false).await);
}
