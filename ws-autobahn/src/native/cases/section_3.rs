//! Section 3, reserved bits: without an extension they must be 0. Echoes of earlier messages must still arrive.

use super::{HELLO, NOT_TEXT};
use crate::native::{
    frame::{CLOSE, binary, frame, ping, text},
    script::{Case, Delivery},
    words::{case, echo},
};

const RESERVED: &str = "RFC 6455 section 5.2, \"RSV1, RSV2, RSV3\"";

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("3.1", RESERVED, "a text message with RSV = 1").send(text(HELLO).rsv(1)).must_fail(1002).ok([]),
        behind_a_message("3.2", "a text message, another with RSV = 2, a Ping", 2, Delivery::Joined),
        behind_a_message(
            "3.3",
            "a text message, another with RSV = 3, a Ping; each in a separate TCP write",
            3,
            Delivery::Alone,
        ),
        behind_a_message(
            "3.4",
            "a text message, another with RSV = 4, a Ping; in TCP writes of one byte",
            4,
            Delivery::Chopped(1),
        ),
        case("3.5", RESERVED, "a binary message with RSV = 5")
            .send(binary(NOT_TEXT).rsv(5))
            .must_fail(1002)
            .ok([]),
        // Autobahn describes this case as a Ping, but sends a binary message.
        case("3.6", RESERVED, "a binary message with RSV = 6")
            .send(binary(HELLO).rsv(6))
            .must_fail(1002)
            .ok([]),
        case("3.7", RESERVED, "a Close with RSV = 7").send(frame(CLOSE, "").rsv(7)).must_fail(1002).ok([]),
    ]
}

fn behind_a_message(id: &str, what: &str, rsv: u8, delivery: Delivery) -> Case {
    case(id, RESERVED, what)
        .deliver(delivery, text(HELLO))
        .deliver(delivery, text(HELLO).rsv(rsv))
        .deliver(delivery, ping(""))
        .must_fail(1002)
        .ok([echo(HELLO)])
        .non_strict([])
}
