//! Masking: RFC 6455 section 5.3.

use crate::support;
use std::collections::HashSet;
use std::sync::Arc;

use crate::support::miri::few_or;
use crate::support::{KEY, XorShift, config, written};
use ws_core::decode::{FrameDecoder, FrameItem};
use ws_core::mask::{MaskKey, MaskKeys, mask};
use ws_core::{Connection, Role};

/// The RFC's own words: octet i is the XOR of octet i and octet i MOD 4 of the key.
fn naive(payload: &[u8], key: [u8; 4]) -> Vec<u8> {
    payload.iter().enumerate().map(|(i, octet)| octet ^ key[i % 4]).collect()
}

#[test]
fn every_length_up_to_300_is_masked_as_the_rfc_says_at_every_rotation_and_alignment() {
    let bytes = XorShift::new(1).bytes(320);
    for rotation in 0..4 {
        let key = MaskKey(KEY).rotated(rotation);
        for len in (0..=300).step_by(few_or(13, 1)) {
            for start in 0..if len < 80 { 8 } else { 2 } {
                let mut buffer = bytes.clone();
                let next = mask(&mut buffer[start..start + len], key);
                assert_eq!(buffer[start..start + len], naive(&bytes[start..start + len], key.0));
                assert_eq!(next, key.rotated(len));
                assert_eq!(buffer[..start], bytes[..start], "nothing before it changes");
                assert_eq!(buffer[start + len..], bytes[start + len..], "nothing behind it changes");
            }
        }
    }
}

#[test]
fn a_long_payload_is_masked_as_the_rfc_says_wherever_it_begins() {
    let bytes = XorShift::new(4).bytes(1200);
    for len in (500..=530).chain(1000..=1030).step_by(few_or(7, 1)) {
        for start in (0..17).step_by(few_or(5, 1)) {
            let mut buffer = bytes.clone();
            let next = mask(&mut buffer[start..start + len], MaskKey(KEY));
            let expected =
                [&bytes[..start], &naive(&bytes[start..start + len], KEY)[..], &bytes[start + len..]]
                    .concat();
            assert!(buffer == expected, "{len} bytes from {start}");
            assert_eq!(next, MaskKey(KEY).rotated(len));
        }
    }
}

#[test]
fn masking_piece_by_piece_is_masking_at_once() {
    let bytes = XorShift::new(2).bytes(150);
    let whole = naive(&bytes, KEY);
    for first in (0..=bytes.len()).step_by(few_or(13, 1)) {
        for second in (first..=bytes.len()).step_by(7) {
            let mut buffer = bytes.clone();
            let key = mask(&mut buffer[..first], MaskKey(KEY));
            let key = mask(&mut buffer[first..second], key);
            mask(&mut buffer[second..], key);
            assert_eq!(buffer, whole, "split at {first} and {second}");
        }
    }
}

#[test]
fn masking_twice_gives_the_payload_back() {
    let bytes = XorShift::new(3).bytes(1000);
    let mut buffer = bytes.clone();
    mask(&mut buffer, MaskKey(KEY));
    assert_ne!(buffer, bytes);
    mask(&mut buffer, MaskKey(KEY));
    assert_eq!(buffer, bytes);
}

#[test]
fn a_key_turns_by_one_byte_a_byte() {
    assert_eq!(MaskKey([1, 2, 3, 4]).rotated(0), MaskKey([1, 2, 3, 4]));
    assert_eq!(MaskKey([1, 2, 3, 4]).rotated(1), MaskKey([2, 3, 4, 1]));
    assert_eq!(MaskKey([1, 2, 3, 4]).rotated(6), MaskKey([3, 4, 1, 2]));
    assert_eq!(MaskKey([1, 2, 3, 4]).rotated(usize::MAX), MaskKey([4, 1, 2, 3]));
}

#[test]
fn keys_replay_from_their_seed_and_differ_with_it() {
    let take = |seed: u8| {
        let mut keys = MaskKeys::from_seed([seed; 32]);
        (0..1000).map(|_| keys.next_key().0).collect::<Vec<_>>()
    };
    assert_eq!(take(1), take(1));
    assert_ne!(take(1), take(2));
    let different: HashSet<[u8; 4]> = take(1).into_iter().collect();
    assert!(different.len() > 990, "each key is a fresh one: {} of 1000", different.len());
}

#[test]
fn keys_are_not_shown() {
    assert_eq!(format!("{:?}", MaskKeys::from_seed([1; 32])), "MaskKeys(..)");
}

#[test]
fn a_client_masks_every_frame_with_a_new_key_that_follows_from_the_seed() {
    let send = |seed: u8| {
        let mut client = Connection::client(Arc::new(config()), [seed; 32]);
        for n in 0..50u8 {
            client.send_binary(&[n; 20]).unwrap();
            client.ping(&[n]).unwrap();
        }
        written(&mut client)
    };
    let bytes = send(1);
    assert_eq!(bytes, send(1), "a run can be replayed");
    assert_ne!(bytes, send(2));

    let mut buffer = bytes;
    let mut input = buffer.as_mut_slice();
    let mut decoder = FrameDecoder::new(Role::Server);
    let mut keys = HashSet::new();
    while let Some(item) = decoder.decode(&mut input).unwrap() {
        match item {
            FrameItem::Header(header) => {
                assert!(keys.insert(header.mask.unwrap()), "a key is not used twice")
            }
            FrameItem::Payload { bytes, .. } => assert!(bytes.windows(2).all(|pair| pair[0] == pair[1])),
        }
    }
    assert_eq!(keys.len(), 100);
}

#[test]
fn a_server_masks_nothing() {
    let mut server = Connection::server(Arc::new(config()));
    server.send_text("plain").unwrap();
    server.ping(b"ping").unwrap();
    assert_eq!(written(&mut server), b"\x89\x04ping\x81\x05plain");
}

#[test]
fn the_decoder_unmasks_whatever_the_split() {
    let payload = XorShift::new(4).bytes(40);
    for key in [KEY, [0; 4], [0xFF; 4], [1, 0, 0, 0]] {
        let stream = support::frame(support::BINARY, &payload, Some(key));
        for cut in 0..=stream.len() {
            let mut decoder = FrameDecoder::new(Role::Server);
            let mut found = Vec::new();
            for part in [&stream[..cut], &stream[cut..]] {
                let mut buffer = part.to_vec();
                let mut input = buffer.as_mut_slice();
                while let Some(item) = decoder.decode(&mut input).unwrap() {
                    if let FrameItem::Payload { bytes, .. } = item {
                        found.extend_from_slice(bytes);
                    }
                }
            }
            assert_eq!(found, payload);
        }
    }
}
