//! The smallest values that `Config::check` accepts carry real traffic, both ways.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use ws_core::deflate::{self, Agreed, PerMessageDeflate};
use ws_core::{CloseCode, Config, Connection, DataType, Keepalive, Message, ProtocolError, Role};
use ws_tokio::{Error, WebSocket};

/// A setting at its smallest value.
type Change = (&'static str, fn(&mut Config));

/// `max_message_size` has a separate test below.
const SMALLEST: [Change; 8] = [
    ("max_fragments", |config| config.max_fragments = Some(1)),
    ("max_frame_size", |config| config.max_frame_size = 125),
    ("send_high_water", |config| config.send_high_water = 1),
    ("max_queued", |config| (config.send_high_water, config.max_queued) = (1, 1)),
    ("max_read_ahead", |config| config.max_read_ahead = 1),
    ("max_memory", |config| config.max_memory = Some(512 << 10)),
    ("max_linger_bytes", |config| config.max_linger_bytes = 1),
    ("keepalive", |config| {
        config.keepalive = Some(Keepalive::default().interval(MILLISECOND));
    }),
];

const MILLISECOND: Duration = Duration::from_millis(1);

async fn tcp() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (near, far) = tokio::join!(TcpStream::connect(address), listener.accept());
    (near.unwrap(), far.unwrap().0)
}

fn compressing(connection: Connection) -> Connection {
    let mut config = deflate::Config::client();
    config.threshold = 0;
    let codec = match connection.role() {
        Role::Client => PerMessageDeflate::client(Agreed::PLAIN, &config),
        Role::Server => PerMessageDeflate::server(Agreed::PLAIN, &config),
    };
    connection.with_deflate(codec)
}

/// Both ends of a connection over TCP, of which `changed` has the setting and the other the defaults.
async fn pair(changed: Role, change: fn(&mut Config), compress: bool) -> [WebSocket<TcpStream>; 2] {
    let (mut client, mut server) = (Config::client(), Config::server());
    change(if changed == Role::Client { &mut client } else { &mut server });
    client.check().unwrap();
    server.check().unwrap();
    let (near, far) = tcp().await;
    let (client, server) = (Connection::client(client.into(), [1; 32]), Connection::server(server.into()));
    let end = |connection| if compress { compressing(connection) } else { connection };
    [WebSocket::new(near, end(client), &[]), WebSocket::new(far, end(server), &[])]
}

fn messages() -> Vec<Message> {
    // Neither compresses to nothing.
    let noise = |len: u32| (0..len).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect::<Vec<_>>();
    vec!["".into(), "text".into(), noise(1000).into(), "text ".repeat(30_000).into(), noise(300_000).into()]
}

async fn echo(mut socket: WebSocket<TcpStream>) -> Result<(), Error> {
    while let Some(message) = socket.recv().await? {
        socket.send(message).await?;
    }
    Ok(())
}

#[tokio::test]
async fn every_setting_at_its_smallest_value_carries_an_echo() {
    for (name, change) in SMALLEST {
        for changed in [Role::Client, Role::Server] {
            for compress in [false, true] {
                let [mut near, far] = pair(changed, change, compress).await;
                let echoes = tokio::spawn(echo(far));
                for message in messages() {
                    if name == "max_fragments" && message.len() > 10_000 {
                        // In frames of 256 KiB it comes in two.
                        continue;
                    }
                    near.send(message.clone()).await.unwrap();
                    let back =
                        near.recv().await.unwrap_or_else(|error| panic!("{name}, {changed:?}: {error}"));
                    assert_eq!(back, Some(message), "{name}, {changed:?}, {compress}");
                }
                near.close(CloseCode::NORMAL_CLOSURE, "").await.unwrap();
                echoes.await.unwrap().unwrap();
            }
        }
    }
}

#[tokio::test]
async fn every_setting_at_its_smallest_value_lets_many_senders_send() {
    for (name, change) in SMALLEST {
        for compress in [false, true] {
            let [near, mut far] = pair(Role::Client, change, compress).await;
            let (sender, mut receiver) = near.split();
            let receiving = tokio::spawn(async move { receiver.recv().await });
            let senders: Vec<_> = (0..8u8)
                .map(|number| {
                    let sender = sender.clone();
                    tokio::spawn(async move {
                        for _ in 0..4 {
                            sender.send(vec![number; 30_000]).await?;
                        }
                        Ok::<_, Error>(())
                    })
                })
                .collect();
            for _ in 0..32 {
                assert_eq!(far.recv().await.unwrap().unwrap().len(), 30_000, "{name}");
            }
            for sending in senders {
                sending.await.unwrap().unwrap_or_else(|error| panic!("{name}, {compress}: {error}"));
            }
            far.close(CloseCode::NORMAL_CLOSURE, "").await.unwrap();
            assert_eq!(receiving.await.unwrap().unwrap(), None, "{name}");
        }
    }
}

#[tokio::test]
async fn messages_in_pieces_pass_with_the_smallest_memory_limit_compressed_or_not() {
    for compress in [false, true] {
        let [mut near, far] =
            pair(Role::Server, |config| config.max_memory = Some(512 << 10), compress).await;
        let echoes = tokio::spawn(echo(far));
        let mut writer = near.send_stream(DataType::Binary);
        for _ in 0..100 {
            writer.write(&[7; 1000]).await.unwrap();
        }
        writer.finish().await.unwrap();
        assert_eq!(near.recv().await.unwrap(), Some(vec![7; 100_000].into()));
        near.close(CloseCode::NORMAL_CLOSURE, "").await.unwrap();
        echoes.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_feed_waits_for_room_within_the_memory_limit_instead_of_failing() {
    let mut config = Config::server();
    (config.max_memory, config.send_high_water) = (Some(512 << 10), 400 << 10);
    let (mut far, near) = tokio::io::duplex(64 << 10);
    let mut server = WebSocket::new(near, Connection::server(Arc::new(config)), &[]);
    // Half of a message of 800 kB, which is put together.
    let sending = async {
        far.write_all(b"\x82\xFF\0\0\0\0\0\x0c\0\0\0\0\0\0").await.unwrap();
        far.write_all(&[1; 400_000]).await.unwrap();
    };
    tokio::select! {
        biased;
        result = server.recv() => panic!("{result:?}"),
        () = sending => {}
    }
    while server.memory_usage().assembled < 400_000 {
        assert!(tokio::time::timeout(MILLISECOND, server.recv()).await.is_err());
    }
    server.feed(vec![2; 200_000]).await.unwrap();
    // Less than the high-water mark waits, but memory is at its limit.
    assert!(tokio::time::timeout(MILLISECOND, server.feed("waits")).await.is_err());
    let mut all = vec![0; 200_000];
    let (fed, read) = tokio::join!(server.feed("goes"), far.read_exact(&mut all));
    fed.unwrap();
    read.unwrap();
}

#[tokio::test]
async fn a_message_of_the_smallest_size_passes_and_one_byte_more_names_the_setting() {
    let [mut near, far] = pair(Role::Server, |config| config.max_message_size = 1, false).await;
    let echoes = tokio::spawn(echo(far));
    near.send("a").await.unwrap();
    assert_eq!(near.recv().await.unwrap(), Some("a".into()));
    near.send("ab").await.unwrap();
    let Err(Error::Closed(info)) = near.recv().await else { panic!("code 1009 was no error") };
    assert_eq!(info.received, Some(CloseCode::MESSAGE_TOO_BIG));
    assert_eq!(&*info.reason, "message is over the limit of max_message_size = 1 bytes");
    let error = echoes.await.unwrap().unwrap_err();
    assert!(matches!(error, Error::Protocol(ProtocolError::MessageTooBig { limit: 1 })), "{error}");
}

#[tokio::test]
async fn the_close_of_a_failure_arrives_although_a_single_byte_may_be_thrown_away() {
    let mut config = Config::server();
    config.max_linger_bytes = 1;
    let (mut near, far) = tcp().await;
    let mut server = WebSocket::new(far, Connection::server(Arc::new(config)), &[]);
    let failing = tokio::spawn(async move { server.recv().await });
    // Not masked.
    near.write_all(b"\x81\x01a").await.unwrap();
    let mut close = Vec::new();
    near.read_to_end(&mut close).await.unwrap();
    assert_eq!(close[2..4], CloseCode::PROTOCOL_ERROR.0.to_be_bytes());
    drop(near);
    assert!(matches!(failing.await.unwrap(), Err(Error::Protocol(ProtocolError::UnmaskedFrame))));
}
