//! Compressed messages that are sent or received in pieces.

use crate::connection::{agreed, bomb, client, json, receive, receive_pieces, server, stored, written};
use crate::support::miri::few_or;
use ws_core::{Config, DataType, Event, Message, Piece, ProtocolError};

#[test]
fn a_compressed_message_in_pieces_can_be_finished_while_the_reply_to_a_close_is_held_back() {
    for takeover in [false, true] {
        let mut config = Config::server();
        config.delay_close_reply = true;
        let mut server = server(config, agreed(takeover));
        let mut client = client(Config::client(), agreed(takeover));
        server.send_piece(DataType::Text, b"one, ", false).unwrap();
        client.close_without_code().unwrap();
        assert_eq!(receive(&mut server, &written(&mut client), usize::MAX), Ok(vec![]));
        server.send_piece(DataType::Text, b"two", true).unwrap();
        server.send_text(&json(50)).unwrap();
        server.reply_to_close();
        let received = receive(&mut client, &written(&mut server), usize::MAX);
        assert_eq!(received, Ok(vec![Message::text("one, two"), Message::text(json(50))]));
        assert!(client.close_info().unwrap().is_clean());
    }
}

#[test]
#[cfg_attr(miri, ignore = "megabytes are the point")]
fn a_stream_inflates_in_bounded_memory_and_is_bounded_by_its_own_limit() {
    let bytes = bomb(32 << 20);
    let mut config = Config::client();
    config.max_message_size = 1000;
    let mut receiver = client(config.clone(), agreed(true));
    let (mut total, mut input) = (0, bytes.clone());
    let mut input = input.as_mut_slice();
    while let Some(Piece::Binary { bytes, .. }) = receiver.receive_piece(&mut input).unwrap() {
        total += bytes.len();
        assert!(receiver.memory_usage().total() < 512 << 10, "{} bytes", receiver.memory_usage().total());
    }
    assert_eq!(total, 32 << 20);
    config.max_stream_size = 1 << 20;
    let mut receiver = client(config, agreed(true));
    let error = receive_pieces(&mut receiver, &bytes, usize::MAX).unwrap_err();
    assert_eq!(error, ProtocolError::StreamTooBig { limit: 1 << 20 });
}

/// The inflated part is dropped once it has been returned, as is the rest of the message.
#[test]
#[cfg_attr(miri, ignore = "megabytes are the point")]
fn a_stream_that_was_begun_as_a_whole_message_goes_on_in_bounded_memory() {
    let mut bytes = bomb(16 << 20);
    let (mut begun, mut rest) = bytes.split_at_mut(500);
    let mut receiver = client(Config::client(), agreed(true));
    assert_eq!(receiver.receive(&mut begun).unwrap(), None);
    let mut total = 0;
    while let Some(Piece::Binary { bytes, .. }) = receiver.receive_piece(&mut rest).unwrap() {
        total += bytes.len();
        assert!(
            receiver.memory_usage().total() < 2 << 20,
            "{} bytes after {total}",
            receiver.memory_usage().total()
        );
    }
    assert_eq!(total, 16 << 20);
}

#[test]
fn a_compressed_message_that_was_begun_whole_goes_on_in_pieces_from_its_beginning() {
    for (opcode, content) in [(1, "Größe".as_bytes()), (2, b"\xFF\xFEabc")] {
        for cut in 1..content.len() {
            let mut frame = stored(opcode, content);
            let (mut begun, mut rest) = frame.split_at_mut(7 + cut);
            let mut receiver = client(Config::client(), agreed(true));
            assert_eq!(receiver.receive(&mut begun).unwrap(), None);
            let mut got = Vec::new();
            while let Some(piece) = receiver.receive_piece(&mut rest).unwrap() {
                match piece {
                    Piece::Text { text, .. } => got.extend_from_slice(text.as_bytes()),
                    Piece::Binary { bytes, .. } => got.extend_from_slice(&bytes),
                    other => panic!("{other:?}"),
                }
            }
            assert_eq!(got, content, "cut at {cut}");
        }
    }
}

#[test]
fn the_skipped_part_of_a_compressed_text_is_still_checked() {
    for (content, valid) in [("aß".as_bytes(), true), (b"a\xC3b", false), (b"a\xC3", false)] {
        let mut frame = stored(1, content);
        // Behind the first byte of the second character.
        let (mut begun, mut rest) = frame.split_at_mut(9);
        let mut receiver = client(Config::client(), agreed(true));
        assert!(matches!(receiver.receive_piece(&mut begun), Ok(Some(Piece::Text { last: false, .. }))));
        assert_eq!(receiver.receive_piece(&mut begun), Ok(None));
        let expected = if valid { Ok(None) } else { Err(ProtocolError::InvalidUtf8) };
        assert_eq!(receiver.receive(&mut rest), expected);
    }
}

#[test]
fn the_rest_of_a_compressed_message_can_be_skipped() {
    let mut sender = server(Config::server(), agreed(true));
    sender.send_text(&json(few_or(600, 5000))).unwrap();
    sender.send_text("next").unwrap();
    let mut bytes = written(&mut sender);
    let mut receiver = client(Config::client(), agreed(true));
    let mut input = bytes.as_mut_slice();
    let piece = receiver.receive_piece(&mut input).unwrap();
    assert!(matches!(piece, Some(Piece::Text { last: false, .. })), "{piece:?}");
    assert_eq!(receiver.receive(&mut input).unwrap(), Some(Event::Text("next".into())));
}

/// A message begun whole and then wanted in pieces: what had been put together is its first piece.
#[test]
fn what_was_inflated_before_pieces_are_asked_for_is_not_lost() {
    let text = "größer als gedacht, ".repeat(200);
    for message in [Message::text(text.clone()), Message::binary(text.into_bytes())] {
        let mut sender = client(Config::client(), agreed(true));
        sender.send(message.clone()).unwrap();
        let bytes = written(&mut sender);
        for split in (1..bytes.len()).step_by(few_or(9, 1)) {
            let mut receiver = server(Config::server(), agreed(true));
            let mut bytes = bytes.clone();
            let (mut before, mut after) = bytes.split_at_mut(split);
            assert_eq!(receiver.receive(&mut before), Ok(None));
            let mut all = Vec::new();
            while let Some(piece) = receiver.receive_piece(&mut after).unwrap() {
                match piece {
                    Piece::Text { text, .. } => all.extend_from_slice(text.as_bytes()),
                    Piece::Binary { bytes, .. } => all.extend_from_slice(&bytes),
                    other => panic!("{other:?}"),
                }
            }
            assert!(all == message.as_bytes(), "split at {split}: {} bytes of {}", all.len(), message.len());
        }
    }
}

/// Pieces, then the whole next message, then pieces again: what is skipped meanwhile is still checked.
#[test]
fn text_skipped_in_between_does_not_make_the_rest_of_it_invalid() {
    let mut sender = client(Config::client(), agreed(true));
    sender.send(Message::text("größer als gedacht: €𝄞".repeat(100))).unwrap();
    let bytes = written(&mut sender);
    for first in (10..bytes.len() - 1).step_by(few_or(9, 1)) {
        let mut receiver = server(Config::server(), agreed(true));
        let mut bytes = bytes.clone();
        let (mut before, rest) = bytes.split_at_mut(first);
        let (mut between, mut after) = rest.split_at_mut(1);
        while receiver.receive_piece(&mut before).unwrap().is_some() {}
        assert_eq!(receiver.receive(&mut between), Ok(None));
        while receiver.receive_piece(&mut after).unwrap().is_some() {}
    }
}
