//! UTF-8 in pieces: the standard library agrees at every prefix.
#![no_main]

use std::str;

use libfuzzer_sys::fuzz_target;
use ws_core::utf8::Utf8Validator;
use ws_fuzz::{Input, Splits};

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    let splits = input.splits();
    let bytes = input.rest();
    for splits in [splits, Splits::bytewise(), Splits::whole()] {
        check(bytes, splits);
    }
});

fn check(bytes: &[u8], splits: Splits) {
    let mut validator = Utf8Validator::new();
    let mut text = String::new();
    let mut end = 0;
    for piece in splits.cut(bytes) {
        end += piece.len();
        let so_far = str::from_utf8(&bytes[..end]);
        let Ok(checked) = validator.feed(piece) else {
            assert!(so_far.unwrap_err().error_len().is_some(), "what can become UTF-8 is refused");
            return;
        };
        text.extend(checked.straddling);
        text.push_str(checked.text);
        match so_far {
            Ok(expected) => {
                assert!(validator.is_complete());
                assert_eq!(text, expected);
            }
            Err(error) => {
                assert_eq!(error.error_len(), None, "what is not UTF-8 is taken");
                assert!(!validator.is_complete());
                assert_eq!(text.as_bytes(), &bytes[..error.valid_up_to()]);
            }
        }
    }
}
