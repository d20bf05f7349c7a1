//! A server that reads slowly, and answers each line: closing takes as long as that takes.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;
use tokio::time::interval;
use ws_client::ws_core::{Config, Connection, Event, Keepalive};
use ws_client::{CloseCode, Options};

const LINES: usize = 400;

#[tokio::test]
async fn closing_over_a_slow_link_loses_nothing_and_is_clean() {
    let socket = TcpSocket::new_v4().unwrap();
    // As over a real network: little fits between, in small packets.
    socket.set_recv_buffer_size(64 << 10).unwrap();
    SockRef::from(&socket).set_tcp_mss(1400).unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move {
        let mut stream = listener.accept().await.unwrap().0;
        let head = super::common::read_head(&mut stream).await;
        stream.write_all(&super::common::switching(&head)).await.unwrap();
        let mut connection = Connection::server(Config::server().into());
        let (mut lines, mut clock) = (0, interval(Duration::from_millis(20)));
        let mut buffer = vec![0; 2560];
        // 128 KB a second.
        while !connection.wants_shutdown() {
            clock.tick().await;
            let n = stream.read(&mut buffer).await.unwrap();
            assert!(n > 0, "the end of the stream after {lines} lines");
            let mut input = &mut buffer[..n];
            while let Some(event) = connection.receive(&mut input).unwrap() {
                if let Event::Text(_) = event {
                    lines += 1;
                    connection.send_text(&format!("ack {lines}")).unwrap();
                }
            }
            stream.write_all_buf(&mut connection.output()).await.unwrap();
        }
        lines
    });
    let mut options = Options::default();
    // Shorter than it takes to send what is queued.
    let second = Duration::from_secs(1);
    options.connection.close_timeout = second;
    options.connection.keepalive = Some(Keepalive::default().interval(second / 4).timeout(second));
    options.connection.send_high_water = usize::MAX;
    options.connection.max_queued = usize::MAX;
    let (mut ws, _) = options.build().unwrap().connect(format!("ws://{address}")).await.unwrap();
    let tcp = ws.get_ref().tcp().unwrap();
    assert_eq!(SockRef::from(tcp).tcp_notsent_lowat().unwrap(), 32 << 10, "little is out of sight");
    for n in 0..LINES {
        ws.feed(format!("{n:<1024}")).await.unwrap();
    }
    let info = ws.close(CloseCode::NORMAL_CLOSURE, "").await.unwrap();
    assert!(info.is_clean(), "{info}");
    assert_eq!(serving.await.unwrap(), LINES);
}
