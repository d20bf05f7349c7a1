//! What a server makes of any bytes from a client.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ws_core::Role;
use ws_fuzz::stream;

fuzz_target!(|data: &[u8]| stream::check(Role::Server, data));
