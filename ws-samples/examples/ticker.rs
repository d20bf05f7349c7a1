//! Prices that a client resumes after a loss of connection: `cargo run -p ws-samples --example ticker`.
//!
//! Each message has its position in its topic. A client that comes back with the last one that it has seen gets what it missed and goes on
//! live; if that is too long ago it gets a line `{"gap":…}` first. A client that reads too slowly gets the latest price of each
//! symbol, and such a line where others are missing.
//!
//! ```sh
//! ws ws://127.0.0.1:9007/prices/gold                      # {"topic":"prices/gold","position":"81985529:7","price":2412.31}
//! ws 'ws://127.0.0.1:9007/prices/gold?since=81985529:7'   # from the eighth on
//! ws ws://127.0.0.1:9007/prices/+                         # all symbols
//! ```

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use tokio::time::interval;
use ws_server::{BuildError, CloseCode, Endpoint, Error, HostPolicy, Request, Sender, Server, WebSocket};
use ws_topics::{History, Position, SlowSubscriber, SubscribeOptions, Subscription, Topics, TopicsOptions};

/// Publishes prices; clients resume them after a loss of connection.
#[derive(Parser)]
#[command(name = "ticker")]
struct Options {
    /// Where to listen; port 0 picks a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9007", value_parser = ws_samples::address)]
    listen: SocketAddr,
}

const SYMBOLS: [&str; 3] = ["gold", "silver", "copper"];
/// Every symbol has a new price this often.
const PERIOD: Duration = Duration::from_millis(100);

fn topics() -> Topics {
    let options = TopicsOptions::default()
        .history("prices/#", History::default().max_messages(600).max_age(Duration::from_secs(60)))
        .frame(|it| {
            let (topic, position, price) = (it.topic, it.position, it.message.as_text().unwrap_or("null"));
            format!(r#"{{"topic":"{topic}","position":"{position}","price":{price}}}"#).into()
        });
    Topics::new(options).expect("these settings are possible")
}

/// One client: it is subscribed until it goes, and what it sends is of no interest.
async fn prices(socket: WebSocket, request: Request, topics: Topics) -> Result<(), Error> {
    let topic = format!("prices/{}", request.param("symbol").unwrap_or_default());
    let since = request.query_param("since").map(|since| since.into_owned());
    drop(request);
    let (sender, receiver) = socket.split();
    match subscribe(&topics, &sender, &topic, since.as_deref()) {
        Ok(_subscription) => receiver.discard().await.map(|_| ()),
        Err(why) => {
            sender.start_close(CloseCode::POLICY_VIOLATION, why.get(..123).unwrap_or(&why))?;
            receiver.discard().await.map(|_| ())
        }
    }
}

fn subscribe(
    topics: &Topics,
    sender: &Sender,
    topic: &str,
    since: Option<&str>,
) -> Result<Subscription, String> {
    let since = since.map(str::parse::<Position>).transpose().map_err(|error| format!("since: {error}"))?;
    let options = SubscribeOptions::default().slow(SlowSubscriber::Conflate(None)).since(since);
    topics.subscribe(sender, topic, options).map_err(|error| error.to_string())
}

/// Publishes a price of each symbol, all in one write for those who get several.
async fn produce(topics: Topics) {
    let mut time = interval(PERIOD);
    for number in 0_u32.. {
        time.tick().await;
        let prices = SYMBOLS.iter().zip(1_u8..).map(|(symbol, own)| {
            let wave = (f64::from(number) * 0.01 * f64::from(own)).sin();
            (format!("prices/{symbol}"), format!("{:.2}", 1_000.0 / f64::from(own) * (1.0 + 0.02 * wave)))
        });
        if let Err(error) = topics.publish_all(prices) {
            eprintln!("ticker: {error}");
        }
    }
}

fn server(listen: SocketAddr, topics: Topics) -> impl Future<Output = Result<Server, BuildError>> {
    Server::builder()
        .endpoint(
            "/prices/{symbol}",
            Endpoint::new(move |socket, request| prices(socket, request, topics.clone())),
        )
        .health("/healthz")
        .allowed_hosts(HostPolicy::for_listener(listen))
        .bind(listen)
}

#[tokio::main]
async fn main() -> ExitCode {
    let options: Options = match ws_samples::options() {
        Ok(options) => options,
        Err(code) => return code,
    };
    let topics = topics();
    tokio::spawn(produce(topics.clone()));
    ws_samples::serve("ticker", server(options.listen, topics).await, |at| {
        format!("Serves http://{at}/; try: ws ws://{at}/prices/gold")
    })
    .await
}
