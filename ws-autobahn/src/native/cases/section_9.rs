//! Section 9, limits and performance: large messages, many fragments, many TCP segments, many messages.

use std::time::Duration;

use crate::native::{
    content::Content,
    script::{Case, Delivery, Echo, Kind, Script},
};

const LARGE: &str =
    "RFC 6455 section 10.4: limits are up to the implementation; these are raised for the suite";
const FRAGMENTS: &str = "RFC 6455 section 5.4";
const STREAM: &str = "RFC 6455 section 5.2: frames do not depend on TCP segments";
const MESSAGES: &str = "RFC 6455 section 6";

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// The sizes of single messages, of fragments of 4 MiB, of TCP writes of 1 MiB, and of each of 1000 messages.
const SINGLE: [usize; 6] = [64 * KIB, 256 * KIB, MIB, 4 * MIB, 8 * MIB, 16 * MIB];
const FRAGMENT: [usize; 9] = [64, 256, KIB, 4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, MIB, 4 * MIB];
const WRITE: [usize; 6] = [64, 128, 256, 512, 1024, 2048];
const MANY: [usize; 6] = [0, 16, 64, 256, 1024, 4096];

pub(super) fn cases() -> Vec<Case> {
    let kinds = [(Kind::Text, "text"), (Kind::Binary, "binary")];
    let mut cases = Vec::new();
    for ((kind, word), sub) in kinds.into_iter().zip(1..) {
        cases.extend(SINGLE.into_iter().zip(1..).map(|(len, n)| {
            let what = format!("a {word} message of {} KiB", len / KIB);
            echo((sub, n), LARGE, what, Echo { content: mixed(kind), ..one(kind, len) })
        }));
    }
    for ((kind, word), sub) in kinds.into_iter().zip(3..) {
        cases.extend(FRAGMENT.into_iter().zip(1..).map(|(size, n)| {
            let what = format!("a {word} message of 4 MiB in fragments of {size} bytes");
            echo((sub, n), FRAGMENTS, what, Echo { fragment: Some(size), ..one(kind, 4 * MIB) })
        }));
    }
    for ((kind, word), sub) in kinds.into_iter().zip(5..) {
        cases.extend(WRITE.into_iter().zip(1..).map(|(size, n)| {
            let what = format!("a {word} message of 1 MiB in TCP writes of {size} bytes");
            let delivery = Delivery::Chopped(size);
            echo((sub, n), STREAM, what, Echo { content: mixed(kind), delivery, ..one(kind, MIB) })
        }));
    }
    for ((kind, word), sub) in kinds.into_iter().zip(7..) {
        cases.extend(MANY.into_iter().zip(1..).map(|(len, n)| {
            let what =
                format!("1000 {word} messages of {len} bytes, each sent after the echo of the previous one");
            echo((sub, n), MESSAGES, what, Echo { count: 1000, ..one(kind, len) })
        }));
    }
    cases
}

fn echo((sub, n): (u16, u16), rule: &'static str, what: String, echo: Echo) -> Case {
    let id = crate::case::CaseId { section: 9, sub, item: Some(n) };
    Case { id, rule, what, script: Script::Echo(echo) }
}

/// One message that repeats one byte.
fn one(kind: Kind, len: usize) -> Echo {
    let unit: &[u8] = match kind {
        Kind::Text => b"*",
        Kind::Binary => b"\xfe",
    };
    Echo {
        kind,
        content: Content::Repeated(unit),
        len,
        count: 1,
        fragment: None,
        delivery: Delivery::Joined,
        deflate: None,
        limit: Duration::from_secs(100),
    }
}

/// Units whose lengths do not divide a power of two.
fn mixed(kind: Kind) -> Content {
    Content::Repeated(match kind {
        Kind::Text => b"BAsd7&jh23",
        Kind::Binary => &[0x00, 0xfe, 0x23, 0xfa, 0xf0],
    })
}
