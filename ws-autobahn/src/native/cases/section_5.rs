//! Section 5, fragmentation: control frames are not fragmented and may come between fragments; messages do not mix.

use std::time::Duration;

use super::HELLO;
use crate::native::{
    frame::{Frame, continuation, ping, pong, text},
    script::{Case, Delivery, Pause},
    words::{case, echo, ponged},
};

const CONTROL: &str = "RFC 6455 section 5.5: control frames MUST NOT be fragmented";
const FRAGMENTS: &str = "RFC 6455 section 5.4";
const NOTHING: &str = "RFC 6455 section 5.4: a continuation follows a first fragment";
const BETWEEN: &str = "RFC 6455 section 5.4: control frames may come between fragments";

/// The three ways in which most of these cases are written to TCP.
const DELIVERIES: [(Delivery, &str); 3] = [
    (Delivery::Joined, ""),
    (Delivery::Alone, ", each frame in a separate TCP write"),
    (Delivery::Chopped(1), ", in TCP writes of one byte"),
];

pub(super) fn cases() -> Vec<Case> {
    let mut cases = vec![
        case("5.1", CONTROL, "a Ping in two fragments")
            .send(ping("fragment1").more())
            .send(continuation("fragment2"))
            .must_fail(1002)
            .ok([]),
        case("5.2", CONTROL, "a Pong in two fragments")
            .send(pong("fragment1").more())
            .send(continuation("fragment2"))
            .must_fail(1002)
            .ok([]),
    ];
    cases.extend(DELIVERIES.into_iter().zip(3..).map(|((delivery, how), n)| {
        case(&format!("5.{n}"), FRAGMENTS, format!("a text message in two fragments{how}"))
            .deliver(delivery, text("fragment1").more())
            .deliver(delivery, continuation("fragment2"))
            .then_close()
            .ok([echo("fragment1fragment2")])
    }));
    cases.extend(DELIVERIES.into_iter().zip(6..).map(|((delivery, how), n)| {
        case(
            &format!("5.{n}"),
            BETWEEN,
            format!("a text message in two fragments with a Ping between them{how}"),
        )
        .deliver(delivery, text("fragment1").more())
        .deliver(delivery, ping("ping payload"))
        .deliver(delivery, continuation("fragment2"))
        .then_close()
        .ok([ponged("ping payload"), echo("fragment1fragment2")])
    }));
    let last = continuation("continuation outside a message");
    cases.extend(DELIVERIES.into_iter().zip(9..).map(|((delivery, how), n)| {
        stray(
            n,
            format!("a final continuation frame outside a message, then a text message{how}"),
            last.clone(),
            delivery,
        )
    }));
    cases.extend(DELIVERIES.into_iter().zip(12..).map(|((delivery, how), n)| {
        let what = format!("a continuation frame without FIN outside a message, then a text message{how}");
        stray(n, what, last.clone().more(), delivery)
    }));
    cases.extend([
        case(
            "5.15",
            NOTHING,
            "a text message in two fragments, a continuation frame outside a message, a text message",
        )
        .send(text("fragment1").more())
        .send(continuation("fragment2"))
        .send(continuation("fragment3").more())
        .send(text("fragment4"))
        .must_fail(1002)
        .ok([echo("fragment1fragment2")])
        .non_strict([]),
        twice(
            "5.16",
            "twice: a continuation frame without FIN outside a message, then a text message in two fragments",
            |frame| frame.more(),
        ),
        twice(
            "5.17",
            "twice: a final continuation frame outside a message, then a text message in two fragments",
            |frame| frame,
        ),
        case("5.18", FRAGMENTS, "a text message in two fragments that both have the text opcode")
            .send(text("fragment1").more())
            .send(text("fragment2"))
            .must_fail(1002)
            .ok([]),
        five(
            "5.19",
            "a text message in five fragments with two Pings and a pause of 1 s between them",
            Delivery::Joined,
        ),
        five("5.20", "like 5.19, each frame in a separate TCP write", Delivery::Alone),
    ]);
    cases
}

fn stray(n: u16, what: String, stray: Frame, delivery: Delivery) -> Case {
    case(&format!("5.{n}"), NOTHING, what)
        .deliver(delivery, stray)
        .deliver(delivery, text(HELLO))
        .must_fail(1002)
        .ok([])
}

fn twice(id: &str, what: &str, stray: fn(Frame) -> Frame) -> Case {
    (0..2)
        .fold(case(id, NOTHING, what), |case, _| {
            case.send(stray(continuation("fragment1")))
                .send(text("fragment2").more())
                .send(continuation("fragment3"))
        })
        .must_fail(1002)
        .ok([])
}

fn five(id: &str, what: &str, delivery: Delivery) -> Case {
    case(id, BETWEEN, what)
        .deliver(delivery, text("fragment1").more())
        .deliver(delivery, continuation("fragment2").more())
        .deliver(delivery, ping("pongme 1!"))
        .wait(Pause::Exactly(Duration::from_secs(1)))
        .deliver(delivery, continuation("fragment3").more())
        .deliver(delivery, continuation("fragment4").more())
        .deliver(delivery, ping("pongme 2!"))
        .deliver(delivery, continuation("fragment5"))
        .then_close()
        .ok([ponged("pongme 1!"), ponged("pongme 2!"), echo("fragment1fragment2fragment3fragment4fragment5")])
}
