//! The `Debug` output of the public types: which it is and how it stands, and no payload.

use std::fmt::Debug;
use std::sync::Arc;

use tokio::io::{AsyncWriteExt, duplex};
use ws_core::{Config, Connection, DataType};
use ws_tokio::{Broadcast, ByteStream, Exclusive, SlowPolicy, WebSocket};

fn check(value: &impl Debug, begin: &str) {
    let text = format!("{value:?}");
    assert!(text.starts_with(begin) && !text.contains("s3cret"), "{text}");
}

fn server() -> (WebSocket<tokio::io::DuplexStream>, tokio::io::DuplexStream) {
    let (near, far) = duplex(64);
    (WebSocket::new(near, Connection::server(Arc::new(Config::server())), &[]), far)
}

#[tokio::test]
async fn every_type_shows_its_name_and_no_payload() {
    let (mut server, mut far) = server();
    // The beginning of a binary message, masked with zeros.
    far.write_all(b"\x02\x86\0\0\0\0s3cret").await.unwrap();
    check(&server.recv_stream().await.unwrap().unwrap(), "MessageReader {");
    let mut writer = server.send_stream(DataType::Binary);
    writer.feed(b"s3cret").await.unwrap();
    check(&writer, "MessageWriter { data_type: Binary, begun: true");
    drop(writer);
    let (sender, receiver) = server.split();
    check(&sender, "Sender {");
    check(&receiver, "Receiver {");
    check(&ByteStream::new(self::server().0), "ByteStream {");
    check(&Exclusive::new(far), "Exclusive");
    let room = Broadcast::new();
    let _member = room.join(sender, SlowPolicy::DropNewest);
    check(&room, "Broadcast { members: 1");
}

#[test]
fn a_policy_for_slow_members_shows_which_it_is() {
    check(&SlowPolicy::Wait, "Wait");
    check(&SlowPolicy::DropNewest, "DropNewest");
    check(&SlowPolicy::DropOldest(3), "DropOldest(3)");
    check(&SlowPolicy::conflate(|message| message.len()), "Conflate(..)");
    check(&SlowPolicy::Close, "Close");
}
