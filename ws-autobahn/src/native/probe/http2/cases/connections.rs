//! Section 26.7: many streams on one connection, and its end.

use super::{HELLO, aborted, http2_server as server};
use crate::native::{
    frame::{ping, text},
    http2::{
        frames::{
            END_HEADERS, FRAME_SIZE_ERROR, GOAWAY, HEADERS, PROTOCOL_ERROR, PUSH_PROMISE, RST_STREAM,
            SETTINGS, frame,
        },
        hpack::literals,
    },
    probe::{
        Building, Want, echoes,
        http2::{THIS, head::connect},
        many, opens,
    },
    script::Case,
};

const MANY: &str = "RFC 8441 section 1: WebSockets share a connection of HTTP/2";
const STREAMS: &str =
    "RFC 9113 section 5.1.1: a client's streams are odd, and each is higher than those before";
const AWAY: &str = "RFC 9113 section 6.8: after GOAWAY the open streams continue";
const OTHERS: &str = "RFC 6455 section 10.4: one connection does not affect another";
const SETTINGS_RULE: &str = "RFC 9113 section 6.5: SETTINGS are for the connection, and have whole entries";

fn begin(item: usize, rule: &'static str, what: &str) -> Building {
    server(&format!("26.7.{item}"), rule, what)
}

/// The cases.
pub(super) fn cases() -> Vec<Case> {
    let head = || literals([(":method", "CONNECT")]);
    let again = |building: Building| building.send(text(HELLO)).must([opens(), echoes(HELLO)]);
    vec![
        begin(1, MANY, "two WebSockets on one connection").opened().beside(1).must([opens(), Want::Neighbour]).done(),
        begin(2, MANY, "fifty WebSockets on one connection, all open at the same time")
            .opened()
            .beside(49)
            .within(20)
            .must([opens(), Want::Neighbour])
            .done(),
        begin(3, MANY, "a WebSocket goes on after another one was opened")
            .opened()
            .beside(1)
            .send(text(HELLO))
            .must([opens(), Want::Neighbour, echoes(HELLO)])
            .done(),
        begin(4, STREAMS, "a request on an even stream")
            .opened()
            .raw(frame(HEADERS, END_HEADERS, THIS + 3, head()))
            .fatal(&[opens()], &[PROTOCOL_ERROR])
            .done(),
        begin(5, STREAMS, "a request on stream 0")
            .opened()
            .raw(frame(HEADERS, END_HEADERS, 0, head()))
            .fatal(&[opens()], &[PROTOCOL_ERROR])
            .done(),
        begin(6, STREAMS, "RST_STREAM of a stream that was never opened")
            .opened()
            .raw(frame(RST_STREAM, 0, THIS + 10, [0; 4]))
            .fatal(&[opens()], &[PROTOCOL_ERROR])
            .done(),
        again(
            begin(7, AWAY, "GOAWAY of the client between messages: the WebSocket goes on")
                .opened()
                .raw(frame(GOAWAY, 0, THIS, [0; 8])),
        )
        .done(),
        begin(8, AWAY, "GOAWAY of the client inside a message")
            .opened()
            .send(text("a").more())
            .raw(frame(GOAWAY, 0, THIS, [0; 8]))
            .send(crate::native::frame::continuation("b"))
            .must([opens(), echoes("ab")])
            .done(),
        begin(9, AWAY, "GOAWAY of the client after its request, before the answer")
            .begin(&[])
            .fields(connect())
            .raw(frame(GOAWAY, 0, THIS, [0; 8]))
            .send(text(HELLO))
            .must([opens(), echoes(HELLO)])
            .done(),
        begin(10, OTHERS, "the connection ends without GOAWAY while a WebSocket is open: others are served")
            .opened()
            .reset()
            .neighbour()
            .must([opens(), many(aborted()), many(Want::GoAway(&[])), many(Want::Gone), Want::Neighbour])
            .done(),
        begin(11, SETTINGS_RULE, "SETTINGS on a stream")
            .opened()
            .raw(frame(SETTINGS, 0, THIS, ""))
            .fatal(&[opens()], &[PROTOCOL_ERROR])
            .done(),
        begin(12, SETTINGS_RULE, "SETTINGS of five bytes")
            .opened()
            .raw(frame(SETTINGS, 0, 0, [0; 5]))
            .fatal(&[opens()], &[FRAME_SIZE_ERROR])
            .done(),
        begin(13, "RFC 9113 section 8.4: a client cannot push", "PUSH_PROMISE of the client")
            .opened()
            .raw(frame(PUSH_PROMISE, END_HEADERS, THIS, [0, 0, 0, 2, 0x82]))
            .fatal(&[opens()], &[PROTOCOL_ERROR])
            .done(),
        begin(14, "RFC 6455 section 5.1: a connection stays open until it is closed", "three seconds of silence, then a Ping")
            .opened()
            .wait(3000)
            .send(ping("p"))
            .must([opens(), many(Want::Control), Want::Pong(b"p".to_vec())])
            .done(),
        begin(15, "RFC 9113 section 5.1.2: streams beyond MAX_CONCURRENT_STREAMS are refused, and the open ones go on", "more WebSockets than the server allows: the first one goes on")
            .opened()
            .crowd(1000)
            .send(text(HELLO))
            .within(20)
            .must([opens(), echoes(HELLO)])
            // RFC 9113 section 5.4.1: a stream error may be treated as an error of the connection.
            .reported([opens(), many(aborted()), Want::GoAway(&[]), Want::Rest])
            .done(),
    ]
}
