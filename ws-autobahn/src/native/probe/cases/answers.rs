//! Sections 22.1 and 22.2: the request of a client, and the answers that open the connection.

use super::HELLO;
use crate::native::{
    frame::{CLOSE, close_body, frame, text},
    probe::{Draft, Measure, Want, client, draft::switching, echoes, ends, maybe, want::Field},
    script::{Case, Delivery},
};

const ASKED: &str = "RFC 6455 section 4.1: the requirements for the opening handshake of a client";
const NONCE: &str = "RFC 6455 section 4.1: \"The nonce MUST be selected randomly for each connection\"";
const ANSWER: &str = "RFC 6455 section 4.1: the checks of the answer by a client, and no others";
const SPELLING: &str =
    "RFC 9110 section 5: field names and these tokens are case-insensitive, lists may contain whitespace";
const INTERIM: &str = "RFC 9110 section 15.2: a client parses any number of 1xx answers before the final one";
const ROBUST: &str = "RFC 9112 section 2.2: message parsing robustness";

/// The cases.
pub(super) fn cases() -> Vec<Case> {
    [requests(), answers()].concat()
}

fn requests() -> Vec<Case> {
    let asks = |id: &str, rule: &'static str, what: &str, field: Field| {
        client(id, rule, what)
            .open()
            .send(frame(CLOSE, close_body(1000, b"")))
            .must([Want::Request(vec![field]), maybe(Want::AnyClose), ends()])
            .done()
    };
    let unwanted = |id: &str, rule: &'static str, what: &str, field: Field| {
        client(id, rule, what)
            .open()
            .send(frame(CLOSE, close_body(1000, b"")))
            .must([Want::Request(vec![field]), maybe(Want::AnyClose), ends()])
            .should([maybe(Want::AnyClose), ends()])
            .done()
    };
    vec![
        client("22.1.1", ASKED, "the request line: GET of a path, or of an absolute http URI, by HTTP/1.1")
            .open()
            .send(frame(CLOSE, close_body(1000, b"")))
            .must([Want::Request(vec![Field::Line("GET /", " HTTP/1.1")]), maybe(Want::AnyClose), ends()])
            .must([
                Want::Request(vec![Field::Line("GET http://", " HTTP/1.1")]),
                maybe(Want::AnyClose),
                ends(),
            ])
            .done(),
        asks("22.1.2", "RFC 9112 section 3.2: exactly one Host", "one Host, not empty", Field::Once("host")),
        asks("22.1.3", ASKED, "Upgrade: websocket", Field::Has("upgrade", "websocket")),
        asks("22.1.4", ASKED, "Connection: Upgrade", Field::Has("connection", "upgrade")),
        asks("22.1.5", ASKED, "a Sec-WebSocket-Key of 16 bytes in Base64", Field::Nonce("sec-websocket-key")),
        asks("22.1.6", ASKED, "Sec-WebSocket-Version: 13, once", Field::Is("sec-websocket-version", "13")),
        unwanted(
            "22.1.7",
            "RFC 9110 section 9.3.1: a GET has no body",
            "no Transfer-Encoding",
            Field::Absent("transfer-encoding"),
        ),
        unwanted(
            "22.1.8",
            "RFC 9110 section 9.3.1: a GET has no body",
            "no Content-Length",
            Field::Absent("content-length"),
        ),
        asks(
            "22.1.9",
            "RFC 6455 section 11.3.3: a server's field",
            "no Sec-WebSocket-Accept",
            Field::Absent("sec-websocket-accept"),
        ),
        client("22.1.10", NONCE, "a Sec-WebSocket-Key that no earlier connection had")
            .open()
            .send(frame(CLOSE, close_body(1000, b"")))
            .measure(Measure::Keys)
            .must([Want::Request(vec![Field::Nonce("sec-websocket-key")]), maybe(Want::AnyClose), ends()])
            .done(),
    ]
}

/// The client opens the connection and echoes.
fn opened(id: &str, rule: &'static str, what: &str, head: Draft) -> Case {
    client(id, rule, what).ask(head).send(text(HELLO)).must([echoes(HELLO)]).done()
}

/// Like `opened`, but a client that refuses the answer only breaks a SHOULD.
fn lenient(id: &str, rule: &'static str, what: &str, head: Draft) -> Case {
    client(id, rule, what).ask(head).send(text(HELLO)).must([echoes(HELLO)]).should([ends()]).done()
}

/// The rule allows the client to open the connection or to refuse the answer.
fn either(id: &str, rule: &'static str, what: &str, head: Draft) -> Case {
    client(id, rule, what).ask(head).send(text(HELLO)).must([echoes(HELLO)]).must([ends()]).done()
}

fn answers() -> Vec<Case> {
    let names = |change: fn(&str) -> String| {
        ["Upgrade", "Connection", "Sec-WebSocket-Accept"].into_iter().fold(switching(), |head, name| {
            let value = head.value(name);
            head.replace(name, format!("{}:{value}", change(name)))
        })
    };
    let interim = |line: &str| switching().after(line);
    let set = |name, value| switching().set(name, value);
    vec![
        opened("22.2.1", ANSWER, "the answer as RFC 6455 shows it", switching()),
        opened(
            "22.2.2",
            ANSWER,
            "a different reason phrase",
            switching().line("HTTP/1.1 101 Web Socket Protocol Handshake"),
        ),
        opened(
            "22.2.3",
            "RFC 9112 section 4: the reason phrase is optional",
            "an empty reason phrase",
            switching().line("HTTP/1.1 101 "),
        ),
        lenient(
            "22.2.4",
            "RFC 9112 section 4: the space is not optional",
            "no reason phrase and no space before it",
            switching().line("HTTP/1.1 101"),
        ),
        opened("22.2.5", SPELLING, "field names in lower case", names(str::to_lowercase)),
        opened("22.2.6", SPELLING, "field names in upper case", names(str::to_uppercase)),
        opened("22.2.7", SPELLING, "Upgrade: WebSocket", set("Upgrade", "WebSocket")),
        opened("22.2.8", SPELLING, "Connection: UPGRADE", set("Connection", "UPGRADE")),
        opened(
            "22.2.9",
            SPELLING,
            "Connection: keep-alive, Upgrade",
            set("Connection", "keep-alive, Upgrade"),
        ),
        opened(
            "22.2.10",
            SPELLING,
            "Connection in two lines",
            switching().with_first("Connection: keep-alive"),
        ),
        opened(
            "22.2.11",
            SPELLING,
            "no space after a colon",
            switching().replace("Upgrade", "Upgrade:websocket"),
        ),
        opened(
            "22.2.12",
            SPELLING,
            "tabs and spaces around a value",
            switching().replace("Upgrade", "Upgrade: \t websocket \t "),
        ),
        opened(
            "22.2.13",
            ANSWER,
            "unknown fields",
            switching().with("Server: x").with("X-Unknown: a; b=\"c\"").with("X-Empty:"),
        ),
        opened("22.2.14", ANSWER, "60 more fields", switching().with_many(60, "X-Field-#: some value")),
        opened(
            "22.2.15",
            ANSWER,
            "a field of 4 KiB",
            switching().with(format!("X-Field: {}", "a".repeat(4 << 10))),
        ),
        opened(
            "22.2.16",
            ROBUST,
            "a head that arrives byte by byte",
            switching().delivered(Delivery::Chopped(1)),
        ),
        opened(
            "22.2.17",
            ROBUST,
            "a head that arrives in pieces of 7 bytes",
            switching().delivered(Delivery::Chopped(7)),
        ),
        client("22.2.18", ROBUST, "a head whose last bytes arrive later")
            .head(switching().endless())
            .wait(50)
            .bytes("\r")
            .wait(50)
            .bytes("\n")
            .send(text(HELLO))
            .must([echoes(HELLO)])
            .done(),
        opened(
            "22.2.19",
            INTERIM,
            "100 Continue before the answer",
            interim("HTTP/1.1 100 Continue\r\n\r\n"),
        ),
        opened(
            "22.2.20",
            INTERIM,
            "103 Early Hints before the answer",
            interim("HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n"),
        ),
        opened(
            "22.2.21",
            INTERIM,
            "three interim answers",
            interim(&"HTTP/1.1 102 Processing\r\n\r\n".repeat(3)),
        ),
        lenient(
            "22.2.22",
            "RFC 9112 section 5.2: a client replaces a line fold by spaces",
            "a folded line",
            switching().with("X-A: a\r\n b"),
        ),
        client(
            "22.2.23",
            "RFC 6455 section 4.1: frames may follow at once",
            "frames in the same write as the head",
        )
        .head(switching().followed_by([text(HELLO).encode(None), text("2").encode(None)].concat()))
        .must([echoes(HELLO), echoes("2")])
        .done(),
        client(
            "22.2.24",
            "RFC 6455 section 4.1: frames may follow at once",
            "the head and half of a frame, then the rest",
        )
        .head(switching().followed_by(vec![0x81, 0x02, b'a']))
        .wait(50)
        .bytes("b")
        .must([echoes("ab")])
        .done(),
        either(
            "22.2.25",
            "RFC 9110 section 5.6.1: an empty list has no elements",
            "an empty Sec-WebSocket-Extensions",
            switching().with("Sec-WebSocket-Extensions:"),
        ),
        either(
            "22.2.26",
            "RFC 6455 section 11.3.4: a subprotocol is a token",
            "an empty Sec-WebSocket-Protocol",
            switching().with("Sec-WebSocket-Protocol:"),
        ),
        either(
            "22.2.27",
            ROBUST,
            "lines that end with a bare LF, which a client MAY accept",
            switching().line_end("\n"),
        ),
        opened(
            "22.2.28",
            "RFC 6455 section 4.2.2: a 101 has no body",
            "Content-Length: 0",
            switching().with("Content-Length: 0"),
        ),
    ]
}
