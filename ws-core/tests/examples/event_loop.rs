//! The example `event_loop`.

#[allow(dead_code, unreachable_pub, reason = "its main is not run here")]
#[path = "../../examples/event_loop.rs"]
mod example;

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use crate::support::{
    BINARY, CLOSE, LAST, PING, PONG, TEXT, TEXT_PART, XorShift, close_body, frames_from, stream_to,
};
use crate::{REQUEST, talk};
use ws_core::Role;

/// The example on a thread that ends with the program.
fn serve() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || example::serve(listener).unwrap());
    address
}

fn connect(address: SocketAddr) -> TcpStream {
    let client = TcpStream::connect(address).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    client
}

/// The payloads of the data frames among `frames`, one behind the other.
fn data(frames: Vec<(u8, Vec<u8>)>) -> Vec<u8> {
    frames.into_iter().filter(|(first, _)| first & 0x0F < 3).flat_map(|frame| frame.1).collect()
}

#[test]
fn the_event_loop_echoes_answers_pings_and_closes_on_many_connections_at_once() {
    let address = serve();
    let clients: Vec<_> = (0..20).map(|_| connect(address)).collect();
    let clients: Vec<_> = clients
        .into_iter()
        .enumerate()
        .map(|(index, mut client)| {
            thread::spawn(move || {
                let large = XorShift::new(index as u64).bytes(300_000);
                let many = stream_to(Role::Server, &[(BINARY, &[index as u8; 1000])]).repeat(500);
                let frames: [(u8, &[u8]); 5] =
                    [(TEXT, "é".as_bytes()), (TEXT_PART, b"a"), (PING, b"p"), (LAST, b"b"), (BINARY, &large)];
                let close = stream_to(Role::Server, &[(CLOSE, &close_body(1000, b"bye"))]);
                // The first frames come together with the head.
                let bytes = [REQUEST.as_bytes(), &stream_to(Role::Server, &frames), &many, &close].concat();
                let (head, rest) = talk(&mut client, &bytes);
                assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
                let echoed = frames_from(Role::Server, &rest);
                assert_eq!(echoed.iter().filter(|frame| frame.0 == PONG).count(), 1);
                assert_eq!(echoed[echoed.len() - 1], (CLOSE, vec![3, 232]));
                let sent = ["é".as_bytes(), b"ab", &large, &[index as u8; 500_000]].concat();
                assert!(data(echoed) == sent, "client {index}");
            })
        })
        .collect();
    clients.into_iter().for_each(|client| client.join().unwrap());
}

#[test]
fn the_event_loop_serves_other_clients_while_one_does_not_read_and_loses_no_data() {
    let address = serve();
    let mut slow = connect(address);
    let many = stream_to(Role::Server, &[(BINARY, &[7; 1000])]).repeat(60_000);
    let mut writer = slow.try_clone().unwrap();
    let writing = thread::spawn(move || {
        writer.write_all(REQUEST.as_bytes()).unwrap();
        writer.write_all(&many).unwrap();
        writer.write_all(&stream_to(Role::Server, &[(CLOSE, &close_body(1000, b""))])).unwrap();
    });
    let other =
        [REQUEST.as_bytes(), &stream_to(Role::Server, &[(TEXT, b"hello"), (CLOSE, &close_body(1000, b""))])];
    let (_, rest) = talk(&mut connect(address), &other.concat());
    assert_eq!(data(frames_from(Role::Server, &rest)), b"hello");

    let mut all = Vec::new();
    slow.read_to_end(&mut all).unwrap();
    writing.join().unwrap();
    let head = all.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    assert_eq!(data(frames_from(Role::Server, &all[head..])).len(), 60_000_000);
}

#[test]
fn the_event_loop_reports_a_broken_rule_refuses_what_is_no_websocket_and_goes_on() {
    let address = serve();
    let (_, rest) = talk(&mut connect(address), &[REQUEST.as_bytes(), &[0x83, 0x80], &[0; 50_000]].concat());
    let frames = frames_from(Role::Server, &rest);
    assert_eq!((frames.len(), frames[0].0, &frames[0].1[..2]), (1, CLOSE, &1002u16.to_be_bytes()[..]));

    let plain = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for (request, status) in [(plain, "426"), ("GET / HTTP/1.1\r\n\r\n", "400")] {
        let (head, _) = talk(&mut connect(address), request.as_bytes());
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
    }

    let mut gone = connect(address);
    gone.write_all(REQUEST.as_bytes()).unwrap();
    gone.shutdown(Shutdown::Write).unwrap();
    let mut answer = Vec::new();
    gone.read_to_end(&mut answer).unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 101 "));
}
