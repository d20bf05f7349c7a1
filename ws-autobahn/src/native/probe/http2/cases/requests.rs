//! Section 26.1 and 26.2: SETTINGS that permit WebSockets, and the request of a client.

use super::{Fields, HELLO, aborted, http2_server as server};
use crate::native::{
    frame::text,
    http2::frames::{
        ENABLE_CONNECT_PROTOCOL, HEADER_TABLE_SIZE, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, settings,
    },
    probe::{
        Building, Want, echoes,
        http2::head::{connect, fields},
        many, maybe, opens, status,
        want::Field,
    },
    script::Case,
};

const PERMISSION: &str =
    "RFC 8441 section 3: SETTINGS with ENABLE_CONNECT_PROTOCOL = 1 permit the extended CONNECT";
const SETTINGS_RULE: &str = "RFC 9113 section 6.5: SETTINGS may be sent at any time and are acknowledged";
const REQUEST: &str =
    "RFC 8441 section 5: the request has the method CONNECT, and :protocol, :scheme, :authority and :path";
const TARGET: &str = "RFC 8441 section 4: with :protocol the request must have :scheme and :path";
const PROOF: &str = "RFC 8441 section 5: Sec-WebSocket-Key and Sec-WebSocket-Accept are not used";
const VERSION: &str = "RFC 6455 section 4.4: another version is refused, with the version that is supported";
const PROTOCOL: &str =
    "RFC 8441 section 4: :protocol is the name of a protocol in the registry of upgrade tokens";
const METHOD: &str = "RFC 9113 section 8.5: a CONNECT without :protocol has :authority alone";
const PSEUDO: &str = "RFC 9113 section 8.3: pseudo-fields are defined, come first and come once";
const NAMES: &str = "RFC 9113 section 8.2.1: names are in lower case, and values have no NUL, CR or LF";
const SPECIFIC: &str =
    "RFC 9113 section 8.2.2: fields of one connection of HTTP/1.1 make a request malformed";
const AUTHORITY: &str =
    "RFC 9113 section 8.3.1: a Host that differs from :authority should be treated as malformed";

/// Begins a case with a request that is malformed.
fn malformed(item: usize, rule: &'static str, what: &str, request: Fields) -> Case {
    server(&format!("26.2.{item}"), rule, what).begin(&[]).fields(request).malformed().done()
}

fn begin(item: usize, rule: &'static str, what: &str) -> Building {
    server(&format!("26.2.{item}"), rule, what)
}

/// The cases.
pub(super) fn cases() -> Vec<Case> {
    [permission(), accepted(), targets(), fields_of_requests()].concat()
}

fn permission() -> Vec<Case> {
    let begin = |item: usize, rule, what| server(&format!("26.1.{item}"), rule, what);
    vec![
        begin(1, PERMISSION, "no request: the server's first SETTINGS")
            .begin(&[])
            .must([Want::Permits])
            .done(),
        begin(2, PERMISSION, "SETTINGS of the client without ENABLE_CONNECT_PROTOCOL")
            .begin(&[(HEADER_TABLE_SIZE, 4096)])
            .fields(connect())
            .await_open()
            .echoes_hello()
            .done(),
        begin(3, PERMISSION, "SETTINGS of the client with ENABLE_CONNECT_PROTOCOL = 1, which has no meaning")
            .begin(&[(ENABLE_CONNECT_PROTOCOL, 1)])
            .fields(connect())
            .await_open()
            .echoes_hello()
            .done(),
        begin(4, SETTINGS_RULE, "further SETTINGS while a WebSocket is open, between messages")
            .opened()
            .send(text("a"))
            .until(3)
            .raw(settings(&[(MAX_FRAME_SIZE, 32_768), (INITIAL_WINDOW_SIZE, 100_000)]))
            .send(text("b"))
            .must([opens(), echoes("a"), echoes("b")])
            .done(),
        begin(5, SETTINGS_RULE, "an unknown setting, which is ignored")
            .begin(&[(0xf0f0, 7)])
            .fields(connect())
            .await_open()
            .echoes_hello()
            .done(),
    ]
}

fn accepted() -> Vec<Case> {
    let plain = || {
        Want::Open(Vec::new())
            .with(Field::Absent("sec-websocket-accept"))
            .with(Field::Absent("upgrade"))
            .with(Field::Absent("connection"))
            .with(Field::Is(":status", "200"))
    };
    vec![
        begin(1, REQUEST, "the request of RFC 8441 section 5.1: 200 without the fields of HTTP/1.1")
            .opened()
            .send(text(HELLO))
            .must([plain(), echoes(HELLO)])
            .should([opens(), echoes(HELLO)])
            .done(),
        begin(2, PROOF, "a Sec-WebSocket-Key, which is ignored")
            .request(connect().with("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="))
            .send(text(HELLO))
            .must([plain(), echoes(HELLO)])
            .should([opens(), echoes(HELLO)])
            .done(),
        begin(3, PROOF, "a Sec-WebSocket-Key that is not sixteen bytes, which is ignored")
            .request(connect().with("sec-websocket-key", "x"))
            .echoes_hello()
            .should([status(400..=499), Want::EndStream])
            .done(),
        begin(4, PROTOCOL, ":protocol in upper case")
            .request(connect().set(":protocol", "WebSocket"))
            .echoes_hello()
            .should([status(400..=599), many(Want::EndStream), maybe(aborted())])
            .should([aborted()])
            .done(),
        begin(5, REQUEST, "fields that the server does not know")
            .request(connect().with("x-unknown", "1").with("user-agent", "ws-autobahn"))
            .echoes_hello()
            .done(),
        begin(6, NAMES, "an empty value of a field")
            .request(connect().with("x-empty", ""))
            .echoes_hello()
            .done(),
        begin(7, "RFC 9113 section 8.2.3: Cookie may be split into several fields", "two fields Cookie")
            .request(connect().with("cookie", "a=1").with("cookie", "b=2"))
            .echoes_hello()
            .done(),
        begin(8, AUTHORITY, "a Host that is the same as :authority")
            .request(connect().with("host", "{host}"))
            .echoes_hello()
            .done(),
        begin(9, "RFC 9113 section 8.2.2: TE may have the value \"trailers\"", "TE: trailers")
            .request(connect().with("te", "trailers"))
            .echoes_hello()
            .done(),
    ]
}

fn targets() -> Vec<Case> {
    let tunnel = || connect().without(":protocol").without(":scheme").without(":path");
    let refused = |building: Building| {
        building
            .over()
            .beside(1)
            .must([status(400..=599), many(Want::EndStream), maybe(aborted()), Want::Neighbour])
            .must([aborted(), Want::Neighbour])
            .should([maybe(Want::GoAway(&[])), Want::Gone, Want::Rest])
            .done()
    };
    let ask = |item, rule, what, request| begin(item, rule, what).begin(&[]).fields(request);
    vec![
        begin(10, VERSION, "version 12")
            .begin(&[])
            .fields(connect().set("sec-websocket-version", "12"))
            .must([status(400..=499).with(Field::Has("sec-websocket-version", "13")), Want::EndStream])
            .should([status(400..=499), many(Want::EndStream), maybe(aborted())])
            .done(),
        begin(11, REQUEST, "no version")
            .begin(&[])
            .fields(connect().without("sec-websocket-version"))
            .must([status(400..=499), Want::EndStream])
            .should([status(400..=499)])
            .done(),
        begin(12, "RFC 6455 section 11.3.5: Sec-WebSocket-Version comes once in a request", "two versions")
            .begin(&[])
            .fields(connect().with("sec-websocket-version", "13"))
            .must([status(400..=499), Want::EndStream])
            .should([status(400..=499)])
            .done(),
        refused(ask(13, PROTOCOL, "an unknown :protocol", connect().set(":protocol", "example"))),
        refused(ask(14, PROTOCOL, "an empty :protocol", connect().set(":protocol", ""))),
        refused(ask(15, METHOD, "CONNECT without :protocol, a request for a tunnel", tunnel())),
        malformed(
            16,
            METHOD,
            "CONNECT without :protocol, with :scheme and :path",
            connect().without(":protocol"),
        ),
        malformed(
            17,
            "RFC 8441 section 4: :protocol is for the method CONNECT",
            "GET with :protocol",
            connect().set(":method", "GET"),
        ),
        malformed(
            18,
            "RFC 8441 section 4: :protocol is for the method CONNECT",
            "POST with :protocol",
            connect().set(":method", "POST"),
        ),
        malformed(19, TARGET, "no :scheme", connect().without(":scheme")),
        malformed(20, TARGET, "no :path", connect().without(":path")),
        malformed(
            21,
            "RFC 9113 section 8.3.1: :path is not empty",
            "an empty :path",
            connect().set(":path", ""),
        ),
        malformed(
            22,
            "RFC 8441 section 5: :authority takes the place of Host",
            "no :authority",
            connect().without(":authority"),
        ),
        malformed(23, REQUEST, "no :method", connect().without(":method")),
        malformed(24, REQUEST, "no pseudo-field at all", fields(&[("sec-websocket-version", "13")])),
    ]
}

fn fields_of_requests() -> Vec<Case> {
    let host_apart = begin(40, AUTHORITY, "a Host that differs from :authority")
        .begin(&[])
        .fields(connect().with("host", "other.example"))
        .malformed()
        .should([opens(), Want::Rest]);
    vec![
        malformed(25, PSEUDO, "two :path", connect().with_first(":path", "/other")),
        malformed(26, PSEUDO, "two :protocol", connect().with_first(":protocol", "websocket")),
        malformed(27, PSEUDO, "two :method", connect().with_first(":method", "CONNECT")),
        malformed(
            28,
            PSEUDO,
            "a pseudo-field after a field",
            connect().without(":path").with(":path", "{path}"),
        ),
        malformed(29, PSEUDO, "an unknown pseudo-field", connect().with_first(":version", "13")),
        malformed(30, PSEUDO, "a pseudo-field of answers", connect().with_first(":status", "200")),
        malformed(31, NAMES, "a name in upper case", connect().with("X-Upper", "1")),
        malformed(32, NAMES, "a value with LF", connect().with("x-value", "a\nb: c")),
        malformed(33, NAMES, "a value with CR", connect().with("x-value", "a\rb")),
        malformed(34, NAMES, "a value with NUL", connect().with("x-value", "a\0b")),
        malformed(35, NAMES, "a name with a space", connect().with("x name", "1")),
        malformed(36, SPECIFIC, "Connection: upgrade", connect().with("connection", "upgrade")),
        malformed(37, SPECIFIC, "Upgrade: websocket", connect().with("upgrade", "websocket")),
        malformed(38, SPECIFIC, "Transfer-Encoding: chunked", connect().with("transfer-encoding", "chunked")),
        malformed(39, SPECIFIC, "TE: gzip", connect().with("te", "gzip")),
        host_apart.done(),
    ]
}
