//! Section 26.4: heads and messages in frames of every form.

use super::{HELLO, http2_server as server};
use crate::native::{
    frame::{binary, ping, text},
    http2::frames::{
        COMPRESSION_ERROR, CONTINUATION, DATA, END_HEADERS, FRAME_SIZE_ERROR, HEADERS, PADDED, PING,
        PROTOCOL_ERROR, frame,
    },
    probe::{
        Building, Want, closes, echoes,
        http2::{THIS, head::connect},
        maybe, opens, status,
    },
    script::{Case, Delivery},
    session::KEY,
};

const BLOCKS: &str = "RFC 9113 section 4.3: a field block is HEADERS and any number of CONTINUATION";
const TOGETHER: &str = "RFC 9113 section 6.10: nothing comes between HEADERS and CONTINUATION";
const BYTES: &str =
    "RFC 8441 section 5: the DATA of the stream are the bytes of the WebSocket, however they are split";
const PADDING: &str = "RFC 9113 section 6.1: DATA may be padded";
const SIZE: &str = "RFC 9113 section 4.2: a frame above MAX_FRAME_SIZE is an error";
const UNKNOWN: &str = "RFC 9113 section 5.5: frames of unknown types are ignored";

fn begin(item: usize, rule: &'static str, what: &str) -> Building {
    server(&format!("26.4.{item}"), rule, what)
}

/// The cases.
pub(super) fn cases() -> Vec<Case> {
    [heads(), messages(), errors()].concat()
}

fn heads() -> Vec<Case> {
    vec![
        begin(1, BLOCKS, "a head in CONTINUATION frames of one byte each; a server may limit their number")
            .request(connect().in_pieces(1))
            .echoes_hello()
            .reported([status(400..=499), Want::Rest])
            .reported([Want::Aborted(&[]), Want::Rest])
            .reported([Want::GoAway(&[]), Want::Rest])
            .done(),
        begin(2, BLOCKS, "a head in frames of thirty bytes")
            .request(connect().in_pieces(30))
            .echoes_hello()
            .done(),
        begin(3, "RFC 9113 section 6.2: HEADERS may be padded", "a head with 255 bytes of padding")
            .request(connect().padded(255))
            .echoes_hello()
            .done(),
        begin(
            4,
            "RFC 9113 section 5.3.2: priorities are deprecated, and are not an error",
            "a head with a priority",
        )
        .request(connect().prioritized())
        .echoes_hello()
        .done(),
        begin(5, "RFC 6585 section 5: a head that is too large is refused", "a head of 1 MiB")
            .begin(&[])
            .fields(connect().with_many(64, "x-#", &"x".repeat(15_000)))
            .must([status(400..=499), Want::Rest])
            .must([Want::Aborted(&[]), Want::Rest])
            .must([maybe(Want::Aborted(&[])), Want::GoAway(&[]), Want::Rest])
            .should([Want::Gone])
            .reported([opens()])
            .done(),
        begin(6, TOGETHER, "PING between HEADERS and CONTINUATION")
            .opened()
            .raw(frame(HEADERS, 0, THIS + 2, [0x82]))
            .raw(frame(PING, 0, 0, [0; 8]))
            .fatal(&[opens()], &[PROTOCOL_ERROR])
            .done(),
        begin(7, TOGETHER, "CONTINUATION without HEADERS")
            .opened()
            .raw(frame(CONTINUATION, END_HEADERS, THIS, [0x82]))
            .fatal(&[opens()], &[PROTOCOL_ERROR])
            .done(),
        begin(
            8,
            "RFC 9113 section 4.3: a field block that cannot be decoded ends the connection",
            "an index beyond HPACK's tables",
        )
        .opened()
        .raw(frame(HEADERS, END_HEADERS, THIS + 2, [0xff, 0xff, 0x03]))
        .fatal(&[opens()], &[COMPRESSION_ERROR])
        .done(),
    ]
}

fn messages() -> Vec<Case> {
    let hello = || text(HELLO).encode(Some(KEY));
    let two = [text("a").encode(Some(KEY)), text("b").encode(Some(KEY))].concat();
    let large = vec![b'x'; 200_000];
    vec![
        begin(9, BYTES, "a message in DATA of one byte each")
            .opened()
            .deliver(Delivery::Chopped(1), text(HELLO))
            .must([opens(), echoes(HELLO)])
            .done(),
        begin(10, BYTES, "two messages in one DATA")
            .opened()
            .bytes(two.clone())
            .must([opens(), echoes("a"), echoes("b")])
            .done(),
        begin(11, BYTES, "a message of 200,000 bytes in DATA of 16 KiB")
            .opened()
            .send(binary(large.clone()))
            .must([opens(), Want::Binary(200_000)])
            .done(),
        begin(12, BYTES, "a message of 20,000 bytes in DATA of 7 bytes")
            .opened()
            .deliver(Delivery::Chopped(7), binary(vec![b'x'; 20_000]))
            .within(20)
            .must([opens(), Want::Binary(20_000)])
            .done(),
        (0..1000)
            .fold(
                begin(13, BYTES, "a thousand messages of two bytes in one DATA each, without a wait")
                    .opened(),
                |case, _| case.send(text("hi")),
            )
            .within(20)
            .must([opens(), Want::Many(1000..=1000, Box::new(echoes("hi")))])
            .done(),
        begin(14, BYTES, "a message right after the head, before the answer")
            .begin(&[])
            .fields(connect())
            .send(text(HELLO))
            .must([opens(), echoes(HELLO)])
            .should([status(400..=499), Want::Rest])
            .done(),
        begin(15, BYTES, "DATA without content before, between and after the bytes of a message")
            .opened()
            .empty(3)
            .bytes(hello().get(..3).unwrap_or_default())
            .empty(3)
            .bytes(hello().get(3..).unwrap_or_default())
            .empty(3)
            .must([opens(), echoes(HELLO)])
            .done(),
        begin(16, PADDING, "a message with 255 bytes of padding")
            .opened()
            .padded(hello(), 255)
            .must([opens(), echoes(HELLO)])
            .done(),
        begin(17, PADDING, "a message, each byte with 100 bytes of padding")
            .opened()
            .each(
                [hello()],
                |_| String::new(),
                |building, hello| {
                    hello.iter().fold(building, |building, byte| building.padded(vec![*byte], 100))
                },
            )
            .must([opens(), echoes(HELLO)])
            .done(),
        begin(
            18,
            PADDING,
            "a message of 600 bytes, each with 255 bytes of padding, more than the initial windows in all",
        )
        .opened()
        .each(
            [binary(vec![b'x'; 600]).encode(Some(KEY))],
            |_| String::new(),
            |building, bytes| bytes.iter().fold(building, |building, byte| building.padded(vec![*byte], 255)),
        )
        .within(20)
        .must([opens(), Want::Binary(600)])
        .done(),
        begin(19, UNKNOWN, "a frame of an unknown type on the stream, and one on the connection")
            .opened()
            .raw(frame(0xfa, 0xff, THIS, "abc"))
            .raw(frame(0xfb, 0, 0, "abc"))
            .send(text(HELLO))
            .must([opens(), echoes(HELLO)])
            .done(),
        begin(
            20,
            "RFC 9113 section 6.7: PING is acknowledged with its content",
            "a PING of HTTP/2 while a WebSocket is open",
        )
        .opened()
        .raw(frame(PING, 0, 0, "12345678"))
        .until(3)
        .send(ping("p"))
        .must([opens(), Want::Pong(b"12345678".to_vec()), Want::Pong(b"p".to_vec())])
        .done(),
    ]
}

fn errors() -> Vec<Case> {
    vec![
        begin(21, SIZE, "DATA of 16,385 bytes; an error of the stream or of the connection")
            .opened()
            .raw(frame(DATA, 0, THIS, vec![0; 16_385]))
            .must([opens(), Want::Aborted(&[FRAME_SIZE_ERROR])])
            .fatal(&[opens()], &[FRAME_SIZE_ERROR])
            .done(),
        begin(22, "RFC 9113 section 6.1: DATA belong to a stream", "DATA on stream 0")
            .opened()
            .raw(frame(DATA, 0, 0, "x"))
            .fatal(&[opens()], &[PROTOCOL_ERROR])
            .done(),
        begin(23, PADDING, "DATA with more padding than content")
            .opened()
            .raw(frame(DATA, PADDED, THIS, [9, 0, 0]))
            .fatal(&[opens()], &[PROTOCOL_ERROR])
            .done(),
        begin(
            24,
            "RFC 9113 section 5.1: nothing but HEADERS opens a stream",
            "DATA on a stream that does not exist",
        )
        .opened()
        .raw(frame(DATA, 0, THIS + 10, "x"))
        .fatal(&[opens()], &[PROTOCOL_ERROR])
        .done(),
        begin(
            25,
            "RFC 6455 section 7.1.7, RFC 8441 section 5: a fault in a frame fails this WebSocket",
            "a reserved opcode: Close with 1002, and the neighbour is served",
        )
        .opened()
        .send(crate::native::frame::frame(3, ""))
        .over()
        .beside(1)
        .must([opens(), closes(&[1002]), Want::EndStream, Want::Neighbour])
        .must([opens(), closes(&[]), Want::EndStream, Want::Neighbour])
        .should([opens(), maybe(Want::AnyClose), Want::EndStream, Want::Neighbour])
        .should([opens(), maybe(Want::AnyClose), Want::Aborted(&[]), Want::Neighbour])
        .done(),
    ]
}
