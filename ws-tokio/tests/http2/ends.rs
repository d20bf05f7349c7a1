//! How a stream ends.

use std::io::ErrorKind;

use h2::Reason;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::pair::{pair, settle, soon};

#[tokio::test]
async fn end_stream_is_the_end_of_the_stream_in_both_directions() {
    let mut pair = pair().await;
    let (mut stream, mut peer) = pair.stream().await;
    peer.write(b"question").await;
    let mut question = [0; 8];
    soon(stream.read_exact(&mut question)).await.unwrap();
    assert_eq!(&question, b"question");

    soon(stream.write_all(b"answer")).await.unwrap();
    soon(stream.shutdown()).await.unwrap();
    assert_eq!(peer.read(6).await, b"answer");
    assert_eq!(peer.data().await, None);
    assert!(peer.recv.is_end_stream());
    assert_eq!(stream.write(b"more").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
    soon(stream.shutdown()).await.unwrap();

    peer.send.send_data("the last".into(), true).unwrap();
    let mut rest = Vec::new();
    soon(stream.read_to_end(&mut rest)).await.unwrap();
    assert_eq!(rest, b"the last");
    // Both have ended: there is nothing to reset.
    drop(stream);
    settle().await;
    assert!(!pair.client_task.is_finished());
    pair.stream().await;
}

#[tokio::test]
async fn a_reset_is_an_error_with_its_reason_for_a_reader_that_waits() {
    let mut pair = pair().await;
    let (mut stream, mut peer) = pair.stream().await;
    let reading = tokio::spawn(async move {
        let read = stream.read_u8().await.unwrap_err();
        (read, stream.write_all(b"x").await.unwrap_err(), stream.shutdown().await)
    });
    settle().await;
    peer.send.send_reset(Reason::INTERNAL_ERROR);
    let (read, write, shutdown) = soon(reading).await.unwrap();
    for error in [read, write, shutdown.unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        assert!(error.to_string().contains("INTERNAL_ERROR"), "{error}");
    }
    // The others notice nothing.
    let (mut other, mut peer) = pair.stream().await;
    other.write_all(b"x").await.unwrap();
    assert_eq!(peer.read(1).await, b"x");
}

#[tokio::test]
async fn a_reset_wakes_a_writer_that_waits_for_the_window() {
    let mut pair = crate::pair::pair_with(10, 65_535).await;
    let (mut stream, mut peer) = pair.stream().await;
    let writing = tokio::spawn(async move { stream.write_all(&[7; 11]).await });
    settle().await;
    assert!(!writing.is_finished(), "the window is of ten bytes");
    peer.send.send_reset(Reason::CANCEL);
    let error = soon(writing).await.unwrap().unwrap_err();
    assert!(error.kind() == ErrorKind::ConnectionReset && error.to_string().contains("CANCEL"), "{error}");
}

#[tokio::test]
async fn what_arrived_before_a_reset_is_read_before_it() {
    let mut pair = pair().await;
    let (mut stream, mut peer) = pair.stream().await;
    peer.write(b"last words").await;
    settle().await;
    peer.send.send_reset(Reason::CANCEL);
    settle().await;
    let mut words = [0; 10];
    soon(stream.read_exact(&mut words)).await.unwrap();
    assert_eq!(&words, b"last words");
    assert_eq!(soon(stream.read_u8()).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_stream_that_is_dropped_while_it_is_open_is_reset() {
    let mut pair = pair().await;
    let (stream, mut peer) = pair.stream().await;
    drop(stream);
    let error = soon(peer.recv.data()).await.unwrap().unwrap_err();
    assert!(error.is_reset() && error.reason() == Some(Reason::CANCEL), "{error:?}");
    pair.stream().await;
}

#[tokio::test]
async fn the_loss_of_the_connection_ends_its_streams_with_an_error() {
    let mut pair = pair().await;
    let (mut reading, _peer) = pair.stream().await;
    let (mut later, _other) = pair.stream().await;
    let waits = tokio::spawn(async move { reading.read_u8().await });
    settle().await;
    pair.client_task.abort();
    let error = soon(waits).await.unwrap().unwrap_err();
    assert_ne!(error.kind(), ErrorKind::UnexpectedEof, "{error}");
    assert!(soon(later.read_u8()).await.is_err());
    assert!(soon(later.write_all(b"x")).await.is_err());
    soon(pair.server_task).await.unwrap();
}

#[tokio::test]
async fn a_task_that_is_aborted_leaves_no_stream_waiting() {
    let mut pair = pair().await;
    let (mut stream, _peer) = pair.stream().await;
    let waits = tokio::spawn(async move { stream.read_u8().await });
    settle().await;
    pair.server_task.abort();
    assert!(soon(waits).await.unwrap().is_err());
}
