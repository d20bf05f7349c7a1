//! Sections 27.4 and 27.5: the messages of a client on an open WebSocket, and the end of its stream.

use super::{
    HELLO, aborted,
    clients::{asks, begin},
    close,
};
use crate::native::{
    frame::{binary, continuation, frame as websocket, ping, text},
    http2::frames::{
        CANCEL, DATA, ENABLE_CONNECT_PROTOCOL, END_STREAM, FLOW_CONTROL_ERROR, GOAWAY, INITIAL_WINDOW_SIZE,
        MAX_FRAME_SIZE, PING, PROTOCOL_ERROR, WINDOW_UPDATE, frame, settings,
    },
    probe::{
        Building, Want, closes, echoes,
        http2::{
            THIS,
            head::{answer, fields},
        },
        many, maybe,
    },
    script::{Case, Delivery},
};

const BYTES: &str =
    "RFC 8441 section 5: the DATA of the stream are the bytes of the WebSocket, however they are split";
const WINDOWS: &str =
    "RFC 9113 section 6.9.1: a sender does not exceed the windows, and goes on when they are opened";
const FIN: &str =
    "RFC 8441 section 5: END_STREAM is the FIN of TCP; RFC 6455 section 7.1.5: an end without a Close";
const RST: &str = "RFC 8441 section 5: RST_STREAM is the RST of TCP, after which nothing is sent";
const AWAY: &str = "RFC 9113 section 6.8: after GOAWAY the streams up to its last one continue, the others are not processed";
const ERROR: &str = "RFC 9113 section 5.4.1: an error of the connection ends it";

impl Building {
    /// Accepts an error of the connection.
    fn fatal_for_client(self, codes: &'static [u32]) -> Case {
        let of = |after: &[Want]| [&[asks()][..], after].concat();
        self.must(of(&[many(aborted()), Want::GoAway(codes), many(aborted()), Want::Gone]))
            .should(of(&[many(aborted()), many(Want::GoAway(&[])), many(aborted()), Want::Gone]))
            .done()
    }
}

/// The cases.
pub(super) fn cases() -> Vec<Case> {
    [messages(), ends()].concat()
}

fn messages() -> Vec<Case> {
    let open = |item, rule, what| begin(4, item, rule, what).accepted();
    let hello = || text(HELLO).encode(None);
    let two = [text("a").encode(None), text("b").encode(None)].concat();
    vec![
        open(1, BYTES, "a message in DATA of one byte each")
            .deliver(Delivery::Chopped(1), text(HELLO))
            .must([asks(), echoes(HELLO)])
            .done(),
        open(2, BYTES, "two messages in one DATA").bytes(two).must([asks(), echoes("a"), echoes("b")]).done(),
        open(3, BYTES, "a message of 200,000 bytes")
            .send(binary(vec![b'x'; 200_000]))
            .must([asks(), Want::Binary(200_000)])
            .done(),
        (0..1000)
            .fold(open(4, BYTES, "a thousand messages of two bytes, each in a DATA frame"), |case, _| {
                case.send(text("hi"))
            })
            .within(20)
            .must([asks(), Want::Many(1000..=1000, Box::new(echoes("hi")))])
            .done(),
        open(5, BYTES, "DATA without content around a message")
            .empty(3)
            .bytes(hello())
            .empty(3)
            .must([asks(), echoes(HELLO)])
            .done(),
        open(6, "RFC 9113 section 6.1: DATA may be padded", "a message with 255 bytes of padding")
            .padded(hello(), 255)
            .must([asks(), echoes(HELLO)])
            .done(),
        open(7, "RFC 9113 section 5.5: frames of unknown types are ignored", "frames of unknown types")
            .raw(frame(0xfa, 0xff, THIS, "abc"))
            .raw(frame(0xfb, 0, 0, "abc"))
            .send(text(HELLO))
            .must([asks(), echoes(HELLO)])
            .done(),
        open(
            8,
            "RFC 9113 section 6.7: PING is acknowledged with its content",
            "a PING of HTTP/2 while a WebSocket is open",
        )
        .raw(frame(PING, 0, 0, "12345678"))
        .until(3)
        .send(ping("p"))
        .must([asks(), Want::Pong(b"12345678".to_vec()), Want::Pong(b"p".to_vec())])
        .done(),
        open(
            9,
            "RFC 9113 section 6.5: SETTINGS may be sent at any time",
            "further SETTINGS between messages",
        )
        .send(text("a"))
        .until(3)
        .raw(settings(&[(MAX_FRAME_SIZE, 32_768), (INITIAL_WINDOW_SIZE, 100_000)]))
        .send(text("b"))
        .must([asks(), echoes("a"), echoes("b")])
        .done(),
        begin(4, 10, WINDOWS, "the windows of streams are 0: the echo comes when they are opened")
            .begin(&[(ENABLE_CONNECT_PROTOCOL, 1), (INITIAL_WINDOW_SIZE, 0)])
            .asked()
            .hold(1)
            .fields(answer("200"))
            .send(text(HELLO))
            .wait(300)
            .mark()
            .grant(1, 1)
            .wait(50)
            .grant(1, 100)
            .must([asks(), Want::Mark, echoes(HELLO)])
            .done(),
        open(11, WINDOWS, "an echo of 100,000 bytes with 65,535 in the window of the connection")
            .hold(0)
            .send(binary(vec![b'x'; 100_000]))
            .wait(300)
            .mark()
            .grant(0, 200_000)
            .must([asks(), Want::Mark, Want::Binary(100_000)])
            .done(),
        open(
            12,
            "RFC 9113 section 6.9.1: a window above 2^31-1 is an error: FLOW_CONTROL_ERROR",
            "the window of the connection above 2^31-1",
        )
        .raw(frame(WINDOW_UPDATE, 0, 0, 0x7fff_ffffu32.to_be_bytes()))
        .fatal_for_client(&[FLOW_CONTROL_ERROR]),
        open(13, ERROR, "DATA on stream 0").raw(frame(DATA, 0, 0, "x")).fatal_for_client(&[PROTOCOL_ERROR]),
        open(14, "RFC 6455 section 7.1.7: a fault in a frame fails the WebSocket", "a reserved opcode")
            .send(websocket(3, ""))
            .must([asks(), closes(&[1002]), Want::Rest])
            .must([asks(), closes(&[]), Want::Rest])
            .should([asks(), maybe(Want::AnyClose), Want::EndStream])
            .should([asks(), maybe(Want::AnyClose), aborted()])
            .done(),
    ]
}

fn ends() -> Vec<Case> {
    let open = |item, rule, what| begin(5, item, rule, what).accepted();
    let over = |building: Building, before: &[Want]| {
        let of = |after: &[Want]| [&[asks()][..], before, after].concat();
        building
            .over()
            .must(of(&[maybe(Want::AnyClose), Want::EndStream]))
            .must(of(&[maybe(Want::AnyClose), aborted()]))
            .must(of(&[maybe(Want::AnyClose), maybe(Want::GoAway(&[])), Want::Gone]))
            .done()
    };
    let silent = |building: Building| {
        building
            .raw(frame(DATA, 0, THIS, text(HELLO).encode(None)))
            .wait(200)
            .must([asks(), maybe(aborted()), maybe(Want::GoAway(&[])), Want::Gone])
            .must([asks(), maybe(aborted()), maybe(Want::GoAway(&[])), Want::Silence])
            .done()
    };
    vec![
        open(
            1,
            "RFC 6455 section 5.5.1: a Close is answered by a Close",
            "a Close, then END_STREAM of the server",
        )
        .send(close())
        .until(3)
        .half_close()
        .must([asks(), closes(&[1000]), Want::EndStream])
        .must([asks(), closes(&[1000]), aborted()])
        .must([asks(), closes(&[1000]), maybe(Want::GoAway(&[])), Want::Gone])
        .done(),
        open(
            2,
            "RFC 6455 section 5.5.1: a Close is answered by a Close",
            "a Close with END_STREAM in one DATA",
        )
        .raw(frame(DATA, END_STREAM, THIS, close().encode(None)))
        .must([asks(), closes(&[1000]), Want::EndStream])
        .must([asks(), closes(&[1000]), aborted()])
        .must([asks(), closes(&[1000]), maybe(Want::GoAway(&[])), Want::Gone])
        .should([asks(), Want::EndStream])
        .should([asks(), aborted()])
        .done(),
        over(open(3, FIN, "END_STREAM before any message").half_close(), &[]),
        over(
            open(4, FIN, "END_STREAM after a message").send(text(HELLO)).until(3).half_close(),
            &[echoes(HELLO)],
        ),
        over(open(5, FIN, "END_STREAM inside a frame").bytes(vec![0x81, 5, b'x']).half_close(), &[]),
        over(open(6, FIN, "END_STREAM between fragments").send(text("a").more()).half_close(), &[]),
        over(
            open(7, "RFC 9113 section 8.1: trailers end the stream", "trailers")
                .trailers(fields(&[("x-trailer", "1")]).ending()),
            &[],
        ),
        silent(open(8, RST, "RST_STREAM before any message").abort(CANCEL)),
        silent(open(9, RST, "RST_STREAM inside a frame").bytes(vec![0x81, 5, b'x']).abort(CANCEL)),
        open(10, AWAY, "GOAWAY between messages: the WebSocket goes on")
            .send(text("a"))
            .until(3)
            .raw(frame(GOAWAY, 0, THIS, [0; 8]))
            .send(text("b"))
            .must([asks(), echoes("a"), echoes("b")])
            .done(),
        open(11, AWAY, "GOAWAY inside a message")
            .send(text("a").more())
            .raw(frame(GOAWAY, 0, THIS, [0; 8]))
            .send(continuation("b"))
            .must([asks(), echoes("ab")])
            .done(),
        open(
            12,
            "RFC 6455 section 5.5.1: a client answers a Close of the server and waits for the end",
            "a Close; the server ends nothing: the client ends the stream within 20 s",
        )
        .send(close())
        .until(3)
        .impolite()
        .within(20)
        .over()
        .must([asks(), closes(&[1000]), Want::EndStream])
        .must([asks(), closes(&[1000]), aborted()])
        .must([asks(), closes(&[1000]), maybe(Want::GoAway(&[])), Want::Gone])
        .should([asks(), closes(&[1000]), Want::Silence])
        .done(),
    ]
}
