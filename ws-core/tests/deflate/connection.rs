//! Compressed messages through a connection: RFC 7692 sections 6 and 7.2.

use std::sync::Arc;

use crate::support::miri::few_or;
use bytes::Buf;
use ws_core::deflate::{self, Agreed, PerMessageDeflate};
use ws_core::{Config, Connection, DataType, Event, Message, Piece, PreparedMessage, ProtocolError};

pub(crate) fn agreed(takeover: bool) -> Agreed {
    Agreed { server_no_context_takeover: !takeover, client_no_context_takeover: !takeover, ..Agreed::PLAIN }
}

pub(crate) fn server(config: Config, agreed: Agreed) -> Connection {
    let codec = PerMessageDeflate::server(agreed, &deflate::Config::server());
    Connection::server(Arc::new(config)).with_deflate(codec)
}

pub(crate) fn client(config: Config, agreed: Agreed) -> Connection {
    let codec = PerMessageDeflate::client(agreed, &deflate::Config::client());
    Connection::client(Arc::new(config), [9; 32]).with_deflate(codec)
}

pub(crate) fn written(connection: &mut Connection) -> Vec<u8> {
    let mut output = connection.output();
    let all = output.copy_to_bytes(output.remaining()).to_vec();
    assert_eq!(connection.queued(), 0);
    all
}

/// Receives `bytes` in parts of `part`, whole messages.
pub(crate) fn receive(
    connection: &mut Connection,
    bytes: &[u8],
    part: usize,
) -> Result<Vec<Message>, ProtocolError> {
    let mut messages = Vec::new();
    for chunk in bytes.chunks(part) {
        let mut chunk = chunk.to_vec();
        let mut input = chunk.as_mut_slice();
        while let Some(event) = connection.receive(&mut input)? {
            match event {
                Event::Text(text) => messages.push(Message::text(text.into_owned())),
                Event::Binary(bytes) => messages.push(Message::binary(bytes.to_vec())),
                _ => {}
            }
        }
    }
    Ok(messages)
}

/// The same in pieces, put together again; also the largest piece.
pub(crate) fn receive_pieces(
    connection: &mut Connection,
    bytes: &[u8],
    part: usize,
) -> Result<(Vec<Vec<u8>>, usize), ProtocolError> {
    let (mut messages, mut open, mut largest) = (Vec::new(), Vec::new(), 0);
    for chunk in bytes.chunks(part) {
        let mut chunk = chunk.to_vec();
        let mut input = chunk.as_mut_slice();
        while let Some(piece) = connection.receive_piece(&mut input)? {
            let (data, last) = match piece {
                Piece::Text { text, last } => (text.as_bytes().to_vec(), last),
                Piece::Binary { bytes, last } => (bytes.to_vec(), last),
                _ => continue,
            };
            largest = largest.max(data.len());
            open.extend(data);
            if last {
                messages.push(std::mem::take(&mut open));
            }
        }
    }
    Ok((messages, largest))
}

pub(crate) fn json(items: usize) -> String {
    (0..items).map(|n| format!("{{\"id\":{n},\"name\":\"größe {}\",\"on\":true}},", n % 7)).collect()
}

#[test]
fn messages_of_both_types_come_through_however_they_are_split() {
    for takeover in [true, false] {
        let sent: Vec<Message> = [0, 1, 20, 40, few_or(60, 2000)]
            .iter()
            .flat_map(|&items| [Message::text(json(items)), Message::binary(json(items).into_bytes())])
            .collect();
        let mut bytes = Vec::new();
        let mut sender = client(Config::client(), agreed(takeover));
        for message in &sent {
            sender.send(message.clone()).unwrap();
            bytes.extend(written(&mut sender));
        }
        let plain: usize = sent.iter().map(Message::len).sum();
        assert!(bytes.len() < plain / few_or(2, 4), "{} of {plain}", bytes.len());
        for part in [1, 2, 7, 1000, usize::MAX].into_iter().step_by(few_or(3, 1)) {
            let mut receiver = server(Config::server(), agreed(takeover));
            assert_eq!(receive(&mut receiver, &bytes, part).unwrap(), sent);
            let mut receiver = server(Config::server(), agreed(takeover));
            let (pieces, largest) = receive_pieces(&mut receiver, &bytes, part).unwrap();
            assert!(pieces.iter().zip(&sent).all(|(piece, sent)| piece == sent.as_bytes()));
            assert!(largest <= 16 << 10, "a piece of {largest} bytes");
        }
    }
}

#[test]
fn a_message_sent_in_pieces_is_compressed_in_pieces_with_rsv1_on_the_first_frame_only() {
    let mut sender = server(Config::server(), agreed(true));
    let text = json(100);
    let mut frames = Vec::new();
    for (n, piece) in text.as_bytes().chunks(1000).enumerate() {
        sender.send_piece(DataType::Text, piece, false).unwrap();
        let bytes = written(&mut sender);
        assert_eq!(bytes[0], if n == 0 { 0x41 } else { 0x00 });
        frames.extend(bytes);
    }
    sender.send_piece(DataType::Text, b"", true).unwrap();
    let bytes = written(&mut sender);
    assert_eq!(bytes[0], 0x80);
    frames.extend(bytes);
    assert!(frames.len() < text.len() / 2);
    let mut receiver = client(Config::client(), agreed(true));
    assert_eq!(receive(&mut receiver, &frames, 100).unwrap(), [Message::text(text)]);
}

#[test]
fn a_large_compressed_message_is_cut_into_frames() {
    let mut config = Config::server();
    config.max_frame_size = 1000;
    let mut sender = server(config, agreed(false));
    let noise: Vec<u8> = (0..20_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8 & 0x3F).collect();
    sender.send_binary(&noise).unwrap();
    let frames = written(&mut sender);
    assert_eq!(frames[0], 0x42, "RSV1, not FIN");
    let mut receiver = client(Config::client(), agreed(false));
    assert_eq!(receive(&mut receiver, &frames, 333).unwrap(), [Message::binary(noise)]);
}

#[test]
fn a_message_can_be_kept_from_the_compressor() {
    let mut sender = server(Config::server(), agreed(true));
    let text = Message::text(json(100));
    sender.send_uncompressed(text.clone()).unwrap();
    assert_eq!(written(&mut sender)[0], 0x81);
    sender.send(text).unwrap();
    assert_eq!(written(&mut sender)[0], 0xC1);
}

#[test]
fn rsv1_without_an_agreement_or_on_a_continuation_fails_with_1002() {
    let mut plain = Connection::client(Arc::new(Config::client()), [0; 32]);
    assert_eq!(receive(&mut plain, &[0xC1, 0x00], 9), Err(ProtocolError::ReservedBits));
    let mut receiver = client(Config::client(), agreed(true));
    assert_eq!(receive(&mut receiver, &[0x01, 0x00, 0xC0, 0x00], 9), Err(ProtocolError::ReservedBits));
    let mut receiver = client(Config::client(), agreed(true));
    assert_eq!(receive(&mut receiver, &[0xC9, 0x00], 9), Err(ProtocolError::ReservedBits));
}

/// A message of `size` bytes that is compressed about a thousand times.
pub(crate) fn bomb(size: usize) -> Vec<u8> {
    let mut config = Config::server();
    config.max_queued = usize::MAX;
    let mut sender = server(config, agreed(true));
    sender.send_binary(&vec![0; size]).unwrap();
    written(&mut sender)
}

#[test]
#[cfg_attr(miri, ignore = "megabytes are the point")]
fn the_limit_counts_inflated_bytes_and_bounds_memory() {
    const LIMIT: usize = 1 << 20;
    let mut config = Config::client();
    config.max_message_size = LIMIT as u64;
    let mut receiver = client(config.clone(), agreed(true));
    assert_eq!(receive(&mut receiver, &bomb(LIMIT), 1000).unwrap()[0].len(), LIMIT);
    for size in [LIMIT + 1, 64 << 20] {
        let mut receiver = client(config.clone(), agreed(true));
        let bytes = bomb(size);
        let mut result = Ok(Vec::new());
        for chunk in bytes.chunks(100) {
            result = receive(&mut receiver, chunk, 100);
            // The inflater, its window, and the control structures.
            assert!(
                receiver.memory_usage().total() <= LIMIT + (128 << 10),
                "{} bytes",
                receiver.memory_usage().total()
            );
            if result.is_err() {
                break;
            }
        }
        assert_eq!(result, Err(ProtocolError::MessageTooBig { limit: LIMIT as u64 }));
    }
}

#[test]
fn blocks_that_inflate_to_nothing_end_at_the_wire_bound() {
    let mut config = Config::client();
    config.max_message_size = 10_000;
    let mut receiver = client(config, agreed(true));
    let frame = [[0x42, 0x7D].as_slice(), &[0, 0, 0, 0xFF, 0xFF].repeat(25)].concat();
    let next = [[0x00, 0x7D].as_slice(), &[0, 0, 0, 0xFF, 0xFF].repeat(25)].concat();
    assert_eq!(receive(&mut receiver, &frame, 200), Ok(Vec::new()));
    let mut frames = 1;
    let error = loop {
        match receive(&mut receiver, &next, 200) {
            Ok(_) => frames += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(error, ProtocolError::MessageTooBig { limit: 10_000 });
    assert_eq!(frames, (10_000 + 1024) / 125);
}

#[test]
fn text_that_inflates_to_invalid_utf8_fails_with_1007() {
    let mut sender = server(Config::server(), agreed(true));
    let mut bytes = json(100).into_bytes();
    bytes[3000] = 0xFF;
    sender.send_binary(&bytes).unwrap();
    let mut frames = written(&mut sender);
    frames[0] = 0xC1;
    for part in [1, 50, usize::MAX] {
        let mut receiver = client(Config::client(), agreed(true));
        assert_eq!(receive(&mut receiver, &frames, part), Err(ProtocolError::InvalidUtf8));
    }
}

/// A binary frame from a server that inflates to `content`, which is stored.
pub(crate) fn stored(opcode: u8, content: &[u8]) -> Vec<u8> {
    let len = u8::try_from(content.len()).unwrap();
    let mut frame = vec![0xC0 | opcode, len + 6, 0x00, len, 0, !len, 0xFF];
    frame.extend(content);
    frame.push(0);
    frame
}

#[test]
fn text_that_is_invalid_before_it_is_too_big_is_invalid_however_it_is_split() {
    let mut config = Config::client();
    config.max_message_size = 4;
    for part in [1, 8, usize::MAX] {
        let mut receiver = client(config.clone(), agreed(true));
        assert_eq!(receive(&mut receiver, &stored(1, b"a\xFFbcdef"), part), Err(ProtocolError::InvalidUtf8));
        let mut receiver = client(config.clone(), agreed(true));
        let too_big = ProtocolError::MessageTooBig { limit: 4 };
        assert_eq!(receive(&mut receiver, &stored(1, b"abcde\xFF"), part), Err(too_big));
    }
}

#[test]
fn a_message_that_is_too_big_before_a_fault_in_its_data_is_too_big_however_it_is_split() {
    // Six letters in a fixed block, then a distance that does not exist (RFC 1951 section 3.2.6).
    let data = [0x4A, 0x4C, 0x4C, 0x4C, 0x4C, 0x4C, 0x04, 0x3E, 0x00];
    let frame = [&[0xC2, 9][..], &data].concat();
    for (limit, fault) in [(5, ProtocolError::MessageTooBig { limit: 5 }), (6, ProtocolError::InvalidDeflate)]
    {
        let mut config = Config::client();
        config.max_message_size = limit;
        for part in [1, 8, 9, usize::MAX] {
            let mut receiver = client(config.clone(), agreed(true));
            assert_eq!(receive(&mut receiver, &frame, part), Err(fault), "in parts of {part}");
        }
    }
}

#[test]
fn a_prepared_message_that_compression_does_not_shorten_is_sent_uncompressed() {
    let mut random = vec![0; 4000];
    let mut state = 1u32;
    for byte in &mut random {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *byte = state.to_be_bytes()[0];
    }
    for (payload, first) in [(random, 0x82), (vec![7; 4000], 0xC2)] {
        let mut sender = server(Config::server(), agreed(false));
        sender.send_prepared(&PreparedMessage::new(payload)).unwrap();
        assert_eq!(written(&mut sender).first(), Some(&first));
    }
}
