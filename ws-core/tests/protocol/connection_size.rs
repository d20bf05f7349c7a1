//! A connection is small, so that a server can hold many.

use ws_core::Connection;

#[test]
fn a_connection_is_at_most_200_bytes_itself() {
    assert!(size_of::<Connection>() <= 200, "it is {} bytes", size_of::<Connection>());
}
