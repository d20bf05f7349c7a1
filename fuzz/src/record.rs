//! What a connection makes of a stream, recorded.

use bytes::{Buf, BytesMut};
use ws_core::{CloseFrame, Connection, Event, Piece, ProtocolError, Received as Next};

use crate::Splits;

/// Something received, on its own.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Received {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    /// A code and a reason, if the frame had a body.
    Close(Option<(u16, String)>),
}

/// How a stream ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// More may come.
    Open,
    /// A Close frame came.
    Closed,
    /// The connection is failed with this code.
    Failed(u16),
}

/// What a stream holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Messages and control frames in order.
    pub received: Vec<Received>,
    /// How it ends.
    pub end: End,
}

impl Outcome {
    /// Nothing so far.
    pub fn new() -> Self {
        Self { received: Vec::new(), end: End::Open }
    }
}

impl Default for Outcome {
    fn default() -> Self {
        Self::new()
    }
}

impl Received {
    /// Whether it is a text or binary message.
    pub fn is_data(&self) -> bool {
        matches!(self, Self::Text(_) | Self::Binary(_))
    }
}

impl From<Event<'_>> for Received {
    fn from(event: Event<'_>) -> Self {
        match event {
            Event::Text(text) => Self::Text(text.into_owned()),
            Event::Binary(bytes) => Self::Binary(bytes.to_vec()),
            Event::Ping(payload) => Self::Ping(payload.into_owned()),
            Event::Pong(payload) => Self::Pong(payload.into_owned()),
            Event::Close(frame) => Self::Close(frame.map(close)),
        }
    }
}

fn close(frame: CloseFrame) -> (u16, String) {
    (frame.code.into(), frame.reason.to_string())
}

/// Lends `stream` to `connection` in pieces and records what it says of it.
///
/// It sees to it that a piece is used up before the next is asked for, that an end is the end, and
/// that the connection agrees with itself about its state. `between` is called after each piece.
pub fn receive(
    connection: &mut Connection,
    stream: &[u8],
    splits: Splits,
    mut between: impl FnMut(&mut Connection),
) -> Outcome {
    let mut outcome = Outcome::new();
    for piece in splits.cut(stream) {
        let mut piece = piece.to_vec();
        let mut input = &mut piece[..];
        loop {
            match connection.receive(&mut input) {
                Ok(Some(event)) => record(&mut outcome, event.into()),
                Ok(None) => break,
                Err(error) => fail(&mut outcome, error),
            }
        }
        assert!(input.is_empty(), "input is left although more is wanted");
        between(connection);
    }
    outcome
}

/// The same from buffers that large messages are taken with.
pub fn receive_shared(connection: &mut Connection, stream: &[u8], splits: Splits) -> Outcome {
    let mut outcome = Outcome::new();
    for piece in splits.cut(stream) {
        let mut input = BytesMut::from(piece);
        loop {
            let mut unread = input.as_mut();
            let (mut large, mut unfinished) = (None, false);
            let received = connection.receive_next(&mut unread).map(|next| match next {
                Next::Event(event) => Some(Received::from(event)),
                Next::Large(message) => {
                    large = Some(message);
                    None
                }
                Next::Unfinished => {
                    unfinished = true;
                    None
                }
                Next::Nothing => None,
            });
            let left = unread.len();
            input.advance(input.len() - left);
            match (received, large) {
                (Ok(Some(received)), _) => record(&mut outcome, received),
                (_, Some(large)) => record(&mut outcome, Received::Binary(large.take(&mut input).to_vec())),
                (Ok(None), None) if unfinished => {}
                (Ok(None), None) => break,
                (Err(error), None) => fail(&mut outcome, error),
            }
        }
        assert!(input.is_empty(), "input is left although more is wanted");
    }
    outcome
}

/// The same in pieces: records whole messages put together from them.
pub fn receive_pieces(connection: &mut Connection, stream: &[u8], splits: Splits) -> Outcome {
    let mut outcome = Outcome::new();
    let mut message: Option<Received> = None;
    for piece in splits.cut(stream) {
        let mut piece = piece.to_vec();
        let mut input = &mut piece[..];
        loop {
            match connection.receive_piece(&mut input) {
                Ok(Some(part)) => {
                    let (part, last) = part_of(part);
                    if !part.is_data() {
                        record(&mut outcome, part);
                        continue;
                    }
                    let whole = match message.take() {
                        None => part,
                        Some(message) => join(message, part),
                    };
                    match last {
                        true => record(&mut outcome, whole),
                        false => message = Some(whole),
                    }
                }
                Ok(None) => break,
                Err(error) => fail(&mut outcome, error),
            }
        }
        assert!(input.is_empty(), "input is left although more is wanted");
    }
    outcome
}

/// The same, now in pieces, now whole, by turns. Of a message of which pieces were taken, then the rest was passed over,
/// nothing is recorded.
pub fn receive_by_turns(
    connection: &mut Connection,
    stream: &[u8],
    splits: Splits,
) -> (Outcome, Vec<Option<Received>>) {
    let mut outcome = Outcome::new();
    let mut messages = Vec::new();
    let mut pieces: Vec<Received> = Vec::new();
    let mut passed_over = false;
    let mut turn = 0u32;
    for piece in splits.cut(stream) {
        let mut piece = piece.to_vec();
        let mut input = &mut piece[..];
        loop {
            turn = turn.wrapping_mul(5).wrapping_add(3);
            let whole = turn & 8 == 0;
            let begun = connection.in_piecewise_message();
            passed_over |= whole && begun;
            let received = match whole {
                true => connection
                    .receive(&mut input)
                    .map(|event| event.map(|event| (Received::from(event), true))),
                false => connection.receive_piece(&mut input).map(|part| part.map(part_of)),
            };
            if whole && begun && !connection.in_piecewise_message() && received.is_ok() {
                messages.push(None);
                (pieces, passed_over) = (Vec::new(), false);
            }
            match received {
                Ok(Some((part, last))) if part.is_data() => {
                    pieces.push(part);
                    if last {
                        let whole = std::mem::take(&mut pieces).into_iter().reduce(join);
                        messages.push(if passed_over { None } else { whole });
                        passed_over = false;
                    }
                }
                Ok(Some((control, _))) => record(&mut outcome, control),
                Ok(None) => break,
                Err(error) => fail(&mut outcome, error),
            }
        }
        assert!(input.is_empty(), "input is left although more is wanted");
    }
    (outcome, messages)
}

fn join(message: Received, part: Received) -> Received {
    match (message, part) {
        (Received::Text(text), Received::Text(part)) => Received::Text(text + &part),
        (Received::Binary(bytes), Received::Binary(part)) => Received::Binary([bytes, part].concat()),
        (message, part) => panic!("{part:?} continues {message:?}"),
    }
}

/// On its own; and whether a message ends with it.
fn part_of(piece: Piece<'_>) -> (Received, bool) {
    match piece {
        Piece::Text { text, last } => (Received::Text(text.into_owned()), last),
        Piece::Binary { bytes, last } => (Received::Binary(bytes.to_vec()), last),
        Piece::Ping(payload) => (Received::Ping(payload.into_owned()), true),
        Piece::Pong(payload) => (Received::Pong(payload.into_owned()), true),
        Piece::Close(frame) => (Received::Close(frame.map(close)), true),
    }
}

fn record(outcome: &mut Outcome, received: Received) {
    assert_eq!(outcome.end, End::Open, "{received:?} comes after the end");
    if matches!(received, Received::Close(_)) {
        outcome.end = End::Closed;
    }
    outcome.received.push(received);
}

fn fail(outcome: &mut Outcome, error: ProtocolError) {
    assert_eq!(outcome.end, End::Open, "{error} comes after the end");
    outcome.end = End::Failed(error.close_code().into());
}
