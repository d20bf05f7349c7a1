//! Section 26.6: flow control: closed windows, windows that are opened byte by byte, overflow.

use super::{HELLO, http2_server as server};
use crate::native::{
    frame::{binary, ping, text},
    http2::frames::{
        DATA, FLOW_CONTROL_ERROR, INITIAL_WINDOW_SIZE, PROTOCOL_ERROR, WINDOW_UPDATE, frame, settings,
    },
    probe::{
        Building, Want, echoes,
        http2::{THIS, head::connect},
        many, maybe, opens,
    },
    script::Case,
};

const WINDOWS: &str =
    "RFC 9113 section 6.9.1: a sender does not exceed the windows, and goes on when they are opened";
const INITIAL: &str = "RFC 9113 section 6.9.2: SETTINGS change the windows of open streams, also below zero";
const OVERFLOW: &str = "RFC 9113 section 6.9.1: a window above 2^31-1 is an error: FLOW_CONTROL_ERROR";
const ZERO: &str = "RFC 9113 section 6.9: WINDOW_UPDATE by zero is an error: PROTOCOL_ERROR";
const OTHERS: &str = "RFC 9113 section 5.2.1: a stream whose window is closed does not block the others";

fn begin(item: usize, rule: &'static str, what: &str) -> Building {
    server(&format!("26.6.{item}"), rule, what)
}

fn initial(size: u32) -> [(u16, u32); 1] {
    [(INITIAL_WINDOW_SIZE, size)]
}

/// The cases.
pub(super) fn cases() -> Vec<Case> {
    [waiting(), errors()].concat()
}

fn waiting() -> Vec<Case> {
    let update = |size: u32| frame(WINDOW_UPDATE, 0, THIS, size.to_be_bytes());
    let all = || binary(vec![b'x'; 100_000]);
    vec![
        begin(1, WINDOWS, "the windows of streams are 0: the answer comes, an echo does not")
            .begin(&initial(0))
            .fields(connect())
            .await_open()
            .hold(1)
            .send(text(HELLO))
            .wait(300)
            .mark()
            .grant(1, 100)
            .must([opens(), Want::Mark, echoes(HELLO)])
            .done(),
        begin(2, WINDOWS, "the window of the stream is opened byte by byte")
            .begin(&initial(0))
            .fields(connect())
            .await_open()
            .hold(1)
            .send(text(HELLO))
            .each(
                [()],
                |()| String::new(),
                |building, ()| (0..15).fold(building, |building, _| building.grant(1, 1).wait(10)),
            )
            .must([opens(), echoes(HELLO)])
            .done(),
        begin(
            3,
            WINDOWS,
            "an echo of 100,000 bytes, with 65,535 in both windows: the rest comes when they are opened",
        )
        .opened()
        .hold(0)
        .hold(1)
        .send(all())
        .wait(300)
        .mark()
        .grant(0, 200_000)
        .grant(1, 200_000)
        .must([opens(), Want::Mark, Want::Binary(100_000)])
        .done(),
        begin(4, WINDOWS, "the window of the connection is closed and that of the stream is open")
            .opened()
            .hold(0)
            .send(all())
            .wait(300)
            .mark()
            .grant(0, 200_000)
            .must([opens(), Want::Mark, Want::Binary(100_000)])
            .done(),
        begin(5, INITIAL, "SETTINGS close the window of an open stream, and open it again")
            .opened()
            .hold(1)
            .raw(settings(&initial(0)))
            .wait(100)
            .send(text(HELLO))
            .wait(300)
            .mark()
            .raw(settings(&initial(1000)))
            .must([opens(), Want::Mark, echoes(HELLO)])
            .done(),
        begin(6, INITIAL, "SETTINGS make a window negative: it must be opened above zero first")
            .opened()
            .hold(1)
            .send(binary(vec![b'x'; 60_000]))
            .until(3)
            .raw(settings(&initial(10)))
            .wait(100)
            .send(text(HELLO))
            .wait(300)
            .mark()
            .grant(1, 60_100)
            .must([opens(), Want::Binary(60_000), Want::Mark, echoes(HELLO)])
            .done(),
        begin(
            7,
            OTHERS,
            "one stream has a closed window and an echo of 512 KiB to send; a neighbour is served",
        )
        .opened()
        .hold(1)
        .send(binary(vec![b'x'; 512 << 10]))
        .wait(200)
        .beside(1)
        .must([opens(), Want::Neighbour])
        .done(),
        begin(8, WINDOWS, "the server opens its windows again: a client sends 4 MiB in messages of 64 KiB")
            .opened()
            .times(64, &binary(vec![b'x'; 64 << 10]))
            .within(20)
            .must([opens(), Want::Many(64..=64, Box::new(Want::Binary(64 << 10)))])
            .done(),
        begin(
            9,
            "RFC 9113 section 6.9: WINDOW_UPDATE opens a window at any time",
            "WINDOW_UPDATE between messages",
        )
        .opened()
        .raw(update(1000))
        .send(ping("p"))
        .must([opens(), Want::Pong(b"p".to_vec())])
        .done(),
    ]
}

fn errors() -> Vec<Case> {
    let update = |stream, size: u32| frame(WINDOW_UPDATE, 0, stream, size.to_be_bytes());
    // The server's windows are unknown; nobody has windows of 256 MiB for a stream.
    let flood = |building: Building| {
        (0..300).fold(building, |building, _| building.raw(frame(DATA, 0, THIS, vec![0x82; 16_384])))
    };
    vec![
        begin(10, OVERFLOW, "the window of a stream above 2^31-1")
            .opened()
            .raw(update(THIS, 0x7fff_ffff))
            .over()
            .beside(1)
            .must([opens(), Want::Aborted(&[FLOW_CONTROL_ERROR]), Want::Neighbour])
            .reported([opens(), many(Want::Aborted(&[])), Want::GoAway(&[]), Want::Gone, Want::Rest])
            .done(),
        begin(11, OVERFLOW, "the window of the connection above 2^31-1")
            .opened()
            .raw(update(0, 0x7fff_ffff))
            .fatal(&[opens()], &[FLOW_CONTROL_ERROR])
            .done(),
        begin(12, ZERO, "WINDOW_UPDATE of a stream by zero")
            .opened()
            .raw(update(THIS, 0))
            .over()
            .must([opens(), Want::Aborted(&[PROTOCOL_ERROR])])
            .fatal(&[opens()], &[PROTOCOL_ERROR])
            .done(),
        begin(13, ZERO, "WINDOW_UPDATE of the connection by zero")
            .opened()
            .raw(update(0, 0))
            .fatal(&[opens()], &[PROTOCOL_ERROR])
            .done(),
        begin(14, "RFC 9113 section 6.5.2: INITIAL_WINDOW_SIZE above 2^31-1 is an error: FLOW_CONTROL_ERROR", "SETTINGS with INITIAL_WINDOW_SIZE = 2^31")
            .opened()
            .raw(settings(&initial(0x8000_0000)))
            .fatal(&[opens()], &[FLOW_CONTROL_ERROR])
            .done(),
        flood(begin(15, "RFC 9113 section 6.9.1: a receiver may treat more DATA than its windows allow as FLOW_CONTROL_ERROR", "a frame of 4.7 MiB, without regard to the server's windows").opened().bytes(vec![0x82, 0xff, 0, 0, 0, 0, 0, 0x50, 0, 0, 1, 2, 3, 4]))
            .must([opens(), Want::AnyClose, Want::Rest])
            .must([opens(), Want::Aborted(&[FLOW_CONTROL_ERROR]), Want::Rest])
            .must([opens(), maybe(Want::Aborted(&[])), Want::GoAway(&[FLOW_CONTROL_ERROR]), Want::Rest])
            .should([opens(), many(Want::Aborted(&[])), many(Want::GoAway(&[])), Want::Rest])
            .done(),
    ]
}
