//! Every public error prints as a line that can be read, also by its `Debug`: that is what `main` returning it prints.

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;

use http::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use ws_core::deflate::{DeflateError, NegotiationError};
use ws_core::handshake::{
    ClientHandshake, Extension, HandshakeError, HeadError, Refusal, RequestError, ResponseError,
};
use ws_core::{Config, Connection, Message, ProtocolError, SendError};
use ws_tokio::{Error, ReuniteError, TrySendError, WebSocket};

/// One error of every type, and of `Error` every variant.
async fn errors() -> Vec<Box<dyn StdError>> {
    let (near, mut far) = duplex(1000);
    far.write_all(b"\x88\x05\x03\xf3why").await.unwrap();
    let mut closed = WebSocket::new(near, Connection::client(Arc::new(Config::client()), [1; 32]), &[]);
    tokio::spawn(async move { far.read_to_end(&mut Vec::new()).await });
    let mut config = Config::server();
    config.max_queued = 0;
    let socket = || WebSocket::new(duplex(1).0, Connection::server(Arc::new(Config::server())), &[]);
    let ((sender, _receiver), (_sender, receiver)) = (socket().split(), socket().split());
    let reunite: ReuniteError<_> = receiver.reunite(sender).unwrap_err();
    vec![
        Box::new(Error::from(ProtocolError::MaskedFrame)),
        Box::new(Error::from(SendError::Closing)),
        Box::new(closed.recv().await.unwrap_err()),
        Box::new(Error::MessageCutOff),
        Box::new(Error::OverLimit { limit: 7 }),
        Box::new(Error::from(io::Error::other("no space left"))),
        Box::new(ProtocolError::TooManyFragments { limit: 7 }),
        Box::new(SendError::QueueFull { limit: 7 }),
        Box::new(ws_core::utf8::InvalidUtf8),
        Box::new(config.check().unwrap_err()),
        Box::new(TrySendError::Full(Message::text("payload"))),
        Box::new(TrySendError::Refused(Message::text("payload"), Error::from(SendError::Closing))),
        Box::new(reunite),
        Box::new(DeflateError),
        Box::new(NegotiationError::RepeatedParameter("client_max_window_bits")),
        Box::new(Refusal::new(StatusCode::NOT_FOUND, "nothing is here")),
        Box::new(ResponseError::InterimStatus(StatusCode::CONTINUE)),
        Box::new(RequestError::MissingHost),
        Box::new(RequestError::RepeatedHost),
        Box::new(HeadError::TooManyFields { limit: 7 }),
        Box::new(Extension::parse_list([b"a;".as_slice()]).unwrap_err()),
        Box::new(HandshakeError::from(HeadError::TargetTooLong { limit: 7 })),
        Box::new(HandshakeError::WrongAccept),
        Box::new(HandshakeError::UnofferedExtension("foo".into())),
    ]
}

#[tokio::test(start_paused = true)]
async fn debug_of_every_error_is_its_message_in_one_line() {
    for error in errors().await {
        let message = error.to_string();
        assert_eq!(format!("{error:?}"), message);
        assert!(!message.is_empty() && !message.contains('\n'), "{message:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn no_source_repeats_what_the_message_includes() {
    for error in errors().await {
        if let Some(source) = error.source() {
            assert!(!error.to_string().contains(&source.to_string()), "{error} repeats its source {source}");
        }
    }
}

#[test]
fn a_refusal_that_is_printed_for_debugging_has_its_body_as_text() {
    let request = http::Request::get("ws://host/").body(()).unwrap();
    let mut handshake = ClientHandshake::new(request, &[], None, [0; 16]).unwrap();
    let answer = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 9\r\n\r\nnot\tyou\r\n";
    let Err(HandshakeError::Refused(mut refused)) = handshake.receive(answer) else {
        panic!("the handshake was not refused")
    };
    let mut body = refused.body_reader(100);
    body.receive(&answer[refused.head_length..]);
    refused.attach(body, false);
    let text = format!("{refused:?}");
    // On one line: without the white space around it, and with control characters escaped.
    assert!(text.contains("403") && text.contains(r#"body: "not\\tyou""#), "{text}");
}
