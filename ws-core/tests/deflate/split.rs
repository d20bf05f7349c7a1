//! The split property for compressed messages: RFC 7692 section 6, the same events however the bytes are cut.

use crate::support;
use std::sync::Arc;

use crate::support::{
    BINARY, CLOSE, KEY, LAST, PING, Received, TEXT, TEXT_PART, binary, config, frame, ping,
    receive_every_way, text, written,
};
use ws_core::deflate::{self, Agreed, PerMessageDeflate};
use ws_core::{Config, Connection, DataType, Message, ProtocolError};

const RSV1: u8 = 0x40;

fn server(config: &Config) -> Connection {
    let codec = PerMessageDeflate::server(Agreed::PLAIN, &deflate::Config::server());
    Connection::server(Arc::new(config.clone())).with_deflate(codec)
}

fn client() -> Connection {
    let codec = PerMessageDeflate::client(Agreed::PLAIN, &deflate::Config::client());
    Connection::client(Arc::new(config()), [9; 32]).with_deflate(codec)
}

fn receive(stream: &[u8]) -> Received {
    receive_every_way(|| server(&config()), stream)
}

#[test]
fn compressed_and_plain_messages_by_turns_are_the_same_at_every_split() {
    let mut client = client();
    let long = "a compressed message, and again a compressed message; ".repeat(30);
    client.send(Message::text(long.as_str())).unwrap();
    client.send_uncompressed(Message::text("plain")).unwrap();
    client.send_piece(DataType::Binary, long.as_bytes(), false).unwrap();
    client.send_piece(DataType::Binary, b"", false).unwrap();
    client.send_piece(DataType::Binary, b"end", true).unwrap();
    client.send(Message::text(long.as_str())).unwrap();
    let got = receive(&written(&mut client));
    let pieces = [long.as_bytes(), b"end"].concat();
    assert_eq!(got.events, [text(&long), text("plain"), binary(&pieces), text(&long)]);
    assert_eq!(got.error, None);
}

#[test]
fn the_rfcs_compressed_hello_in_fragments_with_a_ping_between() {
    // RFC 7692 section 7.2.3.1.
    let stream = [
        frame(TEXT_PART | RSV1, &[0xf2, 0x48, 0xcd], Some(KEY)),
        frame(PING, b"p", Some(KEY)),
        frame(LAST, &[0xc9, 0xc9, 0x07, 0x00], Some(KEY)),
        frame(TEXT | RSV1, &[0xf2, 0x00, 0x11, 0x00, 0x00], Some(KEY)),
    ]
    .concat();
    assert_eq!(receive(&stream).events, [ping(b"p"), text("Hello"), text("Hello")]);
}

#[test]
fn a_reference_across_a_final_block_inside_a_message_reaches_output_that_was_already_returned() {
    // RFC 7692 section 7.2.3.4, without context takeover: a stored final block, then section 7.2.3.2's second Hello.
    let agreed = Agreed { client_no_context_takeover: true, ..Agreed::PLAIN };
    let open = || {
        let codec = PerMessageDeflate::server(agreed, &deflate::Config::server());
        Connection::server(Arc::new(config())).with_deflate(codec)
    };
    let payload = [&[0x01, 5, 0, 0xfa, 0xff][..], b"Hello", &[0xf2, 0x00, 0x11, 0x00, 0x00]].concat();
    let got = receive_every_way(open, &frame(TEXT | RSV1, &payload, Some(KEY)));
    assert_eq!((got.events, got.error), (vec![text("HelloHello")], None));
}

#[test]
fn a_fault_in_compressed_data_is_the_same_at_every_split() {
    let cases: [(u8, &[u8], ProtocolError); 3] = [
        // A reserved block type; a stored block of text that is not UTF-8; one that is cut off.
        (BINARY, &[0x07, 0x00, 0x00], ProtocolError::InvalidDeflate),
        (TEXT, &[0x00, 0x02, 0x00, 0xfd, 0xff, b'a', 0xff, 0x00], ProtocolError::InvalidUtf8),
        (BINARY, &[0x00, 0x09, 0x00, 0xf6, 0xff, b'a'], ProtocolError::InvalidDeflate),
    ];
    for (first, payload, error) in cases {
        let stream = [frame(TEXT, b"before", Some(KEY)), frame(first | RSV1, payload, Some(KEY))].concat();
        let got = receive(&stream);
        assert_eq!((got.events, got.error), (vec![text("before")], Some(error)));
        assert_eq!((got.answers[0].0, &got.answers[0].1[..2]), (CLOSE, &1007u16.to_be_bytes()[..]));
    }
}

#[test]
fn the_limit_after_inflation_is_the_same_at_every_split() {
    let mut client = client();
    client.send(Message::binary(vec![0; 5000])).unwrap();
    let stream = written(&mut client);
    let mut config = config();
    config.max_message_size = 5000;
    config.max_stream_size = 5000;
    assert_eq!(receive_every_way(|| server(&config), &stream).events, [binary(&[0; 5000])]);
    config.max_message_size = 4999;
    let mut failing = server(&config);
    let error = support::give(&mut failing, &stream).unwrap_err();
    assert_eq!(error, ProtocolError::MessageTooBig { limit: 4999 });
}
