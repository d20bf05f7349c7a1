//! Ways to the server: names and addresses, Unix sockets, connectors; and the errors if there is none.

use std::sync::Arc;

use super::common::*;
use tokio::net::TcpListener;
use ws_client::{Blame, Config, ConnectError, Connecting, Connector, Options, Request, Stream};

#[tokio::test]
async fn a_refused_connection_asks_whether_the_server_is_running() {
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = ws_client::connect(format!("ws://{address}")).await.unwrap_err();
    assert_eq!(error.to_string(), format!("connection refused by {address}: is the server running?"));
    assert_eq!((error.blame(), error.is_fatal()), (Blame::Network, false));
}

#[tokio::test]
async fn localhost_reaches_a_server_that_only_listens_on_ipv4() {
    let (address, _serving) = answering(switching).await;
    let (ws, _) = ws_client::connect(format!("ws://localhost:{}", address.port())).await.unwrap();
    assert_eq!(ws.get_ref().peer_addr(), Some(address));
}

#[tokio::test]
async fn an_ipv6_literal_is_dialled_and_named_in_host() {
    let listener = TcpListener::bind("[::1]:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let head = read_head(&mut stream).await;
        tokio::io::AsyncWriteExt::write_all(&mut stream, &switching(&head)).await.unwrap();
        head
    });
    let (ws, _) = ws_client::connect(format!("ws://{address}/")).await.unwrap();
    let stream = ws.get_ref().tcp().unwrap();
    assert!(stream.nodelay().unwrap());
    let head = serving.await.unwrap();
    assert_eq!(field(&head, "host"), Some(address.to_string().as_str()));
}

#[tokio::test]
async fn nagle_can_be_left_on() {
    let (address, _serving) = answering(switching).await;
    let mut options = Options::default();
    options.nodelay = false;
    let (ws, _) = options.build().unwrap().connect(format!("ws://{address}")).await.unwrap();
    let stream = ws.get_ref().tcp().unwrap();
    assert!(!stream.nodelay().unwrap());
}

#[tokio::test]
async fn credentials_of_the_url_are_sent_as_basic_and_shown_nowhere() {
    let (address, serving) = answering(|_| b"HTTP/1.1 401 X\r\nContent-Length: 0\r\n\r\n".to_vec()).await;
    let url = format!("ws://al%40ice:s3cr%3Et@{address}/p?token=t0ken");
    let request = Request::new(&url).unwrap();
    let error = ws_client::connect(&request).await.unwrap_err();
    let head = serving.await.unwrap();
    assert_eq!(field(&head, "authorization"), Some("Basic YWxAaWNlOnMzY3I+dA=="));
    assert_eq!(field(&head, "host"), Some(address.to_string().as_str()));
    assert!(head.starts_with("GET /p?token=t0ken HTTP"));
    for shown in [format!("{request:?}"), format!("{error:?}"), error.to_string()] {
        for secret in ["s3cr", "al%40ice", "al@ice", "YWxAaWNl", "t0ken"] {
            assert!(!shown.contains(secret), "{secret} in {shown}");
        }
    }
    // Neither does an error about the URL, or one of the network, repeat it.
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    for url in [
        "http://alice:s3cret@h/".to_owned(),
        "ws://alice:s3cret@h/#f".into(),
        format!("ws://a:s3cret@{nobody}"),
    ] {
        let error = ws_client::connect(&url).await.unwrap_err();
        assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
    }
}

#[tokio::test]
async fn an_http_address_says_what_to_write() {
    let error = ws_client::connect("http://127.0.0.1:9001/").await.unwrap_err();
    assert_eq!(error.to_string(), "http:// is not a WebSocket address: write ws:// instead");
    assert_eq!((error.blame(), error.is_fatal()), (Blame::Caller, true));
}

#[cfg(not(feature = "tls"))]
#[tokio::test]
async fn wss_without_tls_names_the_feature() {
    let (address, _serving) = answering(switching).await;
    let error = ws_client::connect(format!("wss://{address}")).await.unwrap_err();
    assert!(error.to_string().contains("`ring`"), "{error}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_unix_socket_carries_a_websocket() {
    let path = std::env::temp_dir().join(format!("ws-client-{}-{:p}.sock", std::process::id(), &0));
    let _ = std::fs::remove_file(&path);
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let serving = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let head = read_head(&mut stream).await;
        tokio::io::AsyncWriteExt::write_all(&mut stream, &switching(&head)).await.unwrap();
        head
    });
    let client = Options::default().build().unwrap();
    let (ws, _) = client.connect_unix(&path, "ws://local.example/x").await.unwrap();
    assert!(format!("{:?}", ws.get_ref()).starts_with("UnixStream"), "{:?}", ws.get_ref());
    assert_eq!((ws.get_ref().tcp().is_none(), ws.get_ref().is_tls()), (true, false));
    let head = serving.await.unwrap();
    assert_eq!(field(&head, "host"), Some("local.example"));
    std::fs::remove_file(&path).unwrap();
    let error = client.connect_unix(&path, "ws://local.example/x").await.unwrap_err();
    assert!(error.to_string().contains(&path.display().to_string()), "{error}");
}

#[derive(Debug)]
struct Elsewhere(std::net::SocketAddr);

impl Connector for Elsewhere {
    fn connect<'a>(&'a self, request: &'a Request) -> Connecting<'a> {
        assert_eq!(request.authority(), "unreachable.example:80");
        Box::pin(async { Ok(Stream::custom(tokio::net::TcpStream::connect(self.0).await?)) })
    }
}

#[tokio::test]
async fn a_connector_takes_the_place_of_tcp() {
    let (address, serving) = answering(switching).await;
    let mut options = Options::default();
    options.connector = Some(Arc::new(Elsewhere(address)));
    let client = options.build().unwrap();
    drop(client.connect("ws://unreachable.example/").await.unwrap());
    assert_eq!(field(&serving.await.unwrap(), "host"), Some("unreachable.example"));
    // The server is gone now: the error of the connector is passed on.
    let error = client.connect("ws://unreachable.example/").await.unwrap_err();
    assert!(matches!(error, ConnectError::Io { .. }), "{error:?}");
}

#[test]
fn an_impossible_setting_is_named_when_the_client_is_built() {
    let mut options = Options::default();
    options.connection.max_message_size = 0;
    assert!(options.build().unwrap_err().to_string().contains("max_message_size = 0"));
    let mut options = Options::default();
    options.head.bytes = 0;
    assert!(options.build().unwrap_err().to_string().contains("head.bytes = 0"));
    let mut options = Options::default();
    options.head.fields = 2;
    assert!(options.build().unwrap_err().to_string().contains("head.fields = 2"));
    #[cfg(feature = "deflate")]
    {
        let mut options = Options::default();
        let mut deflate = ws_client::deflate::Config::client();
        deflate.level = 10;
        options.deflate = Some(deflate);
        assert!(options.build().unwrap_err().to_string().contains("deflate.level = 10"));
    }
    let defaults = Options::default();
    assert_eq!(defaults.connection, Config::client());
    assert_eq!(defaults.opening_timeout.as_secs(), 10);
    assert_eq!(defaults.attempt_delay.as_millis(), 250);
    assert_eq!((defaults.max_refusal_body, defaults.max_redirects, defaults.nodelay), (65_536, 0, true));
}
