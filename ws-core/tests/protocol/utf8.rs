//! The UTF-8 validator against the standard library's, at every cut: RFC 6455 section 8.1, RFC 3629.

use crate::support::XorShift;
use crate::support::miri::few_or;
use ws_core::utf8::Utf8Validator;

/// How many bytes prove that `bytes` is not UTF-8; `None` if it is, or can still become so.
fn proof(bytes: &[u8]) -> Option<usize> {
    (1..=bytes.len()).find(|&n| str::from_utf8(&bytes[..n]).is_err_and(|error| error.error_len().is_some()))
}

/// Feeds the parts between `cuts`; the text, whether it is complete, and which part failed.
fn feed(bytes: &[u8], cuts: &[usize]) -> Result<(String, bool), usize> {
    let (mut validator, mut text, mut from) = (Utf8Validator::new(), String::new(), 0);
    for to in cuts.iter().copied().chain([bytes.len()]) {
        let checked = validator.feed(&bytes[from..to]).map_err(|_| to)?;
        text.extend(checked.straddling);
        text.push_str(checked.text);
        from = to;
    }
    Ok((text, validator.is_complete()))
}

/// That the validator agrees with the standard library, whole, byte by byte and cut at every place.
fn check(bytes: &[u8]) {
    let proof = proof(bytes);
    let std = str::from_utf8(bytes);
    let agree = |cuts: &[usize]| {
        let fed = feed(bytes, cuts);
        let expected = match proof {
            // The part that holds the byte which proves it.
            Some(at) => Err(cuts.iter().copied().find(|&cut| cut >= at).unwrap_or(bytes.len())),
            None => {
                let valid = std.err().map_or(bytes.len(), |error| error.valid_up_to());
                Ok((str::from_utf8(&bytes[..valid]).unwrap().to_owned(), std.is_ok()))
            }
        };
        assert_eq!(fed, expected, "{bytes:x?} cut at {cuts:?}");
    };
    agree(&[]);
    agree(&(1..bytes.len()).collect::<Vec<_>>());
    for cut in 1..bytes.len() {
        agree(&[cut]);
        agree(&[cut, cut]);
    }
}

#[test]
fn every_one_and_two_byte_sequence_is_judged_as_by_the_standard_library() {
    for pair in (0..=u16::MAX).step_by(few_or(1009, 1)) {
        let [a, b] = pair.to_be_bytes();
        check(&[a]);
        check(&[a, b]);
    }
}

#[test]
fn every_border_of_three_and_four_byte_sequences_is_judged_as_by_the_standard_library() {
    let leads = [
        0x00, 0x7F, 0x80, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3,
        0xF4, 0xF5, 0xF7, 0xF8, 0xFB, 0xFC, 0xFD, 0xFE, 0xFF,
    ];
    let next = [0x00, 0x61, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC2, 0xE2, 0xF0, 0xFF];
    // Under Miri not all of their combinations, and nowhere the same.
    let next = || next.into_iter().step_by(few_or(5, 1));
    for a in leads {
        for b in next() {
            for c in next() {
                check(&[a, b, c]);
                for d in [0x00, 0x7F, 0x80, 0xBF, 0xC0, 0xFF] {
                    check(&[a, b, c, d]);
                }
            }
        }
    }
}

#[test]
fn the_first_and_last_character_of_each_length_pass_between_others() {
    for character in [
        '\0',
        '\u{7F}',
        '\u{80}',
        '\u{7FF}',
        '\u{800}',
        '\u{D7FF}',
        '\u{E000}',
        '\u{FFFF}',
        '\u{10000}',
        '\u{10FFFF}',
    ] {
        check(format!("{character}").as_bytes());
        check(format!("a{character}b").as_bytes());
        check(format!("{character}{character}€𝄞{character}").as_bytes());
    }
}

#[test]
fn every_character_straddling_two_pieces_comes_out_whole() {
    for character in ('\u{80}'..='\u{10FFFF}').step_by(few_or(9973, 97)) {
        let mut buffer = [0; 4];
        let bytes = character.encode_utf8(&mut buffer).as_bytes();
        for cut in 1..bytes.len() {
            let mut validator = Utf8Validator::new();
            assert_eq!(validator.feed(&bytes[..cut]).unwrap().straddling, None);
            assert!(!validator.is_complete());
            assert_eq!(validator.feed(&bytes[cut..]).unwrap().straddling, Some(character));
            assert!(validator.is_complete());
        }
    }
}

#[test]
fn what_markus_kuhns_stress_test_lists_is_judged_at_its_byte() {
    // Bytes, and how many of them prove the fault; 0 for none.
    let cases: &[(&[u8], usize)] = &[
        // 2: boundaries, and the five- and six-byte sequences of old.
        ("\u{10FFFF}".as_bytes(), 0),
        (b"\xF7\xBF\xBF\xBF", 1),
        (b"\xF4\x90\x80\x80", 2),
        (b"\xF8\x88\x80\x80\x80", 1),
        (b"\xFC\x84\x80\x80\x80\x80", 1),
        // 3.1: continuation bytes alone; 3.2: lead bytes, each before a space.
        (b"\x80", 1),
        (b"\xBF", 1),
        (b"a\x80\xBF", 2),
        (b"\xC2 \xC3 ", 2),
        (b"\xE1 ", 2),
        (b"\xF1 ", 2),
        // 3.3: the last byte missing before the next character.
        (b"\xE0\xA0 ", 3),
        (b"\xF0\x90\x80 ", 4),
        (b"\xDFa", 2),
        // 3.5: impossible bytes.
        (b"\xFE", 1),
        (b"\xFF", 1),
        (b"\xFE\xFE\xFF\xFF", 1),
        // 4: overlong forms of '/' and NUL, and the longest of each length.
        (b"\xC0\xAF", 1),
        (b"\xE0\x80\xAF", 2),
        (b"\xF0\x80\x80\xAF", 2),
        (b"\xC1\xBF", 1),
        (b"\xE0\x9F\xBF", 2),
        (b"\xF0\x8F\xBF\xBF", 2),
        (b"\xC0\x80", 1),
        // 5: surrogates, alone and paired.
        (b"\xED\xA0\x80", 2),
        (b"\xED\xBF\xBF", 2),
        (b"\xED\xA0\x80\xED\xB0\x80", 2),
        (b"\xED\x9F\xBF", 0),
        (b"\xEE\x80\x80", 0),
        // Noncharacters are characters here.
        (b"\xEF\xBF\xBE", 0),
        (b"\xEF\xBF\xBF", 0),
        (b"\xF0\x9F\xBF\xBE", 0),
    ];
    for (bytes, at) in cases {
        assert_eq!(proof(bytes).unwrap_or(0), *at, "{bytes:x?}");
        check(bytes);
        check(&[b"abc", *bytes, b"def"].concat());
    }
}

#[test]
fn long_text_with_a_fault_anywhere_is_judged_as_by_the_standard_library() {
    let text = "Hello, κόσμε! 日本語 𝄞 – ".repeat(few_or(1, 4));
    check(text.as_bytes());
    let mut rng = XorShift::new(11);
    for at in (0..text.len()).step_by(few_or(9, 1)) {
        let mut bytes = text.clone().into_bytes();
        bytes[at] = rng.next() as u8;
        check(&bytes);
    }
}

#[test]
fn random_cuts_of_random_text_give_the_text_back() {
    let mut rng = XorShift::new(5);
    for _ in 0..few_or(50, 500) {
        let text: String = (0..rng.below(60))
            .map(|_| {
                char::from_u32(rng.next() as u32 % [0x80, 0x800, 0xD800, 0x11_0000][rng.below(4)])
                    .unwrap_or('x')
            })
            .collect();
        let mut cuts: Vec<usize> = (0..rng.below(8)).map(|_| rng.below(text.len() + 1)).collect();
        cuts.sort_unstable();
        assert_eq!(feed(text.as_bytes(), &cuts), Ok((text.clone(), true)));
    }
}
