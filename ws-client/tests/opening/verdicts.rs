//! What an error says about trying again and about what to do, for every party that it may blame.

use std::io;
use std::time::Duration;

use super::common::*;
use ws_client::{ConnectError, ProxyError, Request, Stage};

fn broken() -> io::Error {
    io::ErrorKind::ConnectionReset.into()
}

#[test]
fn temporary_errors_are_not_fatal_and_mistakes_of_the_program_are() {
    let mut zero = ws_client::Options::default();
    zero.opening_timeout = Duration::ZERO;
    for error in [
        ConnectError::Resolve { host: "h".into(), source: broken() },
        ConnectError::Io { authority: "h:1".into(), during: Stage::Dial, source: broken() },
        ConnectError::Random(broken()),
        ConnectError::custom("x", false),
    ] {
        assert!(!error.is_fatal(), "{error}");
    }
    for error in [
        ConnectError::TlsMissing,
        ConnectError::Setting(zero.build().unwrap_err()),
        ConnectError::TlsExpected { authority: "h:1".into() },
        ConnectError::custom("x", true),
    ] {
        assert!(error.is_fatal(), "{error}");
    }
}

#[test]
fn a_proxys_error_is_fatal_unless_it_is_one_of_the_network() {
    use http::StatusCode;
    let is_fatal = |source| ConnectError::Proxy { proxy: "p:1".into(), source }.is_fatal();
    for source in [
        ProxyError::Resolve(broken()),
        ProxyError::ResolveServer(broken()),
        ProxyError::Io(broken()),
        ProxyError::Refused(StatusCode::TOO_MANY_REQUESTS),
        ProxyError::Refused(StatusCode::BAD_GATEWAY),
    ] {
        assert!(!is_fatal(source));
    }
    for source in [
        ProxyError::NotSocks,
        ProxyError::NoMethod,
        ProxyError::Early,
        ProxyError::Refused(StatusCode::FORBIDDEN),
    ] {
        assert!(is_fatal(source));
    }
    // RFC 1928 section 6.
    for reply in 1..=9 {
        assert_eq!(is_fatal(ProxyError::SocksReply(reply)), matches!(reply, 2 | 7 | 8 | 9), "{reply}");
    }
}

#[test]
fn a_timeout_names_what_was_not_done_in_time() {
    for (during, doing) in [
        (Stage::Resolve, "at this stage: looking up the host name"),
        (Stage::Dial, "at this stage: connecting"),
        (Stage::Proxy, "at this stage: connecting through the proxy"),
        (Stage::Tls, "at this stage: the TLS handshake"),
        (Stage::Handshake, "at this stage: the opening handshake"),
    ] {
        let after = Duration::from_secs(1);
        let text = ConnectError::Timeout { authority: "h:1".into(), during, after }.to_string();
        assert!(text.ends_with(doing) && text.contains("opening_timeout = 1s"), "{text}");
    }
}

#[tokio::test]
async fn a_refusal_says_what_to_do_about_its_status() {
    for (status, todo) in [
        (300, "it has no Location field"),
        (204, "this address answers in plain HTTP"),
        (400, "it does not understand the request"),
        (401, "it asks for credentials"),
        (403, "it forbids the access"),
        (404, "there is nothing at this path"),
        (408, "try again later"),
        (418, "its body may say why"),
        (425, "try again later"),
        (426, "it speaks another version of the protocol"),
        (429, "try again later"),
        (500, "try again later"),
        (599, "try again later"),
    ] {
        let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n");
        let text = connect_to_answer(&answer).await.unwrap_err().to_string();
        assert!(text.contains(&format!("answered {status}")) && text.contains(todo), "{text}");
    }
}

#[tokio::test]
async fn a_401_says_how_to_give_the_credentials_of_each_scheme_that_it_asks_for() {
    let (basic, field) = ("ws://user:password@…", "as an Authorization field");
    for (challenge, says, says_not) in [
        ("", &["it asks for credentials", basic, field][..], "Bearer"),
        (
            "WWW-Authenticate: Basic realm=\"Bearer\"\r\n",
            &["it asks for credentials", basic, field],
            "Bearer",
        ),
        (
            "WWW-Authenticate: Bearer realm=\"Basic\"\r\n",
            &["it asks for a token", field, "`Bearer TOKEN`"],
            basic,
        ),
        ("WWW-Authenticate: bearer\r\n", &["it asks for a token", field, "`Bearer TOKEN`"], basic),
        (
            "WWW-Authenticate: Bearer, Basic realm=x\r\n",
            &["a token or a password", basic, "`Bearer TOKEN`"],
            "Digest",
        ),
        ("WWW-Authenticate: Digest\r\nWWW-Authenticate: Bearer\r\n", &["it asks for a token", field], basic),
        (
            "WWW-Authenticate: Digest nonce=x, Negotiate\r\n",
            &["credentials of Digest or Negotiate", field],
            basic,
        ),
    ] {
        let answer = format!("HTTP/1.1 401 X\r\n{challenge}Content-Length: 12\r\n\r\nno\nsuch user");
        let text = connect_to_answer(&answer).await.unwrap_err().to_string();
        assert!(says.iter().all(|part| text.contains(part)), "{challenge:?}: {text}");
        assert!(!text.contains(says_not), "{challenge:?}: {text}");
        assert!(text.ends_with(" (it says: no\\nsuch user)"), "{challenge:?}: {text}");
    }
}

#[test]
fn a_second_host_field_is_refused() {
    let request = Request::new("ws://h").unwrap().header("Host", "a").unwrap();
    let error = request.header("host", "b").unwrap_err().to_string();
    assert!(error.contains("`host` is given twice"), "{error}");
}

#[test]
fn a_user_name_alone_and_a_password_alone_are_sent_as_credentials() {
    let fields = |url: &str| format!("{:?}", Request::new(url).unwrap());
    for url in ["ws://user@h/", "ws://:secret@h/", "ws://user:secret@h/"] {
        let shown = fields(url);
        assert!(shown.contains("authorization") && !shown.contains("secret"), "{shown}");
    }
    assert!(!fields("ws://h/").contains("authorization"));
}

#[test]
fn the_offer_of_extensions_is_no_field_to_set() {
    for (name, instead) in [
        ("Sec-WebSocket-Extensions", "set it with `Options::deflate`"),
        ("Sec-WebSocket-Protocol", "offer it with `Request::subprotocol`"),
        ("Sec-WebSocket-Key", "leave it out"),
        ("Content-Length", "a handshake has no body"),
    ] {
        let error = Request::new("ws://h").unwrap().header(name, "x").unwrap_err();
        assert!(error.to_string().contains(instead), "{error}");
    }
}

#[test]
fn the_smallest_limits_of_a_head_are_accepted_and_smaller_ones_are_not() {
    let build = |bytes, fields| {
        let mut options = ws_client::Options::default();
        (options.head.bytes, options.head.fields) = (bytes, fields);
        options.build().map(drop)
    };
    assert!(build(107, 3).is_ok());
    assert!(build(106, 3).is_err() && build(107, 2).is_err());
}
