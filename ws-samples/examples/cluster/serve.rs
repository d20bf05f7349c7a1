//! One of the servers.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use clap::Args;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use ws_samples::failed;
use ws_server::{BuildError, Config, Endpoint, HostPolicy, Server, shutdown_signal};
use ws_topics::{
    Backplane, Cluster, ClusterEvent, ClusterOptions, EndpointOptions, History, NatsBackplane, NatsOptions,
    RedisBackplane, RedisOptions, SUBPROTOCOL, Topics, TopicsEndpoint, TopicsOptions,
};

use crate::backplane::Url;

#[derive(Args)]
pub(crate) struct Options {
    /// Number of this server, which the page shows
    #[arg(long, default_value_t = 1)]
    number: u16,
    /// Address to listen on
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9011", value_parser = ws_samples::address)]
    listen: SocketAddr,
    /// NATS or Redis
    #[arg(long, value_name = "URL")]
    backplane: Url,
    /// Publish this many messages a second to `log/all`, durable, and to `live/all`, and print what was confirmed
    #[arg(long, default_value_t = 0, value_name = "N")]
    publish: u32,
    /// Begin after this many seconds
    #[arg(long, default_value_t = 0, value_name = "S")]
    after: u64,
    /// Stop publishing after this many seconds
    #[arg(long, default_value_t = 3_600, value_name = "S")]
    seconds: u64,
}

const SCRIPT: &str = include_str!("../../../ws-topics/js/topics.js");
const PAGE: &str = concat!(
    include_str!("../../../ws-server/examples/page.html"),
    include_str!("../topics.html"),
    include_str!("page.html")
);

/// What the servers share, and the one topic that each has for itself.
pub(crate) fn settings() -> TopicsOptions {
    let log = History::default().durable(true).max_messages(1_000_000).max_bytes(256 << 20);
    TopicsOptions::default()
        .history(
            "board/#",
            History::default().durable(true).max_messages(100).max_age(Duration::from_secs(24 * 3_600)),
        )
        .history("log/#", log)
        .history("server/#", History::default().max_messages(5))
        .local("server/#")
        .max_history_bytes(512 << 20)
        .cluster(ClusterOptions::default().max_backoff(Duration::from_secs(1)))
}

pub(crate) async fn run(options: Options) -> ExitCode {
    // What clients may do: publish to the board, and read everything.
    let clients = EndpointOptions::default().publish(true).authorize(|access| {
        access.action != ws_topics::Action::Publish || access.topic.starts_with("board/")
    });
    let url = options.backplane.text();
    if options.backplane.is_nats() {
        match NatsBackplane::new(NatsOptions::new(url)) {
            Ok(backplane) => start(&options, TopicsEndpoint::clustered(settings(), clients, backplane)).await,
            Err(error) => failed("cluster", &error.to_string()),
        }
    } else {
        match RedisBackplane::new(RedisOptions::new(url)) {
            Ok(backplane) => start(&options, TopicsEndpoint::clustered(settings(), clients, backplane)).await,
            Err(error) => failed("cluster", &error.to_string()),
        }
    }
}

async fn start<B: Backplane>(
    options: &Options,
    topics: Result<(TopicsEndpoint, Cluster<B>), ws_server::SettingError>,
) -> ExitCode {
    let (endpoint, cluster) = match topics {
        Ok(topics) => topics,
        Err(error) => return failed("cluster", &error.to_string()),
    };
    let topics = endpoint.topics().clone();
    tokio::spawn(report(topics.clone(), options.number));
    // It says goodbye to the others when it ends.
    let cluster = tokio::spawn(cluster.run_until(shutdown_signal()));
    if options.publish > 0 {
        let (number, rate) = (options.number, options.publish);
        let (after, time) = (Duration::from_secs(options.after), Duration::from_secs(options.seconds));
        tokio::spawn(async move {
            tokio::time::sleep(after).await;
            publish(topics, number, rate, time).await;
        });
    }
    let number = options.number;
    let server = server(options.listen, endpoint, number).await;
    let code = ws_samples::serve("cluster", server, |at| {
        format!("Server {number}: open http://{at}/ in a browser.")
    })
    .await;
    let _ = cluster.await;
    code
}

fn server(
    listen: SocketAddr,
    topics: TopicsEndpoint,
    number: u16,
) -> impl Future<Output = Result<Server, BuildError>> {
    let endpoint = Endpoint::new(move |socket, request: ws_server::Request| {
        let topics = topics.clone();
        // A server with users would take the name from their session.
        let name = request.query_param("name").unwrap_or_default().into_owned();
        async move { topics.run(socket, name).await }
    });
    let config = Config::server().max_message_size(4 << 10);
    Server::builder()
        .endpoint("/topics", endpoint.subprotocols([SUBPROTOCOL]).connection(config))
        .page("/topics.js", "text/javascript", SCRIPT)
        .page("/number", "text/plain", number.to_string())
        .page("/", "text/html; charset=utf-8", PAGE)
        .health("/healthz")
        .allowed_hosts(HostPolicy::for_listener(listen))
        .bind(listen)
}

/// Publishes what happens to the pages of this server, and prints it.
async fn report(topics: Topics, number: u16) {
    let mut events = topics.events();
    while let Some(event) = events.next().await {
        let text = match event {
            ClusterEvent::Up => "Up: connected with the other servers".into(),
            ClusterEvent::Down { cause } => format!("Down: {cause}"),
            ClusterEvent::Gap { topic, messages: Some(messages) } => {
                format!("Gap: {messages} messages of {topic}")
            }
            ClusterEvent::Gap { topic, messages: None } => {
                format!("Gap: messages of {topic}; how many is not known")
            }
            other => format!("{other:?}"),
        };
        println!("event {number} {text}");
        let _ = topics.publish("server/events", text);
    }
}

/// Publishes at a steady rate, as soon as there is a connection.
async fn publish(topics: Topics, number: u16, rate: u32, time: Duration) {
    while topics.backplane().is_none_or(|state| !state.up) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    #[expect(clippy::disallowed_methods, reason = "it names the process; nothing is measured")]
    let run = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis();
    let mut ticks = interval(Duration::from_secs(1) / rate.max(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let begun = tokio::time::Instant::now();
    let mut waiting = JoinSet::new();
    let mut count = 0_u64;
    while begun.elapsed() < time {
        ticks.tick().await;
        count += 1;
        let name = format!("{number}-{run} {count}");
        if let Err(error) = topics.publish("live/all", name.clone()) {
            println!("failed live {name}: {error}");
        }
        let topics = topics.clone();
        waiting.spawn(async move {
            match topics.publish_confirmed("log/all", name.clone()).await {
                Ok(_) => println!("confirmed {name}"),
                Err(error) => println!("failed {name}: {error}"),
            }
        });
        while waiting.try_join_next().is_some() {}
    }
    while waiting.join_next().await.is_some() {}
    println!("published {number}-{run} {count}");
}
