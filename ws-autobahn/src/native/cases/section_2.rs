//! Section 2, Pings and Pongs: a Ping is answered with its own payload, a Pong with nothing.

use super::{HELLO, NOT_TEXT};
use crate::native::{
    frame::{ping, pong},
    payload::Payload,
    script::{Case, Delivery, Event},
    words::{case, ponged},
};

const PING: &str = "RFC 6455 section 5.5.2";
const PONG: &str = "RFC 6455 section 5.5.3";
const CONTROL: &str = "RFC 6455 section 5.5";

pub(super) fn cases() -> Vec<Case> {
    let longest = Payload::repeated(b"\xfe", 125);
    let unsolicited = "an unsolicited Pong";
    vec![
        case("2.1", PING, "a Ping without payload").send(ping("")).then_close().ok([ponged("")]),
        case("2.2", PING, "a Ping with text").send(ping(HELLO)).then_close().ok([ponged(HELLO)]),
        case("2.3", PING, "a Ping with bytes that are not text")
            .send(ping(NOT_TEXT))
            .then_close()
            .ok([ponged(NOT_TEXT)]),
        case("2.4", PING, "a Ping with 125 bytes, the maximum")
            .send(ping(longest.clone()))
            .then_close()
            .ok([ponged(longest.clone())]),
        case("2.5", CONTROL, "a Ping with 126 bytes, one more than the maximum")
            .send(ping(Payload::repeated(b"\xfe", 126)))
            .must_fail(1002)
            .ok([]),
        case("2.6", PING, "a Ping with 125 bytes, in TCP writes of one byte")
            .deliver(Delivery::Chopped(1), ping(longest.clone()))
            .then_close()
            .ok([ponged(longest)]),
        case("2.7", PONG, "an unsolicited Pong without payload, then a Close")
            .send(pong(""))
            .close(1000, b"")
            .graded_by_answers()
            .ok([]),
        case("2.8", PONG, "an unsolicited Pong with payload, then a Close")
            .send(pong(unsolicited))
            .close(1000, b"")
            .graded_by_answers()
            .ok([]),
        case("2.9", PONG, "an unsolicited Pong, then a Ping")
            .send(pong(unsolicited))
            .send(ping("ping payload"))
            .then_close()
            .ok([ponged("ping payload")]),
        ten("2.10", "ten Pings with different payloads", Delivery::Joined),
        ten("2.11", "ten Pings with different payloads, in TCP writes of one byte", Delivery::Chopped(1)),
    ]
}

/// Ten Pings, all of which must be answered in order. RFC 6455 section 5.5.3 allows answering only the last one;
/// Autobahn expects more, and all implementations answer all of them.
fn ten(id: &str, what: &str, delivery: Delivery) -> Case {
    let payload = |n: usize| format!("payload-{n}").into_bytes();
    let answers: [Event; 10] = std::array::from_fn(|n| ponged(payload(n)));
    (0..10)
        .fold(case(id, PING, what), |case, n| case.deliver(delivery, ping(payload(n))))
        .then_close()
        .ok(answers)
}
