//! How a WebSocket ends over HTTP/2 in other HTTP servers.

use std::time::Duration;

use axum::Router;
use h2::Reason;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use ws_server::{CloseCode, Endpoint, WebSocketHub};

use crate::common::{echo, options, soon};
use crate::hosts::{Embedded, HOSTS, client, endpoint};
use crate::peer::connect;

/// A hub with a single permit.
fn single() -> WebSocketHub {
    let options = options(|options| {
        options.max_connections = Some(1);
        options.overload_wait = Duration::from_secs(5);
    });
    WebSocketHub::new(options).unwrap()
}

#[tokio::test]
async fn an_end_a_reset_and_the_loss_of_the_connection_release_the_permit_in_every_framework() {
    for host in HOSTS {
        let embedded = Embedded::serve(host, single(), endpoint()).await;
        let client = embedded.client().await;
        let mut socket = client.open("/").await;
        socket.echo("one").await;
        socket.peer.end();
        embedded.until(|stats| stats.open() == 0).await;
        assert!(socket.peer.data().await.is_none(), "{host:?}: END_STREAM answers END_STREAM");

        for reason in [Reason::CANCEL, Reason::PROTOCOL_ERROR] {
            let mut socket = client.open("/").await;
            socket.echo("two").await;
            socket.peer.send.send_reset(reason);
            embedded.until(|stats| stats.open() == 0).await;
        }

        let mut socket = client.open("/").await;
        socket.echo("three").await;
        client.task.abort();
        embedded.until(|stats| (stats.open(), stats.connections()) == (0, 0)).await;
        assert_eq!(embedded.sockets.stats().opened(), 4, "{host:?}");
    }
}

#[tokio::test]
async fn after_the_closing_handshake_every_framework_ends_the_stream() {
    for host in HOSTS {
        let embedded = Embedded::serve(host, WebSocketHub::default(), endpoint()).await;
        let client = embedded.client().await;
        let mut socket = client.open("/").await;
        socket.connection.close(CloseCode::NORMAL_CLOSURE, "bye").unwrap();
        socket.flush().await;
        let close = socket.event().await.unwrap().unwrap_err().unwrap();
        assert_eq!(close.code, CloseCode::NORMAL_CLOSURE, "{host:?}");
        assert!(socket.peer.data().await.is_none(), "{host:?}: END_STREAM, and no reset");
        socket.peer.end();
        embedded.until(|stats| (stats.open(), stats.connections()) == (0, 0)).await;
        // The connection goes on.
        client.open("/").await.echo("next").await;
    }
}

#[tokio::test]
async fn a_fault_on_one_websocket_ends_its_stream_alone_in_every_framework() {
    for host in HOSTS {
        let embedded = Embedded::serve(host, WebSocketHub::default(), endpoint()).await;
        let client = embedded.client().await;
        let (mut faulty, mut other) = (client.open("/").await, client.open("/").await);
        // Not masked.
        faulty.peer.write(b"\x81\x01x").await;
        let close = faulty.event().await.unwrap().unwrap_err().unwrap();
        assert_eq!(close.code, CloseCode::PROTOCOL_ERROR, "{host:?}");
        assert!(faulty.peer.data().await.is_none(), "{host:?}");
        other.echo("nothing noticed").await;
    }
}

#[tokio::test]
async fn a_drain_closes_with_1001_ends_the_streams_and_refuses_new_requests_in_every_framework() {
    for host in HOSTS {
        let options = options(|options| options.drain_spread = Duration::from_millis(10));
        let embedded = Embedded::serve(host, WebSocketHub::new(options).unwrap(), endpoint()).await;
        let client = embedded.client().await;
        let mut sockets = [client.open("/").await, client.open("/").await];
        let hub = embedded.sockets.clone();
        let draining = tokio::spawn(async move { hub.drain().await });
        for socket in &mut sockets {
            let close = socket.event().await.unwrap().unwrap_err().unwrap();
            assert_eq!(close.code, CloseCode::GOING_AWAY, "{host:?}");
            socket.flush().await;
            assert!(socket.peer.data().await.is_none(), "{host:?}: END_STREAM");
            socket.peer.end();
        }
        let drained = soon(draining).await.unwrap();
        assert_eq!((drained.closed, drained.aborted), (2, 0), "{host:?}");
        let mut late = client.ask(connect("/")).await.unwrap();
        assert_eq!(late.head.status(), 503, "{host:?}");
        assert!(late.text().await.contains("shutting down"), "{host:?}");
    }
}

#[tokio::test]
async fn axum_shuts_down_with_its_websockets_over_http_2() {
    let sockets = WebSocketHub::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app: Router = Router::new().route_service("/", sockets.endpoint(Endpoint::new(echo)).unwrap());
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(async move {
        let serve = |stopped| axum::serve(listener, app).with_graceful_shutdown(stopped);
        sockets.serve_until(stopped, serve).await
    });
    let client = client(address).await;
    let mut socket = client.open("/").await;
    stop.send(()).unwrap();
    let close = socket.event().await.unwrap().unwrap_err().unwrap();
    assert_eq!(close.code, CloseCode::GOING_AWAY);
    socket.flush().await;
    assert!(socket.peer.data().await.is_none(), "END_STREAM");
    socket.peer.end();
    let drained = soon(serving).await.unwrap().unwrap();
    assert_eq!((drained.closed, drained.aborted), (1, 0));
    // GOAWAY, and the end of the connection.
    drop(client.requests);
    soon(client.task).await.unwrap().unwrap();
}
