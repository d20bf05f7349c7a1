//! Section 10: a message that its sender has split into fragments.

use crate::native::{
    script::Case,
    words::{case, echo},
};

pub(super) fn cases() -> Vec<Case> {
    let payload = [b'*'; 65536];
    vec![
        case("10.1.1", "RFC 6455 section 5.4", "a text message of 65536 bytes in fragments of 1300 bytes")
            .fragments(1300, &payload)
            .ok([echo(&payload[..])]),
    ]
}
