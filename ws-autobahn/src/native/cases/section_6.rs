//! Section 6, UTF-8 in text messages (RFC 3629): valid text comes back, invalid text fails the connection, at best
//! at the first byte that cannot be part of valid text.

use std::time::Duration;

use crate::native::{
    frame::{continuation, text},
    payload::hex,
    script::{Case, Pause},
    words::{case, echo},
};

const TEXT: &str = "RFC 6455 section 5.6";
const UTF8: &str = "RFC 6455 section 8.1";

/// Letters of two bytes among ASCII; `HALF` is the border of a letter.
const GREETING: &str = "Hello-µ@ßöäüàá-UTF-8!!";
const HALF: usize = "Hello-µ@ßöä".len();
/// "κόσμε", in eleven bytes.
const KOSME: &[u8] = "κ\u{1f79}σμε".as_bytes();
/// A surrogate: invalid from its second byte on.
const SURROGATE: &[u8] = &[0xed, 0xa0, 0x80];
/// U+110000, beyond the last character: invalid from its second byte on.
const BEYOND: &[u8] = &[0xf4, 0x90, 0x80, 0x80];
const EDITED: &[u8] = b"edited";

pub(super) fn cases() -> Vec<Case> {
    let mut cases = whole();
    cases.extend(broken());
    cases.extend(fail_fast());
    for ((_, sequences), sub) in sequences().into_iter().zip(5..) {
        cases.extend(
            sequences.into_iter().zip(1..).map(|(bytes, n)| sequence(&format!("6.{sub}.{n}"), bytes)),
        );
    }
    cases
}

/// 6.1 and 6.2: messages that are valid however they are split.
fn whole() -> Vec<Case> {
    let greeting = GREETING.as_bytes();
    let (first, second) = greeting.split_at(HALF);
    vec![
        case("6.1.1", TEXT, "an empty text message").send(text("")).then_close().ok([echo("")]),
        case("6.1.2", TEXT, "an empty text message in three fragments")
            .send(text("").more())
            .send(continuation("").more())
            .send(continuation(""))
            .then_close()
            .ok([echo("")]),
        case("6.1.3", TEXT, "a text message in three fragments, of which the first and the last are empty")
            .send(text("").more())
            .send(continuation("the fragment between").more())
            .send(continuation(""))
            .then_close()
            .ok([echo("the fragment between")]),
        case("6.2.1", UTF8, "a valid text message in one frame")
            .send(text(greeting))
            .then_close()
            .ok([echo(greeting)]),
        case("6.2.2", UTF8, "a valid text message in two fragments, split between characters")
            .send(text(first).more())
            .send(continuation(second))
            .then_close()
            .ok([echo(greeting)]),
        case("6.2.3", UTF8, "a valid text message in fragments of one byte, split inside characters")
            .fragments(1, greeting)
            .then_close()
            .ok([echo(greeting)]),
        case("6.2.4", UTF8, "another valid text message in fragments of one byte")
            .fragments(1, KOSME)
            .then_close()
            .ok([echo(KOSME)]),
    ]
}

/// 6.3: a surrogate inside a message.
fn broken() -> Vec<Case> {
    let message = [KOSME, SURROGATE, EDITED].concat();
    vec![
        case("6.3.1", UTF8, "a text message with a surrogate, in one frame")
            .send(text(&message[..]))
            .must_fail_for_utf8()
            .ok([]),
        case("6.3.2", UTF8, "a text message with a surrogate, in fragments of one byte")
            .fragments(1, &message)
            .must_fail_for_utf8()
            .ok([]),
    ]
}

/// 6.4: a message that becomes invalid while it is sent. RFC 6455 allows detecting this at the end; a strict peer does
/// at the first invalid byte. The first pause must pass, because the text is valid until then.
fn fail_fast() -> Vec<Case> {
    let message = [KOSME, BEYOND, EDITED].concat();
    let (after, at) = (KOSME.len() + BEYOND.len(), KOSME.len() + 1);
    let in_fragments = |id, what, from: usize, to: usize| {
        let part = |range: std::ops::Range<usize>| message.get(range).unwrap_or_default().to_vec();
        case(id, UTF8, what)
            .send(text(part(0..from)).more())
            .wait(FIRST)
            .send(continuation(part(from..to)).more())
            .wait(SECOND)
            .send(continuation(part(to..message.len())))
    };
    let in_pieces = |id, what, from, to| {
        let frame = text(&message[..]);
        case(id, UTF8, what).piece(&frame, 0, from).wait(FIRST).piece(&frame, from, to).wait(SECOND).piece(
            &frame,
            to,
            message.len(),
        )
    };
    let cases = [
        in_fragments(
            "6.4.1",
            "three fragments, the second with a code point beyond the last",
            KOSME.len(),
            after,
        ),
        in_fragments("6.4.2", "three fragments, the second with only the invalid byte", at, at + 1),
        in_pieces(
            "6.4.3",
            "one frame in three pieces, the second with a code point beyond the last",
            KOSME.len(),
            after,
        ),
        in_pieces("6.4.4", "one frame in three pieces, the second with only the invalid byte", at, at + 1),
    ];
    cases
        .map(|case| {
            let (first, second) = (FIRST.event(), SECOND.event());
            case.must_fail_for_utf8().ok([first.clone()]).non_strict([first, second])
        })
        .to_vec()
}

const FIRST: Pause = Pause::Noted(Duration::from_secs(1), "A");
const SECOND: Pause = Pause::Patiently("B");

/// A text message of these bytes, which comes back if it is valid and must be refused otherwise.
fn sequence(id: &str, bytes: Vec<u8>) -> Case {
    let shown = hex(&bytes);
    if std::str::from_utf8(&bytes).is_ok() {
        case(id, UTF8, format!("a text message that is valid UTF-8: {shown}"))
            .send(text(bytes.clone()))
            .ok([echo(bytes)])
    } else {
        case(id, UTF8, format!("a text message that is not valid UTF-8: {shown}"))
            .send(text(bytes))
            .must_fail_for_utf8()
            .ok([])
    }
}

/// Byte sequences by kind, from Markus Kuhn's stress test for decoders; 6.5 is the first kind.
fn sequences() -> Vec<(&'static str, Vec<Vec<u8>>)> {
    let list = |bytes: &[&[u8]]| bytes.iter().map(|b| b.to_vec()).collect::<Vec<_>>();
    // A leading byte with too few continuation bytes.
    let cut_off: [&[u8]; 10] = [
        &[0xc0],
        &[0xe0, 0x80],
        &[0xf0, 0x80, 0x80],
        &[0xf8, 0x80, 0x80, 0x80],
        &[0xfc, 0x80, 0x80, 0x80, 0x80],
        &[0xdf],
        &[0xef, 0xbf],
        &[0xf7, 0xbf, 0xbf],
        &[0xfb, 0xbf, 0xbf, 0xbf],
        &[0xfd, 0xbf, 0xbf, 0xbf, 0xbf],
    ];
    let surrogates: [[u8; 3]; 7] = [
        [0xed, 0xa0, 0x80],
        [0xed, 0xad, 0xbf],
        [0xed, 0xae, 0x80],
        [0xed, 0xaf, 0xbf],
        [0xed, 0xb0, 0x80],
        [0xed, 0xbe, 0x80],
        [0xed, 0xbf, 0xbf],
    ];
    let pairs =
        surrogates[..4].iter().flat_map(|high| [0xb080u16, 0xbfbf].map(|low| (high, low.to_be_bytes())));
    let lonely =
        |bytes: std::ops::RangeInclusive<u8>| bytes.flat_map(|byte| [byte, b' ']).collect::<Vec<u8>>();
    vec![
        (
            "valid characters of one to four bytes",
            list(&[
                b"hello$world",
                "hello¢world".as_bytes(),
                "hello€world".as_bytes(),
                "hello𤭢world".as_bytes(),
                KOSME,
            ]),
        ),
        ("all prefixes of a valid text", (1..=KOSME.len()).map(|n| KOSME[..n].to_vec()).collect()),
        (
            "the first character of each length",
            list(&[&[0x00], &[0xc2, 0x80], &[0xe0, 0xa0, 0x80], &[0xf0, 0x90, 0x80, 0x80]]),
        ),
        (
            "the first sequences of five and six bytes, which are invalid",
            list(&[&[0xf8, 0x88, 0x80, 0x80, 0x80], &[0xfc, 0x84, 0x80, 0x80, 0x80, 0x80]]),
        ),
        (
            "the last character of each length",
            list(&[&[0x7f], &[0xdf, 0xbf], &[0xef, 0xbf, 0xbf], &[0xf4, 0x8f, 0xbf, 0xbf]]),
        ),
        (
            "the last sequences of four to six bytes, which are invalid",
            list(&[
                &[0xf7, 0xbf, 0xbf, 0xbf],
                &[0xfb, 0xbf, 0xbf, 0xbf, 0xbf],
                &[0xfd, 0xbf, 0xbf, 0xbf, 0xbf, 0xbf],
            ]),
        ),
        (
            "around the surrogates and the last character",
            list(&[
                &[0xed, 0x9f, 0xbf],
                &[0xee, 0x80, 0x80],
                &[0xef, 0xbf, 0xbd],
                &[0xf4, 0x8f, 0xbf, 0xbf],
                &[0xf4, 0x90, 0x80, 0x80],
            ]),
        ),
        (
            "continuation bytes without a leading byte",
            list(&[
                &[0x80],
                &[0xbf],
                &[0x80, 0xbf],
                &[0x80, 0xbf, 0x80],
                &[0x80, 0xbf, 0x80, 0xbf],
                &[0x80, 0xbf, 0x80, 0xbf, 0x80],
                &[0x80, 0xbf, 0x80, 0xbf, 0x80, 0xbf],
                &(0x80..0xbf).collect::<Vec<u8>>(),
            ]),
        ),
        (
            "leading bytes, each followed by a space",
            [0xc0..=0xdf, 0xe0..=0xef, 0xf0..=0xf7, 0xf8..=0xfb, 0xfc..=0xfd].map(lonely).to_vec(),
        ),
        ("sequences without their last byte", list(&cut_off)),
        ("all of these one after the other", vec![cut_off.concat()]),
        ("bytes that never occur", list(&[&[0xfe], &[0xff], &[0xfe, 0xfe, 0xff, 0xff]])),
        (
            "a slash in an overlong encoding",
            list(&[
                &[0xc0, 0xaf],
                &[0xe0, 0x80, 0xaf],
                &[0xf0, 0x80, 0x80, 0xaf],
                &[0xf8, 0x80, 0x80, 0x80, 0xaf],
                &[0xfc, 0x80, 0x80, 0x80, 0x80, 0xaf],
            ]),
        ),
        (
            "the largest code points in overlong encodings",
            list(&[
                &[0xc1, 0xbf],
                &[0xe0, 0x9f, 0xbf],
                &[0xf0, 0x8f, 0xbf, 0xbf],
                &[0xf8, 0x87, 0xbf, 0xbf, 0xbf],
                &[0xfc, 0x83, 0xbf, 0xbf, 0xbf, 0xbf],
            ]),
        ),
        (
            "NUL in an overlong encoding",
            list(&[
                &[0xc0, 0x80],
                &[0xe0, 0x80, 0x80],
                &[0xf0, 0x80, 0x80, 0x80],
                &[0xf8, 0x80, 0x80, 0x80, 0x80],
                &[0xfc, 0x80, 0x80, 0x80, 0x80, 0x80],
            ]),
        ),
        ("single surrogates", surrogates.iter().map(|s| s.to_vec()).collect()),
        ("pairs of surrogates", pairs.map(|(high, low)| [&high[..], &[0xed], &low].concat()).collect()),
        ("noncharacters, which are valid", noncharacters()),
        (
            "the specials at the end of the basic plane",
            (0xfff9..=0xffff).filter_map(char::from_u32).map(|c| c.to_string().into_bytes()).collect(),
        ),
    ]
}

/// U+FFFE and U+FFFF, and the last two code points of each of the sixteen planes above.
fn noncharacters() -> Vec<Vec<u8>> {
    let planes = (0..=16u32).flat_map(|plane| [plane << 16 | 0xfffe, plane << 16 | 0xffff]);
    planes.filter_map(char::from_u32).map(|c| c.to_string().into_bytes()).collect()
}
