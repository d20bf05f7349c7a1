//! Section 23, the end of a connection: frames after a Close, which side ends TCP and how, and half-closed connections.

use super::HELLO;
use crate::{
    native::{
        frame::{CLOSE, Frame, binary, close_body, continuation, frame, ping, text},
        probe::{
            Building, Want, client, closes, draft::upgrade, echoes, ends, many, maybe, opens, server, status,
        },
        script::{Case, Delivery},
    },
    role::Role,
};

const CLOSING: &str = "RFC 6455 section 5.5.1: a Close is answered by a Close, and no frame follows it";
const TCP: &str = "RFC 6455 section 7.1.1: the server ends the TCP connection, so that nothing is lost";
const FAILING: &str =
    "RFC 6455 section 7.1.7: a Close states why the connection fails, before an orderly end";
const DROPPED: &str = "RFC 6455 section 7.1.5: a connection may end without a Close";
const OTHERS: &str = "RFC 6455 section 10.4: one connection does not affect another";
const FATAL: u8 = 3;

fn close() -> Frame {
    frame(CLOSE, close_body(1000, b""))
}

/// A frame with a reserved opcode, which fails the connection.
fn bad() -> Frame {
    frame(FATAL, "")
}

/// Begins a case for either role on an open connection.
fn case(role: Role, item: usize, rule: &'static str, what: &str) -> Building {
    match role {
        Role::Server => server(&format!("23.1.{item}"), rule, what).open(),
        Role::Client => client(&format!("23.2.{item}"), rule, what).open(),
    }
}

/// Returns the events on an open connection; those of a server begin with the opening.
fn course(role: Role, wants: &[Want]) -> Vec<Want> {
    let opening = (role == Role::Server).then(opens);
    opening.into_iter().chain(wants.iter().cloned()).collect()
}

/// The cases.
pub(super) fn cases() -> Vec<Case> {
    let [servers, clients] = Role::ALL.map(both);
    [servers, servers_alone(), clients, clients_alone()].concat()
}

/// The cases for both roles.
fn both(role: Role) -> Vec<Case> {
    let of = |wants: &[Want]| course(role, wants);
    let clean = || of(&[closes(&[1000]), ends()]);
    let late: Vec<u8> = vec![b'x'; 1 << 20];
    vec![
        case(role, 1, CLOSING, "a Close that arrives byte by byte")
            .deliver(Delivery::Chopped(1), close())
            .must(clean())
            .done(),
        case(role, 2, CLOSING, "a message and a Close in one write")
            .send(text(HELLO))
            .send(close())
            .must(of(&[echoes(HELLO), closes(&[1000]), ends()]))
            .should(clean())
            .done(),
        case(role, 3, CLOSING, "a Close between the fragments of a message")
            .send(text("a").more())
            .send(close())
            .send(continuation("b"))
            .must(clean())
            .done(),
        case(role, 4, CLOSING, "a Close, and a message after it")
            .send(close())
            .send(text(HELLO))
            .must(clean())
            .done(),
        case(role, 5, CLOSING, "a Close, and a Ping after it")
            .send(close())
            .send(ping("late"))
            .must(clean())
            .done(),
        case(role, 6, CLOSING, "two Closes").send(close()).send(close()).must(clean()).done(),
        case(role, 7, CLOSING, "a Close, and a frame with a reserved opcode after it")
            .send(close())
            .send(bad())
            .must(clean())
            .done(),
        case(role, 8, TCP, "a Close, and 1 MiB of messages after it: the answer can still be read")
            .send(close())
            .send(binary(late.clone()))
            .must(of(&[closes(&[1000]), Want::Fin]))
            .should(of(&[closes(&[1000]), ends()]))
            .should(of(&[ends()]))
            .done(),
        case(role, 9, FAILING, "a frame with a reserved opcode, and a Close after it: one Close is sent")
            .send(bad())
            .send(close())
            .must(of(&[closes(&[1002]), ends()]))
            .must(of(&[closes(&[]), ends()]))
            .should(of(&[ends()]))
            .done(),
        case(
            role,
            10,
            FAILING,
            "a frame with a reserved opcode, and 1 MiB after it: the Close can still be read",
        )
        .send(bad())
        .send(binary(late))
        .must(of(&[closes(&[1002]), Want::Fin]))
        .should(of(&[closes(&[1002]), ends()]))
        .should(of(&[closes(&[]), ends()]))
        .should(of(&[ends()]))
        .done(),
        case(
            role,
            11,
            FAILING,
            "a frame with a reserved opcode; the suite does not answer the Close: the connection ends within 20 s",
        )
        .impolite()
        .send(bad())
        .within(20)
        .must(of(&[closes(&[1002]), ends()]))
        .must(of(&[ends()]))
        .should(of(&[closes(&[1002]), Want::Silence]))
        .done(),
        case(role, 12, DROPPED, "the suite ends its half of the connection without a Close")
            .send(text(HELLO))
            .until(2)
            .half_close()
            .must(of(&[echoes(HELLO), maybe(Want::AnyClose), ends()]))
            .should(of(&[echoes(HELLO), Want::Silence]))
            .done(),
        case(role, 13, DROPPED, "the suite ends its half of the connection inside a frame")
            .bytes(match role {
                Role::Server => vec![0x81, 0x85, 1, 2, 3, 4, 5],
                Role::Client => vec![0x81, 0x05, 1],
            })
            .half_close()
            .must(of(&[maybe(Want::AnyClose), ends()]))
            .should(of(&[Want::Silence]))
            .done(),
        case(role, 14, CLOSING, "a Close, and at the same time the end of the suite's half of the connection")
            .send(close())
            .half_close()
            .must(clean())
            .should(of(&[ends()]))
            .done(),
        case(
            role,
            15,
            "RFC 6455 section 5.1: a connection stays open until it is closed",
            "three seconds of silence, then a message",
        )
        .wait(3000)
        .send(text(HELLO))
        .must(of(&[many(Want::Control), echoes(HELLO)]))
        .done(),
        case(role, 16, CLOSING, "a Close without a code")
            .send(frame(CLOSE, ""))
            .must(of(&[closes(&[]), ends()]))
            .should(of(&[closes(&[1000]), ends()]))
            .done(),
    ]
}

fn servers_alone() -> Vec<Case> {
    let begin = |item, rule, what| case(Role::Server, item, rule, what);
    let large = vec![b'x'; 256 << 10];
    vec![
        begin(17, TCP, "a Close: the server ends TCP at once, by FIN")
            .send(close())
            .must([opens(), closes(&[1000]), Want::Fin])
            .should([opens(), closes(&[1000]), ends()])
            .done(),
        begin(18, TCP, "a message of 256 KiB and a Close, read after half a second: all of it arrives")
            .send(binary(large))
            .send(close())
            .deaf(500)
            .must([opens(), Want::Binary(256 << 10), closes(&[1000]), ends()])
            .should([opens(), closes(&[1000]), ends()])
            .done(),
        server("23.1.19", DROPPED, "the end of the suite's half of the connection inside the head")
            .head(upgrade().endless())
            .half_close()
            .must([maybe(status(400..=599)), ends()])
            .should([Want::Silence])
            .done(),
        server("23.1.20", DROPPED, "the end of the suite's half of the connection before any byte")
            .half_close()
            .must([maybe(status(400..=599)), ends()])
            .should([Want::Silence])
            .done(),
        server("23.1.21", OTHERS, "a reset inside the head")
            .head(upgrade().endless())
            .reset()
            .neighbour()
            .must([Want::Neighbour])
            .done(),
        begin(22, OTHERS, "a reset of an open connection")
            .reset()
            .neighbour()
            .must([opens(), Want::Neighbour])
            .done(),
        begin(23, OTHERS, "a reset inside a frame")
            .bytes(vec![0x82, 0xfe, 0x10, 0x00, 1, 2, 3, 4, 5])
            .reset()
            .neighbour()
            .must([opens(), Want::Neighbour])
            .done(),
        begin(24, OTHERS, "a reset while the server writes")
            .send(binary(vec![b'x'; 512 << 10]))
            .deaf(100)
            .reset()
            .neighbour()
            .must([opens(), Want::Neighbour])
            .done(),
    ]
}

fn clients_alone() -> Vec<Case> {
    let begin = |item, rule, what| case(Role::Client, item, rule, what);
    vec![
        begin(17, TCP, "a Close: the client waits a second for the server to end TCP")
            .impolite()
            .send(close())
            .until(2)
            .wait(1000)
            .mark()
            .half_close()
            .must([closes(&[1000]), Want::Mark, ends()])
            .should([closes(&[1000]), ends(), Want::Mark])
            .done(),
        begin(18, TCP, "a Close, and the server does not end TCP: the client does within 20 s")
            .impolite()
            .send(close())
            .within(20)
            .must([closes(&[1000]), ends()])
            .should([closes(&[1000]), Want::Silence])
            .done(),
        begin(19, DROPPED, "the end of the server's half of the connection inside a fragmented message")
            .send(text("a").more())
            .half_close()
            .must([maybe(Want::AnyClose), ends()])
            .should([Want::Silence])
            .done(),
    ]
}
