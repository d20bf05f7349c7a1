//! The delay that a second process adds, and deliveries a second of three processes beside one NATS; each beside the client of NATS alone, in the same run.

use std::process::{ExitCode, Stdio};
use std::time::Duration;

use clap::{Args, Subcommand};
use futures_util::StreamExt;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::task::yield_now;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use ws_samples::failed;
use ws_topics::ws_tokio::{Config, Role, WebSocket};
use ws_topics::{
    ClusterEvent, NatsBackplane, NatsOptions, SubscribeOptions, Subscription, Topics, TopicsOptions,
};

use crate::backplane::{Bus, Url};

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[derive(Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    part: Option<Part>,
    /// Program to start: nats-server, or a path to one
    #[arg(long, value_name = "PROGRAM", default_value = "nats-server")]
    program: String,
    /// Messages a second of each of three processes; 0 is as many as it can
    #[arg(long, value_name = "N", value_delimiter = ',', default_values_t = [200, 400, 600, 800, 0])]
    rate: Vec<u32>,
    /// Subscribers in each process
    #[arg(long, value_name = "N", default_value_t = 50)]
    subscribers: usize,
}

#[derive(Subcommand, Clone)]
enum Part {
    /// Sends back what it gets
    Echo { url: Url },
    /// Publishes at a rate, and counts what arrives
    Load { url: Url, rate: u32, subscribers: usize },
}

/// Round trips that are measured, after some that are not.
const TRIPS: usize = 5_000;
const WARM_UP: usize = 500;

/// How long publishing at a rate takes.
const TIME: Duration = Duration::from_secs(5);

/// After this many messages other tasks get their turn.
const IN_A_ROW: f64 = 16.0;

pub(crate) async fn run(options: Options) -> ExitCode {
    let done = match &options.part {
        Some(Part::Echo { url }) => echo(url).await,
        Some(Part::Load { url, rate, subscribers }) => load(url, *rate, *subscribers).await,
        None => measure(&options).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed("cluster speed", &error.to_string()),
    }
}

async fn measure(options: &Options) -> Result<(), Failure> {
    let bus = Bus::find(None, Some(options.program.clone())).await?;
    let (mut echo, mut lines) = child(&["echo", bus.url.text()])?;
    lines.next_line().await?;
    let (bare, ours) = (bare_trips(&bus.url).await?, trips(&bus.url).await?);
    crate::kill(&mut echo).await;
    println!("one way between two processes, half of a round trip, in µs   median     p99");
    for (name, times) in [("async-nats alone", &bare), ("Topics", &ours)] {
        let at = |part: usize| {
            times.get(times.len() * part / 100).map_or(0.0, |time| time.as_secs_f64() * 1e6 / 2.0)
        };
        println!("  {name:<58}{:>7.0} {:>7.0}", at(50), at(99));
    }
    println!("three processes, {} subscribers in each, 100 bytes", options.subscribers);
    println!(
        "  messages/s of each  that were published  deliveries/s  of what was published  gap marks, drops  async-nats alone, messages/s received"
    );
    let (mut most, mut complete) = (0.0_f64, 0.0_f64);
    for rate in &options.rate {
        let mut children = Vec::new();
        for _ in 0..3 {
            children.push(child(&[
                "load",
                bus.url.text(),
                &rate.to_string(),
                &options.subscribers.to_string(),
            ])?);
        }
        let (mut delivered, mut missing, mut received, mut published) = (0.0, 0_u64, 0.0, 0.0);
        for (child, lines) in &mut children {
            let line = timeout(Duration::from_secs(60), lines.next_line()).await??.unwrap_or_default();
            let mut numbers = line.split(' ');
            delivered += numbers.next().unwrap_or_default().parse::<f64>()?;
            missing += numbers.next().unwrap_or_default().parse::<u64>()?;
            received += numbers.next().unwrap_or_default().parse::<f64>()?;
            published += numbers.next().unwrap_or_default().parse::<f64>()?;
            child.wait().await?;
        }
        // Each message goes to the subscribers of all three.
        let offered = published * 3.0 * f64::from(u32::try_from(options.subscribers)?);
        println!(
            "  {rate:>18} {:>20.0} {delivered:>13.0} {:>21.1}% {missing:>16} {received:>37.0}",
            published / 3.0,
            100.0 * delivered / offered
        );
        most = most.max(delivered);
        if missing == 0 {
            complete = complete.max(delivered);
        }
    }
    println!(
        "a gap mark is one message to one subscriber: where one process has missed messages of another, {} of them say so",
        options.subscribers
    );
    println!(
        "deliveries a second of all three processes, at most: {most:.0}; without gap marks and drops: {complete:.0}"
    );
    Ok(())
}

/// This program as another part of the measurement.
fn child(arguments: &[&str]) -> Result<(Child, tokio::io::Lines<BufReader<ChildStdout>>), Failure> {
    let mut command = Command::new(std::env::current_exe()?);
    let mut child = command
        .arg("speed")
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let output = child.stdout.take().ok_or("no output")?;
    Ok((child, BufReader::new(output).lines()))
}

/// Topics that are connected.
async fn topics(url: &Url) -> Result<Topics, Failure> {
    let backplane = NatsBackplane::new(NatsOptions::new(url.text()))?;
    let (topics, cluster) = Topics::clustered(TopicsOptions::default(), backplane)?;
    let mut events = topics.events();
    tokio::spawn(cluster.run());
    while events.next().await.ok_or("no event")? != ClusterEvent::Up {}
    Ok(topics)
}

/// A subscription, and the other end of its connection.
fn subscribe(topics: &Topics, topic: &str) -> Result<(Subscription, tokio::io::DuplexStream), Failure> {
    let (near, far) = tokio::io::duplex(256 << 10);
    let (sender, receiver) = WebSocket::from_raw(far, Role::Server, Config::server())?.split();
    let subscription = topics.subscribe(&sender, topic, SubscribeOptions::default())?;
    tokio::spawn(receiver.discard());
    Ok((subscription, near))
}

async fn echo(url: &Url) -> Result<(), Failure> {
    let bare = async_nats::connect(url.text()).await?;
    let mut pings = bare.subscribe("bare.ping").await?;
    tokio::spawn(async move {
        while let Some(ping) = pings.next().await {
            let _ = bare.publish("bare.pong", ping.payload).await;
        }
    });
    let topics = topics(url).await?;
    let (_subscription, near) = subscribe(&topics, "ping")?;
    let mut client = WebSocket::from_raw(near, Role::Client, Config::client())?;
    sleep(Duration::from_millis(500)).await;
    println!("ready");
    while let Some(ping) = client.recv().await? {
        topics.publish("pong", ping)?;
    }
    Ok(())
}

async fn bare_trips(url: &Url) -> Result<Vec<Duration>, Failure> {
    let client = async_nats::connect(url.text()).await?;
    let mut pongs = client.subscribe("bare.pong").await?;
    client.flush().await?;
    sleep(Duration::from_millis(500)).await;
    let mut times = Vec::new();
    for _ in 0..TRIPS + WARM_UP {
        let begun = Instant::now();
        client.publish("bare.ping", vec![b'x'; 100].into()).await?;
        timeout(Duration::from_secs(5), pongs.next()).await?;
        times.push(begun.elapsed());
    }
    Ok(sorted(times))
}

async fn trips(url: &Url) -> Result<Vec<Duration>, Failure> {
    let topics = topics(url).await?;
    let (_subscription, near) = subscribe(&topics, "pong")?;
    let mut client = WebSocket::from_raw(near, Role::Client, Config::client())?;
    sleep(Duration::from_millis(500)).await;
    let mut times = Vec::new();
    for _ in 0..TRIPS + WARM_UP {
        let begun = Instant::now();
        topics.publish("ping", "x".repeat(100))?;
        timeout(Duration::from_secs(5), client.recv()).await??;
        times.push(begun.elapsed());
    }
    Ok(sorted(times))
}

fn sorted(mut times: Vec<Duration>) -> Vec<Duration> {
    times.drain(..WARM_UP);
    times.sort_unstable();
    times
}

/// Prints deliveries a second, gap marks and dropped messages, messages a second that the client of NATS alone receives, and those that Topics published.
async fn load(url: &Url, rate: u32, subscribers: usize) -> Result<(), Failure> {
    let topics = topics(url).await?;
    let mut subscriptions = Vec::new();
    for _ in 0..subscribers {
        let (subscription, mut near) = subscribe(&topics, "load")?;
        tokio::spawn(async move {
            let mut buffer = vec![0; 16 << 10];
            while let Ok(1..) = near.read(&mut buffer).await {}
        });
        subscriptions.push(subscription);
    }
    // All three have begun by then.
    sleep(Duration::from_secs(2)).await;
    let begun = Instant::now();
    at_rate(rate, async || topics.publish("load", "x".repeat(100)).map(drop).map_err(Into::into)).await?;
    sleep(Duration::from_millis(500)).await;
    let stats = topics.stats();
    let took = begun.elapsed().saturating_sub(Duration::from_millis(500));
    let missing = stats.gaps.saturating_add(stats.dropped);
    drop(subscriptions);
    sleep(Duration::from_secs(2)).await;
    let client = async_nats::connect(url.text()).await?;
    let mut subscriber = client.subscribe("bare.load").await?;
    let counter = tokio::spawn(async move {
        let mut count = 0_u32;
        while let Ok(Some(_)) = timeout(Duration::from_millis(2_500), subscriber.next()).await {
            count += 1;
        }
        count
    });
    sleep(Duration::from_secs(1)).await;
    at_rate(rate, async || client.publish("bare.load", vec![b'x'; 100].into()).await.map_err(Into::into))
        .await?;
    let received = f64::from(counter.await?) / TIME.as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a rate is printed")]
    let delivered = stats.delivered as f64 / took.as_secs_f64();
    let published = stats.published as f64 / TIME.as_secs_f64();
    println!("{delivered:.0} {missing} {received:.0} {published:.0}");
    Ok(())
}

/// Calls a function at a steady rate for a while, or without a pause for 0. What the machine cannot do by then is left out.
async fn at_rate(rate: u32, publish: impl AsyncFn() -> Result<(), Failure>) -> Result<(), Failure> {
    let mut ticks = interval(Duration::from_millis(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let begun = Instant::now();
    let mut sent = 0.0;
    while begun.elapsed() < TIME {
        ticks.tick().await;
        let mut elapsed = begun.elapsed();
        while elapsed < TIME && (rate == 0 || sent < elapsed.as_secs_f64() * f64::from(rate)) {
            publish().await?;
            sent += 1.0;
            // Others have to run as well: to publish may wait for nothing.
            if sent % IN_A_ROW == 0.0 {
                yield_now().await;
            }
            elapsed = begun.elapsed();
        }
    }
    Ok(())
}
