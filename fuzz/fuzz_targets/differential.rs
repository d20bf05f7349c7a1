//! Another implementation, tungstenite, on the same bytes: what it refuses we refuse, but for a reviewed list; what both
//! take is the same.
#![no_main]

use std::io::{self, Read, Write};
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use tungstenite::error::{Error, ProtocolError};
use tungstenite::protocol::{Message, Role as PeerRole, WebSocket, WebSocketConfig};
use ws_core::{Config, Role};
use ws_fuzz::{End, Input, Outcome, Received, Splits, record, stream};

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    let role = input.pick(&[Role::Server, Role::Client]);
    let bytes = input.rest();

    let mut config = Config::server();
    config.max_message_size = LIMIT as u64;
    let mut connection = stream::connect(role, &Arc::new(config), None);
    let ours = record::receive(&mut connection, bytes, Splits::whole(), |_| ());
    let (theirs, refusal) = tungstenite(role, bytes);

    // We may stop earlier: at the byte that proves a fault, where they wait for the frame or the message, or take it.
    match (ours.end, refusal) {
        (End::Failed(_), _) => assert!(theirs.starts_with(&ours.received), "{ours:?} against {theirs:?}"),
        (_, None) => assert_eq!(ours.received, theirs),
        (_, Some(refusal)) => {
            assert!(is_reviewed(&refusal, &ours), "they refuse with {refusal:?} where we hear {ours:?}")
        }
    }
});

/// What they refuse and we take, with the reason why we are right.
fn is_reviewed(refusal: &Refusal, ours: &Outcome) -> bool {
    match (refusal, ours.received.last()) {
        // 1014 has been in the IANA registry since RFC 6455 was published.
        (Refusal::CloseCode, Some(Received::Close(Some((code, _))))) => *code == 1014,
        _ => false,
    }
}

/// How tungstenite says no.
#[derive(Debug)]
#[allow(dead_code, reason = "shown when it is not expected")]
enum Refusal {
    /// By an error.
    Error(Error),
    /// By handing out a Close frame of its own in place of the peer's.
    CloseCode,
}

/// What tungstenite hears, and why it stopped if that was not the end of the bytes.
fn tungstenite(role: Role, bytes: &[u8]) -> (Vec<Received>, Option<Refusal>) {
    let role = match role {
        Role::Server => PeerRole::Server,
        Role::Client => PeerRole::Client,
    };
    let config = WebSocketConfig::default().max_message_size(Some(LIMIT)).max_frame_size(Some(LIMIT));
    let mut peer = WebSocket::from_raw_socket(Wire { unread: bytes }, role, Some(config));
    let mut received = Vec::new();
    loop {
        received.push(match peer.read() {
            Ok(Message::Text(text)) => Received::Text(text.to_string()),
            Ok(Message::Binary(bytes)) => Received::Binary(bytes.to_vec()),
            Ok(Message::Ping(payload)) => Received::Ping(payload.to_vec()),
            Ok(Message::Pong(payload)) => Received::Pong(payload.to_vec()),
            Ok(Message::Close(Some(frame))) if frame.reason == "Protocol violation" => {
                return (received, Some(Refusal::CloseCode));
            }
            Ok(Message::Close(frame)) => {
                received
                    .push(Received::Close(frame.map(|frame| (frame.code.into(), frame.reason.to_string()))));
                return (received, None);
            }
            Ok(Message::Frame(frame)) => panic!("{frame}"),
            Err(
                Error::ConnectionClosed
                | Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)
                | Error::Io(_),
            ) => return (received, None),
            Err(error) => return (received, Some(Refusal::Error(error))),
        });
    }
}

/// Bytes to read, then the end of the stream; what is written goes nowhere.
struct Wire<'a> {
    unread: &'a [u8],
}

impl Read for Wire<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.unread.read(buffer)
    }
}

impl Write for Wire<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

const LIMIT: usize = 1 << 16;
