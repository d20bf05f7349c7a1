//! Large messages to a peer that reads nothing for a while, over HTTP/1.1 and HTTP/2, with and without TLS: what the system or a
//! library takes ahead arrives once and in order.

use std::time::Duration;

use tokio::time::sleep;
use ws_client::{HttpVersion, Message, Options, ProxyChoice, WebSocket};
use ws_server::Server;

use crate::common::{Running, run, soon};
use crate::{certificate, tls};

const LENGTH: u32 = 1 << 20;
/// Longer than a link stays fast.
const PAUSE: Duration = Duration::from_millis(300);

/// A message that says where each of its bytes is.
fn message(number: u8) -> Vec<u8> {
    (0..LENGTH / 4).flat_map(|word| (word ^ (u32::from(number) << 24)).to_le_bytes()).collect()
}

/// Answers a byte with the message of that number; the message of a number, which it takes after a pause, with that number.
async fn handler(mut socket: ws_server::WebSocket) -> Result<(), ws_server::Error> {
    while let Some(received) = socket.recv().await? {
        match received.as_bytes() {
            [number] => socket.send(message(*number)).await?,
            large => {
                let number = large[3];
                assert!(large == message(number), "message {number} has other bytes");
                sleep(PAUSE).await;
                socket.send(vec![number]).await?;
            }
        }
    }
    Ok(())
}

async fn received(socket: &mut WebSocket) -> Message {
    soon(socket.recv()).await.unwrap().unwrap()
}

/// Large messages each way, the first without pauses, so that the link proves fast.
async fn exchange(mut socket: WebSocket) {
    for number in 0..24 {
        soon(socket.send(vec![number])).await.unwrap();
        if number >= 20 {
            sleep(PAUSE).await;
        }
        let large = received(&mut socket).await;
        assert!(large.as_bytes() == message(number), "message {number} has other bytes");
    }
    // The server takes the second and the third after a pause. What is held here as well is masked in a copy.
    let shared = Message::binary(message(1));
    for large in [Message::binary(message(0)), shared.clone(), Message::binary(message(2))] {
        soon(socket.send(large)).await.unwrap();
    }
    assert!(shared.as_bytes() == message(1), "what others hold is not changed");
    for number in 0..3 {
        assert_eq!(received(&mut socket).await.as_bytes(), [number]);
    }
    soon(socket.close(ws_client::CloseCode::NORMAL_CLOSURE, "")).await.unwrap();
}

#[tokio::test]
async fn large_messages_to_a_peer_that_pauses_arrive_once_and_in_order_over_each_transport() {
    let certificate = certificate();
    let plain = run(Server::builder().route("/", handler)).await;
    let secure = run(Server::builder().route("/", handler).tls(tls(&certificate))).await;
    let url = |scheme, server: &Running| format!("{scheme}://localhost:{}/", server.address.port());
    let mut exchanges = tokio::task::JoinSet::new();
    for url in [url("ws", &plain), url("wss", &secure)] {
        for version in [HttpVersion::Http1, HttpVersion::Http2] {
            let tls = ws_client::Tls::from_root_pem(certificate.cert.pem().as_bytes()).unwrap();
            let options = Options::default().http_version(version).tls(tls).proxy(ProxyChoice::Direct);
            let client = options.build().unwrap();
            let (socket, _) = soon(client.connect(url.as_str())).await.unwrap();
            exchanges.spawn(exchange(socket));
        }
    }
    exchanges.join_all().await;
}
