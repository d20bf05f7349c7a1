//! Compressed messages that a driver may take while the user does not receive.

use std::sync::Arc;

use bytes::Buf;
use ws_core::deflate::{self, Agreed, PerMessageDeflate};
use ws_core::{Config, Connection, Event};

#[test]
fn a_compressed_message_is_taken_ahead_unless_it_could_inflate_over_the_limit() {
    let mut config = Config::server();
    config.max_message_size = 100_000;
    let codec =
        |role: fn(Agreed, &deflate::Config) -> PerMessageDeflate, config| role(Agreed::PLAIN, &config);
    let mut client = Connection::client(Arc::new(Config::client()), [7; 32])
        .with_deflate(codec(PerMessageDeflate::client, deflate::Config::client()));
    let mut server = Connection::server(Arc::new(config))
        .with_deflate(codec(PerMessageDeflate::server, deflate::Config::server()));
    let small = "small ".repeat(1000);
    let bomb = "x".repeat(100_001);
    client.send_text(&small).unwrap();
    client.send_text(&bomb).unwrap();
    let mut output = client.output();
    let mut bytes = output.copy_to_bytes(output.remaining()).to_vec();
    assert!(bytes.len() < 10_000, "both are compressed, to {} bytes", bytes.len());
    let mut input = &mut bytes[..];
    assert_eq!(server.receive_ahead(&mut input).unwrap(), Some(Event::Text(small.as_str().into())));
    let left = input.len();
    assert!(left > 100_000 / 1032, "it may inflate to more than the limit");
    assert_eq!(server.receive_ahead(&mut input).unwrap(), None);
    assert_eq!(input.len(), left);
    // A user that takes it in pieces gets it.
    let mut received = 0;
    while let Some(piece) = server.receive_piece(&mut input).unwrap() {
        let ws_core::Piece::Text { text, .. } = piece else { panic!("{piece:?}") };
        received += text.len();
    }
    assert_eq!(received, bomb.len());
}
