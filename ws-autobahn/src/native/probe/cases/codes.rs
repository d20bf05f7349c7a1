//! Section 24: all close codes and lengths of a reason, and rules for frames that Autobahn does not test.

use super::HELLO;
use crate::{
    native::{
        frame::{CLOSE, Frame, close_body, frame, text},
        probe::{Building, Want, client, closes, echoes, ends, opens, server},
        script::Case,
    },
    role::Role,
};

const CODES: &str = "RFC 6455 section 7.4 and the registry of close codes";
const ECHOED: &str = "RFC 6455 section 5.5.1: the answer typically has the code of the Close";
const RESERVED: &str = "RFC 6455 section 7.4: codes that must not be in a Close";
const LENGTHS: &str = "RFC 6455 section 5.5: a control frame has at most 125 bytes";
const REASON: &str = "RFC 6455 sections 5.5.1 and 8.1: a reason is UTF-8";
const CONTROL: &str = "RFC 6455 section 5.5: a control frame is not fragmented and has no reserved bits";
const MASKED: &str = "RFC 6455 section 5.1: a client masks every frame, a server none";
const MINIMAL: &str = "RFC 6455 section 5.2: a length is encoded in the fewest bytes, and its first bit is 0";

fn close(code: u16, reason: &[u8]) -> Frame {
    frame(CLOSE, close_body(code, reason))
}

/// Returns the events on an open connection of either role.
fn course(role: Role, wants: &[Want]) -> Vec<Want> {
    let opening = (role == Role::Server).then(opens);
    opening.into_iter().chain(wants.iter().cloned()).collect()
}

fn begin(role: Role, id: &str, rule: &'static str, what: impl Into<String>) -> Building {
    match role {
        Role::Server => server(id, rule, what).open(),
        Role::Client => client(id, rule, what).open(),
    }
}

/// The Close is answered by the same code.
fn echoed(case: Building, role: Role) -> Case {
    case.must(course(role, &[Want::SameClose, ends()])).should(course(role, &[Want::AnyClose, ends()])).done()
}

/// The connection fails with one of these codes or none; echoing the code is not accepted.
fn fails(case: Building, role: Role, codes: &'static [u16]) -> Case {
    case.must(course(role, &[closes(codes), ends()]))
        .must(course(role, &[closes(&[]), ends()]))
        .should(course(role, &[ends()]))
        .done()
}

/// The cases.
pub(super) fn cases() -> Vec<Case> {
    let [servers, clients] = Role::ALL.map(frames);
    [servers_codes(), servers_lengths(), servers, clients_codes(), clients].concat()
}

fn servers_codes() -> Vec<Case> {
    let group = |id: &str, rule: &'static str, what: &str, codes: Vec<u16>| {
        server(id, rule, what).open().each(
            codes,
            |code| format!("code {code}"),
            |case, code| case.send(close(*code, b"")),
        )
    };
    let good = |id: &str, what: &str, codes: Vec<u16>| echoed(group(id, ECHOED, what, codes), Role::Server);
    let bad = |id: &str, what: &str, codes: Vec<u16>| {
        // An answer with 1000 shows that the code was not checked.
        let case = group(id, RESERVED, what, codes).should([opens(), closes(&[1000]), ends()]);
        fails(case, Role::Server, &[1002])
    };
    // Every 61st code, and both sides of each power of two.
    let borders = [5000, 8191, 8192, 16383, 16384, 32767, 32768, 65534, 65535];
    let far = borders.into_iter().chain((5001..=65535).step_by(61)).collect();
    vec![
        good("24.1.1", "the codes 1000 to 1003 and 1007 to 1011", (1000..=1003).chain(1007..=1011).collect()),
        good("24.1.2", "the codes 1012 to 1014, which were registered later", (1012..=1014).collect()),
        good("24.1.3", "all codes from 3000 to 3999, of libraries and frameworks", (3000..=3999).collect()),
        good("24.1.4", "all codes from 4000 to 4999, for private use", (4000..=4999).collect()),
        bad("24.1.5", "all codes from 0 to 999", (0..=999).collect()),
        bad("24.1.6", "the codes 1004, 1005, 1006 and 1015", vec![1004, 1005, 1006, 1015]),
        bad("24.1.7", "all codes from 1016 to 2999, which are not assigned", (1016..=2999).collect()),
        group("24.1.8", CODES, "a thousand codes from 5000 to 65535, which no RFC defines", far)
            .must([opens(), closes(&[1002]), ends()])
            .must([opens(), closes(&[]), ends()])
            .reported([opens(), Want::Rest])
            .done(),
    ]
}

fn servers_lengths() -> Vec<Case> {
    let lengths = |id: &str, what: &str, lengths: Vec<usize>| {
        server(id, LENGTHS, what).open().each(
            lengths,
            |len| format!("{len} bytes of reason"),
            |case, len| case.send(close(1000, &vec![b'*'; *len])),
        )
    };
    let mut spoilt = vec![b'a'; 123];
    let reasons: Vec<Vec<u8>> = (0..123)
        .map(|at| {
            spoilt.fill(b'a');
            if let Some(byte) = spoilt.get_mut(at) {
                *byte = 0xff;
            }
            spoilt.clone()
        })
        .collect();
    let cut = |text: &str| {
        (1..text.len())
            .filter(|at| !text.is_char_boundary(*at))
            .map(|at| text.as_bytes()[..at].to_vec())
            .collect()
    };
    let utf8 = |id: &str, what: &str, reasons: Vec<Vec<u8>>| {
        let name = |reason: &Vec<u8>| format!("{} bytes of reason", reason.len());
        let case = server(id, REASON, what)
            .open()
            .each(reasons, name, |case, reason| case.send(close(1000, reason)));
        fails(case, Role::Server, &[1007, 1002])
    };
    vec![
        echoed(
            lengths("24.1.9", "reasons of every length from 0 to 123 bytes", (0..=123).collect()),
            Role::Server,
        ),
        fails(
            lengths(
                "24.1.10",
                "reasons of 124 bytes and more",
                vec![124, 125, 126, 253, 254, 1000, 65533, 65534, 100_000],
            ),
            Role::Server,
            &[1002],
        ),
        utf8("24.1.11", "a reason with a byte 0xff at each of 123 positions", reasons),
        utf8("24.1.12", "a reason that ends inside a character", cut("é€\u{1f600}")),
        echoed(
            server("24.1.13", REASON, "reasons of characters of 2, 3 and 4 bytes").open().each(
                ["é", "€", "\u{1f600}", "é€\u{1f600}", "\u{0}", "\u{ffff}", "\u{10ffff}"],
                |reason| format!("{reason:?}"),
                |case, reason| case.send(close(1000, reason.as_bytes())),
            ),
            Role::Server,
        ),
    ]
}

fn clients_codes() -> Vec<Case> {
    let good = |id: &str, code: u16, len: usize| {
        let what = format!("a Close with {code} and a reason of {len} bytes");
        echoed(begin(Role::Client, id, ECHOED, what).send(close(code, &vec![b'*'; len])), Role::Client)
    };
    let bad = |id: &str, rule: &'static str, what: &str, body: Vec<u8>, codes: &'static [u16]| {
        fails(begin(Role::Client, id, rule, what).send(frame(CLOSE, body)), Role::Client, codes)
    };
    vec![
        good("24.2.1", 1001, 0),
        good("24.2.2", 1012, 0),
        good("24.2.3", 1013, 0),
        good("24.2.4", 1014, 0),
        good("24.2.5", 3500, 0),
        good("24.2.6", 4500, 0),
        good("24.2.7", 1000, 1),
        good("24.2.8", 1000, 62),
        good("24.2.9", 1000, 122),
        good("24.2.10", 4999, 123),
        bad("24.2.11", RESERVED, "a Close with 1", close_body(1, b""), &[1002]),
        bad("24.2.12", RESERVED, "a Close with 999 and a reason", close_body(999, b"why"), &[1002]),
        bad("24.2.13", RESERVED, "a Close with 1015", close_body(1015, b""), &[1002]),
        bad("24.2.14", RESERVED, "a Close with 1016", close_body(1016, b""), &[1002]),
        bad("24.2.15", RESERVED, "a Close with 2500", close_body(2500, b""), &[1002]),
        bad("24.2.16", LENGTHS, "a Close of 126 bytes", close_body(1000, &[b'*'; 124]), &[1002]),
        bad("24.2.17", LENGTHS, "a Close of 65,536 bytes", close_body(1000, &[b'*'; 65_534]), &[1002]),
        bad("24.2.18", REASON, "a reason that begins with 0xff", close_body(1000, b"\xffabc"), &[1007, 1002]),
        bad(
            "24.2.19",
            REASON,
            "a reason that ends inside a character",
            close_body(1000, b"abc\xe2\x82"),
            &[1007, 1002],
        ),
        bad("24.2.20", REASON, "a reason with a surrogate", close_body(1000, b"\xed\xa0\x80"), &[1007, 1002]),
    ]
}

/// What Autobahn does not test: masks, lengths that are not minimal, invalid Close frames.
fn frames(role: Role) -> Vec<Case> {
    let section = if role == Role::Server { 3 } else { 4 };
    let begin = |item: usize, rule, what: &str| begin(role, &format!("24.{section}.{item}"), rule, what);
    let mask = match role {
        Role::Server => Some([0; 4]),
        Role::Client => None,
    };
    let bit = if mask.is_some() { 0x80 } else { 0 };
    // A length of five bytes that is not minimal, and a length with its first bit set.
    let wide = |head: &[u8]| [&[0x81][..], head, &mask.map_or(Vec::new(), Vec::from), b"Hello"].concat();
    let fail = |case: Building| fails(case, role, &[1002]);
    let wrong_mask = match role {
        Role::Server => None,
        Role::Client => Some([1, 2, 3, 4]),
    };
    let control = |frame: Frame| [text(HELLO).encode(wrong_mask), frame.encode(wrong_mask)];
    vec![
        fail(
            begin(1, MASKED, "a text message with the mask of the other role")
                .bytes(text(HELLO).encode(wrong_mask)),
        ),
        fail(
            begin(2, MASKED, "an empty message with the mask of the other role")
                .bytes(text("").encode(wrong_mask)),
        ),
        fail(
            begin(3, MASKED, "a Ping with the mask of the other role")
                .bytes(control(frame(9, ""))[1].clone()),
        ),
        fail(
            begin(4, MASKED, "a Close with the mask of the other role")
                .bytes(close(1000, b"").encode(wrong_mask)),
        ),
        fail(begin(5, MINIMAL, "5 bytes, their length in 16 bits").bytes(wide(&[bit | 126, 0, 5]))),
        fail(begin(6, MINIMAL, "5 bytes, their length in 64 bits").bytes(wide(&[
            bit | 127,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            5,
        ]))),
        fail(begin(7, MINIMAL, "a length with its first bit set").bytes(wide(&[
            bit | 127,
            0x80,
            0,
            0,
            0,
            0,
            0,
            0,
            5,
        ]))),
        fail(begin(8, CONTROL, "a fragmented Close").send(close(1000, b"").more())),
        fail(begin(9, CONTROL, "a Close with RSV1").send(close(1000, b"").rsv(4))),
        fail(begin(10, CONTROL, "a Close with RSV3").send(close(1000, b"").rsv(1))),
        begin(11, MASKED, "a message, masked with a key of zeros if the suite must mask")
            .bytes(text(HELLO).encode(mask))
            .must(course(role, &[echoes(HELLO)]))
            .done(),
    ]
}
