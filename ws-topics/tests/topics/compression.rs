//! A message is encoded and compressed once for all connections that can share it.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, duplex};
use ws_core::deflate::{self, Agreed, PerMessageDeflate};
use ws_tokio::{Config, Connection, WebSocket};
use ws_topics::{SubscribeOptions, Topics};

/// Two connections without context takeover and one without compression: the first two are sent the same bytes.
#[tokio::test]
async fn a_message_is_compressed_once_for_connections_that_agreed_on_the_same() {
    let text = "all the same, ".repeat(500);
    let topics = Topics::default();
    let config = Arc::new(Config::server());
    let mut subscriptions = Vec::new();
    let mut clients = Vec::new();
    for compressed in [true, true, false] {
        let (near, far) = duplex(1 << 16);
        let mut connection = Connection::server(Arc::clone(&config));
        if compressed {
            let agreed = Agreed { server_no_context_takeover: true, ..Agreed::PLAIN };
            let codec = PerMessageDeflate::server(agreed, &deflate::Config::server());
            connection = connection.with_deflate(codec);
        }
        let (sender, receiver) = WebSocket::new(far, connection, &[]).split();
        subscriptions.push((topics.subscribe(&sender, "a", SubscribeOptions::default()).unwrap(), receiver));
        clients.push(near);
    }
    topics.publish("a", text.as_str()).unwrap();
    let mut sizes = Vec::new();
    for client in &mut clients {
        let mut frame = vec![0; 1 << 16];
        let length = client.read(&mut frame).await.unwrap();
        sizes.push((frame[0], length));
    }
    assert_eq!(sizes[0], sizes[1]);
    assert!(sizes[0].0 == 0xC1 && sizes[0].1 < 200, "RSV1 is set, and little is sent: {sizes:?}");
    assert_eq!(sizes[2].0, 0x81, "RSV1 is not set");
}
