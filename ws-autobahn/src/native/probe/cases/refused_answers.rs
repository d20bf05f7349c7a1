//! Sections 22.3 to 22.5: the answers that must not open the connection of a client, and endless answers.

use super::HELLO;
use crate::native::{
    frame::text,
    probe::{
        Draft, Want, client,
        draft::{bytes, switching},
        ends,
        want::Field,
    },
    script::Case,
};

const STATUS: &str =
    "RFC 6455 section 4.1: an answer other than 101 is handled by HTTP and does not open the connection";
const LINE: &str = "RFC 9112 section 4: HTTP-version SP status-code SP";
const FIELDS: &str =
    "RFC 6455 section 4.1, numbers 2 and 3: without these fields the client fails the connection";
const ACCEPT: &str =
    "RFC 6455 section 4.1, number 4: without the right Sec-WebSocket-Accept the client fails the connection";
const EXTENSION: &str =
    "RFC 6455 section 4.1, number 5: an extension that was not offered fails the connection";
const SUBPROTOCOL: &str =
    "RFC 6455 section 4.1, number 6: a subprotocol that was not offered fails the connection";
const PARAMETERS: &str = "RFC 7692 section 7.1: an answer with such parameters fails the connection";
const GRAMMAR: &str = "RFC 9112 section 5: field-name \":\" OWS field-value OWS";
const BOUNDED: &str = "RFC 6455 section 10.4: an implementation protects itself against endless input";

/// The client ends the connection and does not answer the message that follows.
fn refused(id: &str, rule: &'static str, what: &str, head: Draft) -> Case {
    client(id, rule, what).ask(head).send(text(HELLO)).must([ends()]).should([Want::AnyClose, ends()]).done()
}

/// Like `refused`, but a client that accepts the answer only breaks a SHOULD.
fn strict(id: &str, rule: &'static str, what: &str, head: Draft) -> Case {
    client(id, rule, what)
        .ask(head)
        .send(text(HELLO))
        .must([ends()])
        .should([Want::AnyClose, ends()])
        .should([Want::Text(HELLO.into())])
        .done()
}

/// The client ends the connection after an answer other than 101.
fn answered(id: &str, line: &str, more: &[&str]) -> Case {
    let head = switching().line(&format!("HTTP/1.1 {line}")).without("Sec-WebSocket-Accept");
    let head =
        more.iter().fold(head.without("Upgrade").set("Connection", "close"), |head, line| head.with(*line));
    let what = format!("the answer {line}");
    client(id, STATUS, what).ask(head.with("Content-Length: 0")).half_close().must([ends()]).done()
}

/// The cases.
pub(super) fn cases() -> Vec<Case> {
    [statuses(), fields(), negotiated(), parameters(), endless()].concat()
}

fn statuses() -> Vec<Case> {
    let line = |line| switching().line(line);
    vec![
        answered("22.3.1", "200 OK", &[]),
        answered("22.3.2", "204 No Content", &[]),
        answered("22.3.3", "301 Moved Permanently", &["Location: /nowhere"]),
        answered("22.3.4", "307 Temporary Redirect", &["Location: /nowhere"]),
        answered("22.3.5", "400 Bad Request", &[]),
        answered("22.3.6", "401 Unauthorized", &["WWW-Authenticate: Basic realm=\"a\""]),
        answered("22.3.7", "403 Forbidden", &[]),
        answered("22.3.8", "426 Upgrade Required", &["Sec-WebSocket-Version: 8, 7"]),
        answered("22.3.9", "503 Service Unavailable", &["Retry-After: 120"]),
        refused("22.3.10", STATUS, "200 with all the fields of a 101", line("HTTP/1.1 200 OK")),
        refused("22.3.11", STATUS, "status 1010", line("HTTP/1.1 1010 Switching Protocols")),
        refused("22.3.12", LINE, "no status", line("HTTP/1.1 Switching Protocols")),
        refused("22.3.13", LINE, "HTTQ/1.1", line("HTTQ/1.1 101 Switching Protocols")),
        strict(
            "22.3.14",
            LINE,
            "the version HTTP/1.0, which has no Upgrade",
            line("HTTP/1.0 101 Switching Protocols"),
        ),
        strict("22.3.15", LINE, "the version HTTP/3.7", line("HTTP/3.7 101 Switching Protocols")),
        refused(
            "22.3.16",
            LINE,
            "bytes that are not an answer",
            bytes("\u{16}\u{3}\u{1} this is not HTTP\r\n\r\n"),
        ),
    ]
}

fn fields() -> Vec<Case> {
    let without = |name| switching().without(name);
    let set = |name, value| switching().set(name, value);
    vec![
        refused("22.3.17", FIELDS, "no Upgrade", without("Upgrade")),
        refused("22.3.18", FIELDS, "Upgrade: h2c", set("Upgrade", "h2c")),
        refused("22.3.19", FIELDS, "Upgrade: websockets", set("Upgrade", "websockets")),
        refused("22.3.20", FIELDS, "no Connection", without("Connection")),
        refused("22.3.21", FIELDS, "Connection: close", set("Connection", "close")),
        refused("22.3.22", FIELDS, "Connection: upgrades", set("Connection", "upgrades")),
        refused("22.3.23", ACCEPT, "no Sec-WebSocket-Accept", without("Sec-WebSocket-Accept")),
        refused("22.3.24", ACCEPT, "an empty Sec-WebSocket-Accept", set("Sec-WebSocket-Accept", "")),
        refused(
            "22.3.25",
            ACCEPT,
            "the Sec-WebSocket-Accept of another key",
            set("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        ),
        refused(
            "22.3.26",
            ACCEPT,
            "the key itself as Sec-WebSocket-Accept",
            set("Sec-WebSocket-Accept", "{key}"),
        ),
        refused(
            "22.3.27",
            ACCEPT,
            "the right Sec-WebSocket-Accept and another byte",
            set("Sec-WebSocket-Accept", "{accept}x"),
        ),
        refused(
            "22.3.28",
            ACCEPT,
            "the right Sec-WebSocket-Accept in quotes",
            set("Sec-WebSocket-Accept", "\"{accept}\""),
        ),
        refused(
            "22.3.29",
            ACCEPT,
            "two fields Sec-WebSocket-Accept, the second wrong",
            switching().with("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        ),
        refused(
            "22.3.30",
            ACCEPT,
            "two fields Sec-WebSocket-Accept, the first wrong",
            switching().with_first("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        ),
        strict(
            "22.3.31",
            "RFC 6455 section 11.3.3: the field must not appear more than once",
            "the right Sec-WebSocket-Accept twice",
            switching().with("Sec-WebSocket-Accept: {accept}"),
        ),
        strict("22.3.32", GRAMMAR, "a line without a colon", switching().with("nonsense")),
        strict("22.3.33", GRAMMAR, "an empty name", switching().with(": b")),
        strict(
            "22.3.34",
            "RFC 9110 section 5.5: CR, LF and NUL in a value are dangerous",
            "a NUL in a value",
            switching().with("X-A: a\0b"),
        ),
        strict("22.3.35", GRAMMAR, "a name with a parenthesis", switching().with("X(A): b")),
    ]
}

fn negotiated() -> Vec<Case> {
    let subprotocol = |value: &str| switching().with(format!("Sec-WebSocket-Protocol: {value}"));
    let extension = |value: &str| switching().with(format!("Sec-WebSocket-Extensions: {value}"));
    vec![
        refused("22.4.1", SUBPROTOCOL, "a subprotocol that was not offered", subprotocol("x-not-offered")),
        refused("22.4.2", SUBPROTOCOL, "two subprotocols that were not offered", subprotocol("x-a, x-b")),
        refused(
            "22.4.3",
            SUBPROTOCOL,
            "two subprotocols in two lines",
            subprotocol("x-a").with("Sec-WebSocket-Protocol: x-b"),
        ),
        refused("22.4.4", EXTENSION, "an extension that was not offered", extension("x-not-offered")),
        refused(
            "22.4.5",
            EXTENSION,
            "permessage-deflate, and an extension that was not offered",
            extension("permessage-deflate, x-not-offered"),
        ),
        refused(
            "22.4.6",
            EXTENSION,
            "x-webkit-deflate-frame, which was not offered",
            extension("x-webkit-deflate-frame"),
        ),
        refused(
            "22.4.7",
            "RFC 7692 section 5: one answer",
            "permessage-deflate twice",
            extension("permessage-deflate, permessage-deflate"),
        ),
        refused(
            "22.4.8",
            "RFC 6455 section 9.1: extension-list",
            "an extension list with invalid syntax",
            extension("permessage-deflate; ="),
        ),
        client(
            "22.4.9",
            "RFC 6455 section 4.1, number 5: an extension that was offered",
            "permessage-deflate, if it was offered",
        )
        .ask(extension("permessage-deflate"))
        .send(text(HELLO))
        .must([
            Want::Request(vec![Field::Begins("sec-websocket-extensions", "permessage-deflate")]),
            Want::Text(HELLO.into()),
        ])
        .unknown([
            Want::Request(vec![Field::Lacks("sec-websocket-extensions", "permessage-deflate")]),
            ends(),
        ])
        .done(),
    ]
}

/// Parameters that fail the connection, whether or not the client has offered the extension.
fn parameters() -> Vec<Case> {
    let parameters = |id: &str, parameters: &str| {
        let head = switching().with(format!("Sec-WebSocket-Extensions: permessage-deflate; {parameters}"));
        refused(id, PARAMETERS, &format!("the answer permessage-deflate; {parameters}"), head)
    };
    vec![
        parameters("22.4.10", "unknown"),
        parameters("22.4.11", "unknown=1"),
        parameters("22.4.12", "server_no_context_takeover=1"),
        parameters("22.4.13", "client_no_context_takeover=true"),
        parameters("22.4.14", "server_no_context_takeover; server_no_context_takeover"),
        parameters("22.4.15", "server_max_window_bits"),
        parameters("22.4.16", "server_max_window_bits=7"),
        parameters("22.4.17", "server_max_window_bits=16"),
        parameters("22.4.18", "server_max_window_bits=010"),
        parameters("22.4.19", "client_max_window_bits"),
        parameters("22.4.20", "client_max_window_bits=7"),
        parameters("22.4.21", "client_max_window_bits=16"),
        parameters("22.4.22", "client_max_window_bits=abc"),
    ]
}

fn endless() -> Vec<Case> {
    let ended = |id: &str, what: &str, head: Draft| {
        client(id, BOUNDED, what).ask(head).half_close().must([ends()]).done()
    };
    let huge = "a".repeat(1 << 20);
    vec![
        ended("22.5.1", "the end of the connection instead of an answer", bytes("")),
        ended("22.5.2", "the end of the connection inside the head", switching().endless()),
        client("22.5.3", BOUNDED, "an endless head: 16 MiB of fields")
            .head(switching().with_many(16, &format!("X-#: {huge}")).endless())
            .within(20)
            .must([ends()])
            .should([Want::Silence])
            .done(),
        client("22.5.4", BOUNDED, "100,000 interim answers")
            .head(bytes("HTTP/1.1 100 Continue\r\n\r\n".repeat(100_000)))
            .within(20)
            .must([ends()])
            .should([Want::Silence])
            .done(),
        client("22.5.5", BOUNDED, "no answer for 25 s")
            .within(25)
            .must([ends()])
            .should([Want::Silence])
            .done(),
        client("22.5.6", BOUNDED, "an answer at one byte per second, for 25 s")
            .pace(1000)
            .head(switching().endless().delivered(crate::native::script::Delivery::Chopped(1)))
            .within(25)
            .must([ends()])
            .should([Want::Silence])
            .done(),
    ]
}
