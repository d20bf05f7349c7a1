//! What is sent arrives: every way to send, through the decoder and the opposite end.

use crate::support::miri::few_or;
use crate::support::{
    BINARY, BINARY_PART, LAST, PART, PING, PONG, ROLES, TEXT, TEXT_PART, XorShift, binary, config,
    frames_from, give, open, ping, pong, receive_every_way, text, written,
};
use bytes::{Buf, Bytes};
use ws_core::decode::{FrameDecoder, FrameItem};
use ws_core::{
    CloseCode, Config, Connection, DataType, Event, Message, PreparedFrames, PreparedMessage, Role,
};

const fn opposite(role: Role) -> Role {
    match role {
        Role::Client => Role::Server,
        Role::Server => Role::Client,
    }
}

/// What the opposite end receives, however its input is split.
fn arrives(sender: &mut Connection, config: &Config) -> Vec<Event<'static>> {
    let role = sender.role();
    let bytes = written(sender);
    let got = receive_every_way(|| open(opposite(role), config), &bytes);
    assert_eq!(got.error, None);
    got.events
}

/// Payload bytes by frame, through the public decoder.
fn decoded(receiver: Role, bytes: &[u8]) -> Vec<(bool, u8, Vec<u8>)> {
    let mut buffer = bytes.to_vec();
    let mut input = buffer.as_mut_slice();
    let mut decoder = FrameDecoder::new(receiver);
    let mut frames = Vec::new();
    while let Some(item) = decoder.decode(&mut input).unwrap() {
        match item {
            FrameItem::Header(header) => frames.push((header.fin, header.opcode as u8, Vec::new())),
            FrameItem::Payload { bytes, .. } => frames.last_mut().unwrap().2.extend_from_slice(bytes),
        }
    }
    assert!(decoder.at_frame_border());
    frames
}

#[test]
fn every_way_to_send_arrives_at_the_opposite_end() {
    for role in ROLES {
        let mut sender = open(role, &config());
        sender.send_text("text é").unwrap();
        sender.send_binary(&[0, 255]).unwrap();
        sender.send("message".into()).unwrap();
        sender.send(vec![1, 2, 3].into()).unwrap();
        sender.send_uncompressed(Message::text("plain")).unwrap();
        sender.send_piece(DataType::Text, b"pi", false).unwrap();
        sender.send_piece(DataType::Text, b"eces", true).unwrap();
        sender.send_piece(DataType::Binary, b"one", true).unwrap();
        sender.send_text("").unwrap();
        sender.close(ws_core::CloseCode::NORMAL_CLOSURE, "bye").unwrap();
        let events = arrives(&mut sender, &config());
        let expected = [
            text("text é"),
            binary(&[0, 255]),
            text("message"),
            binary(&[1, 2, 3]),
            text("plain"),
            text("pieces"),
            binary(b"one"),
            text(""),
        ];
        assert_eq!(events[..8], expected);
        assert!(matches!(&events[8], Event::Close(Some(frame)) if &*frame.reason == "bye"));
    }
}

#[test]
fn every_length_border_arrives_by_every_way() {
    for role in ROLES {
        for len in [0, 1, 125, 126, 127, 4095, 4096, 4097, 65_535, 65_536, 262_143, 262_144, 262_145, 600_000]
            .into_iter()
            .take(few_or(8, 14))
        {
            let payload = XorShift::new(len as u64).bytes(len);
            let mut sender = open(role, &config());
            let mut receiver = open(opposite(role), &config());
            for way in 0..4 {
                match way {
                    0 => sender.send_binary(&payload).unwrap(),
                    1 => sender.send(payload.clone().into()).unwrap(),
                    2 => sender.send(Bytes::from(payload.clone()).into()).unwrap(),
                    _ => sender.send_piece(DataType::Binary, &payload, true).unwrap(),
                }
                let bytes = written(&mut sender);
                assert_eq!(
                    give(&mut receiver, &bytes).unwrap(),
                    [binary(&payload)],
                    "way {way}, {len} bytes"
                );
            }
        }
    }
}

#[test]
fn the_decoder_reads_what_is_sent() {
    for role in ROLES {
        let mut sender = open(role, &config());
        sender.send_text("a").unwrap();
        sender.send_piece(DataType::Binary, b"b", false).unwrap();
        sender.send_piece(DataType::Binary, b"", true).unwrap();
        let frames = decoded(opposite(role), &written(&mut sender));
        assert_eq!(frames.len(), 3);
        assert_eq!(frames.iter().map(|frame| frame.0).collect::<Vec<_>>(), [true, false, true]);
        assert_eq!(frames.iter().map(|frame| frame.2.as_slice()).collect::<Vec<_>>(), [&b"a"[..], b"b", b""]);
    }
}

#[test]
fn a_large_message_is_cut_into_frames_of_max_frame_size() {
    for role in ROLES {
        for len in [999, 1000, 1001, 2000, 2001, 10_000] {
            for way in 0..4 {
                let mut config = config();
                config.max_frame_size = 1000;
                let mut sender = open(role, &config);
                let payload = XorShift::new(len as u64).bytes(len);
                match way {
                    0 => sender.send_binary(&payload).unwrap(),
                    1 => sender.send(payload.clone().into()).unwrap(),
                    2 => sender.send(Bytes::from(payload.clone()).slice(..).into()).unwrap(),
                    _ => sender.send_prepared(&PreparedMessage::new(payload.clone())).unwrap(),
                }
                let frames = frames_from(role, &written(&mut sender));
                assert_eq!(frames.len(), len.div_ceil(1000));
                for (n, (first, part)) in frames.iter().enumerate() {
                    let (begin, end) = (n == 0, n == frames.len() - 1);
                    let opcode = if begin { 2 } else { 0 };
                    assert_eq!(*first, if end { 0x80 | opcode } else { opcode });
                    assert!(part.len() == 1000 || end && !part.is_empty());
                }
                assert_eq!(frames.into_iter().flat_map(|frame| frame.1).collect::<Vec<_>>(), payload);
            }
        }
    }
}

#[test]
fn a_piece_larger_than_a_frame_is_cut_too() {
    for role in ROLES {
        let mut config = config();
        config.max_frame_size = 200;
        let mut sender = open(role, &config);
        sender.send_piece(DataType::Binary, &[1; 300], false).unwrap();
        sender.send_piece(DataType::Binary, &[2; 300], true).unwrap();
        let frames = frames_from(role, &written(&mut sender));
        let shapes: Vec<_> = frames.iter().map(|(first, part)| (*first, part.len())).collect();
        assert_eq!(shapes, [(BINARY_PART, 200), (PART, 100), (PART, 200), (LAST, 100)]);
    }
}

#[test]
fn control_frames_and_close_may_stand_between_sent_pieces() {
    for role in ROLES {
        let mut sender = open(role, &config());
        sender.send_piece(DataType::Text, b"a", false).unwrap();
        let begun = written(&mut sender);
        sender.ping(b"ping").unwrap();
        sender.pong(b"pong").unwrap();
        sender.send_piece(DataType::Text, b"b", true).unwrap();
        let rest = written(&mut sender);
        let frames = frames_from(role, &[begun, rest].concat());
        let expected: [(u8, &[u8]); 4] = [(TEXT_PART, b"a"), (PING, b"ping"), (PONG, b"pong"), (LAST, b"b")];
        assert_eq!(frames, expected.map(|(first, payload)| (first, payload.to_vec())));
    }
}

#[test]
fn a_server_queues_a_large_payload_by_reference() {
    let payload = Bytes::from(vec![7; 500_000]);
    let mut server = open(Role::Server, &config());
    server.send(payload.clone().into()).unwrap();
    let mut output = server.output();
    output.advance(output.chunk().len());
    assert_eq!(output.chunk().as_ptr(), payload.as_ptr(), "not a copy");
    assert_eq!(output.chunk().len(), 256 << 10);
}

#[test]
fn a_prepared_message_is_queued_by_reference_from_4_kib_on() {
    for (len, by_reference) in [(4095, false), (4096, true), (100_000, true)] {
        let prepared = PreparedMessage::new(XorShift::new(5).bytes(len));
        let payload = prepared.message().as_bytes();
        let mut connections = [open(Role::Server, &config()), open(Role::Server, &config())];
        for connection in &mut connections {
            connection.send_prepared(&prepared).unwrap();
            let mut output = connection.output();
            let header = if len < 65_536 { 4 } else { 10 };
            assert_eq!(output.chunk().len(), if by_reference { header } else { header + len });
            output.advance(header);
            assert_eq!(output.chunk().as_ptr() == payload.as_ptr(), by_reference, "{len} bytes");
            assert_eq!(output.chunk(), payload);
        }
        // A client masks with a key of its own.
        let mut client = open(Role::Client, &config());
        client.send_prepared(&prepared).unwrap();
        assert_eq!(frames_from(Role::Client, &written(&mut client)), [(BINARY, payload.to_vec())]);
    }
}

#[test]
fn prepared_messages_in_a_row_are_queued_as_each_by_itself_while_there_is_room() {
    let texts: Vec<_> = (0..40).map(|n| PreparedMessage::new(format!("{n:<100}"))).collect();
    let mixed = [0, 5000, 1, 70_000, 126].map(|len| PreparedMessage::new(XorShift::new(3).bytes(len)));
    let (mut queued, mut together) = (Vec::new(), Vec::new());
    assert!(PreparedFrames::new(&mixed).is_none(), "one of 5,000 bytes is not copied for each connection");
    assert!(PreparedFrames::new(texts.iter().cycle().take(700)).is_none(), "71 KB are not encoded at once");
    for role in ROLES {
        for messages in [&texts[..], &texts[..9], &mixed] {
            for (high, most, frame, memory, held) in [
                (1 << 20, 1 << 20, 1 << 20, None, 0),
                (1000, 1 << 20, 1 << 20, None, 0),
                (1000, 1000, 1 << 20, None, 500),
                (1 << 20, 1 << 20, 90, None, 0),
                (1 << 20, 1 << 20, 1 << 20, Some(2000), 0),
            ] {
                let mut config = config();
                (config.send_high_water, config.max_queued, config.max_frame_size) = (high, most, frame);
                config.max_memory = memory;
                let [mut row, mut each, mut framed] = [(); 3].map(|()| open(role, &config));
                for connection in [&mut row, &mut each, &mut framed] {
                    connection.set_held(held);
                }
                let mut next = row.prepared_row();
                let taken = messages.iter().take_while(|message| next.push(message)).count();
                let by_themselves = messages.iter().take_while(|message| {
                    each.has_room()
                        && message.message().len() <= 64 << 10
                        && each.send_prepared(message).is_ok()
                });
                assert_eq!(taken, by_themselves.count(), "{role:?} {high} {most} {frame} {memory:?} {held}");
                assert_eq!(row.messages_sent(), taken as u64);
                let bytes = written(&mut row);
                assert_eq!(bytes, written(&mut each));
                queued.push(taken);
                let Some(frames) = PreparedFrames::new(messages) else { continue };
                let all = framed.prepared_row().push_frames(&frames);
                assert!(!all || taken == messages.len(), "{role:?} {high} {most} {frame} {memory:?} {held}");
                assert_eq!(framed.messages_sent(), if all { taken as u64 } else { 0 });
                assert_eq!(written(&mut framed), if all { bytes } else { Vec::new() });
                together.push((messages.len(), all));
            }
        }
    }
    assert!(queued.contains(&40) && queued.iter().any(|n| (1..20).contains(n)), "{queued:?}");
    // A server's 40 without bounds, and 9 also with a bound of 1,000 bytes; nothing of a client's, nor with smaller frames or a bound for memory.
    let expected = [(40, [true, false, false, false, false]), (9, [true, true, false, false, false])];
    let expected = expected.iter().flat_map(|(n, all)| all.map(|all| (*n, all)));
    let (client, server) = together.split_at(10);
    let (server, client) = if ROLES[0] == Role::Server { (client, server) } else { (server, client) };
    assert!(server.iter().copied().eq(expected), "{server:?}");
    assert!(client.iter().all(|(_, all)| !all), "{client:?}");
}

#[test]
fn nothing_is_queued_in_a_row_inside_a_message_in_pieces_and_behind_a_close() {
    let message = PreparedMessage::new("a");
    let mut server = open(Role::Server, &config());
    server.send_piece(DataType::Text, b"part", false).unwrap();
    let frames = PreparedFrames::new([&message]).unwrap();
    assert!(!server.prepared_row().push(&message) && !server.prepared_row().push_frames(&frames));
    server.send_piece(DataType::Text, b"end", true).unwrap();
    assert!(server.prepared_row().push(&message) && server.prepared_row().push_frames(&frames));
    server.close(CloseCode::NORMAL_CLOSURE, "").unwrap();
    assert!(!server.prepared_row().push(&message) && !server.prepared_row().push_frames(&frames));
}

#[test]
fn a_payload_is_queued_by_reference_from_4_kib_on() {
    for (len, by_reference) in [(4095, false), (4096, true)] {
        let payload = Bytes::from(vec![7; len]);
        let mut server = open(Role::Server, &config());
        server.send(payload.clone().into()).unwrap();
        let mut output = server.output();
        assert_eq!(output.chunk().len(), if by_reference { 4 } else { 4 + len });
        output.advance(4);
        assert_eq!(output.chunk().as_ptr() == payload.as_ptr(), by_reference);
    }
}

#[test]
fn a_client_masks_in_place_only_payloads_that_are_not_shared() {
    let payload = Bytes::from(vec![0; 10_000]);
    let held = payload.clone();
    let mut client = open(Role::Client, &config());
    client.send(payload.into()).unwrap();
    assert_eq!(held, [0; 10_000][..], "what others hold stays as it is");
    let first = written(&mut client);
    assert_eq!(frames_from(Role::Client, &first), [(BINARY, vec![0; 10_000])]);

    let place = held.as_ptr();
    client.send(held.into()).unwrap();
    let mut output = client.output();
    output.advance(output.chunk().len());
    assert_eq!(output.chunk().as_ptr(), place, "the only holder gives its memory away");
    assert_ne!(output.chunk(), [0; 10_000], "it is masked");

    client = open(Role::Client, &config());
    client.send(Bytes::from_static(&[1; 5000]).into()).unwrap();
    assert_eq!(frames_from(Role::Client, &written(&mut client)), [(BINARY, vec![1; 5000])]);
}

#[test]
fn a_client_masks_a_large_payload_that_others_hold_64_kib_at_a_time_as_it_is_written() {
    let payload = Bytes::from(XorShift::new(9).bytes(300_000));
    let mut client = open(Role::Client, &config());
    client.send(payload.clone().into()).unwrap();
    client.send(payload.clone().into()).unwrap();
    let before = client.memory_usage().queued;
    assert!((600_000..601_000).contains(&before), "{before} bytes: no copy");
    let (mut wire, mut most) = (Vec::new(), 0);
    for step in [1, 13, 14, 1000, 65_535, 65_536, 70_000].into_iter().cycle() {
        let mut output = client.output();
        if !output.has_remaining() {
            break;
        }
        let chunk = &output.chunk()[..output.chunk().len().min(step)];
        wire.extend_from_slice(chunk);
        let written = chunk.len();
        output.advance(written);
        let memory = client.memory_usage().queued;
        most = most.max(memory.saturating_sub(client.queued()));
    }
    assert!((1 << 16..66 << 10).contains(&most), "{most} bytes beside the payloads");
    assert_eq!(client.memory_usage().queued, client.reclaim_buffer().map_or(0, |buffer| buffer.capacity()));
    assert_eq!(payload, XorShift::new(9).bytes(300_000), "what others hold stays as it is");
    let frames = frames_from(Role::Client, &wire);
    assert_eq!(frames.len(), 4, "frames of 256 KiB at most");
    let messages: Vec<_> = frames.chunks(2).map(|frames| [&*frames[0].1, &frames[1].1].concat()).collect();
    assert!(messages == [payload.to_vec(), payload.to_vec()]);
}

#[test]
fn a_client_that_sends_small_frames_masks_a_large_payload_at_once() {
    let mut config = config();
    config.max_frame_size = (64 << 10) - 1;
    let payload = Bytes::from(vec![7; 300_000]);
    let mut client = open(Role::Client, &config);
    client.send(payload.clone().into()).unwrap();
    assert_eq!(client.output().chunk().len(), client.queued(), "one write takes all of them");
}

#[test]
fn a_ping_that_is_sent_comes_back_as_a_pong() {
    let (mut client, mut server) = (open(Role::Client, &config()), open(Role::Server, &config()));
    client.ping(b"there").unwrap();
    assert_eq!(give(&mut server, &written(&mut client)).unwrap(), [ping(b"there")]);
    assert_eq!(give(&mut client, &written(&mut server)).unwrap(), [pong(b"there")]);
}

#[test]
fn an_echo_loop_at_random_loses_nothing() {
    let (mut client, mut server) = (open(Role::Client, &config()), open(Role::Server, &config()));
    let mut rng = XorShift::new(17);
    let (mut sent, mut echoed) = (Vec::new(), Vec::new());
    for _ in 0..few_or(20, 300) {
        for _ in 0..rng.below(4) {
            let len = [10, 200, 5000, 70_000][rng.below(few_or(3, 4))];
            let len = rng.below(len);
            let payload = rng.bytes(len);
            client.send(payload.clone().into()).unwrap();
            sent.push(binary(&payload));
        }
        for event in give(&mut server, &written(&mut client)).unwrap() {
            let Event::Binary(bytes) = event else { panic!("a binary message") };
            server.send(bytes.into()).unwrap();
        }
        echoed.extend(give(&mut client, &written(&mut server)).unwrap());
    }
    assert!(echoed == sent, "the echo differs");
    assert_eq!(frames_from(Role::Client, &written(&mut client)), []);
    client.send_text("t").unwrap();
    assert_eq!(frames_from(Role::Client, &written(&mut client)), [(TEXT, b"t".to_vec())]);
}
