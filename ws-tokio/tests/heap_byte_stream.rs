//! What bytes cost on the heap on their way through a WebSocket.

#![allow(clippy::unwrap_used)]

use std::alloc::System;
use std::sync::Arc;

use cap::Cap;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex, split};
use ws_core::{Config, Connection, DataType};
use ws_tokio::{ByteStream, WebSocket};

#[global_allocator]
static HEAP: Cap<System> = Cap::new(System, usize::MAX);

/// One test, so that nothing else allocates meanwhile.
#[tokio::test]
async fn a_message_of_64_mib_and_as_much_the_other_way_pass_in_less_than_one() {
    const PIECE: usize = 100_000;
    const PIECES: usize = 671;
    let (a, b) = duplex(16 << 10);
    let mut client = WebSocket::new(a, Connection::client(Arc::new(Config::client()), [1; 32]), &[]);
    let server = WebSocket::new(b, Connection::server(Arc::new(Config::server())), &[]);
    let before = HEAP.allocated();
    let sending = tokio::spawn(async move {
        let mut message = client.send_stream(DataType::Binary);
        for _ in 0..PIECES {
            message.write(&[1; PIECE]).await.unwrap();
        }
        message.finish().await.unwrap();
        // What the other side writes, it reads here.
        let mut bytes = ByteStream::new(client);
        let mut received = 0;
        let mut buffer = [0; 5000];
        while let n @ 1.. = bytes.read(&mut buffer).await.unwrap() {
            received += n;
        }
        received
    });
    let (mut reader, mut writer) = split(ByteStream::new(server));
    let mut buffer = [0; 5000];
    let mut most = 0;
    let mut left = PIECE * PIECES;
    while left > 0 {
        left -= reader.read(&mut buffer).await.unwrap();
        most = most.max(HEAP.allocated());
    }
    for _ in 0..PIECES {
        writer.write_all(&[2; PIECE]).await.unwrap();
        most = most.max(HEAP.allocated());
    }
    let (shut, received) = tokio::join!(writer.shutdown(), sending);
    shut.unwrap();
    assert_eq!(received.unwrap(), PIECE * PIECES);
    assert!(most - before < 1 << 20, "{} bytes", most - before);
}
