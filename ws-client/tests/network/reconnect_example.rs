//! The example `reconnect`, run against a server made of bytes.

#[allow(dead_code, unreachable_pub, reason = "its main is not run here")]
#[path = "../../examples/reconnect.rs"]
mod example;

use std::time::Duration;

use super::common::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::time::timeout;

#[tokio::test]
async fn the_example_says_hello_on_every_connection_and_stops_when_asked() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move {
        for answer in [Some(&b"\x81\x03one"[..]), None, Some(b"\x81\x03two")] {
            let (mut stream, _) = listener.accept().await.unwrap();
            let head = read_head(&mut stream).await;
            let Some(message) = answer else {
                stream.write_all(b"HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n").await.unwrap();
                continue;
            };
            stream.write_all(&switching(&head)).await.unwrap();
            // Header, mask key and "hello".
            let mut hello = [0; 11];
            stream.read_exact(&mut hello).await.unwrap();
            assert_eq!(hello[..2], [0x81, 0x85]);
            stream.write_all(message).await.unwrap();
        }
    });
    let mut options = example::options();
    options.backoff.max = options.backoff.initial;
    let mut received = Vec::new();
    let client = options.build().unwrap();
    let following = example::follow(&client, &url, |message| {
        received.push(message.as_text().unwrap().to_owned());
        received.len() < 2
    });
    timeout(Duration::from_secs(20), following).await.expect("it hangs").unwrap();
    serving.await.unwrap();
    assert_eq!(received, ["one", "two"]);
}
