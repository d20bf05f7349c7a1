//! Tests of connections whose two ends are this suite's.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::native::target::Wire;

/// Runs `serve` as the server of a stream that a client has opened.
async fn with<F>(
    serve: impl Fn(Tunnel) -> F + Send + Sync + Copy + 'static,
    ask: impl AsyncFnOnce(Head, Tunnel),
) where
    F: Future<Output = ()> + Send + 'static,
{
    let (ours, theirs) = tokio::io::duplex(1 << 10);
    let serving = super::serve(theirs, move |exchange| async move {
        assert_eq!(exchange.head.first, "CONNECT /path HTTP/2");
        serve(exchange.open(&message::owned(&[(":status", "200")]))).await;
    });
    let asking = async {
        let request = message::extended_connect("http", "localhost", "/path");
        let (head, tunnel) = Client::begin(ours).await.unwrap().open(&request).await.unwrap();
        ask(head, tunnel).await;
    };
    tokio::join!(serving, asking);
}

#[tokio::test]
async fn bytes_beyond_every_window_arrive_in_both_directions_and_end_streams_are_ends() {
    let all: Vec<u8> = (0..4u32 << 20).map(|n| (n % 251) as u8).collect();
    let sent = all.clone();
    let echo = |tunnel: Tunnel| async move {
        let (mut reader, mut writer) = split(tunnel);
        tokio::io::copy(&mut reader, &mut writer).await.unwrap();
        writer.shutdown().await.unwrap();
    };
    with(echo, async |head, tunnel| {
        assert_eq!(message::status(&head), Some(200));
        let (mut reader, mut writer) = split(tunnel);
        let mut back = Vec::new();
        let writing = async {
            writer.write_all(&sent).await.unwrap();
            writer.shutdown().await.unwrap();
        };
        let ((), read) = tokio::join!(writing, reader.read_to_end(&mut back));
        read.unwrap();
        assert!(back == all);
    })
    .await;
}

#[tokio::test]
async fn a_reset_stream_is_a_connection_that_breaks() {
    let reset = |mut tunnel: Tunnel| async move {
        tunnel.write_all(b"some").await.unwrap();
        tunnel.read_exact(&mut [0; 2]).await.unwrap();
        tunnel.arm_reset();
    };
    with(reset, async |_, mut tunnel| {
        let mut some = [0; 4];
        tunnel.read_exact(&mut some).await.unwrap();
        tunnel.write_all(b"ok").await.unwrap();
        let error = tunnel.read_to_end(&mut Vec::new()).await.unwrap_err();
        assert_eq!(error.to_string(), "the peer sent RST_STREAM CANCEL");
    })
    .await;
}

#[tokio::test]
async fn without_permission_no_request_is_sent() {
    let (ours, mut theirs) = tokio::io::duplex(1 << 10);
    let serving = async {
        theirs.write_all(&settings(&[]).encode()).await.unwrap();
        let mut all = Vec::new();
        theirs.read_to_end(&mut all).await.unwrap();
        all
    };
    let asking = async { Client::begin(ours).await.unwrap_err() };
    let (error, sent) = tokio::join!(asking, serving);
    assert_eq!(error, "the server's SETTINGS have no ENABLE_CONNECT_PROTOCOL = 1");
    let mut rest = sent.strip_prefix(PREFACE).unwrap();
    while let Some((frame, size)) = Frame::read(rest) {
        assert_ne!(frame.kind, HEADERS);
        rest = &rest[size..];
    }
}
