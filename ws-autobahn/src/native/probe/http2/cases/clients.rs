//! Section 27.1 to 27.3: the permission that a client waits for, its request, and the answers to it. The suite is the
//! server and writes every frame of the connection.

use super::{Fields, HELLO, aborted, http2_client as client};
use crate::native::{
    frame::text,
    http2::frames::{
        DATA, ENABLE_CONNECT_PROTOCOL, END_STREAM, GOAWAY, INTERNAL_ERROR, MAX_CONCURRENT_STREAMS,
        REFUSED_STREAM, frame, settings,
    },
    probe::{
        Building, Want, echoes,
        http2::{
            THIS,
            head::{answer, fields},
        },
        many, maybe,
        want::Field,
    },
    script::Case,
};

const PERMISSION: &str =
    "RFC 8441 section 3: a client uses :protocol only after SETTINGS with ENABLE_CONNECT_PROTOCOL = 1";
const REQUEST: &str =
    "RFC 8441 section 5: the request has the method CONNECT, and :protocol, :scheme, :authority and :path";
const ANSWER: &str = "RFC 8441 section 5: a status 2xx opens the WebSocket";
const INTERIM: &str = "RFC 9110 section 15.2: several 1xx answers may come before the final one";
const NEGOTIATION: &str =
    "RFC 8441 section 5, RFC 6455 section 4.1: a client fails a WebSocket with what it did not offer";
const REFUSAL: &str = "RFC 8441 section 5: another status than 2xx does not open the WebSocket";
const MALFORMED: &str = "RFC 9113 section 8.1.1: a malformed answer is a stream error: PROTOCOL_ERROR";
const FIN: &str =
    "RFC 8441 section 5: END_STREAM is the FIN of TCP; RFC 6455 section 7.1.5: an end without a Close";
const RST: &str = "RFC 8441 section 5: RST_STREAM is the RST of TCP, after which nothing is sent";
const AWAY: &str = "RFC 9113 section 6.8: after GOAWAY the streams up to its last one continue, the others are not processed";

/// SETTINGS that permit WebSockets.
pub(in crate::native::probe::http2) const PERMIT: &[(u16, u32)] = &[(ENABLE_CONNECT_PROTOCOL, 1)];

pub(super) fn begin(part: u16, item: usize, rule: &'static str, what: &str) -> Building {
    client(&format!("27.{part}.{item}"), rule, what)
}

/// The client's request.
pub(super) fn asks() -> Want {
    Want::Request(vec![Field::Is(":protocol", "websocket")])
}

impl Building {
    /// Permits WebSockets and waits for the request.
    fn request_of_client(self) -> Self {
        self.begin(PERMIT).asked()
    }

    /// Opens the WebSocket.
    pub(super) fn accepted(self) -> Self {
        self.request_of_client().fields(answer("200"))
    }

    /// Accepts that the client does not echo on the stream, which it ends, or which has ended already.
    fn never_opens(self) -> Case {
        self.raw(frame(DATA, 0, THIS, text(HELLO).encode(None)))
            .over()
            .must([asks(), aborted()])
            .must([asks(), maybe(Want::EndStream), maybe(aborted()), maybe(Want::GoAway(&[])), Want::Gone])
            .should([asks(), Want::EndStream])
            .should([asks(), Want::Silence])
            .done()
    }

    /// Accepts that the client ends the request without a message.
    fn ends_quietly(self) -> Case {
        self.wait(200)
            .must([asks(), maybe(Want::EndStream), maybe(aborted()), maybe(Want::GoAway(&[])), Want::Gone])
            .must([asks(), maybe(Want::EndStream), maybe(aborted()), maybe(Want::GoAway(&[])), Want::Silence])
            .done()
    }
}

/// The cases.
pub(super) fn cases() -> Vec<Case> {
    [requests(), answers(), refusals()].concat()
}

fn requests() -> Vec<Case> {
    let never = |building: Building| {
        building
            .must([many(Want::GoAway(&[])), Want::Gone, Want::Rest])
            .must([Want::Mark, many(Want::GoAway(&[])), Want::Gone])
            .must([Want::Mark, Want::Silence])
            .done()
    };
    let full = || {
        Want::Request(vec![
            Field::Is(":method", "CONNECT"),
            Field::Is(":protocol", "websocket"),
            Field::Once(":scheme"),
            Field::Once(":authority"),
            Field::Once(":path"),
            Field::Is("sec-websocket-version", "13"),
        ])
    };
    vec![
        begin(1, 1, REQUEST, "the request")
            .accepted()
            .send(text(HELLO))
            .must([full().with(Field::Absent("sec-websocket-key")).with(Field::Absent("host")), echoes(HELLO)])
            .should([full(), echoes(HELLO)])
            .done(),
        never(begin(1, 2, PERMISSION, "SETTINGS without ENABLE_CONNECT_PROTOCOL: no request within a second").begin(&[]).wait(1000).mark()),
        never(
            begin(1, 3, PERMISSION, "SETTINGS with ENABLE_CONNECT_PROTOCOL = 0: no request within a second")
                .begin(&[(ENABLE_CONNECT_PROTOCOL, 0)])
                .wait(1000)
                .mark(),
        ),
        begin(1, 4, PERMISSION, "the permission comes half a second later than the connection")
            .wait(500)
            .mark()
            .begin(PERMIT)
            .asked()
            .fields(answer("200"))
            .send(text(HELLO))
            .must([Want::Mark, asks(), echoes(HELLO)])
            .should([many(Want::GoAway(&[])), Want::Gone, Want::Rest])
            .done(),
        begin(1, 5, PERMISSION, "first SETTINGS without permission, and half a second later SETTINGS with it: the request comes after it or not at all")
            .begin(&[])
            .wait(500)
            .mark()
            .raw(settings(PERMIT))
            .wait(500)
            .must([many(Want::GoAway(&[])), Want::Gone, Want::Rest])
            .must([Want::Mark, Want::Silence])
            .must([Want::Mark, asks(), Want::Silence])
            .must([Want::Mark, asks(), many(Want::GoAway(&[])), Want::Gone])
            .done(),
        begin(1, 6, PERMISSION, "the permission among other settings")
            .begin(&[(MAX_CONCURRENT_STREAMS, 1), (ENABLE_CONNECT_PROTOCOL, 1), (0xf0f0, 3)])
            .asked()
            .fields(answer("200"))
            .send(text(HELLO))
            .must([asks(), echoes(HELLO)])
            .done(),
    ]
}

fn answers() -> Vec<Case> {
    let open = |item, rule, what, head: Fields| {
        begin(2, item, rule, what)
            .request_of_client()
            .fields(head)
            .send(text(HELLO))
            .must([asks(), echoes(HELLO)])
            .done()
    };
    vec![
        open(1, ANSWER, "200 without other fields", answer("200")),
        open(
            2,
            ANSWER,
            "200 with fields that the client does not know",
            answer("200").with("x-unknown", "1").with("date", "today"),
        ),
        open(
            3,
            "RFC 9113 section 4.3: a field block is HEADERS and any number of CONTINUATION",
            "200 in frames of four bytes",
            answer("200").in_pieces(4),
        ),
        open(4, "RFC 9113 section 6.2: HEADERS may be padded", "200 with padding", answer("200").padded(200)),
        open(
            5,
            NEGOTIATION,
            "an empty Sec-WebSocket-Extensions",
            answer("200").with("sec-websocket-extensions", ""),
        ),
        begin(2, 6, INTERIM, "103, then 200")
            .request_of_client()
            .fields(answer("103").with("link", "</a>"))
            .fields(answer("200"))
            .send(text(HELLO))
            .must([asks(), echoes(HELLO)])
            .done(),
        begin(2, 7, INTERIM, "three times 102, then 200")
            .request_of_client()
            .fields(answer("102"))
            .fields(answer("102"))
            .fields(answer("102"))
            .fields(answer("200"))
            .send(text(HELLO))
            .must([asks(), echoes(HELLO)])
            .done(),
        begin(2, 8, ANSWER, "204, which is also a status 2xx")
            .request_of_client()
            .fields(answer("204"))
            .send(text(HELLO))
            .must([asks(), echoes(HELLO)])
            .reported([asks(), Want::Rest])
            .done(),
    ]
}

fn refusals() -> Vec<Case> {
    let refused =
        |item, rule, what, head: Fields| begin(3, item, rule, what).request_of_client().fields(head);
    let fails = |item, rule, what, head: Fields| refused(item, rule, what, head).never_opens();
    vec![
        fails(
            1,
            NEGOTIATION,
            "a subprotocol that was not offered",
            answer("200").with("sec-websocket-protocol", "no-such.example"),
        ),
        fails(
            2,
            NEGOTIATION,
            "an extension that was not offered",
            answer("200").with("sec-websocket-extensions", "no-such-extension"),
        ),
        fails(
            3,
            NEGOTIATION,
            "permessage-deflate with an unknown parameter",
            answer("200").with("sec-websocket-extensions", "permessage-deflate; no_such_parameter"),
        ),
        fails(
            4,
            NEGOTIATION,
            "permessage-deflate twice",
            answer("200").with("sec-websocket-extensions", "permessage-deflate, permessage-deflate"),
        ),
        fails(
            5,
            REFUSAL,
            "400 with a body and without an end",
            answer("400").with("content-type", "text/plain"),
        ),
        refused(6, REFUSAL, "404 with END_STREAM", answer("404").ending()).ends_quietly(),
        refused(7, REFUSAL, "403 with a body, then END_STREAM", answer("403"))
            .raw(frame(DATA, END_STREAM, THIS, "no"))
            .ends_quietly(),
        fails(8, REFUSAL, "302 to another place", answer("302").with("location", "/other")),
        fails(
            9,
            "RFC 9113 section 8.6: HTTP/2 has no status 101",
            "101 with the fields of HTTP/1.1",
            answer("101").with("sec-websocket-accept", "x"),
        ),
        fails(10, MALFORMED, "no :status", fields(&[("x-a", "1")])),
        fails(11, MALFORMED, "two :status", fields(&[(":status", "200"), (":status", "200")])),
        fails(12, MALFORMED, "a pseudo-field after a field", fields(&[("x-a", "1"), (":status", "200")])),
        fails(13, MALFORMED, "a name in upper case", answer("200").with("X-Upper", "1")),
        fails(14, MALFORMED, "Connection: upgrade", answer("200").with("connection", "upgrade")),
        begin(3, 15, RST, "RST_STREAM with REFUSED_STREAM before the answer")
            .request_of_client()
            .abort(REFUSED_STREAM)
            .ends_quietly(),
        begin(3, 16, RST, "RST_STREAM with INTERNAL_ERROR before the answer")
            .request_of_client()
            .abort(INTERNAL_ERROR)
            .ends_quietly(),
        begin(3, 17, AWAY, "GOAWAY that excludes the request, before the answer")
            .request_of_client()
            .raw(frame(GOAWAY, 0, 0, [0; 8]))
            .ends_quietly(),
        begin(3, 18, AWAY, "GOAWAY that includes the request, then 200")
            .request_of_client()
            .raw(frame(GOAWAY, 0, THIS, [0; 8]))
            .fields(answer("200"))
            .send(text(HELLO))
            .must([asks(), echoes(HELLO)])
            .done(),
        refused(19, FIN, "200 with END_STREAM: the WebSocket ends at once", answer("200").ending())
            .over()
            .must([asks(), maybe(Want::AnyClose), Want::EndStream])
            .must([asks(), maybe(Want::AnyClose), aborted()])
            .must([asks(), maybe(Want::AnyClose), maybe(Want::GoAway(&[])), Want::Gone])
            .done(),
    ]
}
