//! The sample `echo`.

use ws_client::{Client, CloseCode, Message};

use crate::process::{Sample, open, soon};

#[tokio::test]
async fn echo_sends_back_text_and_bytes_and_closes_with_the_code_it_receives() {
    let sample = Sample::start("echo", &[]);
    for target in ["/", "/echo"] {
        let mut socket = sample.open(target).await;
        for message in [Message::from("Grüße"), Message::binary(vec![7; 3 << 20]), Message::from("")] {
            socket.send(message.clone()).await.unwrap();
            assert!(soon(socket.recv()).await.unwrap() == Some(message));
        }
        let info = soon(socket.close(CloseCode::from(4321), "enough")).await.unwrap();
        assert_eq!(info.received.map(u16::from), Some(4321));
    }
}

#[tokio::test]
async fn echo_speaks_its_subprotocol_and_compresses_with_its_option() {
    let sample = Sample::start("echo", &["--compress"]);
    let request = sample.request("/").subprotocol("chat").subprotocol("echo");
    // The client offers compression by default.
    let (mut socket, response) = soon(Client::new().unwrap().connect(request)).await.unwrap();
    assert_eq!(response.headers()["sec-websocket-protocol"], "echo");
    assert!(
        response.headers()["sec-websocket-extensions"].to_str().unwrap().starts_with("permessage-deflate")
    );
    socket.send("again ".repeat(10_000)).await.unwrap();
    assert_eq!(soon(socket.recv()).await.unwrap(), Some(Message::from("again ".repeat(10_000))));

    let without = open(Sample::start("echo", &[]).request("/").subprotocol("chat")).await;
    assert!(without.is_ok(), "a server may choose no subprotocol");
}

#[cfg(unix)]
#[tokio::test]
async fn a_sample_that_gets_sigterm_closes_with_1001_and_ends_with_status_0() {
    let sample = Sample::start("echo", &[]);
    let mut socket = sample.open("/").await;
    socket.send("before").await.unwrap();
    assert_eq!(soon(socket.recv()).await.unwrap(), Some(Message::from("before")));
    sample.terminate();
    assert_eq!(soon(socket.recv()).await.unwrap(), None);
    assert_eq!(socket.close_info().unwrap().received, Some(CloseCode::GOING_AWAY));
    assert_eq!(sample.ended(), Some(0));
}
