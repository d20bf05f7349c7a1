//! The clients of ws-client over HTTP/2.

use ws_client::{HttpVersion, Options, ProxyChoice};
use ws_server::{CloseCode, Endpoint, Message, WebSocket, WebSocketHub, deflate};

use crate::common::soon;
use crate::hosts::{Embedded, HOSTS, Host, endpoint};

fn options() -> Options {
    Options::default().http_version(HttpVersion::Http2).proxy(ProxyChoice::Direct)
}

#[tokio::test]
async fn clients_share_a_connection_to_every_framework_and_compress_on_it() {
    for host in HOSTS {
        let embedded = Embedded::serve(host, WebSocketHub::default(), endpoint()).await;
        let client = options().deflate(deflate::Config::client()).build().unwrap();
        let url = format!("ws://{}/", embedded.address);
        let mut sockets = Vec::new();
        for _ in 0..20 {
            let (socket, negotiated) = soon(client.connect(url.as_str())).await.unwrap();
            assert_eq!(negotiated.http_version(), http::Version::HTTP_2, "{host:?}");
            assert!(negotiated.deflate().is_some(), "{host:?}");
            sockets.push(socket);
        }
        let compressible = Message::text("compress me ".repeat(5_000));
        let noise: Vec<u8> = (0..300_000_u32).map(|n| (n.wrapping_mul(n) >> 7) as u8).collect();
        let noise = Message::binary(noise);
        for socket in &mut sockets {
            for message in [&compressible, &noise] {
                soon(socket.send(message.clone())).await.unwrap();
                assert_eq!(soon(socket.recv()).await.unwrap().as_ref(), Some(message), "{host:?}");
            }
        }
        assert_eq!(embedded.sockets.stats().open(), 20, "{host:?}");
        for mut socket in sockets {
            let info = soon(socket.close(CloseCode::NORMAL_CLOSURE, "")).await.unwrap();
            assert!(info.is_clean(), "{host:?}: {info:?}");
        }
        embedded.until(|stats| (stats.open(), stats.connections()) == (0, 0)).await;
    }
}

#[tokio::test]
async fn a_websocket_that_is_not_read_stalls_no_other_of_its_connection_under_hyper() {
    let deaf = async |mut socket: WebSocket| {
        if socket.recv().await? == Some("deaf".into()) {
            std::future::pending::<()>().await;
        }
        while let Some(message) = socket.recv().await? {
            socket.send(message).await?;
        }
        Ok::<_, ws_server::Error>(())
    };
    let embedded = Embedded::serve(Host::Hyper, WebSocketHub::default(), Endpoint::new(deaf)).await;
    let client = options().build().unwrap();
    let url = format!("ws://{}/", embedded.address);
    let (mut stalled, _) = soon(client.connect(url.as_str())).await.unwrap();
    let (mut other, _) = soon(client.connect(url.as_str())).await.unwrap();
    stalled.send("deaf").await.unwrap();
    let large = Message::binary(vec![1; 400_000]);
    soon(stalled.feed(large.clone())).await.unwrap();
    other.send("not deaf").await.unwrap();
    for _ in 0..5 {
        soon(other.send(large.clone())).await.unwrap();
        assert_eq!(soon(other.recv()).await.unwrap(), Some(large.clone()));
    }
}
