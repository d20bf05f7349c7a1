//! Section 25: slow and endless peers, floods and bombs, with the bounds that the cases state. RFC 6455 section 10.4
//! requires limits and leaves them to the implementation: a peer that exceeds a bound is NON-STRICT.

use super::HELLO;
use crate::{
    native::{
        frame::{Frame, binary, continuation, frame, ping, pong, text},
        probe::{
            Building, Measure, Want, client, closes, draft::upgrade, echoes, ends, many, maybe, opens,
            server, status,
        },
        script::{Case, Delivery},
    },
    role::Role,
};

const SLOW: &str =
    "RFC 6455 section 10.4: a slow peer is served, a stalled one is not waited for without limit";
const FLOOD: &str = "RFC 6455 section 10.4: many small frames have a bounded cost";
const BOMB: &str = "RFC 6455 section 10.4: frames and messages have a size limit, and memory is allocated for received bytes only";
const COST: &str = "RFC 6455 section 10.4: twice the work takes about twice the time";

/// The close codes that report a limit.
const LIMIT: &[u16] = &[1001, 1002, 1008, 1009, 1011, 1013];
/// The percentage of the time that twice the work may take; a quadratic cost takes 400.
const DOUBLE: Measure = Measure::Cost(330);

fn course(role: Role, wants: &[Want]) -> Vec<Want> {
    let opening = (role == Role::Server).then(opens);
    opening.into_iter().chain(wants.iter().cloned()).collect()
}

/// The cases.
pub(super) fn cases() -> Vec<Case> {
    let [servers, clients] = Role::ALL.map(both);
    [slow_servers(), servers, bombs(), costs(), clients].concat()
}

fn slow_servers() -> Vec<Case> {
    let ended = |id: &str, what: &str| {
        server(id, SLOW, what).within(30).must([maybe(status(400..=499)), ends()]).should([Want::Silence])
    };
    vec![
        server("25.1.1", SLOW, "a head at one byte every 4 ms")
            .pace(4)
            .ask(upgrade().delivered(Delivery::Chopped(1)))
            .send(text(HELLO))
            .must([opens(), echoes(HELLO)])
            .done(),
        ended("25.1.2", "a connection without a byte: it ends within 30 s").done(),
        ended("25.1.3", "an incomplete head: the connection ends within 30 s").head(upgrade().endless()).done(),
        ended("25.1.4", "a head at one byte every half second: the connection ends within 30 s")
            .pace(500)
            .head(upgrade().delivered(Delivery::Chopped(1)))
            .done(),
        server("25.1.5", FLOOD, "a client that sends 16 MiB and reads nothing for two seconds: others are served, and it is answered")
            .open()
            .times(256, &binary(vec![b'x'; 64 << 10]))
            .deaf(2000)
            .neighbour()
            .must([opens(), Want::Neighbour, Want::Binary(64 << 10), Want::Rest])
            .should([opens(), Want::Neighbour, Want::AnyClose, ends()])
            .should([opens(), Want::Neighbour, ends()])
            .done(),
    ]
}

/// The cases for both roles.
fn both(role: Role) -> Vec<Case> {
    let section = if role == Role::Server { 2 } else { 5 };
    let begin = |item: usize, rule, what: &str| -> Building {
        let id = format!("25.{section}.{item}");
        match role {
            Role::Server => server(&id, rule, what).open(),
            Role::Client => client(&id, rule, what).open(),
        }
    };
    let of = |wants: &[Want]| course(role, wants);
    let refused = || of(&[many(Want::Control), closes(LIMIT), ends()]);
    let declared = match role {
        Role::Server => vec![0x82, 0xff, 0x3f, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5],
        Role::Client => vec![0x82, 0x7f, 0x3f, 0, 0, 0, 0, 0, 0, 0, 5],
    };
    vec![
        begin(1, SLOW, "a message at one byte every 20 ms")
            .pace(20)
            .deliver(Delivery::Chopped(1), text(HELLO))
            .must(of(&[echoes(HELLO)]))
            .done(),
        begin(2, FLOOD, "20,000 Pings at once: the last one is answered (section 5.5.3)")
            .times(20_000, &ping("ping"))
            .send(ping("last"))
            .within(20)
            .must(of(&[many(Want::Control), Want::Pong(b"last".to_vec())]))
            .should(refused())
            .done(),
        begin(3, FLOOD, "20,000 unsolicited Pongs, and a message")
            .times(20_000, &pong("pong"))
            .send(text(HELLO))
            .within(20)
            .must(of(&[echoes(HELLO)]))
            .should(refused())
            .done(),
        begin(4, FLOOD, "20,000 empty messages, and one that is not empty")
            .times(20_000, &text(""))
            .send(text(HELLO))
            .within(20)
            .must(of(&[many(echoes("")), echoes(HELLO)]))
            .should(of(&[many(echoes("")), closes(LIMIT), ends()]))
            .done(),
        begin(5, FLOOD, "a message of 20,000 empty fragments and one that is not empty")
            .send(text("").more())
            .times(20_000, &continuation("").more())
            .send(continuation(HELLO))
            .within(20)
            .must(of(&[echoes(HELLO)]))
            .must(refused())
            .should(of(&[ends()]))
            .done(),
        begin(6, BOMB, "a frame that declares 2^62 bytes: it is refused at its header")
            .bytes(declared)
            .must(refused())
            .should(of(&[ends()]))
            .reported(of(&[Want::Silence]))
            .done(),
        begin(7, FLOOD, "10,000 Pings between two fragments")
            .send(text("Hello, ").more())
            .times(10_000, &ping("ping"))
            .send(continuation("world!"))
            .within(20)
            .must(of(&[many(Want::Control), echoes(HELLO), many(Want::Control)]))
            .should(refused())
            .done(),
    ]
}

/// Cases that measure the memory of the server with `--pid`.
fn bombs() -> Vec<Case> {
    let memory = |id: &str, rule: &'static str, what: &str| {
        server(id, rule, what).open().measure(Measure::Memory(64 << 20))
    };
    let refused = [opens(), many(Want::Control), closes(LIMIT), ends()];
    let large = |size: u8| vec![0x82, 0xff, 0, 0, 0, 0, size, 0, 0, 0, 1, 2, 3, 4, 5];
    let offer = upgrade().with("Sec-WebSocket-Extensions: permessage-deflate");
    vec![
        memory(
            "25.3.1",
            BOMB,
            "a frame that declares 1 GiB and has one byte: others are served, memory grows by at most 64 MiB",
        )
        .bytes(large(0x40))
        .wait(500)
        .neighbour()
        .must([opens(), closes(LIMIT), maybe(ends()), Want::Neighbour, maybe(ends())])
        .reported([opens(), Want::Neighbour, Want::Silence])
        .should([opens(), ends(), Want::Neighbour])
        .should([opens(), Want::Rest])
        .done(),
        memory(
            "25.3.2",
            FLOOD,
            "200,000 fragments of one byte without a last one: memory grows by at most 64 MiB",
        )
        .send(binary("x").more())
        .times(200_000, &continuation("x").more())
        .wait(500)
        .neighbour()
        .must([opens(), closes(LIMIT), maybe(ends()), Want::Neighbour, maybe(ends())])
        .reported([opens(), Want::Neighbour, Want::Silence])
        .should([opens(), ends(), Want::Neighbour])
        .should([opens(), Want::Rest])
        .done(),
        server("25.3.3", BOMB, "a compressed message of 32 MiB of zeros, 32 KiB on the wire")
            .ask(offer)
            .bomb(32 << 20)
            .measure(Measure::Memory(160 << 20))
            .within(20)
            .unknown([
                opens().with(crate::native::probe::want::Field::Absent("sec-websocket-extensions")),
                Want::Rest,
            ])
            .must(refused)
            .reported([opens(), Want::Binary(32 << 20)])
            .should([opens(), ends()])
            .should([opens(), Want::Rest, Want::TooMuch])
            .done(),
    ]
}

/// The time for a number of frames in one write, compared with that for twice the number; the last message comes back.
fn costs() -> Vec<Case> {
    let cost =
        |id: &str, what: &str, count: usize, one: Frame, end: fn(Building) -> Building, course: Vec<Want>| {
            let mut too_much = course.clone();
            too_much.push(Want::TooMuch);
            server(id, COST, format!("{what}: {count}, and {}", 2 * count))
                .open()
                .each(
                    [count, 2 * count],
                    |n| format!("{n}"),
                    |case, n| {
                        let case = if one.opcode == 0 { case.send(binary("").more()) } else { case };
                        end(case.times(*n, &one))
                    },
                )
                .measure(DOUBLE)
                .within(20)
                .must(course)
                .should(too_much)
                .should([opens(), Want::Rest])
                .done()
        };
    let hello = |case: Building| case.send(text(HELLO));
    let last = |case: Building| case.send(continuation(""));
    vec![
        cost(
            "25.4.1",
            "messages of one byte",
            20_000,
            text("x"),
            hello,
            vec![opens(), many(echoes("x")), echoes(HELLO)],
        ),
        cost(
            "25.4.2",
            "Pings",
            20_000,
            ping("x"),
            hello,
            vec![opens(), many(Want::Control), echoes(HELLO), many(Want::Control)],
        ),
        cost(
            "25.4.3",
            "fragments of 100 bytes",
            2000,
            continuation(vec![b'x'; 100]).more(),
            last,
            vec![opens(), Want::Many(1..=1, Box::new(Want::AnyBinary))],
        ),
        cost("25.4.4", "unsolicited Pongs", 40_000, pong("x"), hello, vec![opens(), echoes(HELLO)]),
        cost(
            "25.4.5",
            "Pings between messages",
            5000,
            frame(9, vec![b'x'; 125]),
            hello,
            vec![opens(), many(Want::Control), echoes(HELLO), many(Want::Control)],
        ),
    ]
}
