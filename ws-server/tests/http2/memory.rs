//! The memory of WebSockets that share connections, within the budget of the server.

use bytes::Bytes;
use ws_server::Server;

use crate::common::{budget, echo, frame, options, run, soon};
use crate::peer::{Client, connect};

#[tokio::test]
async fn websockets_of_one_connection_give_way_one_by_one_when_memory_is_used_up() {
    let options = options(|options| options.max_memory = Some(1 << 20));
    let server = run(Server::builder().route("/", echo).options(options)).await;
    let client = Client::connect(&server).await;
    let mut honest = client.open("/").await;
    let mut heavy = Vec::new();
    for _ in 0..6 {
        heavy.push(client.open("/").await);
    }
    // A fragment, masked with zeros, of which more is to come.
    let mut fragment = vec![0x02, 0xFF, 0, 0, 0, 0, 0, 4, 0, 0];
    fragment.resize(14 + (4 << 16), 0);
    for socket in &mut heavy {
        socket.peer.write(&fragment).await;
    }
    server.until(|stats| stats.closed_for_memory() >= 2).await;
    honest.echo("hello").await;
    let mut closed = 0;
    // Each is dropped when it has been looked at, as what it has not read takes of the connection's window.
    for mut socket in heavy {
        // The rest of the message; on a stream that has failed nobody reads it.
        let _ = socket.peer.send.send_data(Bytes::from(frame(0x80, b"")), false);
        match soon(socket.peer.data()).await.unwrap().unwrap()[..] {
            [0x82, ..] => {}
            [0x88, _, 0x03, 0xf5, ..] => closed += 1,
            ref other => panic!("{other:x?}"),
        }
    }
    server.until(|stats| stats.closed_for_memory() == closed).await;
    assert!(closed < 6, "all have been closed");
    drop((client, honest));
    server.until(|stats| stats.memory() == 0).await;
}

#[tokio::test]
async fn a_stream_whose_window_stays_closed_gives_way_when_memory_is_used_up_and_one_that_is_read_stays() {
    let server = run(Server::builder().route("/", budget::handler).options(budget::options())).await;
    let client = Client::connect(&server).await;
    // What is not read takes of the window of its whole connection.
    let other = Client::connect(&server).await;
    let mut honest = other.open("/").await;
    let mut reading = other.open("/").await;
    let mut stuck = Vec::new();
    for _ in 0..4 {
        stuck.push(client.open("/").await);
    }
    reading.send("flood").await;
    let reader = tokio::spawn(async move { while let Some(Ok(_)) = reading.peer.data().await {} });
    for socket in &mut stuck {
        socket.send("flood").await;
    }
    server.until(|stats| stats.memory() > 1 << 20).await;
    soon(async {
        while server.stats.closed_for_memory() == 0 {
            let _ = other.ask(connect("/")).await;
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await;
    assert!(!reader.is_finished(), "the stream that is read has been closed");
    honest.echo("hello").await;
    reader.abort();
    assert!(server.stats.refused_for_memory() > 0);
    drop((client, other, honest, stuck));
    server.until(|stats| stats.memory() == 0).await;
}
