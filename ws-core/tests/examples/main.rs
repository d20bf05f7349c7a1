//! The examples serve: their own functions over loopback, against raw bytes.
#![cfg(feature = "handshake")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod blocking;
mod event_loop;
#[path = "../support/mod.rs"]
mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;

const REQUEST: &str = "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// Sends `bytes`, then reads to the end of the stream: the answer's head, and what is behind it.
fn talk(client: &mut TcpStream, bytes: &[u8]) -> (String, Vec<u8>) {
    let mut reader = client.try_clone().unwrap();
    let reading = thread::spawn(move || {
        let mut all = Vec::new();
        reader.read_to_end(&mut all).map(|_| all)
    });
    client.write_all(bytes).unwrap();
    let all = reading.join().unwrap().unwrap();
    let head = all.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    (String::from_utf8(all[..head].to_vec()).unwrap(), all[head..].to_vec())
}
