//! A client and a server, joined: what one sends is what the other receives, through any splits and frame sizes,
//! compressed or not, with controls between, up to a clean close.
#![no_main]

use std::sync::Arc;

use bytes::Buf;
use libfuzzer_sys::fuzz_target;
use ws_core::DataType;
use ws_core::deflate::Agreed;
use ws_core::{CloseCode, Config, Connection, Message, Role, SendError};
use ws_fuzz::{Input, Received, Splits, record, sample, stream};

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    let deflate = stream::agreed(&mut input);
    let mut ends = [Role::Client, Role::Server].map(|role| Side::new(role, deflate, &mut input));
    for _ in 0..MAX_OPERATIONS {
        if input.is_empty() {
            break;
        }
        let operation = input.byte();
        let from = usize::from(operation >> 7);
        match operation % 8 {
            7 => {
                let limit = usize::from(input.byte()) * 64;
                carry(&mut ends, from, limit, input.splits());
            }
            6 if operation % 32 == 30 => ends[from].close(&mut input),
            operation => ends[from].send(operation, &mut input),
        }
    }
    for side in &mut ends {
        side.finish_message();
    }
    settle(&mut ends);
    ends[0].compare(&ends[1]);
    ends[1].compare(&ends[0]);

    ends[usize::from(input.byte() % 2)].close(&mut input);
    settle(&mut ends);
    for side in &ends {
        assert!(side.connection.close_info().unwrap().is_clean());
        assert_eq!(side.connection.queued(), 0);
    }
    let (client, server) = (&ends[0].connection, &ends[1].connection);
    assert_eq!(client.close_info().unwrap().sent, server.close_info().unwrap().received);
    assert_eq!(server.close_info().unwrap().sent, client.close_info().unwrap().received);
    assert!(server.wants_shutdown() && !client.wants_shutdown(), "the server closes first");
});

/// One end, with what it has been asked to send and what it has received.
struct Side {
    connection: Connection,
    sent: Vec<Received>,
    received: Vec<Received>,
    /// The message being sent in pieces.
    message: Option<(DataType, Vec<u8>)>,
    closing: bool,
}

impl Side {
    fn new(role: Role, deflate: Option<Agreed>, input: &mut Input<'_>) -> Self {
        let mut config = match role {
            Role::Client => Config::client(),
            Role::Server => Config::server(),
        };
        config.max_message_size = u64::MAX;
        config.max_frame_size = input.pick(&[256 << 10, 125, 126, 127, 4096, 65_535, 65_536]);
        config.check().unwrap();
        Self {
            connection: stream::connect(role, &Arc::new(config), deflate),
            sent: Vec::new(),
            received: Vec::new(),
            message: None,
            closing: false,
        }
    }

    fn send(&mut self, operation: u8, input: &mut Input<'_>) {
        let text = sample::text;
        let (result, sent) = match operation {
            0 => {
                let text = text(input);
                (self.connection.send_text(&text), Received::Text(text))
            }
            1 => {
                let bytes = sample::bytes(input);
                (self.connection.send_binary(&bytes), Received::Binary(bytes))
            }
            2 => {
                let text = text(input);
                (self.connection.send(Message::text(text.clone())), Received::Text(text))
            }
            3 => {
                let bytes = sample::bytes(input);
                let message = Message::binary(bytes.clone());
                // Held twice, the payload must not be masked in place.
                let held = (input.byte() % 2 == 0).then(|| message.clone());
                let result = self.connection.send(message);
                assert!(held.is_none_or(|held| held.as_bytes() == bytes));
                (result, Received::Binary(bytes))
            }
            4 => {
                let payload = sample::bytes(input);
                let result = self.connection.ping(&payload);
                assert_eq!(result == Err(SendError::ControlTooLong(payload.len())), payload.len() > 125);
                (result, Received::Ping(payload))
            }
            5 => return self.send_piece(input),
            _ => {
                let payload = sample::bytes(input);
                (self.connection.pong(&payload), Received::Pong(payload))
            }
        };
        match result {
            Ok(()) => {
                assert!(!sent.is_data() || self.message.is_none(), "a message inside another");
                self.sent.push(sent);
            }
            Err(SendError::MessageInProgress) => assert!(self.message.is_some()),
            Err(SendError::Closing) => assert!(!self.connection.is_open()),
            Err(SendError::QueueFull { limit }) => assert!(self.connection.queued() >= limit),
            Err(SendError::ControlTooLong(len)) => assert!(len > 125),
            Err(error) => panic!("{error}"),
        }
    }

    /// Cuts anywhere, also inside a character.
    fn send_piece(&mut self, input: &mut Input<'_>) {
        let control = input.byte();
        let data_type = match &self.message {
            Some((data_type, _)) => *data_type,
            None if control & 1 == 0 => DataType::Text,
            None => DataType::Binary,
        };
        let payload = match data_type {
            DataType::Text => sample::text(input).into_bytes(),
            DataType::Binary => sample::bytes(input),
        };
        let cut = usize::from(input.byte()).min(payload.len());
        self.piece(data_type, &payload[..cut], false);
        self.piece(data_type, &payload[cut..], control & 2 != 0);
    }

    fn piece(&mut self, data_type: DataType, piece: &[u8], last: bool) {
        match self.connection.send_piece(data_type, piece, last) {
            Ok(()) => {
                let (_, message) = self.message.get_or_insert((data_type, Vec::new()));
                message.extend_from_slice(piece);
                if last {
                    let (_, message) = self.message.take().unwrap();
                    self.sent.push(match data_type {
                        DataType::Text => Received::Text(String::from_utf8(message).unwrap()),
                        DataType::Binary => Received::Binary(message),
                    });
                }
            }
            Err(SendError::Closing) => assert!(!self.connection.is_open()),
            Err(SendError::QueueFull { limit }) => assert!(self.connection.queued() >= limit),
            // A piece before it was not taken.
            Err(SendError::InvalidUtf8) => assert_eq!(data_type, DataType::Text),
            Err(error) => panic!("{error}"),
        }
    }

    fn finish_message(&mut self) {
        let Some((data_type, message)) = &self.message else { return };
        let (data_type, mut rest) = (*data_type, Vec::new());
        if data_type == DataType::Text
            && let Err(error) = std::str::from_utf8(message)
        {
            // Only a cut-off character of the alphabet can stand at the end.
            let cut_off = &message[error.valid_up_to()..];
            let whole =
                ["é", "€", "\u{10FFFF}", "𝄞"].into_iter().find(|whole| whole.as_bytes().starts_with(cut_off));
            rest = whole.unwrap().as_bytes()[cut_off.len()..].to_vec();
        }
        self.piece(data_type, &rest, true);
    }

    fn close(&mut self, input: &mut Input<'_>) {
        let code = CloseCode(input.pick(&[1000, 1001, 3000, 4999]));
        let open = self.connection.is_open();
        let result = match input.byte() % 3 {
            0 => self.connection.close_without_code(),
            1 => self.connection.close(code, ""),
            _ => self.connection.close(code, "auf Wiedersehen, Σ"),
        };
        assert_eq!(result.is_ok(), open);
        self.closing = true;
    }

    /// What the peer received is what was sent.
    fn compare(&self, peer: &Self) {
        let data = |log: &[Received]| log.iter().filter(|one| one.is_data()).cloned().collect::<Vec<_>>();
        assert!(data(&self.sent) == data(&peer.received), "messages differ");
        let pings = |log: &[Received]| {
            log.iter().filter(|one| matches!(one, Received::Ping(_))).cloned().collect::<Vec<_>>()
        };
        let (sent, received) = (pings(&self.sent), pings(&peer.received));
        if self.closing || peer.closing {
            // What waits behind a Close is dropped.
            assert!(sent.starts_with(&received), "pings differ");
        } else {
            assert_eq!(sent, received);
        }
        // A pong answers a ping of the peer's, or has been sent unasked.
        for pong in peer.received.iter().filter(|one| matches!(one, Received::Pong(_))) {
            let Received::Pong(payload) = pong else { unreachable!() };
            assert!(self.sent.contains(pong) || self.received.contains(&Received::Ping(payload.clone())));
        }
    }
}

/// Moves up to `limit` bytes from one end to the other.
fn carry(ends: &mut [Side; 2], from: usize, limit: usize, splits: Splits) -> bool {
    let [client, server] = ends;
    let (sender, receiver) = if from == 0 { (client, server) } else { (server, client) };
    let mut output = sender.connection.output();
    let n = output.remaining().min(limit);
    let bytes = output.copy_to_bytes(n);
    let outcome = record::receive(&mut receiver.connection, &bytes, splits, |_| ());
    assert!(!matches!(outcome.end, ws_fuzz::End::Failed(_)), "{:?} of what a peer of ours sent", outcome.end);
    receiver.received.extend(outcome.received);
    n > 0
}

/// Moves everything until both have nothing to say.
fn settle(ends: &mut [Side; 2]) {
    for _ in 0..1000 {
        if !carry(ends, 0, usize::MAX, Splits::whole()) & !carry(ends, 1, usize::MAX, Splits::whole()) {
            return;
        }
    }
    panic!("two ends talk for ever");
}

const MAX_OPERATIONS: usize = 48;
