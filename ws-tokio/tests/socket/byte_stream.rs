//! A WebSocket as a stream of bytes.

use std::io::{ErrorKind, IoSlice};
use std::sync::Arc;
use std::time::Duration;

use crate::chance::Chance;
use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, copy_bidirectional, duplex, split,
};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use ws_core::{CloseCause, CloseCode, Config, Connection, DataType, Deadline, Message};
use ws_tokio::{ByteStream, Error, WebSocket};

fn random_bytes(seed: u64, count: usize) -> Vec<u8> {
    let mut chance = Chance::new(seed);
    (0..count).map(|_| chance.next() as u8).collect()
}

fn pair(room: usize) -> (WebSocket<DuplexStream>, WebSocket<DuplexStream>) {
    let (a, b) = duplex(room);
    (
        WebSocket::new(a, Connection::client(Arc::new(Config::client()), [7; 32]), &[]),
        WebSocket::new(b, Connection::server(Arc::new(Config::server())), &[]),
    )
}

/// Both ends as bytes.
fn bytes_pair(room: usize) -> (ByteStream<DuplexStream>, ByteStream<DuplexStream>) {
    let (a, b) = pair(room);
    (a.into(), b.into())
}

/// Writes `count` bytes of the sequence of `seed` in pieces of any size.
fn write_all<W>(mut writer: W, seed: u64, count: usize) -> JoinHandle<W>
where
    W: AsyncWrite + Unpin + Send + 'static,
{
    tokio::spawn(async move {
        let bytes = random_bytes(seed, count);
        let mut sizes = Chance::new(seed + 1);
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let size = (sizes.next() as usize % 50_000 + 1).min(rest.len());
            writer.write_all(&rest[..size]).await.unwrap();
            rest = &rest[size..];
        }
        writer.flush().await.unwrap();
        writer
    })
}

/// Reads `count` bytes in pieces of any size, and compares.
fn read_all<R>(mut reader: R, seed: u64, count: usize) -> JoinHandle<R>
where
    R: AsyncRead + Unpin + Send + 'static,
{
    tokio::spawn(async move {
        let expected = random_bytes(seed, count);
        let mut sizes = Chance::new(seed + 2);
        let mut done = 0;
        while done < count {
            let mut buffer = vec![0; sizes.next() as usize % 20_000 + 1];
            let size = reader.read(&mut buffer).await.unwrap();
            assert_ne!(size, 0, "the end after {done} bytes");
            assert_eq!(buffer[..size], expected[done..done + size], "at {done}");
            done += size;
        }
        reader
    })
}

/// Within a time no test needs.
async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(20), future).await.expect("timed out")
}

#[tokio::test]
async fn two_tasks_at_each_end_send_megabytes_both_ways_through_a_narrow_pipe() {
    const COUNT: usize = 3 << 20;
    // Every wake-up of a reader comes while the writer beside it waits too.
    for room in [100, 70_000] {
        let (a, b) = bytes_pair(room);
        let ((a_reader, a_writer), (b_reader, b_writer)) = (split(a), split(b));
        let writers = (write_all(a_writer, 1, COUNT / 4), write_all(b_writer, 2, COUNT));
        let readers = (read_all(a_reader, 2, COUNT), read_all(b_reader, 1, COUNT / 4));
        let (mut a_writer, mut b_writer) = (soon(writers.0).await.unwrap(), soon(writers.1).await.unwrap());
        let (mut a_reader, mut b_reader) = (soon(readers.0).await.unwrap(), soon(readers.1).await.unwrap());
        let (shut_a, shut_b) = soon(async { tokio::join!(a_writer.shutdown(), b_writer.shutdown()) }).await;
        assert!(shut_a.is_ok() && shut_b.is_ok());
        let ends = (soon(a_reader.read(&mut [0])).await, soon(b_reader.read(&mut [0])).await);
        assert_eq!((ends.0.unwrap(), ends.1.unwrap()), (0, 0));
    }
}

#[tokio::test]
async fn shutdown_closes_with_1000_and_the_peer_reads_to_the_end() {
    let (mut client, server) = bytes_pair(4096);
    let echoing = tokio::spawn(async move {
        let mut server = server;
        let mut all = Vec::new();
        server.read_to_end(&mut all).await.map(|_| (all, server.close_info().unwrap()))
    });
    client.write_all(b"all there is").await.unwrap();
    client.shutdown().await.unwrap();
    let (all, info) = echoing.await.unwrap().unwrap();
    assert_eq!((&all[..], info.received), (&b"all there is"[..], Some(CloseCode::NORMAL_CLOSURE)));
    assert!(client.close_info().unwrap().is_clean());
    assert_eq!(client.read(&mut [0; 8]).await.unwrap(), 0, "end of stream");
}

#[tokio::test]
async fn what_the_peer_sent_before_the_close_arrived_is_still_read() {
    let (mut client, mut server) = bytes_pair(1 << 20);
    server.write_all(&[5; 100_000]).await.unwrap();
    let (mut reader, mut writer) = split(client);
    let reading = tokio::spawn(async move {
        let mut all = Vec::new();
        reader.read_to_end(&mut all).await.map(|_| (all.len(), reader))
    });
    let serving = tokio::spawn(async move { server.read(&mut [0]).await });
    writer.shutdown().await.unwrap();
    let (length, reader) = reading.await.unwrap().unwrap();
    assert_eq!((length, serving.await.unwrap().unwrap()), (100_000, 0));
    client = reader.unsplit(writer);
    assert!(client.close_info().unwrap().is_clean());
}

#[tokio::test(start_paused = true)]
async fn shutdown_ends_by_close_timeout_when_received_bytes_are_not_read() {
    let (mut client, mut server) = bytes_pair(1 << 20);
    server.write_all(&[5; 100_000]).await.unwrap();
    let serving = tokio::spawn(async move { server.read(&mut [0]).await });
    let begin = Instant::now();
    assert_eq!(client.shutdown().await.unwrap_err().kind(), ErrorKind::TimedOut);
    assert_eq!(begin.elapsed().as_secs(), Config::client().close_timeout.as_secs());
    assert_eq!(client.close_info().unwrap().cause, CloseCause::Timeout(Deadline::Close));
    assert_eq!(serving.await.unwrap().unwrap(), 0);
}

#[tokio::test]
async fn a_text_message_is_an_error_that_names_the_type_and_the_peer_receives_1003() {
    let (client, mut server) = pair(4096);
    let mut bytes = ByteStream::new(client);
    server.send(&b"ab"[..]).await.unwrap();
    server.send("text").await.unwrap();
    let mut buffer = [0; 8];
    assert_eq!(bytes.read(&mut buffer).await.unwrap(), 2);
    for _ in 0..2 {
        let error = bytes.read(&mut buffer).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        assert!(error.to_string().contains("text message"), "{error}");
    }
    drop(bytes);
    let Err(Error::Closed(info)) = server.recv().await else { panic!("code 1003 was no error") };
    assert_eq!(info.received, Some(CloseCode::UNSUPPORTED_DATA));
}

#[tokio::test]
async fn empty_messages_do_not_end_a_byte_stream() {
    let (client, mut server) = pair(4096);
    let mut bytes = ByteStream::new(client);
    for message in [&b""[..], b"", b"x", b""] {
        server.feed(message).await.unwrap();
    }
    server.flush().await.unwrap();
    assert_eq!(bytes.read_u8().await.unwrap(), b'x');
    assert_eq!(bytes.write(b"").await.unwrap(), 0);
    bytes.write_all(b"y").await.unwrap();
    assert_eq!(
        server.recv().await.unwrap(),
        Some(Message::binary(&b"y"[..])),
        "an empty message was sent before it"
    );
}

#[tokio::test]
async fn a_close_with_another_code_is_an_error_that_names_it() {
    for (code, end) in [
        (CloseCode::NORMAL_CLOSURE, true),
        (CloseCode::GOING_AWAY, false),
        (CloseCode::INTERNAL_ERROR, false),
    ] {
        let (client, mut server) = pair(4096);
        let mut bytes = ByteStream::new(client);
        let closing = tokio::spawn(async move { server.close(code, "because").await });
        match bytes.read(&mut [0; 8]).await {
            Ok(size) => assert!(end && size == 0, "{code}"),
            Err(error) => {
                assert_eq!((error.kind(), end), (ErrorKind::ConnectionAborted, false), "{code}");
                assert!(error.to_string().contains("because"), "{error}");
            }
        }
        assert!(closing.await.unwrap().unwrap().is_clean());
    }
}

#[tokio::test]
async fn a_dropped_byte_stream_is_an_error_for_the_peer_and_no_end_of_its_stream() {
    let (client, mut server) = bytes_pair(4096);
    drop(client);
    assert_eq!(server.read(&mut [0; 8]).await.unwrap_err().kind(), ErrorKind::ConnectionAborted);

    let (a, peer) = duplex(4096);
    let connection = Connection::client(Arc::new(Config::client()), [7; 32]);
    let mut client = ByteStream::new(WebSocket::new(a, connection, &[]));
    drop(peer);
    assert_eq!(client.read(&mut [0; 8]).await.unwrap_err().kind(), ErrorKind::UnexpectedEof);
}

#[tokio::test]
async fn a_close_inside_a_message_is_no_end_of_the_stream() {
    let (client, mut server) = pair(4096);
    let mut bytes = ByteStream::new(client);
    server.send_piece(DataType::Binary, b"half", false).await.unwrap();
    let closing = tokio::spawn(async move { server.close(CloseCode::NORMAL_CLOSURE, "").await });
    let error = bytes.read_to_end(&mut Vec::new()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    assert!(closing.await.unwrap().is_ok());
}

#[tokio::test]
async fn writing_to_a_closed_connection_is_a_broken_pipe() {
    let (mut client, mut server) = bytes_pair(4096);
    let closing = tokio::spawn(async move { server.shutdown().await });
    assert_eq!(client.read(&mut [0; 8]).await.unwrap(), 0);
    assert_eq!(client.write_all(b"late").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
    client.shutdown().await.unwrap();
    closing.await.unwrap().unwrap();
}

#[tokio::test]
async fn slices_are_gathered_into_one_message_and_a_large_write_is_cut() {
    let (client, mut server) = pair(1 << 20);
    let mut bytes = ByteStream::new(client);
    assert!(bytes.is_write_vectored());
    let slices = [IoSlice::new(b"ab"), IoSlice::new(b""), IoSlice::new(b"cde")];
    assert_eq!(bytes.write_vectored(&slices).await.unwrap(), 5);
    assert_eq!(server.recv().await.unwrap(), Some(Message::binary(&b"abcde"[..])));
    let large = [7; 40_000];
    assert_eq!(bytes.write_vectored(&[IoSlice::new(&[7; 9]), IoSlice::new(&large)]).await.unwrap(), 32_768);
    assert_eq!(server.recv().await.unwrap(), Some(Message::binary(vec![7; 32_768])));
    assert_eq!(bytes.write(&large).await.unwrap(), 32_768);
    assert_eq!(server.recv().await.unwrap(), Some(Message::binary(vec![7; 32_768])));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_read_stops_the_writer() {
    let (mut client, _server) = bytes_pair(10_000);
    let mut taken = 0;
    while let Ok(written) = timeout(Duration::from_secs(1), client.write(&[1; 5000])).await {
        taken += written.unwrap();
        assert!(taken < 200_000, "the writer is never stopped");
    }
    // The high-water mark, what may be queued just below it, and what is in the pipe.
    let bound = Config::client().send_high_water + 5000 + 10_000;
    assert!((bound - 20_000..=bound).contains(&taken), "{taken}");
}

#[tokio::test]
async fn copy_bidirectional_carries_a_conversation_and_its_end() {
    let (near, mut inside) = bytes_pair(1000);
    let (mut outside, mut plain) = duplex(700);
    let tunnel = tokio::spawn(async move { copy_bidirectional(&mut inside, &mut plain).await });
    let (reader, writer) = split(near);
    let writing = write_all(writer, 3, 200_000);
    let mut echoed = vec![0; 200_000];
    let echo = async {
        let mut buffer = vec![0; 3000];
        let mut left = echoed.len();
        while left > 0 {
            let size = outside.read(&mut buffer).await.unwrap();
            outside.write_all(&buffer[..size]).await.unwrap();
            left -= size;
        }
    };
    let reading = read_all(reader, 3, echoed.len());
    soon(echo).await;
    let (reader, writer) = (soon(reading).await.unwrap(), soon(writing).await.unwrap());
    reader.unsplit(writer).shutdown().await.unwrap();
    assert_eq!(outside.read(&mut echoed).await.unwrap(), 0, "the end was not passed on");
    drop(outside);
    assert_eq!(soon(tunnel).await.unwrap().unwrap(), (200_000, 200_000));
}

#[tokio::test]
async fn an_empty_read_takes_nothing_and_an_empty_write_makes_no_message() {
    let (client, mut server) = pair(4096);
    let mut bytes = ByteStream::new(client);
    server.send(Message::binary(&b"abc"[..])).await.unwrap();
    assert_eq!(bytes.read(&mut []).await.unwrap(), 0);
    assert_eq!(bytes.write_vectored(&[IoSlice::new(b"")]).await.unwrap(), 0);
    assert_eq!(bytes.write(b"").await.unwrap(), 0);
    bytes.write_all(b"x").await.unwrap();
    bytes.flush().await.unwrap();
    assert_eq!(server.recv().await.unwrap(), Some(Message::binary(&b"x"[..])));
    assert_eq!(soon(bytes.read(&mut [0; 8])).await.unwrap(), 3);
}

#[tokio::test]
async fn writing_to_a_byte_stream_after_the_transport_has_ended_is_an_unexpected_eof() {
    let (a, peer) = duplex(4096);
    let connection = Connection::client(Arc::new(Config::client()), [7; 32]);
    let mut client = ByteStream::new(WebSocket::new(a, connection, &[]));
    drop(peer);
    assert!(client.read(&mut [0; 8]).await.is_err());
    assert_eq!(client.write(b"late").await.unwrap_err().kind(), ErrorKind::UnexpectedEof);
}
