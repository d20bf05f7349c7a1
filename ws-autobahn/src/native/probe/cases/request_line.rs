//! Section 21.1: the request line, and heads that arrive in pieces.

use super::HELLO;
use crate::native::{
    frame::text,
    probe::{
        Want,
        draft::{bytes, upgrade},
        echoes, ends, maybe, opens, refuses, server, status,
        want::Field,
    },
    script::{Case, Delivery},
};

const LINE: &str = "RFC 9112 section 3: method SP request-target SP HTTP-version";
const TARGET: &str = "RFC 9112 section 3.2: the forms of the request target";
const VERSION: &str = "RFC 6455 section 4.2.1, number 1: a GET of HTTP/1.1 or higher";
const ROBUST: &str = "RFC 9112 section 2.2: message parsing robustness";

/// Any status other than 101.
fn not_open() -> Want {
    status(200..=599)
}

/// The cases.
pub(super) fn cases() -> Vec<Case> {
    let works = || [opens(), echoes(HELLO)];
    let long = format!("GET {{path}}?{} HTTP/1.1", "a".repeat(7900));
    let too_long = format!("GET {{path}}?{} HTTP/1.1", "a".repeat(1 << 20));
    vec![
        server("21.1.1", VERSION, "a request as RFC 6455 shows it")
            .open()
            .send(text(HELLO))
            .must(works())
            .done(),
        server("21.1.2", TARGET, "the target in absolute-form, which a server MUST accept (section 3.2.2)")
            .ask(upgrade().line("GET http://{host}{path} HTTP/1.1"))
            .send(text(HELLO))
            .must(works())
            .done(),
        server("21.1.3", VERSION, "the method POST")
            .ask(upgrade().line("POST {path} HTTP/1.1").with("Content-Length: 0"))
            .must([status(400..=599)])
            .should([ends()])
            .done(),
        server("21.1.4", "RFC 9110 section 15.5.6: a 405 has Allow", "the method POST: the fields of a 405")
            .ask(upgrade().line("POST {path} HTTP/1.1").with("Content-Length: 0"))
            .must([status(405..=405).with(Field::There("allow"))])
            .must([status(400..=404)])
            .must([status(406..=599)])
            .should([ends()])
            .done(),
        server("21.1.5", "RFC 9110 section 9.1: methods are case-sensitive", "the method get")
            .ask(upgrade().line("get {path} HTTP/1.1"))
            .must([status(400..=599)])
            .should([ends()])
            .done(),
        server("21.1.6", VERSION, "the method HEAD")
            .ask(upgrade().line("HEAD {path} HTTP/1.1"))
            .must([not_open()])
            .should([ends()])
            .done(),
        server("21.1.7", "RFC 9110 section 7.8: Upgrade in HTTP/1.0 is ignored", "the version HTTP/1.0")
            .ask(upgrade().line("GET {path} HTTP/1.0"))
            .must([not_open()])
            .should([ends()])
            .done(),
        server("21.1.8", LINE, "no version")
            .ask(upgrade().line("GET {path}"))
            .must([not_open()])
            .should([ends()])
            .done(),
        server("21.1.9", LINE, "the version HTTP/one.one")
            .ask(upgrade().line("GET {path} HTTP/one.one"))
            .must([status(400..=599)])
            .should([ends()])
            .done(),
        server("21.1.10", LINE, "the version HTTQ/1.1")
            .ask(upgrade().line("GET {path} HTTQ/1.1"))
            .must([status(400..=599)])
            .should([ends()])
            .done(),
        server("21.1.11", LINE, "two spaces before the version")
            .ask(upgrade().line("GET {path}  HTTP/1.1"))
            .must([status(400..=599)])
            .should([ends()])
            .reported([opens(), Want::Rest])
            .done(),
        server("21.1.12", TARGET, "a control byte in the target")
            .ask(upgrade().line("GET {path}\u{1} HTTP/1.1"))
            .must([refuses()])
            .should([ends()])
            .should([opens(), Want::Rest])
            .done(),
        server("21.1.13", TARGET, "a space in the target")
            .ask(upgrade().line("GET {path}a b HTTP/1.1"))
            .must([refuses()])
            .should([ends()])
            .should([status(500..=599)])
            .done(),
        server("21.1.14", TARGET, "the target *, which is for OPTIONS")
            .ask(upgrade().line("GET * HTTP/1.1"))
            .must([refuses()])
            .should([ends()])
            .should([opens(), Want::Rest])
            .done(),
        server("21.1.15", TARGET, "a target with a fragment")
            .ask(upgrade().line("GET {path}#part HTTP/1.1"))
            .must([refuses()])
            .should([ends()])
            .should([opens(), Want::Rest])
            .done(),
        server("21.1.16", ROBUST, "an empty line before the request line, which a server SHOULD ignore")
            .ask(upgrade().after("\r\n"))
            .send(text(HELLO))
            .must(works())
            .should([refuses()])
            .should([ends()])
            .done(),
        server("21.1.17", ROBUST, "lines that end with a bare LF, which a server MAY accept")
            .ask(upgrade().line_end("\n"))
            .must([refuses()])
            .should([ends()])
            .reported([opens(), Want::Rest])
            .done(),
        server("21.1.18", ROBUST, "a bare CR in a value: refused, or replaced by a space")
            .ask(upgrade().with("X-A: a\rSec-WebSocket-Protocol: b"))
            .must([refuses()])
            .must([opens().with(Field::Absent("sec-websocket-protocol"))])
            .should([ends()])
            .done(),
        server(
            "21.1.19",
            "RFC 9112 section 3: support for request lines of at least 8000 bytes",
            "a target of 7900 bytes",
        )
        .ask(upgrade().line(&long))
        .must([opens()])
        .must([status(404..=404)])
        .should([refuses()])
        .done(),
        server(
            "21.1.20",
            "RFC 9112 section 3: a target that is too long is answered by 414",
            "a target of 1 MiB",
        )
        .ask(upgrade().line(&too_long))
        .must([status(414..=414), maybe(ends())])
        .should([status(400..=499), maybe(ends())])
        .should([ends()])
        .done(),
        server("21.1.21", ROBUST, "a head that arrives byte by byte")
            .ask(upgrade().delivered(Delivery::Chopped(1)))
            .send(text(HELLO))
            .must(works())
            .done(),
        server("21.1.22", ROBUST, "a head that arrives in pieces of 7 bytes")
            .ask(upgrade().delivered(Delivery::Chopped(7)))
            .send(text(HELLO))
            .must(works())
            .done(),
        server("21.1.23", ROBUST, "a head whose last bytes arrive later")
            .head(upgrade().endless())
            .wait(50)
            .bytes("\r")
            .wait(50)
            .bytes("\n")
            .await_open()
            .send(text(HELLO))
            .must(works())
            .done(),
        server("21.1.24", LINE, "bytes that are not a request")
            .ask(bytes("\u{16}\u{3}\u{1} this is not HTTP\r\n\r\n"))
            .must([status(400..=599)])
            .should([ends()])
            .done(),
        server("21.1.25", LINE, "a request line and nothing else")
            .ask(bytes("GET / HTTP/1.1\r\n\r\n"))
            .must([refuses()])
            .should([ends()])
            .should([not_open()])
            .done(),
        server(
            "21.1.26",
            "RFC 6455 section 4.1: a client waits before it sends",
            "a frame in the same write as the head",
        )
        .ask(upgrade().followed_by(text(HELLO).encode(Some([1, 2, 3, 4]))))
        .must(works())
        .reported([opens(), maybe(Want::AnyClose), ends()])
        .reported([opens(), Want::Silence])
        .reported([not_open(), Want::Rest])
        .done(),
    ]
}
