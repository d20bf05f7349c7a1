//! The example `blocking`.

#[allow(dead_code, unreachable_pub, reason = "its main is not run here")]
#[path = "../../examples/blocking.rs"]
mod example;

use std::io::Write;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::support::{
    BINARY, CLOSE, LAST, PING, PONG, TEXT, TEXT_PART, XorShift, close_body, frames_from, stream_to,
};
use crate::{REQUEST, talk};
use ws_core::{CloseCause, CloseCode, CloseInfo, ProtocolError, Role, TransportEnd};

/// The example on a thread of its own, and a socket to it.
fn serve() -> (TcpStream, JoinHandle<Option<CloseInfo>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let (stream, _) = listener.accept().unwrap();
    (client, thread::spawn(move || example::serve(stream).unwrap()))
}

#[test]
fn the_blocking_example_echoes_answers_pings_and_closes() {
    let (mut client, server) = serve();
    let large = XorShift::new(1).bytes(300_000);
    let many: Vec<u8> = stream_to(Role::Server, &[(BINARY, &[7; 1000])]).repeat(3000);
    let frames: [(u8, &[u8]); 5] =
        [(TEXT, "é".as_bytes()), (TEXT_PART, b"a"), (PING, b"p"), (LAST, b"b"), (BINARY, &large)];
    let close = stream_to(Role::Server, &[(CLOSE, &close_body(1000, b"bye"))]);
    // The first frames come together with the head.
    let bytes = [REQUEST.as_bytes(), &stream_to(Role::Server, &frames), &many, &close].concat();
    let (head, rest) = talk(&mut client, &bytes);
    assert!(head.starts_with("HTTP/1.1 101 "));
    assert!(head.to_lowercase().contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n"));

    let echoed = frames_from(Role::Server, &rest);
    let data = |first: &u8| first & 0x0F < 3;
    let pongs = echoed.iter().filter(|frame| frame.0 == PONG).count();
    assert_eq!(pongs, 1);
    assert_eq!(echoed[echoed.len() - 1], (CLOSE, vec![3, 232]));
    let payload: Vec<u8> = echoed.into_iter().filter(|(first, _)| data(first)).flat_map(|f| f.1).collect();
    let sent = ["é".as_bytes(), b"ab", &large, &[7; 3_000_000]].concat();
    assert!(payload == sent, "{} bytes came back of {}", payload.len(), sent.len());

    drop(client);
    let info = server.join().unwrap().unwrap();
    assert!(info.is_clean());
    assert_eq!((info.code(), &*info.reason), (CloseCode::NORMAL_CLOSURE, "bye"));
}

#[test]
fn the_blocking_example_reports_a_broken_rule_to_the_peer_and_shuts_down() {
    let (mut client, server) = serve();
    let (_, rest) = talk(&mut client, &[REQUEST.as_bytes(), &[0x83, 0x80], &[0; 50_000]].concat());
    let frames = frames_from(Role::Server, &rest);
    assert_eq!((frames.len(), frames[0].0, &frames[0].1[..2]), (1, CLOSE, &1002u16.to_be_bytes()[..]));
    drop(client);
    let info = server.join().unwrap().unwrap();
    assert_eq!(info.cause, CloseCause::Protocol(ProtocolError::ReservedOpCode(3)));
}

#[test]
fn the_blocking_example_notices_an_end_without_a_close() {
    let (mut client, server) = serve();
    client.write_all(REQUEST.as_bytes()).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let info = server.join().unwrap().unwrap();
    assert_eq!(
        (info.cause, info.code()),
        (CloseCause::Transport(TransportEnd::Eof), CloseCode::ABNORMAL_CLOSURE)
    );
}

#[test]
fn the_blocking_example_refuses_what_is_no_websocket() {
    let plain = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let broken = REQUEST.replace("Version: 13", "Version: 12");
    for (request, status) in [(plain, "426"), (&broken, "426"), ("GET / HTTP/1.1\r\n\r\n", "400")] {
        let (mut client, server) = serve();
        let (head, _) = talk(&mut client, request.as_bytes());
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
        drop(client);
        assert_eq!(server.join().unwrap(), None);
    }
}
