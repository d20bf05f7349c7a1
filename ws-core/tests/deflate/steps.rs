//! Large messages that are inflated in steps of 64 KiB, between which a driver lets other connections have their turn.

use ws_core::{Config, Connection, DataType, Event, Message, Piece, Received, Role};

use super::connection::{agreed, client, server, written};
use crate::support::miri::few_or;
use crate::support::{self, ROLES};

pub(crate) const STEP: usize = 64 << 10;
/// What a piece has at most.
const PIECE: usize = 16 << 10;

/// Text that compresses, in which no part repeats exactly.
pub(crate) fn text(len: usize) -> String {
    (0u32..).flat_map(|n| format!("{n:x} ").into_bytes()).take(len).map(char::from).collect()
}

pub(crate) fn large() -> usize {
    few_or(3, 16) * STEP
}

/// One end that sends, one that receives.
pub(crate) fn pair(receiver: Role, takeover: bool) -> (Connection, Connection) {
    let client = client(Config::client(), agreed(takeover));
    let server = server(Config::server(), agreed(takeover));
    match receiver {
        Role::Server => (client, server),
        Role::Client => (server, client),
    }
}

/// The message that an event is.
fn data(event: Event<'_>) -> Option<Message> {
    match event {
        Event::Text(text) => Some(Message::text(text.into_owned())),
        Event::Binary(bytes) => Some(bytes.into()),
        _ => None,
    }
}

/// The messages in `bytes`, received in parts as a driver does, and how many turns others have had.
fn receive_in_steps(connection: &mut Connection, bytes: &[u8], part: usize) -> (Vec<Message>, usize) {
    let (mut messages, mut turns) = (Vec::new(), 0);
    for chunk in bytes.chunks(part) {
        let mut chunk = chunk.to_vec();
        let mut input = chunk.as_mut_slice();
        loop {
            match connection.receive_next(&mut input).unwrap() {
                Received::Event(event) => messages.extend(data(event)),
                Received::Unfinished => turns += 1,
                Received::Nothing => break,
                Received::Large(_) => panic!("a compressed message was left in the input"),
            }
        }
    }
    (messages, turns)
}

pub(crate) fn compressed(connection: &mut Connection, message: &Message) -> Vec<u8> {
    connection.send(message.clone()).unwrap();
    written(connection)
}

#[test]
fn a_call_inflates_at_most_64_kib_in_either_role_text_and_binary() {
    for (role, takeover) in ROLES.into_iter().flat_map(|role| [(role, false), (role, true)]) {
        let messages = [
            Message::binary(vec![0; large()]),
            Message::text("0".repeat(large())),
            Message::text(text(large())),
            Message::binary(text(large())),
        ];
        for message in messages {
            let bytes = compressed(&mut pair(role, takeover).0, &message);
            assert!(bytes.len() < message.len() * 3 / 4);
            for calls in 1..large() / STEP {
                let (_, mut receiver) = pair(role, takeover);
                let mut bytes = bytes.clone();
                let mut input = bytes.as_mut_slice();
                for _ in 0..calls {
                    let received = receiver.receive_next(&mut input);
                    assert!(matches!(received, Ok(Received::Unfinished)), "{received:?}");
                }
                // All that the calls have inflated is in the first piece.
                let (_, last) = piece(&mut receiver, &mut input);
                let inflated = message.len() - rest(&mut receiver, input, last);
                assert!(inflated >= calls * STEP, "{inflated} bytes in {calls} calls");
                assert!(inflated <= calls * (STEP + PIECE) + PIECE, "{inflated} bytes in {calls} calls");
            }
        }
    }
}

/// The length of the next piece, and whether it is the last.
fn piece(receiver: &mut Connection, input: &mut &mut [u8]) -> (usize, bool) {
    match receiver.receive_piece(input).unwrap().unwrap() {
        Piece::Text { text, last } => (text.len(), last),
        Piece::Binary { bytes, last } => (bytes.len(), last),
        other => panic!("{other:?}"),
    }
}

/// How many bytes are still to come of a message.
fn rest(receiver: &mut Connection, mut input: &mut [u8], mut last: bool) -> usize {
    let mut all = 0;
    while !last {
        let len;
        (len, last) = piece(receiver, &mut input);
        all += len;
    }
    all
}

#[test]
fn messages_in_steps_are_those_that_were_sent_and_others_have_a_turn_for_each_64_kib() {
    for (role, takeover) in ROLES.into_iter().flat_map(|role| [(role, false), (role, true)]) {
        let (mut sender, mut receiver) = pair(role, takeover);
        for part in [usize::MAX, STEP, 1000] {
            for message in [Message::binary(vec![0; large()]), Message::text(text(large()))] {
                let bytes = compressed(&mut sender, &message);
                let (messages, turns) = receive_in_steps(&mut receiver, &bytes, part);
                assert_eq!(messages, [message]);
                let least = large() / (STEP + PIECE) - 1;
                assert!((least..=large() / STEP + 1).contains(&turns), "{turns} turns");
            }
        }
    }
}

#[test]
fn small_messages_and_fragments_add_up_to_turns() {
    let (mut sender, mut receiver) = pair(Role::Server, true);
    let message = Message::text(text(STEP - 1000));
    let count = few_or(3, 16);
    let bytes: Vec<u8> = (0..count).flat_map(|_| compressed(&mut sender, &message)).collect();
    let (messages, turns) = receive_in_steps(&mut receiver, &bytes, usize::MAX);
    assert_eq!(messages.len(), count);
    assert!(turns >= count / 2, "{turns} turns");
    for n in 0..count {
        sender.send_piece(DataType::Text, message.as_bytes(), n + 1 == count).unwrap();
    }
    let bytes = written(&mut sender);
    let (messages, turns) = receive_in_steps(&mut receiver, &bytes, usize::MAX);
    assert_eq!(messages.len(), 1);
    assert!(turns >= count / 2, "{turns} turns");
}

#[test]
fn blocks_that_inflate_to_nothing_end_a_turn_too() {
    let (_, mut receiver) = pair(Role::Server, false);
    // Empty stored blocks, then an empty fixed one.
    let mut payload = [0, 0, 0, 0xff, 0xff].repeat(few_or(3, 10) * STEP / 5);
    payload.push(0);
    let bytes = support::frame(0xC2, &payload, Some(support::KEY));
    let (messages, turns) = receive_in_steps(&mut receiver, &bytes, usize::MAX);
    assert_eq!(messages, [Message::binary(vec![])]);
    assert!(turns >= payload.len() / STEP - 1, "{turns} turns");
}

#[test]
fn a_message_in_steps_can_be_continued_whole_and_in_pieces() {
    let messages = [Message::binary(vec![7; 300_000]), Message::text("7".repeat(300_000))];
    for (in_pieces, message) in
        [false, true].into_iter().flat_map(|way| messages.iter().map(move |m| (way, m)))
    {
        let (mut sender, mut receiver) = pair(Role::Server, true);
        for _ in 0..3 {
            let mut bytes = compressed(&mut sender, message);
            let mut input = bytes.as_mut_slice();
            while !matches!(receiver.receive_next(&mut input), Ok(Received::Unfinished)) {}
            if in_pieces {
                assert_eq!(rest(&mut receiver, input, false), message.len());
            } else {
                let event = receiver.receive(&mut input).unwrap().unwrap();
                assert_eq!(data(event).unwrap(), *message);
            }
        }
    }
}

#[test]
fn what_is_still_to_be_inflated_counts_as_memory_and_as_progress() {
    let (mut sender, _) = pair(Role::Server, false);
    let mut receiver = server(Config::server().keepalive(None), agreed(false));
    let mut bytes = compressed(&mut sender, &Message::text(text(large())));
    let len = bytes.len();
    let mut input = bytes.as_mut_slice();
    let second = std::time::Duration::from_secs(1);
    let mut now = second;
    receiver.next_timeout(now);
    let mut turns = 0;
    while let Received::Unfinished = receiver.receive_next(&mut input).unwrap() {
        assert!(receiver.is_unfinished());
        let inflated = receiver.memory_usage().inflated;
        assert!(turns > 0 || inflated > len - input.len() - STEP, "{inflated} bytes");
        // Each turn of the others takes nearly as long as a message may stand still.
        now += 59 * second;
        receiver.next_timeout(now);
        receiver.handle_timeout(now);
        assert!(receiver.is_open(), "{:?}", receiver.close_info());
        turns += 1;
    }
    assert!(turns > 1 && !receiver.is_unfinished());
    assert!(receiver.memory_usage().inflated < len);
}
