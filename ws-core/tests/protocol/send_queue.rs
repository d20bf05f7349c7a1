//! The order in which queued frames go out, and what the queue costs.

use crate::support::miri::few_or;
use crate::support::{
    BINARY, CLOSE, PING, PONG, ROLES, TEXT, XorShift, config, frames_from, give, open, s, sent_to, written,
};
use bytes::{Buf, Bytes};
use ws_core::{CloseCode, Connection, DataType, Message};

/// Writes `n` bytes, as a transport that takes no more.
fn write(connection: &mut Connection, mut n: usize, wire: &mut Vec<u8>) {
    let mut output = connection.output();
    while n > 0 && output.has_remaining() {
        let chunk = output.chunk();
        let step = chunk.len().min(n);
        assert!(step > 0, "bytes remain, but there is no chunk");
        wire.extend_from_slice(&chunk[..step]);
        output.advance(step);
        n -= step;
    }
}

/// The same with one vectored write.
#[cfg(feature = "std")]
fn write_vectored(connection: &mut Connection, n: usize, wire: &mut Vec<u8>) {
    let mut output = connection.output();
    let mut slices = [std::io::IoSlice::new(&[]); 7];
    let used = output.chunks_vectored(&mut slices);
    assert_eq!(used > 0, output.has_remaining());
    let all: Vec<u8> = slices[..used].iter().flat_map(|slice| slice.iter().copied()).collect();
    assert!(slices[..used].iter().all(|slice| !slice.is_empty()));
    let n = n.min(all.len());
    wire.extend_from_slice(&all[..n]);
    output.advance(n);
}

#[cfg(not(feature = "std"))]
use write as write_vectored;

#[test]
fn control_frames_overtake_data_that_has_not_begun() {
    for role in ROLES {
        let mut connection = open(role, &config());
        connection.send_text("one").unwrap();
        connection.send_text("two").unwrap();
        connection.ping(b"p").unwrap();
        let frames = frames_from(role, &written(&mut connection));
        assert_eq!(frames.iter().map(|f| f.0).collect::<Vec<_>>(), [PING, TEXT, TEXT]);
    }
}

/// A transport may take a large write by its beginning, and be slow to send it. What the peer is to answer within a time ends the
/// write, so that no transport takes it because of what follows.
#[cfg(feature = "std")]
#[test]
fn a_vectored_write_ends_with_a_keepalive_ping() {
    for role in ROLES {
        let mut connection = open(role, &config());
        connection.next_timeout(s(0.0));
        connection.send(Message::binary(vec![1; 5000])).unwrap();
        let mut wire = Vec::new();
        write_vectored(&mut connection, 1000, &mut wire);
        assert_eq!(connection.next_timeout(s(1.0)), Some(s(20.0)));
        connection.handle_timeout(s(20.0));
        connection.send(Message::binary(vec![2; 5000])).unwrap();
        write_vectored(&mut connection, usize::MAX, &mut wire);
        let kinds: Vec<_> = frames_from(role, &wire).iter().map(|frame| frame.0).collect();
        assert_eq!(kinds, [BINARY, PING]);
        write_vectored(&mut connection, usize::MAX, &mut wire);
        assert_eq!((connection.queued(), frames_from(role, &wire).len()), (0, 3));
    }
}

#[test]
fn control_frames_wait_for_the_next_border_wherever_writing_has_stopped() {
    for role in ROLES {
        for large in [false, true] {
            let payloads = [vec![1; 20], vec![2; if large { 5000 } else { 30 }], vec![3; 10]];
            let total: usize = {
                let mut connection = open(role, &config());
                payloads.iter().for_each(|p| connection.send(p.clone().into()).unwrap());
                connection.queued()
            };
            let stops = (0..total).filter(|stop| *stop < 100 || stop % 97 == 0 || stop + 60 > total);
            for stop in stops.step_by(few_or(29, 1)) {
                let mut connection = open(role, &config());
                payloads.iter().for_each(|p| connection.send(p.clone().into()).unwrap());
                let mut wire = Vec::new();
                write(&mut connection, stop, &mut wire);
                connection.ping(b"now").unwrap();
                wire.extend(written(&mut connection));
                let frames = frames_from(role, &wire);
                let at = frames.iter().position(|f| *f == (PING, b"now".to_vec())).unwrap();
                let before: usize = frames[..at].iter().map(|f| f.1.len() + head(role, f.1.len())).sum();
                let last = frames[..at].last().map_or(0, |f| f.1.len() + head(role, f.1.len()));
                assert!(before >= stop && (stop == 0 || before - stop < last), "the first border: {stop}");
                let data: Vec<_> = frames.into_iter().filter(|f| f.0 == BINARY).map(|f| f.1).collect();
                assert_eq!(data, payloads);
            }
        }
    }
}

const fn head(role: ws_core::Role, len: usize) -> usize {
    let mask = if matches!(role, ws_core::Role::Client) { 4 } else { 0 };
    mask + match len {
        0..126 => 2,
        126..65_536 => 4,
        _ => 10,
    }
}

#[test]
fn a_pong_waits_for_one_frame_of_a_large_message_and_not_for_all() {
    for role in ROLES {
        let mut connection = open(role, &config());
        connection.send(Message::binary(vec![0; few_or(600_000, 900_000)])).unwrap();
        let mut wire = Vec::new();
        write(&mut connection, 1000, &mut wire);
        give(&mut connection, &sent_to(role, PING, b"?")).unwrap();
        wire.extend(written(&mut connection));
        assert_eq!(frames_from(role, &wire)[1], (PONG, b"?".to_vec()));
    }
}

#[test]
fn pongs_wait_in_order_and_users_pings_and_pongs_have_their_own_place() {
    for role in ROLES {
        let mut connection = open(role, &config());
        connection.pong(b"mine").unwrap();
        connection.ping(b"ask").unwrap();
        give(&mut connection, &sent_to(role, PING, b"1")).unwrap();
        give(&mut connection, &sent_to(role, PING, b"2")).unwrap();
        let frames = frames_from(role, &written(&mut connection));
        let expected: [(u8, &[u8]); 4] = [(PONG, b"1"), (PONG, b"2"), (PONG, b"mine"), (PING, b"ask")];
        assert_eq!(frames, expected.map(|(first, payload)| (first, payload.to_vec())));
    }
}

#[test]
fn beyond_four_of_the_largest_the_latest_pong_replaces_those_that_wait() {
    for role in ROLES {
        let mut connection = open(role, &config());
        connection.ping(b"ask").unwrap();
        for n in 0..4 {
            give(&mut connection, &sent_to(role, PING, &[n; 125])).unwrap();
        }
        assert!(connection.queued() > 4 * 125, "four fit");
        give(&mut connection, &sent_to(role, PING, &[4; 125])).unwrap();
        let frames = frames_from(role, &written(&mut connection));
        assert_eq!(frames, [(PONG, vec![4; 125]), (PING, b"ask".to_vec())]);
    }
}

#[test]
fn a_pong_that_is_on_its_way_is_not_replaced() {
    for role in ROLES {
        let mut connection = open(role, &config());
        let mut wire = Vec::new();
        give(&mut connection, &sent_to(role, PING, b"first")).unwrap();
        write(&mut connection, 3, &mut wire);
        for n in 0..5 {
            give(&mut connection, &sent_to(role, PING, &[n; 125])).unwrap();
        }
        wire.extend(written(&mut connection));
        assert_eq!(frames_from(role, &wire), [(PONG, b"first".to_vec()), (PONG, vec![4; 125])]);
    }
}

#[test]
fn a_queue_that_never_drains_keeps_its_memory_within_four_times_the_cap() {
    for (role, waiting) in ROLES.into_iter().flat_map(|role| [(role, 50_000), (role, 5_000)]) {
        let mut config = config();
        config.send_high_water = 20_000;
        config.max_queued = 60_000;
        config.max_frame_size = 4000;
        let mut connection = open(role, &config);
        let (mut sent, mut wire, mut largest) = (0u32, Vec::new(), 0);
        let mut rng = XorShift::new(23);
        let rounds = few_or(50, 2500);
        for _ in 0..rounds {
            while connection.queued() < waiting {
                connection.send_binary(&sent.to_be_bytes().repeat(1 + rng.below(60))).unwrap();
                sent += 1;
            }
            write(&mut connection, rng.below(1500), &mut wire);
            largest = largest.max(connection.memory_usage().total());
        }
        assert!(wire.len() > 600 * rounds, "{} bytes went out", wire.len());
        assert!(largest <= 4 * 60_000, "{largest} bytes of memory");
        wire.extend(written(&mut connection));
        let frames = frames_from(role, &wire);
        assert_eq!(frames.len(), sent as usize);
        assert!(frames.iter().zip(0u32..).all(|(frame, n)| frame.1[..4] == n.to_be_bytes()));
    }
}

#[test]
fn any_mixture_written_in_any_parts_arrives_in_order() {
    for role in ROLES {
        for seed in 0..few_or(3, 60) as u64 {
            let mut rng = XorShift::new(seed);
            let mut config = config();
            config.max_frame_size = [300, 5000, 1 << 20][rng.below(3)];
            config.max_queued = 100_000;
            let mut connection = open(role, &config);
            let (mut wire, mut data, mut own, mut asked) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
            let mut open_message: Option<Vec<u8>> = None;
            for step in 0..few_or(40, 200) as u32 {
                let tag = step.to_be_bytes();
                let choice = if open_message.is_some() { 3 + rng.below(5) } else { rng.below(8) };
                match choice {
                    0 => {
                        let payload = tag.repeat(1 + rng.below(20));
                        data.extend(connection.send_binary(&payload).is_ok().then_some(payload));
                    }
                    1 => {
                        // A client masks the larger ones as they are written.
                        let most = [4000, 30_000][rng.below(2)];
                        let payload = Bytes::from(tag.repeat(1000 + rng.below(most)));
                        let sent = connection.send(payload.clone().into());
                        data.extend(sent.is_ok().then(|| payload.to_vec()));
                    }
                    2 => {
                        let payload = tag.repeat(1000 + rng.below(4000));
                        let sent = connection.send(Message::binary(payload.clone()));
                        data.extend(sent.is_ok().then_some(payload));
                    }
                    3 => {
                        let (piece, last) = (tag.repeat(rng.below(200)), rng.below(2) == 0);
                        if connection.send_piece(DataType::Binary, &piece, last).is_ok() {
                            let mut message = open_message.take().unwrap_or_default();
                            message.extend(piece);
                            if last { data.push(message) } else { open_message = Some(message) }
                        }
                    }
                    4 => own.extend(connection.ping(&tag).is_ok().then(|| (PING, tag.to_vec()))),
                    5 => {
                        give(&mut connection, &sent_to(role, PING, &tag)).unwrap();
                        asked.push(tag.to_vec());
                    }
                    6 => write_vectored(&mut connection, rng.below(9000), &mut wire),
                    _ => write(&mut connection, [1, 7, 100, 5000, 40_000][rng.below(5)], &mut wire),
                }
                assert!(connection.memory_usage().total() < 500_000);
            }
            let closed = open_message.is_none() && rng.below(2) == 0;
            wire.extend(written(&mut connection));
            if closed {
                connection.close(CloseCode::NORMAL_CLOSURE, "").unwrap();
                wire.extend(written(&mut connection));
            }
            if let Some(message) = open_message {
                connection.send_piece(DataType::Binary, b"end", true).unwrap();
                data.push([message.as_slice(), b"end"].concat());
                wire.extend(written(&mut connection));
            }
            check(frames_from(role, &wire), &data, &own, &asked, closed, seed);
        }
    }
}

/// That each class of frames is in order and complete: data and user pings wholly, pongs the latest.
fn check(
    frames: Vec<(u8, Vec<u8>)>,
    data: &[Vec<u8>],
    own: &[(u8, Vec<u8>)],
    asked: &[Vec<u8>],
    closed: bool,
    seed: u64,
) {
    let (mut messages, mut current, mut pings, mut pongs) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let count = frames.len();
    for (n, (first, payload)) in frames.into_iter().enumerate() {
        match first {
            PING => pings.push((first, payload)),
            PONG => pongs.push(payload),
            CLOSE => assert!(closed && n + 1 == count, "a Close, and nothing behind it"),
            _ => {
                current.extend(payload);
                if first & 0x80 != 0 {
                    messages.push(std::mem::take(&mut current));
                }
            }
        }
    }
    assert!(messages == data, "messages differ, seed {seed}");
    assert_eq!(pings, own, "seed {seed}");
    let mut rest = asked.iter();
    assert!(pongs.iter().all(|pong| rest.any(|ping| ping == pong)), "pongs in the order of their pings");
    assert_eq!(pongs.last(), asked.last(), "the latest ping is answered, seed {seed}");
}

#[test]
fn advancing_beyond_the_end_is_the_end() {
    for role in ROLES {
        for ping in [false, true] {
            let mut connection = open(role, &config());
            connection.send(vec![7; 5000].into()).unwrap();
            if ping {
                connection.ping(b"p").unwrap();
            }
            let beyond = connection.queued() + 1000;
            connection.output().advance(beyond);
            assert_eq!((connection.queued(), connection.output().has_remaining()), (0, false));
            connection.send_text("next").unwrap();
            assert_eq!(frames_from(role, &written(&mut connection)), [(TEXT, b"next".to_vec())]);
        }
    }
}

#[test]
fn an_allocation_is_lent_and_given_back_once_all_is_written() {
    for role in ROLES {
        let mut connection = open(role, &config());
        assert_eq!(connection.memory_usage().total(), 0);
        assert_eq!(connection.reclaim_buffer(), None);
        assert!(connection.wants_buffer());
        connection.lend_buffer(Vec::with_capacity(1000));
        assert!(!connection.wants_buffer());
        connection.send_text("x").unwrap();
        connection.ping(b"p").unwrap();
        assert_eq!(connection.reclaim_buffer(), None, "it is in use");
        written(&mut connection);
        let buffer = connection.reclaim_buffer().unwrap();
        assert_eq!((buffer.len(), buffer.capacity()), (0, 1000));
        assert_eq!(connection.memory_usage().total(), 0, "an idle connection holds none");
        connection.send_text("y").unwrap();
        connection.lend_buffer(Vec::with_capacity(1000));
        assert_eq!(
            frames_from(role, &written(&mut connection)),
            [(TEXT, b"y".to_vec())],
            "one of its own stays"
        );
    }
}
