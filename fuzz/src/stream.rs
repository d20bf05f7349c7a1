//! The oracle of `connection_server` and `connection_client`: settings, splits and a stream from the peer.

use std::sync::Arc;

use bytes::Buf;
use ws_core::deflate::{self, Agreed, PerMessageDeflate, WindowBits};
use ws_core::{Config, Connection, Role};

use crate::heap::Mark;
use crate::inflate::Inflater;
use crate::reference::{self, Limits, Reading};
use crate::{End, Input, Outcome, Received, Splits, record};

/// Whatever the stream and the splits, the connection of `role` hears what the reference hears, answers
/// as RFC 6455 has it, and holds no more memory than it may.
pub fn check(role: Role, data: &[u8]) {
    let mut input = Input::new(data);
    let settings = Settings::take(role, &mut input);
    let splits = input.splits();
    let stream = input.rest();
    let config = &settings.config;
    let limits = Limits {
        message: config.max_message_size.min(LARGEST_WHOLE),
        fragments: config.fragment_limit(),
        control: config.max_control_rate.map_or(u64::MAX, u64::from),
    };
    let expected = reference::read(role, limits, settings.inflater(), stream);

    let mut first = None;
    for splits in [Splits::whole(), splits.clone(), Splits::bytewise()] {
        let mut connection = settings.connect();
        let outcome = record::receive(&mut connection, stream, splits.clone(), |_| ());
        compare(&outcome, &expected);
        assert_eq!(&outcome, first.get_or_insert_with(|| outcome.clone()), "{splits:?}");
        check_answer(&mut connection, &outcome);
    }
    let mut connection = settings.connect();
    let outcome = record::receive_shared(&mut connection, stream, splits.clone());
    assert_eq!(Some(&outcome), first.as_ref(), "from shared buffers, {splits:?}");
    check_answer(&mut connection, &outcome);

    let mut connection = settings.connect();
    let outcome = record::receive_pieces(&mut connection, stream, splits.clone());
    assert_eq!(Some(&outcome), first.as_ref(), "in pieces, {splits:?}");
    check_answer(&mut connection, &outcome);

    let expected_end = outcome.end;
    let mut connection = settings.connect();
    let (outcome, messages) = record::receive_by_turns(&mut connection, stream, splits.clone());
    let (data, controls): (Vec<_>, Vec<_>) = first.unwrap().received.into_iter().partition(Received::is_data);
    assert_eq!((outcome.received, outcome.end), (controls, expected_end), "by turns, {splits:?}");
    // A fault right behind a message that is passed over hides that it was whole.
    let hidden = usize::from(messages.len() < data.len() && matches!(outcome.end, End::Failed(_)));
    let same = |(message, data): (&Option<_>, _)| message.as_ref().is_none_or(|message| message == data);
    assert!(
        messages.len() + hidden == data.len() && messages.iter().zip(&data).all(same),
        "by turns, {splits:?}: {messages:?} instead of {data:?}"
    );

    check_answers_on_the_way(&settings, stream, splits.clone());
    check_memory(&settings, stream, splits);
}

/// The settings of a connection.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Which end it is.
    pub role: Role,
    /// Limits at and around the borders; they pass `Config::check`.
    pub config: Arc<Config>,
    /// permessage-deflate, if it is agreed.
    pub deflate: Option<Agreed>,
}

impl Settings {
    /// Four bytes of `input` choose them.
    pub fn take(role: Role, input: &mut Input<'_>) -> Self {
        let mut config = match role {
            Role::Server => Config::server(),
            Role::Client => Config::client(),
        };
        config.max_message_size = input.pick(&[1 << 20, 1, 5, 125, 126, 65_535, 65_536, u64::MAX]);
        config.max_fragments = input.pick(&[None, Some(1), Some(2), Some(9)]);
        config.max_control_rate = input.pick(&[None, None, Some(1), Some(3)]);
        let deflate = agreed(input);
        if deflate.is_some() {
            // The reference inflates a message anew with each of its frames.
            config.max_message_size = config.max_message_size.min(1 << 16);
        }
        // So that a message ends alike whether it is received whole or in pieces.
        config.max_stream_size = config.max_message_size.min(LARGEST_WHOLE);
        config.check().unwrap();
        Self { role, config: Arc::new(config), deflate }
    }

    /// A connection that replays.
    pub fn connect(&self) -> Connection {
        connect(self.role, &self.config, self.deflate)
    }

    /// The reference for what is received.
    pub fn inflater(&self) -> Option<Inflater> {
        self.deflate.map(|agreed| inflater(self.role, agreed))
    }
}

/// Parameters of permessage-deflate, or none, as the next byte of `input` says.
pub fn agreed(input: &mut Input<'_>) -> Option<Agreed> {
    let choice = input.byte();
    let bits = |n: u8| WindowBits::new(15 - n % 8).unwrap();
    (choice & 1 != 0).then(|| Agreed {
        server_no_context_takeover: choice & 2 != 0,
        client_no_context_takeover: choice & 4 != 0,
        server_max_window_bits: bits(choice >> 3),
        client_max_window_bits: bits(choice >> 5),
    })
}

/// What `receiver` inflates with.
pub fn inflater(receiver: Role, agreed: Agreed) -> Inflater {
    match receiver {
        Role::Server => {
            Inflater::new(agreed.client_max_window_bits.get(), !agreed.client_no_context_takeover)
        }
        Role::Client => {
            Inflater::new(agreed.server_max_window_bits.get(), !agreed.server_no_context_takeover)
        }
    }
}

/// A connection that replays; it compresses messages of any length.
pub fn connect(role: Role, config: &Arc<Config>, deflate: Option<Agreed>) -> Connection {
    let mut compression = deflate::Config::server();
    compression.threshold = 0;
    match role {
        Role::Server => {
            let connection = Connection::server(Arc::clone(config));
            match deflate {
                Some(agreed) => connection.with_deflate(PerMessageDeflate::server(agreed, &compression)),
                None => connection,
            }
        }
        Role::Client => {
            let connection = Connection::client(Arc::clone(config), [7; 32]);
            match deflate {
                Some(agreed) => connection.with_deflate(PerMessageDeflate::client(agreed, &compression)),
                None => connection,
            }
        }
    }
}

/// The other end.
pub fn peer(role: Role) -> Role {
    match role {
        Role::Server => Role::Client,
        Role::Client => Role::Server,
    }
}

/// Everything that waits to be written.
pub fn drain(connection: &mut Connection) -> Vec<u8> {
    let mut output = connection.output();
    let bytes = output.copy_to_bytes(output.remaining()).to_vec();
    // Control frames that wait behind others become ready only then.
    if bytes.is_empty() { bytes } else { [bytes, drain(connection)].concat() }
}

/// The outcome is that of the reference. Only that compressed data is corrupt may be found a few bits earlier: a decoder
/// with tables need not read the rest of a code that has no symbol.
fn compare(outcome: &Outcome, expected: &Reading) {
    let earlier = expected.any_compressed
        && outcome.end == End::Failed(1007)
        && expected.outcome.received.starts_with(&outcome.received);
    assert!(*outcome == expected.outcome || earlier, "{outcome:?} instead of {:?}", expected.outcome);
}

/// All that is left to say after the stream is known: a pong for the last ping, or the one Close.
fn check_answer(connection: &mut Connection, outcome: &Outcome) {
    let answer = reference::read(peer(connection.role()), Limits::NONE, None, &drain(connection));
    assert_eq!(answer.unfinished, 0, "half a frame is written");
    let said = &answer.outcome.received[..];
    match (outcome.end, said) {
        (End::Open, said) => {
            let pings = outcome.received.iter().filter_map(|received| match received {
                Received::Ping(payload) => Some(payload),
                _ => None,
            });
            let due: Vec<_> = pings.clone().cloned().map(Received::Pong).collect();
            // Each ping is answered while little waits; then the latest takes the place of those that wait (§5.5.3).
            let much = pings.map(|payload| 6 + payload.len()).sum::<usize>() > 500;
            let latest = much && !said.is_empty() && due.ends_with(said);
            assert!(said == due || latest, "{said:?} is said where {due:?} is due");
            assert!(
                connection.is_open() && connection.close_info().is_none() && !connection.wants_shutdown()
            );
        }
        (End::Closed, [Received::Close(echo)]) => {
            let Some(Received::Close(close)) = outcome.received.last() else { unreachable!() };
            assert_eq!(echo.as_ref().map(|(code, _)| code), close.as_ref().map(|(code, _)| code));
            let info = connection.close_info().unwrap();
            assert!(info.is_clean());
            assert_eq!(info.code().0, close.as_ref().map_or(1005, |(code, _)| *code));
            assert_eq!(connection.wants_shutdown(), connection.role() == Role::Server);
        }
        (End::Failed(code), [Received::Close(Some((sent, _)))]) if *sent == code => {
            let info = connection.close_info().unwrap();
            assert!(!info.is_clean() && info.code().0 == 1006);
            assert!(connection.wants_shutdown());
        }
        _ => panic!("{outcome:?} is answered with {said:?}"),
    }
    assert_eq!(connection.queued(), 0);
}

/// What is written between the pieces is valid as well, and comes to the same end.
fn check_answers_on_the_way(settings: &Settings, stream: &[u8], splits: Splits) {
    let mut connection = settings.connect();
    let mut written = Vec::new();
    let outcome =
        record::receive(&mut connection, stream, splits, |connection| written.extend(drain(connection)));
    let answer = reference::read(peer(settings.role), Limits::NONE, None, &written);
    assert_eq!(answer.unfinished, 0, "half a frame is written, or something after the Close");
    let closes = answer.outcome.received.iter().filter(|said| matches!(said, Received::Close(_))).count();
    assert_eq!(closes, usize::from(outcome.end != End::Open));
    // Each pong answers a ping, in order; some pings are passed over (section 5.5.3).
    let mut pings = outcome.received.iter().filter_map(|received| match received {
        Received::Ping(payload) => Some(payload),
        _ => None,
    });
    for said in &answer.outcome.received {
        match said {
            Received::Pong(pong) => assert!(pings.any(|ping| ping == pong), "{pong:?} answers no ping"),
            Received::Close(_) => {}
            other => panic!("{other:?} is said unasked"),
        }
    }
}

/// Checks that memory is allocated for received bytes, never for announced ones, and is reported correctly.
fn check_memory(settings: &Settings, stream: &[u8], mut splits: Splits) {
    let mut stream = stream.to_vec();
    let received = stream.len();
    let mut rest = &mut stream[..];
    let mark = Mark::set();
    let mut connection = settings.connect();
    // A codec is the thread's, not the connection's; it may come from the pool and go there.
    let pooled = if settings.deflate.is_some() { POOLED } else { 0 };
    while !rest.is_empty() {
        let n = splits.next(rest.len());
        let (mut piece, behind) = rest.split_at_mut(n);
        rest = behind;
        while let Ok(Some(_)) = connection.receive(&mut piece) {}
        let told = connection.memory_usage().total() + UNTOLD + pooled;
        assert!(mark.growth() <= told, "{} bytes are held, {told} are told", mark.growth());
    }
    drop(connection);
    let mut bound = 2 * received + (64 << 10) + pooled;
    if let Some(agreed) = settings.deflate {
        // What it inflates to, twice while it is moved to a larger place, and the history.
        bound += 2 * settings.config.max_message_size as usize
            + agreed.client_max_window_bits.bytes().max(agreed.server_max_window_bits.bytes());
    }
    assert!(mark.peak() <= bound, "{} bytes for {received}", mark.peak());
    assert!(mark.growth() <= pooled, "memory is left behind");
}

/// The largest message that is received whole, whatever `max_message_size` is.
const LARGEST_WHOLE: u64 = isize::MAX as u64 / 2;
/// What `memory_usage` leaves out: boxes of fixed size.
const UNTOLD: usize = 1024;
/// A decompressor, and the memory that it inflates into.
const POOLED: usize = (48 + 32) << 10;
