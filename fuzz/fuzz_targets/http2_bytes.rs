//! What a server makes of any bytes behind the preface of HTTP/2, or of any bytes at all.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ws_fuzz::{Input, http2};

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    let begins = input.byte() % 4 > 0;
    let splits = input.splits();
    let mut pieces = if begins { vec![http2::PREFACE] } else { Vec::new() };
    pieces.extend(splits.cut(input.rest()));
    http2::check(&pieces, false);
});
