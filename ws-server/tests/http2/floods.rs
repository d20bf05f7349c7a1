//! Peers that send too much.

use h2::Reason;
use ws_server::Server;

use crate::common::{echo, run};
use crate::peer::{Client, connect};

#[tokio::test]
async fn ten_thousand_resets_hold_nothing_and_others_are_served() {
    let server = run(Server::builder().route("/", echo)).await;
    let other = Client::connect(&server).await;
    let mut socket = other.open("/").await;
    let mut sent = 0;
    while sent < 10_000 {
        let flood = Client::connect(&server).await;
        // Until the server has had enough of this connection.
        while sent < 10_000 && !flood.task.is_finished() {
            let Ok(mut requests) = flood.requests.clone().ready().await else { break };
            let Ok((_answer, mut send)) = requests.send_request(connect("/").body(()).unwrap(), false) else {
                break;
            };
            send.send_reset(Reason::CANCEL);
            sent += 1;
            if sent % 500 == 0 {
                socket.echo("served").await;
            }
        }
    }
    socket.echo("served").await;
    server.until(|stats| (stats.open(), stats.connections()) == (1, 1)).await;
}
