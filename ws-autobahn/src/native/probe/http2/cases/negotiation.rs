//! Section 26.3: subprotocols, extensions, Origin and refusals; answers that are not WebSockets.

use super::{HELLO, aborted, http2_server as server};
use crate::native::{
    frame::text,
    http2::{
        frames::{DATA, END_HEADERS, HEADERS, frame},
        hpack::literals,
    },
    probe::{
        Building, Want, echoes,
        http2::{
            THIS,
            head::{connect, fields},
        },
        many, maybe, opens, status,
        want::Field,
    },
    script::Case,
};

const SUBPROTOCOLS: &str = "RFC 8441 section 5: Sec-WebSocket-Protocol is used as in RFC 6455 section 4.2.2";
const EXTENSIONS: &str = "RFC 8441 section 5: Sec-WebSocket-Extensions is used as in RFC 6455 section 9.1";
const DEFLATE: &str = "RFC 7692 section 7.1: an offer with an invalid parameter is declined";
const ORIGIN: &str = "RFC 8441 section 5: Origin is used as in RFC 6455 section 10.2";
const REFUSAL: &str = "RFC 8441 section 5: a refusal is an answer of HTTP, and END_STREAM ends it";

fn begin(item: usize, rule: &'static str, what: &str) -> Building {
    server(&format!("26.3.{item}"), rule, what)
}

/// The cases.
pub(super) fn cases() -> Vec<Case> {
    let without = |name| Want::Open(Vec::new()).with(Field::Absent(name));
    let refusal = || [status(400..=599), Want::EndStream];
    let page = |method| {
        fields(&[
            (":method", method),
            (":scheme", "{scheme}"),
            (":authority", "{host}"),
            (":path", "/no-such-page"),
        ])
    };
    let declined = |item, what, offer| {
        begin(item, DEFLATE, what)
            .request(connect().with("sec-websocket-extensions", offer))
            .send(text(HELLO))
            .must([without("sec-websocket-extensions"), echoes(HELLO)])
            .should([status(400..=499), many(Want::EndStream), maybe(aborted())])
            .done()
    };
    vec![
        begin(1, SUBPROTOCOLS, "no subprotocol offered, and none answered")
            .opened()
            .send(text(HELLO))
            .must([without("sec-websocket-protocol"), echoes(HELLO)])
            .done(),
        begin(2, SUBPROTOCOLS, "an unknown subprotocol: the answer has none, or refuses")
            .request(connect().with("sec-websocket-protocol", "no-such.example"))
            .send(text(HELLO))
            .must([without("sec-websocket-protocol"), echoes(HELLO)])
            .must(refusal())
            .done(),
        begin(3, SUBPROTOCOLS, "an invalid subprotocol")
            .request(connect().with("sec-websocket-protocol", "a b"))
            .must(refusal())
            .should([without("sec-websocket-protocol")])
            .done(),
        begin(4, EXTENSIONS, "no extension offered, and none answered")
            .opened()
            .send(text(HELLO))
            .must([without("sec-websocket-extensions"), echoes(HELLO)])
            .done(),
        begin(5, EXTENSIONS, "permessage-deflate: a compressed message is echoed")
            .request(connect().with("sec-websocket-extensions", "permessage-deflate"))
            .bomb(1000)
            .must([
                Want::Open(vec![Field::Begins("sec-websocket-extensions", "permessage-deflate")]),
                Want::Binary(1000),
            ])
            .unknown([without("sec-websocket-extensions"), Want::Rest])
            .done(),
        begin(6, EXTENSIONS, "an unknown extension, which is declined")
            .request(connect().with("sec-websocket-extensions", "no-such-extension; a=1"))
            .send(text(HELLO))
            .must([without("sec-websocket-extensions"), echoes(HELLO)])
            .done(),
        declined(7, "permessage-deflate with an unknown parameter", "permessage-deflate; no_such_parameter"),
        declined(
            8,
            "permessage-deflate with server_max_window_bits = 16",
            "permessage-deflate; server_max_window_bits=16",
        ),
        begin(9, EXTENSIONS, "a malformed list of extensions")
            .request(connect().with("sec-websocket-extensions", "permessage-deflate; =1"))
            .must(refusal())
            .should([without("sec-websocket-extensions")])
            .done(),
        begin(10, ORIGIN, "the Origin of another site")
            .request(connect().with("origin", "http://attacker.example"))
            .must([status(403..=403), Want::EndStream])
            .must(refusal())
            .reported([opens()])
            .done(),
        begin(11, ORIGIN, "two Origins")
            .request(connect().with("origin", "{scheme}://{host}").with("origin", "http://attacker.example"))
            .must(refusal())
            .reported([opens()])
            .done(),
        begin(12, ORIGIN, "the Origin of the server itself")
            .request(connect().with("origin", "{scheme}://{host}"))
            .echoes_hello()
            .done(),
        begin(13, REFUSAL, "DATA after a request that is refused: others are served")
            .begin(&[])
            .fields(connect().set("sec-websocket-version", "7"))
            .raw(frame(DATA, 0, THIS, vec![b'x'; 4000]))
            .over()
            .beside(1)
            .must([status(400..=499), Want::EndStream, Want::Neighbour])
            .must([status(400..=499), Want::EndStream, aborted(), Want::Neighbour])
            .must([status(400..=499), aborted(), Want::Neighbour])
            .done(),
        begin(
            14,
            "RFC 9110 section 9.3.1: HTTP/2 serves other requests, too",
            "GET of a page that does not exist",
        )
        .begin(&[])
        .fields(page("GET").ending())
        .must([status(300..=599), Want::EndStream])
        .must([Want::Open(vec![]), Want::EndStream])
        .should([aborted()])
        .done(),
        begin(
            15,
            "RFC 9110 section 9.3.2: the answer to HEAD has no content",
            "HEAD of a page that does not exist",
        )
        .begin(&[])
        .fields(page("HEAD").ending())
        .must([status(300..=599), Want::EndStream])
        .must([Want::Open(vec![]), Want::EndStream])
        .should([aborted()])
        .done(),
        begin(16, "RFC 9110 section 6.6.1: an answer has Date", "the Date of a refusal")
            .begin(&[])
            .fields(connect().set("sec-websocket-version", "7"))
            .must([status(400..=499).with(Field::Once("date")), Want::EndStream])
            .should([status(400..=499), many(Want::EndStream)])
            .done(),
        begin(
            17,
            "RFC 9113 section 8.1.1: a request that ends has no content to wait for",
            "the request of a WebSocket with END_STREAM",
        )
        .begin(&[])
        .fields(connect().ending())
        .over()
        .beside(1)
        .must([opens(), maybe(Want::AnyClose), Want::EndStream, Want::Neighbour])
        .must([opens(), maybe(Want::AnyClose), aborted(), Want::Neighbour])
        .must([status(400..=499), Want::EndStream, Want::Neighbour])
        .must([aborted(), Want::Neighbour])
        .done(),
        begin(
            18,
            "RFC 9113 section 5.1: a second head before the end of the stream is malformed",
            "the same request again on the same stream",
        )
        .opened()
        .raw(frame(HEADERS, END_HEADERS, THIS, literals([(":method", "CONNECT")])))
        .over()
        .beside(1)
        .must([opens(), aborted(), Want::Neighbour])
        .should([opens(), maybe(Want::AnyClose), Want::EndStream, Want::Neighbour])
        .reported([opens(), many(aborted()), many(Want::GoAway(&[])), Want::Gone, Want::Rest])
        .done(),
    ]
}
