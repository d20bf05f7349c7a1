//! Section 4, reserved opcodes: 3 to 7 for data, 11 to 15 for control.

use super::HELLO;
use crate::native::{
    frame::{Frame, frame, ping, text},
    script::{Case, Delivery},
    words::{case, echo},
};

const OPCODES: &str = "RFC 6455 section 5.2, \"Opcode\"";

pub(super) fn cases() -> Vec<Case> {
    vec![
        alone("4.1.1", "a frame with opcode 3", frame(3, "")),
        alone("4.1.2", "a frame with opcode 4 and a payload", frame(4, "reserved opcode payload")),
        behind_a_message(
            "4.1.3",
            "a text message, a frame with opcode 5, a Ping",
            frame(5, ""),
            Delivery::Joined,
        ),
        behind_a_message(
            "4.1.4",
            "a text message, a frame with opcode 6 and a payload, a Ping",
            frame(6, HELLO),
            Delivery::Joined,
        ),
        behind_a_message(
            "4.1.5",
            "a text message, a frame with opcode 7 and a payload, a Ping; in TCP writes of one byte",
            frame(7, HELLO),
            Delivery::Chopped(1),
        ),
        alone("4.2.1", "a frame with opcode 11", frame(11, "")),
        alone("4.2.2", "a frame with opcode 12 and a payload", frame(12, "reserved opcode payload")),
        behind_a_message(
            "4.2.3",
            "a text message, a frame with opcode 13, a Ping",
            frame(13, ""),
            Delivery::Joined,
        ),
        behind_a_message(
            "4.2.4",
            "a text message, a frame with opcode 14 and a payload, a Ping",
            frame(14, HELLO),
            Delivery::Joined,
        ),
        behind_a_message(
            "4.2.5",
            "a text message, a frame with opcode 15 and a payload, a Ping; in TCP writes of one byte",
            frame(15, HELLO),
            Delivery::Chopped(1),
        ),
    ]
}

fn alone(id: &str, what: &str, reserved: Frame) -> Case {
    case(id, OPCODES, what).send(reserved).must_fail(1002).ok([])
}

/// Echoes of messages before the reserved opcode must arrive.
fn behind_a_message(id: &str, what: &str, reserved: Frame, delivery: Delivery) -> Case {
    case(id, OPCODES, what)
        .deliver(delivery, text(HELLO))
        .deliver(delivery, reserved)
        .deliver(delivery, ping(""))
        .must_fail(1002)
        .ok([echo(HELLO)])
        .non_strict([])
}
