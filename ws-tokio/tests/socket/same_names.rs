//! What `WebSocket`, `Sender` and `Receiver` can do in common, under the same names.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use ws_core::{CloseCode, Config, Connection, Message, PreparedMessage, Role, SendError};
use ws_tokio::{Error, TrySendError, WebSocket};

fn pair(room: usize) -> (WebSocket<DuplexStream>, WebSocket<DuplexStream>) {
    let (a, b) = duplex(room);
    (
        WebSocket::from_raw(a, Role::Client, Config::client()).unwrap(),
        WebSocket::from_raw(b, Role::Server, Arc::new(Config::server())).unwrap(),
    )
}

#[tokio::test]
async fn a_websocket_from_a_raw_stream_masks_as_its_role_demands_and_checks_its_settings() {
    let (near, mut far) = duplex(1024);
    let mut client = WebSocket::from_raw(near, Role::Client, Config::client()).unwrap();
    client.send("hello").await.unwrap();
    let mut frame = [0; 11];
    far.read_exact(&mut frame).await.unwrap();
    assert_eq!(frame[..2], [0x81, 0x85], "a client's frame is masked");

    let mut server = WebSocket::from_raw(far, Role::Server, Config::server()).unwrap();
    assert_eq!(server.connection().role(), Role::Server);
    server.send("hello").await.unwrap();
    assert_eq!(client.recv().await.unwrap(), Some("hello".into()));

    let mut config = Config::server();
    config.max_message_size = 0;
    let error = WebSocket::from_raw(duplex(1).0, Role::Server, config).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
}

#[tokio::test]
async fn into_inner_returns_the_transport_with_no_close_sent() {
    let (mut client, mut server) = pair(1024);
    client.send("before").await.unwrap();
    assert_eq!(server.recv().await.unwrap(), Some("before".into()));
    client.try_send("dropped").unwrap();
    let (closer, mut near) = (client.closer(), client.into_inner());
    assert!(closer.close_info().is_some(), "the WebSocket has ended");
    let mut far = server.into_inner();
    near.write_all(b"raw").await.unwrap();
    drop(near);
    let mut rest = Vec::new();
    far.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest, b"raw");
}

#[tokio::test]
async fn a_websocket_and_a_sender_send_prepared_uncompressed_and_pongs() {
    let (mut client, mut server) = pair(1024);
    let prepared = PreparedMessage::new("prepared");
    client.send_prepared(&prepared).await.unwrap();
    client.send_uncompressed("uncompressed").await.unwrap();
    client.pong(b"unasked").await.unwrap();
    let (sender, receiver) = client.split();
    sender.send_prepared(&prepared).await.unwrap();
    sender.send_uncompressed("uncompressed").await.unwrap();
    sender.pong(b"unasked").await.unwrap();
    for _ in 0..2 {
        assert_eq!(server.recv().await.unwrap(), Some("prepared".into()));
        assert_eq!(server.recv().await.unwrap(), Some("uncompressed".into()));
    }
    assert!(matches!(sender.pong(&[0; 126]).await, Err(Error::Send(SendError::ControlTooLong(_)))));
    drop((sender, receiver));
}

#[tokio::test]
async fn send_uncompressed_leaves_a_message_as_it_is_although_compression_was_agreed() {
    use ws_core::deflate::{self, Agreed, PerMessageDeflate};

    let connection = || {
        let config = Arc::new(Config::server());
        let codec = PerMessageDeflate::server(Agreed::PLAIN, &deflate::Config::server());
        Connection::server(config).with_deflate(codec)
    };
    let text = "secret ".repeat(1000);
    let (near, mut far) = duplex(1 << 20);
    let mut server = WebSocket::new(near, connection(), &[]);
    server.send_uncompressed(&text[..]).await.unwrap();
    let (sender, receiver) = server.split();
    sender.send_uncompressed(&text[..]).await.unwrap();
    sender.send(&text[..]).await.unwrap();
    for _ in 0..2 {
        let mut frame = vec![0; 4 + text.len()];
        far.read_exact(&mut frame).await.unwrap();
        assert_eq!(frame[0], 0x81, "RSV1 is not set");
        assert_eq!(&frame[4..], text.as_bytes());
    }
    assert_eq!(far.read_u8().await.unwrap(), 0xC1, "other messages are compressed");
    drop((sender, receiver));
}

#[tokio::test]
async fn try_send_of_a_websocket_returns_the_message_when_there_is_no_room() {
    let (mut client, mut server) = pair(1024);
    client.try_send(vec![1; 70_000]).unwrap();
    assert!(client.queued() > 70_000);
    let Err(TrySendError::Full(back)) = client.try_send("back") else {
        panic!("try_send succeeded on a full queue")
    };
    assert_eq!(back, "back".into());
    // Receiving writes what is queued.
    tokio::select! {
        _ = client.recv() => panic!("recv returned although nothing was sent"),
        message = server.recv() => assert_eq!(message.unwrap().unwrap().len(), 70_000),
    }
}

#[tokio::test]
async fn websocket_sender_and_receiver_have_is_open_rtt_queued_memory_usage_and_start_close() {
    let (mut client, mut server) = pair(1024);
    assert!(client.is_open() && client.rtt().is_none() && client.queued() == 0);
    assert_eq!(client.memory_usage().total(), 0);
    server.start_close(CloseCode::NORMAL_CLOSURE, "done").unwrap();
    assert!(!server.is_open());
    let Err(TrySendError::Refused(back, _)) = server.try_send("late") else {
        panic!("try_send succeeded while closing")
    };
    assert_eq!(back, "late".into());
    assert!(matches!(
        server.start_close(CloseCode::NORMAL_CLOSURE, ""),
        Err(Error::Send(SendError::Closing))
    ));
    let (ended, end) = tokio::join!(client.recv(), server.recv());
    assert_eq!((ended.unwrap(), end.unwrap()), (None, None));

    let (client, mut server) = pair(1024);
    let (sender, mut receiver) = client.split();
    assert!(sender.is_open() && receiver.is_open());
    assert!(sender.rtt().is_none() && receiver.rtt().is_none());
    sender.try_send("queued").unwrap();
    assert_eq!((sender.queued(), receiver.queued()), (12, 12));
    assert_eq!(sender.memory_usage(), receiver.memory_usage());
    receiver.start_close(CloseCode::NORMAL_CLOSURE, "done").unwrap();
    assert!(!sender.is_open() && !receiver.is_open());
    let (end, first) = tokio::join!(receiver.recv(), async {
        let first = server.recv().await.unwrap();
        assert_eq!(server.recv().await.unwrap(), None::<Message>);
        first
    });
    assert_eq!((end.unwrap(), first), (None, Some("queued".into())));
    assert!(sender.close_info().unwrap().is_clean());
}
