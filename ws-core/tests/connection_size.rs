//! What a connection costs while it waits.

use ws_core::Connection;

#[test]
fn a_connection_is_at_most_256_bytes() {
    assert!(size_of::<Connection>() <= 256, "it is {} bytes", size_of::<Connection>());
}
