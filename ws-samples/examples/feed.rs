//! A feed of 1,000 updates a second: `cargo run --release -p ws-samples --example feed`.
//!
//! All pages are one [`Broadcast`]. For a page that is too slow, an update replaces an earlier one of the same sensor
//! that still waits ([`SlowPolicy::conflate`]): the page gets fewer updates, but the latest ones, and neither the
//! producer nor another page waits for it.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use tokio::net::TcpSocket;
use tokio::time::{interval, sleep, timeout};
use ws_server::{
    Broadcast, BuildError, Config, DataType, Endpoint, Error, HostPolicy, Sender, Server, SlowPolicy,
    WebSocket,
};

/// Publishes 1,000 updates a second, and a page that draws them.
#[derive(Parser)]
#[command(name = "feed")]
struct Options {
    /// Address to listen on; port 0 chooses a free port
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9004", value_parser = ws_samples::address)]
    listen: SocketAddr,
}

const SENSORS: u8 = 5;
/// Each sensor is read 200 times a second.
const PERIOD: Duration = Duration::from_millis(5);
/// How long the connection of a page that is simulated as slow is blocked at a time.
const SLOW: Duration = Duration::from_millis(250);

/// Serves one page, which sends `slow` or `quick`: a page cannot read slowly, because its browser reads ahead.
async fn feed(socket: WebSocket, pages: Broadcast) -> Result<(), Error> {
    let (sender, mut receiver) = socket.split();
    let _member =
        pages.join(sender.clone(), SlowPolicy::conflate(|message| message.as_bytes().first().copied()));
    let mut slow = false;
    loop {
        let patience = if slow { Duration::from_millis(1) } else { Duration::MAX };
        match timeout(patience, receiver.recv()).await {
            Ok(Ok(Some(message))) => slow = message.as_text() == Some("slow"),
            Ok(ended) => return ended.map(|_| ()),
            Err(_) => occupy(&sender).await?,
        }
    }
}

/// Blocks the connection for a while, as a large message does on a slow network: no other message can be sent between
/// its pieces.
async fn occupy(sender: &Sender) -> Result<(), Error> {
    let mut message = sender.send_stream(DataType::Text).await;
    message.write(b"-").await?;
    sleep(SLOW).await;
    message.finish().await
}

/// Publishes `sensor number value` for each sensor, and once a second `s pages delivered dropped`.
async fn produce(pages: Broadcast) {
    // Ticks that are late are made up for, so that the rate is the same on a busy computer.
    let mut time = interval(PERIOD);
    for number in 0_u64.. {
        time.tick().await;
        for sensor in 0..SENSORS {
            pages.try_publish(format!("{sensor} {number} {:.4}", reading(sensor, number)));
        }
        if number % 200 == 0 {
            let total = pages.total();
            pages.try_publish(format!("s {} {} {}", pages.len(), total.delivered, total.dropped));
        }
    }
}

/// Returns the value of a sensor, from -1 to 1: slow waves that differ between sensors, with some noise.
fn reading(sensor: u8, number: u64) -> f64 {
    let seconds = number as f64 * PERIOD.as_secs_f64();
    let own = f64::from(sensor) + 1.0;
    let wave = (seconds * (0.35 + 0.13 * own) + own * 1.9).sin() * (seconds * 0.11 * own).cos();
    let tremor = (seconds * 31.0 + own).sin() * (seconds * 17.3 * own).sin();
    0.9 * wave + 0.06 * tremor
}

async fn server(listen: SocketAddr, pages: Broadcast) -> Result<Server, BuildError> {
    let bind = |source| BuildError::Bind { address: listen.to_string(), source };
    let socket = if listen.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }.map_err(bind)?;
    // A slow page shows old values if much is queued, so the queues of the system and of the connection are small.
    socket.set_send_buffer_size(16 << 10).and_then(|()| socket.set_reuseaddr(true)).map_err(bind)?;
    socket.bind(listen).map_err(bind)?;
    let mut config = Config::server();
    config.send_high_water = 1 << 10;
    let endpoint = Endpoint::new(move |socket| feed(socket, pages.clone())).connection(config);
    let server = Server::builder()
        .endpoint("/feed", endpoint)
        .page(
            "/",
            "text/html; charset=utf-8",
            concat!(include_str!("../../ws-server/examples/page.html"), include_str!("feed.html")),
        )
        .health("/healthz")
        .allowed_hosts(HostPolicy::for_listener(listen))
        .listener(socket.listen(1024).map_err(bind)?);
    Ok(server.build()?)
}

#[tokio::main]
async fn main() -> ExitCode {
    let options: Options = match ws_samples::options() {
        Ok(options) => options,
        Err(code) => return code,
    };
    let pages = Broadcast::new();
    tokio::spawn(produce(pages.clone()));
    ws_samples::serve("feed", server(options.listen, pages).await, |at| {
        format!("Open http://{at}/ in a browser; Ctrl-C ends it.")
    })
    .await
}
