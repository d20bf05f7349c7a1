//! Section 26.5: the end of a stream at each point, by END_STREAM, RST_STREAM and Close.

use super::{HELLO, OTHERS, aborted, close, http2_server as server};
use crate::native::{
    frame::{binary, text},
    http2::{
        frames::{
            CANCEL, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, HEADERS, NO_ERROR, PRIORITY,
            STREAM_CLOSED, WINDOW_UPDATE, frame,
        },
        hpack::literals,
    },
    probe::{
        Building, Want, closes, echoes,
        http2::{
            THIS,
            head::{connect, fields},
        },
        many, maybe, opens,
    },
    script::Case,
    session::KEY,
};

const CLOSING: &str = "RFC 8441 section 5, RFC 6455 section 7.1.1: after the Closes the server ends the stream, with END_STREAM as FIN";
const FIN: &str =
    "RFC 8441 section 5: END_STREAM is the FIN of TCP; RFC 6455 section 7.1.5: an end without a Close";
const RST: &str = "RFC 8441 section 5: RST_STREAM with CANCEL is the RST of TCP";
const ENDED: &str = "RFC 9113 section 5.1: after END_STREAM no DATA and HEADERS follow: STREAM_CLOSED";
const TRAILERS: &str = "RFC 9113 section 8.1: trailers end the stream and have no pseudo-fields";

fn begin(item: usize, rule: &'static str, what: &str) -> Building {
    server(&format!("26.5.{item}"), rule, what)
}

/// The cases.
pub(super) fn cases() -> Vec<Case> {
    [closing(), end_streams(), resets(), after_the_end()].concat()
}

fn closing() -> Vec<Case> {
    let clean = || [opens(), closes(&[1000]), Want::EndStream];
    let late = || [opens(), closes(&[1000]), aborted()];
    vec![
        begin(1, CLOSING, "a Close: the answer, then END_STREAM").opened().send(close()).must(clean()).should(late()).done(),
        begin(2, CLOSING, "a Close with END_STREAM in one DATA")
            .opened()
            .raw(frame(DATA, END_STREAM, THIS, close().encode(Some(KEY))))
            .must(clean())
            .should(late())
            .should([opens(), Want::EndStream])
            .done(),
        begin(3, CLOSING, "a Close, then END_STREAM in a separate DATA")
            .opened()
            .send(close())
            .half_close()
            .must(clean())
            .should(late())
            .done(),
        begin(4, CLOSING, "a Close, then RST_STREAM: the connection lives")
            .opened()
            .send(close())
            .until(3)
            .abort(CANCEL)
            .beside(1)
            .must([opens(), closes(&[1000]), many(Want::EndStream), Want::Neighbour])
            .done(),
        begin(5, CLOSING, "a Close; the client does not end its half of the stream: the server ends the stream within 20 s, and the connection lives")
            .opened()
            .send(close())
            .within(20)
            .over()
            .beside(1)
            .must([opens(), closes(&[1000]), Want::EndStream, Want::Neighbour])
            .should([opens(), closes(&[1000]), aborted(), Want::Neighbour])
            .done(),
        begin(6, "RFC 6455 section 5.5.1: no frame follows a Close", "a Close, and a message after it")
            .opened()
            .send(close())
            .send(text("late"))
            .must(clean())
            .should(late())
            .done(),
        begin(7, CLOSING, "a message of 200,000 bytes and a Close: all of it comes back before the end")
            .opened()
            .send(binary(vec![b'x'; 200_000]))
            .send(close())
            .must([opens(), Want::Binary(200_000), closes(&[1000]), Want::EndStream])
            .should([opens(), Want::Binary(200_000), closes(&[1000]), aborted()])
            .done(),
        begin(8, "RFC 6455 section 7.1.7: the server ends the stream of a failed WebSocket", "a reserved opcode; the client does not answer the Close: the stream ends within 20 s")
            .opened()
            .impolite()
            .send(crate::native::frame::frame(3, ""))
            .within(20)
            .over()
            .beside(1)
            .must([opens(), maybe(Want::AnyClose), Want::EndStream, Want::Neighbour])
            .must([opens(), maybe(Want::AnyClose), aborted(), Want::Neighbour])
            .done(),
    ]
}

fn end_streams() -> Vec<Case> {
    let ended = |building: Building, before: &[Want]| {
        let of = |after: &[Want]| [before, after].concat();
        building
            .over()
            .beside(1)
            .must(of(&[maybe(Want::AnyClose), Want::EndStream, Want::Neighbour]))
            .must(of(&[maybe(Want::AnyClose), aborted(), Want::Neighbour]))
            .done()
    };
    vec![
        ended(begin(9, FIN, "END_STREAM before any message").opened().half_close(), &[opens()]),
        ended(
            begin(10, FIN, "END_STREAM after a message").opened().send(text(HELLO)).until(3).half_close(),
            &[opens(), echoes(HELLO)],
        ),
        ended(
            begin(11, FIN, "END_STREAM inside the header of a frame").opened().bytes(vec![0x81]).half_close(),
            &[opens()],
        ),
        ended(
            begin(12, FIN, "END_STREAM inside the payload of a frame")
                .opened()
                .bytes(vec![0x81, 0x85, 1, 2, 3, 4, 5])
                .half_close(),
            &[opens()],
        ),
        ended(
            begin(13, FIN, "END_STREAM between the fragments of a message")
                .opened()
                .send(text("a").more())
                .half_close(),
            &[opens()],
        ),
        ended(
            begin(14, TRAILERS, "trailers instead of END_STREAM on DATA")
                .opened()
                .send(text(HELLO))
                .until(3)
                .trailers(fields(&[("x-trailer", "1")]).ending()),
            &[opens(), echoes(HELLO)],
        ),
        begin(15, TRAILERS, "trailers without END_STREAM, which are malformed")
            .opened()
            .trailers(fields(&[("x-trailer", "1")]))
            .over()
            .beside(1)
            .must([opens(), aborted(), Want::Neighbour])
            .should([opens(), maybe(Want::AnyClose), Want::EndStream, Want::Neighbour])
            .reported([opens(), many(aborted()), maybe(Want::GoAway(&[])), Want::Gone, Want::Rest])
            .done(),
        begin(16, TRAILERS, "trailers with a pseudo-field, which are malformed")
            .opened()
            .trailers(fields(&[(":path", "/"), ("x-trailer", "1")]).ending())
            .over()
            .beside(1)
            .must([opens(), aborted(), Want::Neighbour])
            .should([opens(), maybe(Want::AnyClose), Want::EndStream, Want::Neighbour])
            .reported([opens(), many(aborted()), maybe(Want::GoAway(&[])), Want::Gone, Want::Rest])
            .done(),
    ]
}

fn resets() -> Vec<Case> {
    let reset = |building: Building, before: &[Want]| {
        building.abort(CANCEL).beside(1).must([before, &[Want::Neighbour]].concat()).done()
    };
    vec![
        begin(17, RST, "RST_STREAM right after the request, before the answer")
            .begin(&[])
            .fields(connect())
            .abort(CANCEL)
            .beside(1)
            .must([maybe(opens()), maybe(aborted()), Want::Neighbour])
            .done(),
        reset(begin(18, RST, "RST_STREAM before any message").opened(), &[opens()]),
        reset(
            begin(19, RST, "RST_STREAM inside a frame")
                .opened()
                .bytes(vec![0x82, 0xfe, 0x10, 0, 1, 2, 3, 4, 5]),
            &[opens()],
        ),
        reset(begin(20, RST, "RST_STREAM between fragments").opened().send(text("a").more()), &[opens()]),
        begin(21, RST, "RST_STREAM while the server writes 512 KiB")
            .opened()
            .hold(1)
            .send(binary(vec![b'x'; 512 << 10]))
            .wait(200)
            .abort(NO_ERROR)
            .beside(1)
            .must([opens(), Want::Neighbour])
            .done(),
        begin(
            22,
            OTHERS,
            "twenty requests, each reset at once: then others are served; a server may limit their number",
        )
        .opened()
        .each(
            [()],
            |()| String::new(),
            |building, ()| {
                (0..20).fold(building, |building, _| building.fields(connect()).abort(CANCEL)).beside(1)
            },
        )
        .must([opens(), many(opens()), many(aborted()), Want::Neighbour])
        .reported([opens(), many(opens()), many(aborted()), Want::GoAway(&[ENHANCE_YOUR_CALM]), Want::Rest])
        .done(),
    ]
}

fn after_the_end() -> Vec<Case> {
    let late = |item, what, kind, flags, payload: Vec<u8>| {
        begin(item, ENDED, what)
            .opened()
            .raw(frame(DATA, END_STREAM, THIS, ""))
            .raw(frame(kind, flags, THIS, payload))
            .over()
            .must([opens(), maybe(Want::AnyClose), Want::Aborted(&[STREAM_CLOSED])])
            .must([opens(), many(aborted()), Want::GoAway(&[STREAM_CLOSED]), many(Want::Gone)])
            .must([
                opens(),
                maybe(Want::AnyClose),
                Want::EndStream,
                many(Want::GoAway(&[STREAM_CLOSED])),
                many(Want::Gone),
            ])
            .should([opens(), maybe(Want::AnyClose), aborted()])
            .should([opens(), many(aborted()), many(Want::GoAway(&[])), many(Want::Gone)])
            .done()
    };
    vec![
        late(23, "DATA after END_STREAM", DATA, 0, text("late").encode(Some(KEY))),
        late(24, "HEADERS after END_STREAM", HEADERS, END_HEADERS | END_STREAM, literals([("x-late", "1")])),
        begin(
            25,
            "RFC 9113 section 5.1: WINDOW_UPDATE, RST_STREAM and PRIORITY may arrive after END_STREAM",
            "WINDOW_UPDATE and PRIORITY after the end of both halves",
        )
        .opened()
        .send(close())
        .until(4)
        .half_close()
        .wait(50)
        .raw(frame(WINDOW_UPDATE, 0, THIS, 1000u32.to_be_bytes()))
        .raw(frame(PRIORITY, 0, THIS, [0, 0, 0, 0, 15]))
        .beside(1)
        .must([opens(), closes(&[1000]), Want::EndStream, Want::Neighbour])
        .should([opens(), closes(&[1000]), aborted(), Want::Neighbour])
        .done(),
    ]
}
