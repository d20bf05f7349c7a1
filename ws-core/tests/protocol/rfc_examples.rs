//! The examples of RFC 6455 section 5.7, byte for byte, both ways.

use crate::support::{binary, config, open, ping, pong, receive, text, written};
use ws_core::decode::{FrameDecoder, FrameItem};
use ws_core::{DataType, OpCode, Role};

const HELLO: &[u8] = &[0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f];
const MASKED_HELLO: &[u8] = &[0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
const HEL: &[u8] = &[0x01, 0x03, 0x48, 0x65, 0x6c];
const LO: &[u8] = &[0x80, 0x02, 0x6c, 0x6f];
const PING_HELLO: &[u8] = &[0x89, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f];
const MASKED_PONG: &[u8] = &[0x8a, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];

#[test]
fn a_single_frame_unmasked_text_message() {
    assert_eq!(receive(Role::Client, HELLO).events, [text("Hello")]);
    let mut server = open(Role::Server, &config());
    server.send_text("Hello").unwrap();
    assert_eq!(written(&mut server), HELLO);
}

#[test]
fn a_single_frame_masked_text_message() {
    assert_eq!(receive(Role::Server, MASKED_HELLO).events, [text("Hello")]);
    // What a client sends, with its key taken off and the example's put on, is the example.
    let mut client = open(Role::Client, &config());
    client.send_text("Hello").unwrap();
    let sent = written(&mut client);
    let example: Vec<u8> = (0..5).map(|i| sent[6 + i] ^ sent[2 + i % 4] ^ MASKED_HELLO[2 + i % 4]).collect();
    assert_eq!(sent[..2], MASKED_HELLO[..2]);
    assert_eq!(example, MASKED_HELLO[6..]);
}

#[test]
fn a_fragmented_unmasked_text_message() {
    assert_eq!(receive(Role::Client, &[HEL, LO].concat()).events, [text("Hello")]);
    let mut server = open(Role::Server, &config());
    server.send_piece(DataType::Text, b"Hel", false).unwrap();
    server.send_piece(DataType::Text, b"lo", true).unwrap();
    assert_eq!(written(&mut server), [HEL, LO].concat());
}

#[test]
fn an_unmasked_ping_and_a_masked_pong() {
    let got = receive(Role::Client, PING_HELLO);
    assert_eq!(got.events, [ping(b"Hello")]);
    assert_eq!(got.answers, [(0x8a, b"Hello".to_vec())]);
    assert_eq!(receive(Role::Server, MASKED_PONG).events, [pong(b"Hello")]);
    let mut server = open(Role::Server, &config());
    server.ping(b"Hello").unwrap();
    assert_eq!(written(&mut server), PING_HELLO);
}

#[test]
fn a_256_byte_binary_message() {
    let payload: Vec<u8> = (0..=255).collect();
    let bytes = [&[0x82, 0x7E, 0x01, 0x00], payload.as_slice()].concat();
    assert_eq!(receive(Role::Client, &bytes).events, [binary(&payload)]);
    let mut server = open(Role::Server, &config());
    server.send_binary(&payload).unwrap();
    assert_eq!(written(&mut server), bytes);
}

#[test]
#[cfg_attr(miri, ignore = "64 KiB, byte by byte")]
fn a_64_kib_binary_message() {
    let payload = vec![0xA5; 65_536];
    let bytes = [&[0x82, 0x7F, 0, 0, 0, 0, 0, 1, 0, 0], payload.as_slice()].concat();
    assert_eq!(receive(Role::Client, &bytes).events, [binary(&payload)]);
    let mut server = open(Role::Server, &config());
    server.send_binary(&payload).unwrap();
    assert_eq!(written(&mut server), bytes);
}

#[test]
fn the_decoder_returns_the_examples_byte_by_byte() {
    let stream = [HEL, PING_HELLO, LO, HELLO].concat();
    let mut decoder = FrameDecoder::new(Role::Client);
    let (mut opcodes, mut payload, mut ends) = (Vec::new(), Vec::new(), 0);
    for byte in stream {
        let mut buffer = [byte];
        let mut input = buffer.as_mut_slice();
        while let Some(item) = decoder.decode(&mut input).unwrap() {
            match item {
                FrameItem::Header(header) => opcodes.push((header.fin, header.opcode)),
                FrameItem::Payload { bytes, last } => {
                    payload.extend_from_slice(bytes);
                    ends += usize::from(last);
                }
            }
        }
    }
    let opcodes_sent =
        [(false, OpCode::Text), (true, OpCode::Ping), (true, OpCode::Continuation), (true, OpCode::Text)];
    assert_eq!(opcodes, opcodes_sent);
    assert_eq!(payload, b"HelHelloloHello");
    assert_eq!(ends, 4);
    assert!(decoder.at_frame_border());
}
