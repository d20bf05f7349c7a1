//! What a client makes of any bytes from a server.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ws_core::Role;
use ws_fuzz::stream;

fuzz_target!(|data: &[u8]| stream::check(Role::Client, data));
