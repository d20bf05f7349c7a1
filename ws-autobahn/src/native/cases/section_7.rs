//! Section 7, closing: frames after a Close are ignored, and which bodies a Close may have.

use super::HELLO;
use crate::native::{
    frame::{CLOSE, continuation, frame, ping, text},
    payload::Payload,
    script::Case,
    words::{case, echo},
};

const CLOSING: &str = "RFC 6455 section 5.5.1";
const BODY: &str = "RFC 6455 section 5.5.1, the body of a Close";
const CODES: &str = "RFC 6455 section 7.4";

/// Codes that may be in a Close (RFC 6455 sections 7.4.1 and 7.4.2), and some that must not.
const VALID: [u16; 13] = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999];
const INVALID: [u16; 9] = [0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999];
/// Codes that RFC 6455 does not mention.
const UNDEFINED: [u16; 2] = [5000, 65535];

pub(super) fn cases() -> Vec<Case> {
    let mut cases = what_follows();
    cases.extend(bodies());
    cases.extend(VALID.into_iter().zip(1..).map(|(code, n)| {
        case(&format!("7.7.{n}"), CODES, format!("a Close with the valid code {code}"))
            .close(code, b"")
            .answered_cleanly_with(&[1000, code])
            .ok([])
    }));
    cases.extend(INVALID.into_iter().zip(1..).map(|(code, n)| {
        case(&format!("7.9.{n}"), CODES, format!("a Close with the invalid code {code}"))
            .close(code, b"")
            .answered_with(&[1002])
            .ok([])
    }));
    cases.extend(UNDEFINED.into_iter().zip(1..).map(|(code, n)| {
        case(&format!("7.13.{n}"), CODES, format!("a Close with the code {code}"))
            .close(code, b"")
            .answered_with(&[1000, 1002, code])
            .open()
            .ok([])
    }));
    cases
}

/// 7.1: a message before the Close is echoed, frames after it are ignored.
fn what_follows() -> Vec<Case> {
    vec![
        case("7.1.1", CLOSING, "a text message, and a Close after its echo")
            .send(text(HELLO))
            .code_counts()
            .ok([echo(HELLO)]),
        case("7.1.2", CLOSING, "a Close, then another").close(1000, b"").send(frame(CLOSE, "")).ok([]),
        case("7.1.3", CLOSING, "a Close, then a Ping").close(1000, b"").send(ping("")).ok([]),
        case("7.1.4", CLOSING, "a Close, then a text message").close(1000, b"").send(text(HELLO)).ok([]),
        case("7.1.5", CLOSING, "a fragment, a Close, another fragment")
            .send(text("fragment1").more())
            .close(1000, b"")
            .send(continuation("fragment2"))
            .ok([]),
        // Implementations decide whether the messages come back before the Close.
        case("7.1.6", CLOSING, "a text message of 256 KiB, another, a Close, a Ping; all at once")
            .send(text(Payload::repeated(b"BAsd7&jh23", 256 << 10)))
            .send(text(HELLO))
            .close(1000, b"")
            .send(ping(""))
            .open()
            .ok([echo(HELLO)])
            .non_strict([]),
    ]
}

/// 7.3 and 7.5: bodies of all relevant lengths.
fn bodies() -> Vec<Case> {
    let not_utf8 = [&b"\xce\xba\xe1\xbd\xb9"[..], &[0xed, 0xa0, 0x80], b"edited"].concat();
    vec![
        case("7.3.1", BODY, "a Close without a body").close_raw(Vec::new()).ok([]),
        case("7.3.2", BODY, "a Close with a body of one byte")
            .close_raw(b"a".to_vec())
            .answered_with(&[1002])
            .ok([]),
        case("7.3.3", BODY, "a Close with a code").close(1000, b"").ok([]),
        case("7.3.4", BODY, "a Close with a code and a reason").close(1000, HELLO.as_bytes()).ok([]),
        case("7.3.5", BODY, "a Close with a reason of 123 bytes, the maximum")
            .close(1000, &[b'*'; 123])
            .ok([]),
        case("7.3.6", BODY, "a Close with a reason of 124 bytes, one more than the maximum")
            .close(1000, &[b'*'; 124])
            .answered_with(&[1002])
            .ok([]),
        case("7.5.1", BODY, "a Close with a reason that is not UTF-8")
            .close(1000, &not_utf8)
            .answered_with(&[1002, 1007])
            .ok([]),
    ]
}
