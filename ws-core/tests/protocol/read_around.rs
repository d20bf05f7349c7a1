//! Large payloads that are read into their final memory instead of the shared buffer.

use crate::message_limits::assert_bounded;
use crate::support;
use crate::support::miri::few_or;
use crate::support::{
    BINARY, BINARY_PART, LAST, PART, PING, ROLES, TEXT, XorShift, binary, config, give, open, sent_to,
    stream_to,
};
use bytes::BytesMut;
use ws_core::{Event, Role};

/// Feeds `stream` in parts, going around the shared buffer wherever the connection offers it.
fn receive_around(role: Role, stream: &[u8], part: usize, read: usize) -> (Vec<Event<'static>>, usize) {
    let mut connection = open(role, &config());
    let (mut rest, mut events, mut around) = (stream, Vec::new(), 0);
    while !rest.is_empty() {
        let step = connection.read_large_payload(|buffer, most| {
            let n = most.min(read).min(rest.len());
            buffer.extend_from_slice(&rest[..n]);
            n
        });
        if let Some((n, message)) = step {
            rest = &rest[n..];
            around += n;
            events.extend(message.map(|bytes| binary(&bytes)));
        } else {
            let n = part.min(rest.len());
            events.extend(give(&mut connection, &rest[..n]).unwrap());
            rest = &rest[n..];
        }
        assert_bounded(&connection, stream.len() - rest.len());
    }
    assert!(connection.memory_usage().total() < 512, "only the pong waits");
    (events, around)
}

#[test]
fn a_large_payload_read_around_the_buffer_gives_the_same_events() {
    let payload = XorShift::new(3).bytes(few_or(100_000, 300_000));
    for role in ROLES {
        let stream = stream_to(
            role,
            &[
                (BINARY, &payload),
                (BINARY_PART, &payload),
                (PING, b"p"),
                (PART, b""),
                (LAST, &payload[..99_999]),
            ],
        );
        let both = [payload.as_slice(), &payload[..99_999]].concat();
        for (part, read) in [(1, 7000), (4096, 100_000), (100, usize::MAX), (17, 65_536), (70_000, 1000)]
            .into_iter()
            .skip(few_or(1, 0))
            .step_by(few_or(3, 1))
        {
            let (events, around) = receive_around(role, &stream, part, read);
            assert_eq!(events, [binary(&payload), support::ping(b"p"), binary(&both)]);
            assert!(around > 0, "it is used");
        }
    }
}

#[test]
fn a_payload_is_read_around_the_buffer_while_64_kib_of_it_are_to_come_and_it_is_received_whole() {
    for role in ROLES {
        let stream = sent_to(role, BINARY, &[5; 100_000]);
        let left = |left: usize| {
            let mut connection = open(role, &config());
            give(&mut connection, &stream[..stream.len() - left]).unwrap();
            connection
        };
        assert_eq!(left(65_536).read_large_payload(|_, most| most), Some((65_536, None)));
        assert!(left(65_535).read_large_payload(|_, _| ()).is_none());
        assert!(left(100_000).read_large_payload(|_, _| ()).is_none(), "none of it has come");

        // What has been begun so goes on so, to the last byte.
        let mut begun = left(90_000);
        let take =
            |buffer: &mut BytesMut, n: usize| buffer.extend_from_slice(&stream[stream.len() - n..][..1]);
        assert!(begun.read_large_payload(|buffer, _| buffer.extend_from_slice(&stream[..89_990])).is_some());
        for left in (1..=10).rev() {
            let (most, message) =
                begun.read_large_payload(|buffer, most| (take(buffer, left), most).1).unwrap();
            assert_eq!((most, message.is_some()), (left, left == 1));
        }
        assert!(begun.read_large_payload(|_, _| ()).is_none(), "it is over");

        // Of the next frame it is asked anew: frames of a kilobyte each would be a read each.
        let stream = stream_to(role, &[(BINARY_PART, &[5; 100_000]), (PART, &[5; 1000])]);
        let next = stream.len() - sent_to(role, PART, &[5; 1000]).len();
        let mut fragments = open(role, &config());
        give(&mut fragments, &stream[..next - 90_000]).unwrap();
        let rest = &stream[next - 90_000..next];
        assert!(fragments.read_large_payload(|buffer, _| buffer.extend_from_slice(rest)).is_some());
        give(&mut fragments, &stream[next..stream.len() - 500]).unwrap();
        assert!(fragments.read_large_payload(|_, _| ()).is_none());

        let mut in_pieces = open(role, &config());
        let mut begun = stream[..stream.len() - 90_000].to_vec();
        assert!(in_pieces.receive_piece(&mut begun.as_mut_slice()).unwrap().is_some());
        assert!(in_pieces.read_large_payload(|_, _| ()).is_none());
    }
}

#[cfg(feature = "deflate")]
#[test]
fn a_compressed_payload_is_never_read_around_the_buffer() {
    use ws_core::deflate::{self, Agreed, PerMessageDeflate};

    let codec = PerMessageDeflate::server(Agreed::PLAIN, &deflate::Config::server());
    let mut server = open(Role::Server, &config()).with_deflate(codec);
    // Stored blocks: as large as what they hold.
    let payload = [&[0x00, 100, 0, 155, 255][..], &[5; 100]].concat().repeat(1000);
    let stream = sent_to(Role::Server, 0x40 | BINARY, &payload);
    give(&mut server, &stream[..1000]).unwrap();
    assert!(server.read_large_payload(|_, _| ()).is_none());
}

#[test]
fn a_text_and_a_small_payload_are_never_read_around_the_buffer() {
    for role in ROLES {
        for (first, len) in [(TEXT, 200_000), (BINARY, 65_000)] {
            let stream = sent_to(role, first, &vec![b'x'; len]);
            let mut connection = open(role, &config());
            give(&mut connection, &stream[..stream.len() - len + 10]).unwrap();
            assert!(connection.read_large_payload(|_, _| panic!("not to be called")).is_none());
        }
    }
}

#[test]
fn a_read_that_brings_nothing_or_too_much_does_no_harm() {
    for role in ROLES {
        let payload = vec![5; 100_000];
        let stream = sent_to(role, BINARY, &payload);
        let mut connection = open(role, &config());
        let head = stream.len() - payload.len();
        give(&mut connection, &stream[..head + 1]).unwrap();
        for _ in 0..3 {
            assert_eq!(connection.read_large_payload(|_, most| most), Some((99_999, None)));
            assert_bounded(&connection, 1);
        }
        let mut aborted = open(role, &config());
        give(&mut aborted, &stream[..head + 1]).unwrap();
        aborted.abort();
        assert_eq!(aborted.read_large_payload(|_, _| ()), None, "it is over");
        let too_much = [&stream[head + 1..], b"more than belongs to it"].concat();
        let (_, message) = connection.read_large_payload(|buffer, _| buffer.extend(too_much)).unwrap();
        assert_eq!(message.unwrap(), payload);
    }
}
