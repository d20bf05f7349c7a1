//! What messages cost on the heap that are kept for later while the user only sends.

#![cfg(feature = "deflate")]
#![allow(clippy::unwrap_used, clippy::panic)]

use std::alloc::System;
use std::sync::Arc;

use cap::Cap;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use ws_core::deflate::{self, Agreed, PerMessageDeflate};
use ws_core::{Config, Connection};
use ws_tokio::WebSocket;

#[global_allocator]
static HEAP: Cap<System> = Cap::new(System, usize::MAX);

/// One test, so that nothing else allocates meanwhile.
#[tokio::test]
async fn compressed_messages_that_are_kept_for_later_take_no_more_memory_than_is_counted() {
    // RFC 7692 section 7.2.3: "a", compressed; a text and a binary message, with a mask of zeros.
    for first in [0xC1, 0xC2] {
        let frame = [first, 0x83, 0, 0, 0, 0, 0x4A, 0x04, 0x00];
        let (mut far, near) = duplex(1 << 16);
        let codec = PerMessageDeflate::server(Agreed::PLAIN, &deflate::Config::server());
        let connection = Connection::server(Arc::new(Config::server())).with_deflate(codec);
        let mut server = WebSocket::new(near, connection, &[]);
        server.send("tick").await.unwrap();
        far.read_exact(&mut [0; 6]).await.unwrap();
        let before = HEAP.allocated();
        for _ in 0..10 {
            far.write_all(&frame.repeat(1000)).await.unwrap();
            server.send("tick").await.unwrap();
            far.read_exact(&mut [0; 6]).await.unwrap();
        }
        let (grown, counted) = (HEAP.allocated() - before, server.memory_usage().total());
        // The places double as they grow, and a text and a binary message of one byte have an allocation each.
        assert!(grown <= 3 * counted, "{grown} bytes are held, and {counted} are counted");
        for _ in 0..10_000 {
            assert_eq!(server.recv().await.unwrap().unwrap().len(), 1);
        }
    }
}
