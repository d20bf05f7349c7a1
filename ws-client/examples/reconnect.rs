//! Stays connected: `cargo run -p ws-client --example reconnect`, or `… reconnect -- URL`.
//!
//! Start it without a server, start one (`cargo run -p ws-server --example echo`), stop that and start it again.

use std::env;
use std::time::Duration;

use ws_client::{Backoff, Client, ConnectError, Message, Options, Retry};

/// Prints the messages of one connection after another and passes them to `each`; sends "hello" on every new one. It
/// returns when `each` returns false, or on a fatal error such as a wrong address, an invalid certificate or a 401.
pub async fn follow(
    client: &Client,
    url: &str,
    mut each: impl FnMut(&Message) -> bool,
) -> Result<(), ConnectError> {
    let mut connections = client.reconnect(url)?.on_wait(show);
    loop {
        let (mut socket, _negotiated) = connections.next().await?;
        println!("connected");
        // A new connection has no state of the previous one: what the server needs to know is sent again.
        let mut result = socket.send("hello").await;
        while let Ok(()) = result {
            match socket.recv().await {
                Ok(Some(message)) if each(&message) => println!("received {message:?}"),
                Ok(Some(_)) => return Ok(()),
                Ok(None) => break,
                Err(error) => result = Err(error),
            }
        }
        match (result, socket.close_info()) {
            (Ok(()), Some(info)) => println!("{info}"),
            (Err(error), _) => println!("{error}"),
            (Ok(()), None) => {}
        }
    }
}

/// Prints why there is no connection and when the next attempt follows.
fn show(retry: &Retry<'_>) {
    match retry.error {
        Some(error) => eprintln!("{error}\n  failure {}, again in {:.1?}", retry.failures, retry.delay),
        None => eprintln!("connecting again in {:.1?}", retry.delay),
    }
}

/// Returns the delays between attempts.
pub fn options() -> Options {
    // The first delay is random, between zero and `initial`; then the bound doubles, up to `max`.
    let backoff = Backoff::default().initial(Duration::from_millis(200)).max(Duration::from_secs(10));
    Options::default().backoff(backoff)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = env::args().nth(1).unwrap_or_else(|| "ws://127.0.0.1:9001/".to_owned());
    println!("staying connected to {url}");
    follow(&options().build()?, &url, |_| true).await?;
    Ok(())
}
