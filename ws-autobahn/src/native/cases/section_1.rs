//! Section 1, framing: messages at the lengths where the encoding of the length changes.

use crate::native::{
    frame::{binary, text},
    payload::Payload,
    script::{Case, Delivery},
    words::{case, echo, echo_binary},
};

const LENGTHS: &str = "RFC 6455 section 5.2, \"Payload length\"";

/// The lengths, and how the frame is written to TCP. 126 and 65536 are the first lengths with a longer encoding.
const SIZES: [(usize, Delivery); 8] = [
    (0, Delivery::Joined),
    (125, Delivery::Joined),
    (126, Delivery::Joined),
    (127, Delivery::Joined),
    (128, Delivery::Joined),
    (65535, Delivery::Joined),
    (65536, Delivery::Joined),
    (65536, Delivery::Chopped(997)),
];

pub(super) fn cases() -> Vec<Case> {
    let texts = SIZES.into_iter().zip(1..).map(|((len, delivery), n)| {
        let payload = Payload::repeated(b"*", len);
        case(&format!("1.1.{n}"), LENGTHS, what("text", len, delivery))
            .deliver(delivery, text(payload.clone()))
            .ok([echo(payload)])
    });
    let binaries = SIZES.into_iter().zip(1..).map(|((len, delivery), n)| {
        let payload = Payload::repeated(b"\xfe", len);
        case(&format!("1.2.{n}"), LENGTHS, what("binary", len, delivery))
            .deliver(delivery, binary(payload.clone()))
            .ok([echo_binary(payload)])
    });
    texts.chain(binaries).collect()
}

fn what(kind: &str, len: usize, delivery: Delivery) -> String {
    match delivery {
        Delivery::Chopped(size) => format!("a {kind} message of {len} bytes, in TCP writes of {size} bytes"),
        _ => format!("a {kind} message of {len} bytes"),
    }
}
