//! Sections 21.2 to 21.5: required fields and how often they may occur, their syntax, bodies, limits.

use super::HELLO;
use crate::native::{
    frame::text,
    probe::{Draft, Want, draft::upgrade, echoes, ends, maybe, opens, refuses, server, status, want::Field},
    script::Case,
};

const HOST: &str = "RFC 9112 section 3.2: a request without exactly one valid Host is answered by 400";
const NEEDED: &str = "RFC 6455 section 4.2.1: an invalid handshake is answered by an error";
const VERSIONS: &str =
    "RFC 6455 sections 4.2.2 and 4.4: another version is answered by an error with Sec-WebSocket-Version";
const ONCE: &str = "RFC 6455 section 11.3: the field must not appear more than once";
const SPELLING: &str =
    "RFC 9110 section 5: field names and these tokens are case-insensitive, lists may contain whitespace";
const GRAMMAR: &str = "RFC 9112 section 5: field-name \":\" OWS field-value OWS";
const LENGTH: &str = "RFC 9112 section 6.3: message body length";
const LIMITS: &str = "RFC 6585 section 5, RFC 6455 section 10.4: a server must have limits and chooses them";

/// The server opens the connection and echoes.
fn opened(id: &str, rule: &'static str, what: &str, head: Draft) -> Case {
    server(id, rule, what).ask(head).send(text(HELLO)).must([opens(), echoes(HELLO)]).done()
}

/// The server answers with an error.
fn refused(id: &str, rule: &'static str, what: &str, head: Draft) -> Case {
    server(id, rule, what).ask(head).must([refuses()]).should([status(500..=599)]).should([ends()]).done()
}

/// The server does not open the connection; without an upgrade, the request may also be answered with a page.
fn no_upgrade(id: &str, what: &str, head: Draft) -> Case {
    server(id, NEEDED, what).ask(head).must([status(200..=599)]).should([ends()]).done()
}

/// The rule allows an error or an open connection that echoes.
fn either(id: &str, rule: &'static str, what: &str, head: Draft) -> Case {
    server(id, rule, what)
        .ask(head)
        .send(text(HELLO))
        .must([refuses()])
        .must([opens(), echoes(HELLO)])
        .should([status(500..=599)])
        .should([ends()])
        .done()
}

/// An error; a server that accepts the request breaks a SHOULD.
fn strict(id: &str, rule: &'static str, what: &str, head: Draft) -> Case {
    server(id, rule, what)
        .ask(head)
        .must([refuses()])
        .should([status(500..=599)])
        .should([ends()])
        .should([opens()])
        .done()
}

/// The cases.
pub(super) fn cases() -> Vec<Case> {
    [needed(), versions(), spelling(), grammar(), bodies(), limits()].concat()
}

fn needed() -> Vec<Case> {
    let without = |name| upgrade().without(name);
    let key = |key| upgrade().set("Sec-WebSocket-Key", key);
    let exactly_400 = |id: &str, what: &str, head: Draft| {
        server(id, HOST, what)
            .ask(head)
            .must([status(400..=400)])
            .should([status(401..=599)])
            .should([ends()])
            .done()
    };
    vec![
        exactly_400("21.2.1", "no Host", without("Host")),
        exactly_400("21.2.2", "two Hosts", upgrade().with_first("Host: other.example")),
        exactly_400("21.2.3", "a Host that is no host", upgrade().set("Host", "a b/c")),
        no_upgrade("21.2.4", "no Upgrade", without("Upgrade")),
        no_upgrade("21.2.5", "an Upgrade to h2c only", upgrade().set("Upgrade", "h2c")),
        no_upgrade(
            "21.2.6",
            "an Upgrade to websockets, which is another token",
            upgrade().set("Upgrade", "websockets"),
        ),
        no_upgrade("21.2.7", "no Connection", without("Connection")),
        no_upgrade("21.2.8", "a Connection without upgrade", upgrade().set("Connection", "keep-alive")),
        no_upgrade("21.2.9", "a Connection with the token upgrades", upgrade().set("Connection", "upgrades")),
        refused("21.2.10", NEEDED, "no Sec-WebSocket-Key", without("Sec-WebSocket-Key")),
        refused("21.2.11", NEEDED, "an empty Sec-WebSocket-Key", key("")),
        strict("21.2.12", NEEDED, "a key of 15 bytes", key("AAECAwQFBgcICQoLDA0O")),
        strict("21.2.13", NEEDED, "a key of 17 bytes", key("AAECAwQFBgcICQoLDA0ODxA=")),
        strict("21.2.14", NEEDED, "a key that is not Base64", key("!!!!!!!!!!!!!!!!!!!!!!==")),
        strict("21.2.15", NEEDED, "a key without its padding", key("AAECAwQFBgcICQoLDA0ODw")),
        refused("21.2.16", ONCE, "two keys", upgrade().with("Sec-WebSocket-Key: AAECAwQFBgcICQoLDA0ODw==")),
        refused("21.2.17", ONCE, "two versions, both 13", upgrade().with("Sec-WebSocket-Version: 13")),
        refused("21.2.18", ONCE, "two versions, 13 and 8", upgrade().with("Sec-WebSocket-Version: 8")),
    ]
}

fn versions() -> Vec<Case> {
    let version = |version| upgrade().set("Sec-WebSocket-Version", version);
    let other = |id: &str, what: &str, head: Draft| {
        let known = Field::Has("sec-websocket-version", "13");
        server(id, VERSIONS, what).ask(head).must([status(400..=499).with(known)]).done()
    };
    vec![
        refused("21.2.19", NEEDED, "no version", upgrade().without("Sec-WebSocket-Version")),
        other("21.2.20", "version 12", version("12")),
        // A server may also support the version of a draft.
        server("21.2.21", VERSIONS, "version 8, of a draft")
            .ask(version("8"))
            .must([status(400..=499).with(Field::Has("sec-websocket-version", "13"))])
            .reported([opens()])
            .done(),
        other("21.2.22", "version 14", version("14")),
        other("21.2.23", "version 0", version("0")),
        other("21.2.24", "version 255", version("255")),
        server("21.2.25", "RFC 9110 section 15.5.22: a 426 has Upgrade", "version 12: the fields of a 426")
            .ask(version("12"))
            .must([status(426..=426).with(Field::Has("upgrade", "websocket"))])
            .must([status(400..=425)])
            .must([status(427..=599)])
            .done(),
        refused("21.2.26", NEEDED, "the version \"13, 8\"", version("13, 8")),
        refused("21.2.27", NEEDED, "the version thirteen", version("thirteen")),
        strict(
            "21.2.28",
            "RFC 6455 section 4.3: a version has no leading zero",
            "the version 013",
            version("013"),
        ),
        refused("21.2.29", NEEDED, "an empty version", version("")),
    ]
}

fn spelling() -> Vec<Case> {
    let names = |change: fn(&str) -> String| {
        ["Host", "Upgrade", "Connection", "Sec-WebSocket-Key", "Sec-WebSocket-Version"].into_iter().fold(
            upgrade(),
            |head, name| {
                let value = head.value(name);
                head.replace(name, format!("{}:{value}", change(name)))
            },
        )
    };
    vec![
        opened("21.3.1", SPELLING, "field names in lower case", names(str::to_lowercase)),
        opened("21.3.2", SPELLING, "field names in upper case", names(str::to_uppercase)),
        opened("21.3.3", SPELLING, "Upgrade: WebSocket", upgrade().set("Upgrade", "WebSocket")),
        opened("21.3.4", SPELLING, "Connection: UPGRADE", upgrade().set("Connection", "UPGRADE")),
        opened(
            "21.3.5",
            SPELLING,
            "Connection: keep-alive, Upgrade",
            upgrade().set("Connection", "keep-alive, Upgrade"),
        ),
        opened(
            "21.3.6",
            SPELLING,
            "Upgrade: example/1, websocket",
            upgrade().set("Upgrade", "example/1, websocket"),
        ),
        opened("21.3.7", SPELLING, "Connection in two lines", upgrade().with_first("Connection: keep-alive")),
        opened(
            "21.3.8",
            SPELLING,
            "a list with empty elements",
            upgrade().set("Connection", ",, keep-alive ,, Upgrade,"),
        ),
        opened(
            "21.3.9",
            GRAMMAR,
            "no space after a colon",
            upgrade().replace("Upgrade", "Upgrade:websocket"),
        ),
        opened(
            "21.3.10",
            GRAMMAR,
            "tabs and spaces around a value",
            upgrade().replace("Sec-WebSocket-Version", "Sec-WebSocket-Version: \t 13 \t "),
        ),
        opened("21.3.11", GRAMMAR, "a field with an empty value", upgrade().with("X-Empty:")),
        opened(
            "21.3.12",
            GRAMMAR,
            "a value with bytes beyond ASCII",
            upgrade().with("X-Name: Gr\u{fc}\u{df}e"),
        ),
        opened("21.3.13", GRAMMAR, "an unknown field", upgrade().with("X-Unknown_Field.1: a b; c=\"d\"")),
    ]
}

fn grammar() -> Vec<Case> {
    const BLANK: &str = "RFC 9112 section 5.1: whitespace before the colon is answered by 400";
    const FOLD: &str = "RFC 9112 section 5.2: a folded line is refused, or the fold is replaced by spaces";
    const NUL: &str = "RFC 9110 section 5.5: CR, LF and NUL in a value are refused, or replaced by spaces";
    vec![
        refused("21.3.14", BLANK, "a space before a colon", upgrade().with("X-A : b")),
        refused(
            "21.3.15",
            BLANK,
            "a space before the colon of the version",
            upgrade().replace("Sec-WebSocket-Version", "Sec-WebSocket-Version : 13"),
        ),
        refused("21.3.16", GRAMMAR, "a line without a colon", upgrade().with("nonsense")),
        either("21.3.17", FOLD, "a folded line", upgrade().with("X-A: a\r\n b")),
        either(
            "21.3.18",
            FOLD,
            "a folded line in Connection",
            upgrade().set("Connection", "keep-alive,\r\n Upgrade"),
        ),
        strict(
            "21.3.19",
            "RFC 9112 section 2.2: whitespace before the first field",
            "a space before the first field",
            upgrade().with_first(" X-A: b"),
        ),
        either("21.3.20", NUL, "a NUL in a value", upgrade().with("X-A: a\0b")),
        strict("21.3.21", GRAMMAR, "a name with a parenthesis", upgrade().with("X(A): b")),
        strict("21.3.22", GRAMMAR, "an empty name", upgrade().with(": b")),
        strict("21.3.23", GRAMMAR, "a name with a byte beyond ASCII", upgrade().with("X-\u{fc}: b")),
        strict("21.3.24", GRAMMAR, "a control byte in a value", upgrade().with("X-A: a\u{1}b")),
    ]
}

fn bodies() -> Vec<Case> {
    let with = |line: &str| upgrade().with(line);
    vec![
        either("21.4.1", LENGTH, "Content-Length: 0", with("Content-Length: 0")),
        either(
            "21.4.2",
            LENGTH,
            "a body of 5 bytes that is not a frame",
            with("Content-Length: 5").followed_by("hello"),
        ),
        refused(
            "21.4.3",
            LENGTH,
            "two different Content-Lengths: request smuggling",
            with("Content-Length: 0").with("Content-Length: 5").followed_by("hello"),
        ),
        refused("21.4.4", LENGTH, "Content-Length: -1", with("Content-Length: -1")),
        refused("21.4.5", LENGTH, "Content-Length: 5x", with("Content-Length: 5x").followed_by("hello")),
        refused(
            "21.4.6",
            LENGTH,
            "a Content-Length of 30 digits",
            with("Content-Length: 100000000000000000000000000000"),
        ),
        either(
            "21.4.7",
            LENGTH,
            "an empty chunked body",
            with("Transfer-Encoding: chunked").followed_by("0\r\n\r\n"),
        ),
        either(
            "21.4.8",
            "RFC 9112 section 6.1: Transfer-Encoding with Content-Length is an error or handled with care",
            "Transfer-Encoding and Content-Length: request smuggling",
            with("Content-Length: 3").with("Transfer-Encoding: chunked").followed_by("0\r\n\r\n"),
        ),
        server(
            "21.4.9",
            "RFC 9112 section 6.1: an unknown transfer coding is answered by 501",
            "Transfer-Encoding: unknown",
        )
        .ask(with("Transfer-Encoding: unknown"))
        .must([status(400..=599)])
        .should([ends()])
        .done(),
        server(
            "21.4.10",
            "RFC 9110 section 10.1.1: an expectation may be answered by 100 first",
            "Expect: 100-continue",
        )
        .ask(with("Expect: 100-continue"))
        .send(text(HELLO))
        .must([opens(), echoes(HELLO)])
        .must([status(400..=499)])
        .done(),
    ]
}

fn limits() -> Vec<Case> {
    let huge = "a".repeat(1 << 20);
    let too_much = |id: &str, what: &str, head: Draft| {
        server(id, LIMITS, what)
            .ask(head)
            .must([status(400..=499), maybe(ends())])
            .should([status(500..=599), maybe(ends())])
            .should([ends()])
            .reported([opens(), Want::Rest])
            .done()
    };
    vec![
        opened("21.5.1", LIMITS, "60 more fields", upgrade().with_many(60, "X-Field-#: some value")),
        opened(
            "21.5.2",
            LIMITS,
            "a field of 4 KiB",
            upgrade().with(format!("X-Field: {}", "a".repeat(4 << 10))),
        ),
        too_much("21.5.3", "20,000 more fields", upgrade().with_many(20_000, "X-Field-#: some value")),
        too_much("21.5.4", "a field of 1 MiB", upgrade().with(format!("X-Field: {huge}"))),
        too_much("21.5.5", "a field name of 1 MiB", upgrade().with(format!("{huge}: value"))),
        server("21.5.6", LIMITS, "an endless head: 8 MiB of fields")
            .ask(upgrade().with_many(8, &format!("X-#: {huge}")).endless())
            .must([status(400..=499), maybe(ends())])
            .should([status(500..=599), maybe(ends())])
            .must([ends()])
            .done(),
    ]
}
