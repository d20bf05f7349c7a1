//! The texts of errors: `Debug` is what `main` prints, and no cause is in them twice.

use std::error::Error;
use std::io;
use std::time::Duration;

use super::common::*;
use tokio::net::TcpListener;
use ws_client::ws_core::handshake::{ClientHandshake, HeadError};
use ws_client::{ConnectError, DialError, HandshakeError, HeaderError, Options, Stage, UrlError};
use ws_client::{Proxy, ProxyError, ProxyUrlError, Request};

fn broken() -> io::Error {
    io::Error::from(io::ErrorKind::ConnectionReset)
}

/// None of the addresses of a host answers.
async fn unreachable() -> DialError {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    match ws_client::connect(format!("ws://localhost:{}", nobody.port())).await {
        Err(ConnectError::Dial(error)) => error,
        other => panic!("{other:?}"),
    }
}

/// What answers does not speak TLS.
#[cfg(feature = "tls")]
async fn not_tls() -> ConnectError {
    let (address, _serving) = server(|stream| async move { drop(stream) }).await;
    ws_client::connect(format!("wss://{address}")).await.map(|_| ()).unwrap_err()
}

async fn connect_errors() -> Vec<ConnectError> {
    let authority = || "h:80".to_owned();
    let mut options = Options::default();
    options.connection.max_message_size = 0;
    let offer = ClientHandshake::new(http::Request::new(()), &[], None, [0; 16]);
    let proxy_errors = vec![
        ProxyError::Address(ProxyUrlError::Host),
        ProxyError::Resolve(broken()),
        ProxyError::ResolveServer(broken()),
        ProxyError::Dial(unreachable().await),
        ProxyError::Head(HeadError::StartLine("x")),
        ProxyError::Io(broken()),
        ProxyError::Early,
        ProxyError::Authentication { schemes: vec!["NTLM".into()] },
    ];
    let mut errors = vec![
        ConnectError::Url(UrlError::Host),
        ConnectError::Url(UrlError::Invalid(ws_client::InvalidUrl::Port)),
        ConnectError::Header(HeaderError::Name("x y".into())),
        ConnectError::Request(offer.unwrap_err()),
        ConnectError::Setting(options.build().unwrap_err()),
        ConnectError::TlsMissing,
        ConnectError::Resolve { host: "h".into(), source: broken() },
        ConnectError::Dial(unreachable().await),
        ConnectError::TlsExpected { authority: authority() },
        ConnectError::Handshake {
            authority: authority(),
            source: HandshakeError::Head(HeadError::StartLine("x")),
        },
        #[cfg(feature = "deflate")]
        ConnectError::Deflate {
            authority: authority(),
            source: ws_client::deflate::NegotiationError::UnknownParameter("x".into()),
        },
        ConnectError::InsecureRedirect { to: authority() },
        ConnectError::Io { authority: authority(), during: Stage::Dial, source: broken() },
        ConnectError::Timeout { authority: authority(), during: Stage::Tls, after: Duration::from_secs(1) },
        ConnectError::custom(io::Error::other(Outer), true),
        ConnectError::Random(broken()),
    ];
    #[cfg(feature = "tls")]
    errors.push(not_tls().await);
    errors.extend(proxy_errors.into_iter().map(|source| ConnectError::Proxy { proxy: authority(), source }));
    errors
}

/// What is wrong is in the source alone, as in the errors of hyper's clients.
#[derive(Debug)]
struct Outer;

impl std::fmt::Display for Outer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("outer")
    }
}

impl Error for Outer {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&Inner)
    }
}

#[derive(Debug)]
struct Inner;

impl std::fmt::Display for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("inner")
    }
}

impl Error for Inner {}

#[tokio::test]
async fn debug_output_is_the_message_and_no_cause_is_in_the_message_and_in_the_source() {
    for error in connect_errors().await {
        let text = error.to_string();
        assert_eq!(format!("{error:?}"), text);
        assert!(!text.contains('\n') && !text.contains(" { "), "{text}");
        let mut source = error.source();
        while let Some(cause) = source {
            assert!(!text.contains(&cause.to_string()), "{text} has its source in it: {cause}");
            source = cause.source();
        }
    }
    assert_eq!(ConnectError::custom(Outer, true).to_string(), "outer: inner");
    let io =
        ConnectError::Io { authority: "h:1".into(), during: Stage::Dial, source: io::Error::other(Outer) };
    assert!(io.to_string().ends_with("outer: inner"), "{io}");
}

#[test]
fn debug_output_of_every_error_is_its_message() {
    fn check(error: impl Error) {
        assert_eq!(format!("{error:?}"), error.to_string());
    }
    check(Request::new("localhost").unwrap_err());
    check(Request::new("ws://h").unwrap().header("x y", "").unwrap_err());
    check(Proxy::new("ftp://h").unwrap_err());
    check(ProxyError::NotSocks);
    check(HandshakeError::WrongAccept);
    let mut options = Options::default();
    options.opening_timeout = Duration::ZERO;
    check(options.build().unwrap_err());
}

#[tokio::test]
async fn the_message_of_a_refusal_has_its_body_as_one_line_of_text() {
    let body = "no \u{1b}[2Jsuch\r\nroom \u{202e}x\u{fffd}";
    let answer = format!("HTTP/1.1 404 X\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let error = connect_to_answer(&answer).await.unwrap_err();
    let expected = "(it says: no \\u{1b}[2Jsuch\\r\\nroom \\u{202e}x\u{fffd})";
    assert!(error.to_string().ends_with(expected), "{error}");
    assert_eq!(format!("{error:?}"), error.to_string());
    let ConnectError::Refused(refused) = error else { panic!("{error:?}") };
    assert!(format!("{refused:?}").contains("404") && format!("{refused:?}").contains("such"), "{refused:?}");
    let handshake = format!("{:?}", HandshakeError::Refused(refused));
    assert!(handshake.ends_with(expected), "{handshake}");

    let answer = format!(
        "HTTP/1.1 500 X\r\nSet-Cookie: s3cret\r\nContent-Length: 60000\r\n\r\n{}",
        "é".repeat(30_000)
    );
    let error = connect_to_answer(&answer).await.unwrap_err();
    let shown = error.to_string();
    assert!(shown.ends_with(&format!(": {}...)", "é".repeat(500))), "{shown}");
    let ConnectError::Refused(refused) = error else { panic!("{error:?}") };
    assert!(!format!("{refused:?}").contains("s3cret"), "{refused:?}");

    let error = connect_to_answer("HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n").await.unwrap_err();
    assert_eq!(format!("{error:?}"), error.to_string());
}
