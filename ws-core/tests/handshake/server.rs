//! The server's side of the opening handshake as a table: raw bytes → outcome, with the rule's source.
//!
//! Each row is fed whole, one byte at a time, and split at every place; a refusal must come at the marked byte.

use crate::table::{expand, places};
use ws_core::handshake::{HeadLimits, Opening, Refusal, RequestReader};

/// What comes out of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Outcome {
    /// A request for a WebSocket.
    Upgrade,
    /// Another request that is answered.
    Plain,
    /// A refusal with this status.
    Refused(u16),
}
use Outcome::{Plain, Refused, Upgrade};

/// Source of the rule, raw bytes, outcome.
type Row = (&'static str, &'static str, Outcome);

const LINES: &[(&str, &str)] = &[
    ("{G}", "GET / HTTP/1.1\r\n"),
    ("{H}", "Host: h\r\n"),
    ("{U}", "Upgrade: websocket\r\n"),
    ("{C}", "Connection: Upgrade\r\n"),
    ("{K}", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"),
    ("{V}", "Sec-WebSocket-Version: 13\r\n"),
    (
        "{WS}",
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n",
    ),
    ("{P}", "Sec-WebSocket-Protocol"),
    ("{E}", "Sec-WebSocket-Extensions"),
];

const REQUEST_LINE: &[Row] = &[
    ("RFC 6455 §4.2.1", "{G}{H}{WS}\r\n¶", Upgrade),
    ("RFC 6455 §4.2.1", "GET /chat?room=1&x=%20 HTTP/1.1\r\n{H}{WS}\r\n", Upgrade),
    ("RFC 9112 §3.2.2", "GET http://example.com/chat HTTP/1.1\r\n{H}{WS}\r\n", Upgrade),
    ("RFC 9112 §3.2.2", "GET ws://example.com:9001 HTTP/1.1\r\n{H}{WS}\r\n", Upgrade),
    ("RFC 9110 §4.2.3", "GET HTTPS://[::1]/?q HTTP/1.1\r\n{H}{WS}\r\n", Upgrade),
    ("RFC 9110 §2.5", "GET / HTTP/1.2\r\n{H}{WS}\r\n", Upgrade),
    ("RFC 9112 §2.2", "\r\n{G}{H}{WS}\r\n", Upgrade),
    ("browsers leave these in a query", "GET /?a=|{}^`\\ HTTP/1.1\r\n{H}{WS}\r\n", Upgrade),
    ("RFC 9112 §3.2.1", "GET //other.example/ HTTP/1.1\r\n{H}{WS}\r\n", Upgrade),
    ("RFC 9112 §2.2", "\r\n\r¶\n{G}{H}{WS}\r\n", Refused(400)),
    ("RFC 9112 §2.2", "\rG¶ET / HTTP/1.1\r\n{H}{WS}\r\n", Refused(400)),
    ("RFC 9112 §2.2", "\n¶{G}{H}{WS}\r\n", Refused(400)),
    ("RFC 9112 §2.2", " ¶GET / HTTP/1.1\r\n{H}{WS}\r\n", Refused(400)),
    ("RFC 9112 §3.1", "\x16¶\x03\x01\x02", Refused(400)),
    ("RFC 9112 §3.1", "G\0¶ET / HTTP/1.1\r\n{H}{WS}\r\n", Refused(400)),
    ("RFC 9112 §3.1", "GET\t¶/ HTTP/1.1\r\n{H}{WS}\r\n", Refused(400)),
    ("RFC 6455 §4.2.1", "POST ¶/ HTTP/1.1\r\n{H}{WS}\r\n", Refused(405)),
    ("RFC 9110 §9.1", "get ¶/ HTTP/1.1\r\n{H}{WS}\r\n", Refused(405)),
    ("RFC 9110 §9.3.6", "CONNECT ¶h:80 HTTP/1.1\r\n{H}\r\n", Refused(405)),
    ("RFC 9110 §9.3.7", "OPTIONS ¶* HTTP/1.1\r\n{H}\r\n", Refused(405)),
    ("RFC 9113 §3.4", "PRI ¶* HTTP/2.0\r\n\r\nSM\r\n\r\n", Refused(405)),
    ("RFC 9110 §9.1", "GETS ¶/ HTTP/1.1\r\n{H}{WS}\r\n", Refused(405)),
    ("RFC 9112 §3.2.4", "GET *¶ HTTP/1.1\r\n{H}{WS}\r\n", Refused(400)),
    ("RFC 9112 §3", "GET  ¶/ HTTP/1.1\r\n{H}{WS}\r\n", Refused(400)),
    ("RFC 9112 §3", "GET /  ¶HTTP/1.1\r\n{H}{WS}\r\n", Refused(400)),
    ("RFC 9112 §3", "GET /\r¶\n{H}{WS}\r\n", Refused(400)),
    ("RFC 9112 §3.2", "GET /a\0¶ HTTP/1.1\r\n{H}{WS}\r\n", Refused(400)),
    ("RFC 9112 §3.2", "GET /a\t¶b HTTP/1.1\r\n{H}{WS}\r\n", Refused(400)),
    ("RFC 9112 §3.2", "GET /a\x7f¶b HTTP/1.1\r\n{H}{WS}\r\n", Refused(400)),
    ("RFC 9112 §3.2", "GET /a\n¶b HTTP/1.1\r\n{H}{WS}\r\n", Refused(400)),
    ("RFC 3986 §2", "GET /a~¶ HTTP/1.1\r\n{H}{WS}\r\n", Refused(400)),
    ("RFC 9112 §3.2.1", "GET /a#¶b HTTP/1.1\r\n{H}{WS}\r\n", Refused(400)),
    ("RFC 3986 §3.3", "GET /< ¶HTTP/1.1\r\n{H}{WS}\r\n", Refused(400)),
    ("RFC 9112 §3.2.3", "GET h:80 ¶HTTP/1.1\r\n{H}{WS}\r\n", Refused(400)),
    ("RFC 9112 §3.2.3", "GET h ¶HTTP/1.1\r\n{H}{WS}\r\n", Refused(400)),
    ("RFC 9112 §3.2", "GET ?¶q HTTP/1.1\r\n{H}{WS}\r\n", Refused(400)),
    ("RFC 9112 §3.2.2", "GET ftp://h/ ¶HTTP/1.1\r\n{H}{WS}\r\n", Refused(400)),
    ("RFC 9110 §4.2.4", "GET http://u:p@h/ ¶HTTP/1.1\r\n{H}{WS}\r\n", Refused(400)),
    ("RFC 9110 §4.2.1", "GET http:///x ¶HTTP/1.1\r\n{H}{WS}\r\n", Refused(400)),
    ("RFC 3986 §3.2.3", "GET http://h:99999/ ¶HTTP/1.1\r\n{H}{WS}\r\n", Refused(400)),
    ("RFC 9112 §2.3", "GET / h¶ttp/1.1\r\n{H}{WS}\r\n", Refused(400)),
    ("RFC 9112 §2.3", "GET / HTTP/1,¶1\r\n{H}{WS}\r\n", Refused(400)),
    ("RFC 9112 §2.3", "GET / HTTP/1.11¶\r\n{H}{WS}\r\n", Refused(400)),
    ("RFC 9112 §2.2", "GET / HTTP/1.1 ¶\r\n{H}{WS}\r\n", Refused(400)),
    ("RFC 9112 §2.2", "GET / HTTP/1.1\n¶{H}{WS}\r\n", Refused(400)),
    ("RFC 9112 §2.2", "GET / HTTP/1.1\rH¶ost: h\r\n{WS}\r\n", Refused(400)),
    ("RFC 9112 §2.3", "GET / HTTP/1.0\r\n{H}\r\n", Plain),
    ("RFC 9112 §3.2: Host is a rule of HTTP/1.1", "GET /healthz HTTP/1.0\r\n\r\n", Plain),
    ("RFC 9112 §3.2", "HEAD / HTTP/1.0\r\n\r\n", Plain),
    ("RFC 9112 §3.2", "GET / HTTP/1.0\r\n{H}Host:¶ h\r\n\r\n", Refused(400)),
    ("RFC 9112 §3.2", "GET / HTTP/1.0\r\nHost: a b\r\n¶\r\n", Refused(400)),
    ("RFC 9112 §6.1", "GET / HTTP/1.0\r\nTransfer-Encoding:¶ chunked\r\n\r\n", Refused(400)),
    ("RFC 9110 §7.8", "GET / HTTP/1.0\r\n{H}{U}{C}\r\n", Plain),
    ("contract: a key, and a part lost", "GET / HTTP/1.0\r\n{H}{WS}\r\n", Refused(426)),
    (
        "PROXY protocol, version 1",
        "PROXY ¶TCP4 192.0.2.1 192.0.2.2 56324 443\r\n{G}{H}{WS}\r\n",
        Refused(400),
    ),
    ("PROXY protocol, version 1", "PROXY ¶UNKNOWN\r\n{G}{H}{WS}\r\n", Refused(400)),
    ("PROXY protocol, version 2", "\r\n\r¶\n\0\r\nQUIT\n\x21\x11\0\x0c", Refused(400)),
    ("RFC 6455 §4.2.1", "GET / HTTP/0.9¶\r\n{H}{WS}\r\n", Refused(505)),
    ("RFC 9110 §15.6.6", "GET / HTTP/2.0¶\r\n{H}{WS}\r\n", Refused(505)),
];

const FIELDS: &[Row] = &[
    ("RFC 9112 §5", "{G}hOsT:h\r\nUPGRADE:\t WebSocket \t\r\nconnection:UPGRADE\r\n{K}{V}\r\n", Upgrade),
    ("RFC 9110 §5.5", "{G}{H}{WS}X: ~\t~\r\nY:\r\nZ:  \r\n\r\n", Upgrade),
    ("RFC 9112 §3.2", "{G}Host: [2001:db8::1]:9001\r\n{WS}\r\n", Upgrade),
    ("RFC 9110 §7.2", "{G}Host: example.com:\r\n{WS}\r\n", Upgrade),
    ("RFC 9112 §3.2", "{G}{WS}\r\n¶", Refused(400)),
    ("RFC 9112 §3.2", "{G}{H}Host:¶ h\r\n{WS}\r\n", Refused(400)),
    ("RFC 9112 §3.2", "{G}{H}{WS}hOST:¶ i\r\n\r\n", Refused(400)),
    ("RFC 9112 §3.2", "GET http://h/ HTTP/1.1\r\n{WS}\r\n¶", Refused(400)),
    ("RFC 9112 §3.2", "{G}Host: a b\r\n¶{WS}\r\n", Refused(400)),
    ("RFC 9112 §3.2", "{G}Host: u@h\r\n¶{WS}\r\n", Refused(400)),
    ("RFC 9112 §3.2", "{G}Host: h:port\r\n¶{WS}\r\n", Refused(400)),
    ("RFC 9112 §3.2", "{G}Host: h/x\r\n¶{WS}\r\n", Refused(400)),
    ("RFC 9112 §3.2", "{G}Host: a, b\r\n¶{WS}\r\n", Refused(400)),
    ("RFC 9110 §4.2.1", "{G}Host:\r\n¶{WS}\r\n", Refused(400)),
    ("RFC 9110 §4.2.1", "{G}Host: :80\r\n¶{WS}\r\n", Refused(400)),
    ("RFC 9112 §3.2", "{G}Host: ~\r\n¶{WS}\r\n", Refused(400)),
    ("RFC 9112 §5.1", "{G}Host ¶: h\r\n{WS}\r\n", Refused(400)),
    ("RFC 9112 §5.1", "{G}Host\t¶: h\r\n{WS}\r\n", Refused(400)),
    ("RFC 9112 §5.2", "{G}{H}X: a\r\n ¶b\r\n{WS}\r\n", Refused(400)),
    ("RFC 9112 §5.2", "{G}{H}X: a\r\n\t¶b\r\n{WS}\r\n", Refused(400)),
    ("RFC 9112 §2.2", "{G} ¶Host: h\r\n{WS}\r\n", Refused(400)),
    ("RFC 9112 §2.2", "{G}Host: h\n¶{WS}\r\n", Refused(400)),
    ("RFC 9112 §2.2", "{G}{H}X: a\rb¶\r\n{WS}\r\n", Refused(400)),
    ("RFC 9112 §2.2", "{G}{H}X: a\r\r¶\n{WS}\r\n", Refused(400)),
    ("RFC 9112 §2.2", "{G}{H}{WS}\n¶", Refused(400)),
    ("RFC 9112 §2.2", "{G}{H}{WS}\rX¶", Refused(400)),
    ("RFC 9110 §5.5", "{G}{H}X: a\0¶\r\n{WS}\r\n", Refused(400)),
    ("RFC 9110 §5.5", "{G}{H}X: a\x1b¶\r\n{WS}\r\n", Refused(400)),
    ("RFC 9110 §5.5", "{G}{H}X: \x7f¶\r\n{WS}\r\n", Refused(400)),
    ("RFC 9110 §5.1", "{G}{H}:¶ x\r\n{WS}\r\n", Refused(400)),
    ("RFC 9110 §5.1", "{G}{H}X(¶: y\r\n{WS}\r\n", Refused(400)),
    ("RFC 9110 §5.1", "{G}{H}X~¶: y\r\n{WS}\r\n", Refused(400)),
    ("RFC 9110 §5.1", "{G}{H}X\0¶: y\r\n{WS}\r\n", Refused(400)),
    ("RFC 9112 §5", "{G}{H}X\r¶\n{WS}\r\n", Refused(400)),
    ("RFC 9112 §6.1", "{G}{H}Transfer-Encoding:¶ chunked\r\n{WS}\r\n", Refused(400)),
    ("RFC 9112 §6.1", "{G}{H}tRANSFER-encoding:¶ identity\r\n\r\n", Refused(400)),
    ("RFC 9112 §6.3", "{G}{H}Content-Length: 5\r\n¶{WS}\r\nhello", Refused(400)),
    ("RFC 9110 §8.6", "{G}{H}Content-Length: +0\r\n¶{WS}\r\n", Refused(400)),
    ("RFC 9110 §8.6", "{G}{H}Content-Length:\r\n¶{WS}\r\n", Refused(400)),
    ("RFC 9112 §6.3", "{G}{H}Content-Length: 0, 0\r\n¶{WS}\r\n", Refused(400)),
    ("RFC 9112 §6.3", "{G}{H}Content-Length: 0\r\nContent-Length:¶ 0\r\n{WS}\r\n", Refused(400)),
    ("RFC 9110 §8.6", "{G}{H}Content-Length: 0\r\n{WS}\r\n", Upgrade),
    ("RFC 9112 §6.3", "{G}{H}Content-Length: 1\r\n¶\r\nx", Refused(400)),
];

const WEBSOCKET: &[Row] = &[
    (
        "RFC 9110 §7.8",
        "{G}{H}Upgrade: h2c, websocket\r\nConnection: keep-alive, Upgrade\r\n{K}{V}\r\n",
        Upgrade,
    ),
    ("RFC 9110 §5.3", "{G}{H}Upgrade: h2c\r\n{U}Connection: keep-alive\r\n{C}{K}{V}\r\n", Upgrade),
    ("RFC 9110 §5.6.1.2", "{G}{H}Upgrade: ,,websocket ,\r\nConnection: , upgrade\r\n{K}{V}\r\n", Upgrade),
    ("RFC 6455 §4.2.1", "{G}{H}\r\n", Plain),
    ("RFC 6455 §4.2.1", "{G}{H}{C}{V}\r\n", Plain),
    ("RFC 6455 §4.2.1", "{G}{H}Upgrade: websockets\r\n{C}{V}\r\n", Plain),
    ("RFC 9110 §7.8", "{G}{H}Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\n\r\n", Plain),
    ("contract: a part lost", "{G}{H}{C}{K}{V}\r\n", Refused(426)),
    ("contract: a part lost", "{G}{H}{U}{K}{V}\r\n", Refused(426)),
    ("contract: a part lost", "{G}{H}{U}\r\n", Refused(426)),
    ("contract: a part lost", "{G}{H}Upgrade: websockets\r\n{C}{K}{V}\r\n", Refused(426)),
    ("RFC 9110 §7.8", "{G}{H}Upgrade: websocket/13\r\n{C}{K}{V}\r\n", Refused(426)),
    ("contract: a part lost", "{G}{H}{U}Connection: keep-alive\r\n{K}{V}\r\n", Refused(426)),
    ("contract: a part lost", "{G}{H}{U}Connection: keep-alive Upgrade\r\n{K}{V}\r\n", Refused(426)),
    ("RFC 9110 §9.3.2", "HEAD / HTTP/1.1\r\n{H}\r\n", Plain),
    ("RFC 6455 §4.1", "HEAD / HTTP/1.1\r\n{H}{WS}\r\n", Plain),
    ("RFC 6455 §4.1", "HEAD / HTTP/1.1\r\n{H}{U}{K}\r\n", Plain),
    ("contract: a part lost", "{G}{H}Sec-WebSocket-Key: x\r\n\r\n", Refused(426)),
    ("contract: a part lost", "{G}{H}Sec-WebSocket-Key:\r\n\r\n", Refused(426)),
    ("RFC 6455 §4.4", "{G}{H}{U}{C}{K}Sec-WebSocket-Version: 8\r\n\r\n", Refused(426)),
    ("RFC 6455 §4.4", "{G}{H}{U}{C}Sec-WebSocket-Version: 14\r\n\r\n", Refused(426)),
    ("RFC 6455 §4.4", "{G}{H}{U}{C}{K}Sec-WebSocket-Version: 13, 8\r\n\r\n", Refused(426)),
    ("RFC 6455 §11.3.5", "{G}{H}{U}{C}{K}Sec-WebSocket-Version: 013\r\n\r\n", Refused(426)),
    ("RFC 6455 §11.3.5", "{G}{H}{U}{C}{K}Sec-WebSocket-Version:\r\n\r\n", Refused(426)),
    ("RFC 6455 §4.2.1", "{G}{H}{U}{C}{K}\r\n", Refused(400)),
    ("RFC 6455 §11.3.5", "{G}{H}{U}{C}{K}{V}{V}\r\n", Refused(400)),
    ("RFC 6455 §4.2.1", "{G}{H}{U}{C}{V}\r\n", Refused(400)),
    ("RFC 6455 §11.3.1", "{G}{H}{U}{C}{K}{K}{V}\r\n", Refused(400)),
    ("RFC 6455 §4.2.1", "{G}{H}{U}{C}Sec-WebSocket-Key:\r\n{V}\r\n", Refused(400)),
    ("RFC 6455 §4.2.1", "{G}{H}{U}{C}Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZTE=\r\n{V}\r\n", Refused(400)),
    ("RFC 6455 §4.2.1", "{G}{H}{U}{C}Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j\r\n{V}\r\n", Refused(400)),
    ("RFC 6455 §4.2.1", "{G}{H}{U}{C}Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ\r\n{V}\r\n", Refused(400)),
    ("RFC 4648 §4", "{G}{H}{U}{C}Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25-_Q==\r\n{V}\r\n", Refused(400)),
    ("RFC 6455 §4.1", "{G}{H}{WS}{P}: chat, superchat\r\n\r\n", Upgrade),
    ("RFC 6455 §11.3.4", "{G}{H}{WS}{P}: chat\r\n{P}: superchat\r\n\r\n", Upgrade),
    ("RFC 6455 §4.1", "{G}{H}{WS}{P}: chat, chat\r\n\r\n", Refused(400)),
    ("RFC 6455 §4.1", "{G}{H}{WS}{P}: chat\r\n{P}: a, chat\r\n\r\n", Refused(400)),
    ("RFC 6455 §4.1", "{G}{H}{WS}{P}: chat, Chat\r\n\r\n", Upgrade),
    ("RFC 9110 §5.6.1.2", "{G}{H}{WS}{P}: a,,b\r\n\r\n", Upgrade),
    ("RFC 9110 §5.6.1.2", "{G}{H}{WS}{P}: echo, \r\n\r\n", Upgrade),
    ("RFC 9110 §5.6.1.2", "{G}{H}{WS}{P}: ,echo,,other\r\n\r\n", Upgrade),
    ("RFC 9110 §5.6.1.2", "{G}{H}{WS}{P}:\r\n\r\n", Upgrade),
    ("RFC 9110 §5.6.1.2", "{G}{H}{WS}{P}: \t, ,\r\n{P}:\r\n\r\n", Upgrade),
    ("RFC 6455 §4.1", "{G}{H}{WS}{P}: a,,a\r\n\r\n", Refused(400)),
    ("RFC 6455 §4.1", "{G}{H}{WS}{P}: ,a b\r\n\r\n", Refused(400)),
    ("RFC 6455 §4.1", "{G}{H}{WS}{P}: a b\r\n\r\n", Refused(400)),
    ("RFC 6455 §4.1", "{G}{H}{WS}{P}: a/b\r\n\r\n", Refused(400)),
    ("RFC 6455 §4.1", "{G}{H}{WS}{P}: \"a\"\r\n\r\n", Refused(400)),
    ("RFC 6455 §4.1", "{G}{H}{WS}{P}: ~\r\n\r\n", Refused(400)),
    ("RFC 6455 §9.1", "{G}{H}{WS}{E}: a; x=1; y, b\r\n{E}: c;z=\"2\"\r\n\r\n", Upgrade),
    ("RFC 9110 §5.6.1.2", "{G}{H}{WS}{E}:\r\n\r\n", Upgrade),
    ("RFC 9110 §5.6.1.2", "{G}{H}{WS}{E}: ,\t,\r\n{E}: a, \r\n\r\n", Upgrade),
    ("RFC 6455 §9.1", "{G}{H}{WS}{E}: ;\r\n\r\n", Refused(400)),
    ("RFC 6455 §9.1", "{G}{H}{WS}{E}: a;\r\n\r\n", Refused(400)),
    ("RFC 6455 §9.1", "{G}{H}{WS}{E}: a; x=\r\n\r\n", Refused(400)),
    ("RFC 6455 §9.1", "{G}{H}{WS}{E}: a; x=\"1 2\"\r\n\r\n", Refused(400)),
    ("RFC 6455 §9.1", "{G}{H}{WS}{E}: a; x=\"1\r\n\r\n", Refused(400)),
    ("RFC 6455 §9.1", "{G}{H}{WS}{E}: a b\r\n\r\n", Refused(400)),
    ("RFC 6455 §9.1", "{G}{H}{WS}{E}: a\r\n{E}: b=1\r\n\r\n", Refused(400)),
    (
        "RFC 6455 §10.2: judged by the policy, not here",
        "{G}{H}{WS}Origin: http://evil.example\r\n\r\n",
        Upgrade,
    ),
];

fn reader() -> RequestReader {
    RequestReader::new(HeadLimits::server())
}

/// The outcome and the length of the head.
fn outcome(result: Result<Option<(Opening, usize)>, Refusal>) -> Option<(Outcome, Option<usize>)> {
    match result {
        Ok(None) => None,
        Ok(Some((Opening::Upgrade(_), length))) => Some((Upgrade, Some(length))),
        Ok(Some((Opening::Plain(_), length))) => Some((Plain, Some(length))),
        Err(refusal) => Some((Refused(refusal.status().as_u16()), None)),
    }
}

#[test]
fn empty_elements_leave_no_trace_in_what_is_offered() {
    for (lines, subprotocols, extensions) in [
        ("{P}: echo, \r\n", &["echo"][..], 0),
        ("{P}: ,echo,,other\r\n{E}:\r\n", &["echo", "other"], 0),
        ("{P}:\r\n{E}: , x;y ,\r\n", &[], 1),
    ] {
        let (bytes, _) = expand(&format!("{{G}}{{H}}{{WS}}{lines}\r\n"), LINES);
        let Ok(Some((Opening::Upgrade(upgrade), _))) = reader().receive(&bytes) else { panic!("{lines}") };
        assert_eq!(upgrade.subprotocols(), subprotocols, "{lines}");
        assert_eq!(upgrade.extensions().len(), extensions, "{lines}");
    }
}

#[test]
fn a_refusal_says_what_the_peer_speaks_or_what_was_lost_on_the_way() {
    for (text, words) in [
        ("PROXY TCP6 ::1 ::1 1 2\r\n{G}{H}\r\n", &["PROXY protocol", "load balancer"][..]),
        ("\r\n\r\n\0\r\nQUIT\n", &["PROXY protocol version 2", "load balancer"]),
        ("\x16\x03\x01\x02\0\x01", &["TLS", "ws://"]),
        ("GET /caf~ HTTP/1.1\r\n{H}{WS}\r\n", &["percent-encoded"]),
        ("{G}{H}{U}{K}{V}\r\n", &["lacks Connection: Upgrade;", "proxy"]),
        ("{G}{H}{C}{K}{V}\r\n", &["lacks Upgrade: websocket;"]),
        ("{G}{H}{K}{V}\r\n", &["lacks Upgrade: websocket and Connection: Upgrade;"]),
        ("{G}{H}{U}\r\n", &["Connection: Upgrade and Sec-WebSocket-Key and Sec-WebSocket-Version: 13;"]),
        ("GET / HTTP/1.0\r\n{H}{WS}\r\n", &["HTTP/1.0", "proxy_http_version 1.1"]),
    ] {
        let (bytes, _) = expand(text, LINES);
        let refusal = reader().receive(&bytes).unwrap_err();
        assert!(words.iter().all(|word| refusal.body().contains(word)), "{refusal}");
    }
}

#[test]
fn every_row_has_its_outcome_however_it_is_split() {
    let mut rows = 0;
    for (source, text, expected) in [REQUEST_LINE, FIELDS, WEBSOCKET].concat() {
        let (bytes, decided_at) = expand(text, LINES);
        let length = (!matches!(expected, Refused(_))).then_some(decided_at);
        let known = Some((expected, length));
        assert_eq!(outcome(reader().receive(&bytes)), known, "whole: {source}: {text:?}");
        let followed = [&bytes[..], b"\x81\x85frame"].concat();
        assert_eq!(outcome(reader().receive(&followed)), known, "with more behind it: {source}: {text:?}");

        let mut one_by_one = reader();
        for end in 0..=bytes.len() {
            let result = outcome(one_by_one.receive(&bytes[..end]));
            if end < decided_at {
                assert_eq!(result, None, "{end} bytes: {source}: {text:?}");
            } else {
                assert_eq!(result, known, "decided by byte {decided_at}: {source}: {text:?}");
                break;
            }
        }
        for place in places(bytes.len()) {
            let mut split = reader();
            let first = outcome(split.receive(&bytes[..place]));
            assert_eq!(
                first.or_else(|| outcome(split.receive(&bytes))),
                known,
                "split at {place}: {source}: {text:?}"
            );
        }
        rows += 1;
    }
    assert!(rows >= 120, "the table has {rows} rows");
}

/// Rows whose fault a parser hides, which reads lines that end in LF, skips empty ones and drops a fragment.
const HIDDEN: &[&str] = &[
    "\r\n\r¶\n{G}{H}{WS}\r\n",
    "\n¶{G}{H}{WS}\r\n",
    "GET /a#¶b HTTP/1.1\r\n{H}{WS}\r\n",
    "GET / HTTP/1.1\n¶{H}{WS}\r\n",
    "{G}Host: h\n¶{WS}\r\n",
    "{G}{H}{WS}\n¶",
];
/// And one that it refuses, though it need not.
const REFUSED_ELSEWHERE: &str = "GET / HTTP/1.2\r\n{H}{WS}\r\n";

/// The row as another HTTP library hands it over; `None` if that refuses it.
fn parsed(bytes: &[u8]) -> Option<http::Request<()>> {
    let mut fields = [httparse::EMPTY_HEADER; 32];
    let mut head = httparse::Request::new(&mut fields);
    let Ok(httparse::Status::Complete(_)) = head.parse(bytes) else { return None };
    let version = if head.version == Some(0) { http::Version::HTTP_10 } else { http::Version::HTTP_11 };
    let request = http::Request::builder().method(head.method?).uri(head.path?).version(version);
    head.headers.iter().fold(request, |request, field| request.header(field.name, field.value)).body(()).ok()
}

#[test]
fn a_request_that_another_library_has_read_has_the_same_outcome() {
    let mut judged = 0;
    for (source, text, expected) in [REQUEST_LINE, FIELDS, WEBSOCKET].concat() {
        let (bytes, _) = expand(text, LINES);
        let Some(request) = parsed(&bytes) else {
            assert!(matches!(expected, Refused(_)) || text == REFUSED_ELSEWHERE, "{source}: {text:?}");
            continue;
        };
        let found = match Opening::from_request(request, HeadLimits::server()) {
            Ok(Opening::Upgrade(_)) => Upgrade,
            Ok(Opening::Plain(_)) => Plain,
            Err(refusal) => Refused(refusal.status().as_u16()),
        };
        let expected = if HIDDEN.contains(&text) { Upgrade } else { expected };
        assert_eq!(found, expected, "{source}: {text:?}");
        judged += 1;
    }
    assert!(judged >= 90, "only {judged} rows were judged");
}
