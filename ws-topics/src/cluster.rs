//! What keeps the connection to a backplane.

mod beats;
mod chance;
mod engine;
mod interests;
mod jobs;
mod logs;
mod mirrors;
mod numbers;
mod roster;

use std::fmt;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, timeout};

use self::chance::Chance;
use self::engine::Engine;
use self::jobs::{Done, Jobs};
use crate::backplane::{Backplane, BackplaneError, Channel, Inbox, Incoming, Interest, Link};
use crate::bus::Bus;
use crate::hub::Hub;
use crate::options::TopicsOptions;
use crate::topic::Visits;

/// Connects the topics of a server to those of others, by [`Topics::clustered`](crate::Topics::clustered).
///
/// It connects again whenever the connection is lost, after waits that become longer, each a random part of its
/// [bound](crate::ClusterOptions::backoff). As long as it does not run the topics work on this server only, and durable messages wait.
#[must_use = "the servers are connected while this runs"]
pub struct Cluster<B> {
    backplane: B,
    hub: Arc<Hub>,
    bus: Arc<Bus>,
    chance: Chance,
}

/// What happens while there is a connection.
enum Happening {
    Came(Result<Incoming, BackplaneError>),
    Tick,
    Done(Result<Done, BackplaneError>),
    Woken,
    Shutdown,
}

/// Ends what waits, also when the task is aborted.
struct Ended(Arc<Bus>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

impl<B: Backplane> Cluster<B> {
    pub(crate) fn new(options: TopicsOptions, backplane: B) -> Self {
        let mut chance = Chance::new(options.cluster.seed);
        let bus = Bus::new(options.cluster.clone(), B::NAME, chance.next(), options.max_topics);
        let bus = Arc::new(bus);
        let hub = Hub::new(options, Some(Arc::clone(&bus)));
        Self { backplane, hub, bus, chance }
    }

    pub(crate) fn hub(&self) -> Arc<Hub> {
        Arc::clone(&self.hub)
    }

    /// Connects the servers, for ever. For an end in order see [`run_until`](Self::run_until).
    pub async fn run(self) {
        self.run_until(std::future::pending()).await;
    }

    /// Connects the servers until `shutdown` is ready. Then it waits for what is to be sent and stored, for at most five seconds, and
    /// says goodbye, so that the other servers do not report a gap.
    ///
    /// If the future is dropped it ends at once, and the others find out by the heartbeats.
    pub async fn run_until(self, shutdown: impl Future<Output = ()>) {
        let Self { backplane, hub, bus, chance } = self;
        let _ended = Ended(Arc::clone(&bus));
        let mut shutdown = pin!(shutdown);
        let mut engine = Engine::new(hub, Arc::clone(&bus), chance);
        let options = bus.options.clone();
        let mut wait = options.backoff;
        loop {
            let connecting = timeout(options.connect_timeout, connect(&backplane));
            let connected = tokio::select! {
                biased;
                () = shutdown.as_mut() => return,
                connected = connecting => connected,
            };
            let cause = match connected {
                Ok(Ok((link, inbox))) => {
                    let since = Instant::now();
                    let Err(cause) = serve(&mut engine, link, inbox, shutdown.as_mut()).await else { return };
                    if since.elapsed() > options.max_age() {
                        wait = options.backoff;
                    }
                    cause
                }
                Ok(Err(cause)) => cause,
                Err(_) => {
                    let seconds = options.connect_timeout.as_secs_f32();
                    BackplaneError::new(format!("no connection within connect_timeout = {seconds} s"))
                }
            };
            bus.down(&text(&cause));
            let until = Instant::now() + engine.chance.part_of(wait);
            wait = wait.saturating_mul(2).min(options.max_backoff.max(options.backoff));
            loop {
                let now = Instant::now();
                bus.expire(now);
                engine.wait();
                if now >= until {
                    break;
                }
                let piece = until.saturating_duration_since(now).min(options.heartbeat);
                tokio::select! {
                    biased;
                    () = shutdown.as_mut() => return,
                    () = sleep(piece) => {}
                }
            }
        }
    }
}

async fn connect<B: Backplane>(backplane: &B) -> Result<(B::Link, B::Inbox), BackplaneError> {
    let (link, inbox) = backplane.connect().await?;
    link.subscribe(&Interest::Channel(Channel::Servers)).await?;
    Ok((link, inbox))
}

/// Does everything while there is a connection. `Ok` after `shutdown`.
async fn serve<L: Link>(
    engine: &mut Engine,
    link: L,
    mut inbox: impl Inbox,
    mut shutdown: Pin<&mut impl Future<Output = ()>>,
) -> Result<(), BackplaneError> {
    let bus = Arc::clone(&engine.bus);
    engine.connected();
    let mut jobs = Jobs::new(link, Arc::clone(&bus));
    let interval = engine.heartbeat_interval();
    let mut ticks = interval_at(Instant::now() + interval, interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // Neither what comes nor anything else has to wait for the other for long.
    let mut inbox_first = true;
    let mut ending = None;
    loop {
        engine.start_jobs(&mut jobs);
        if ending.is_some_and(|until| bus.is_flushed() || Instant::now() >= until) {
            engine.heartbeat(true);
            let flushed = async {
                while !bus.is_flushed() {
                    let _sent = timeout(SOON, jobs.next()).await;
                }
                // What was taken last is on its way.
                sleep(SOON).await;
            };
            let _in_time = timeout(FLUSH, flushed).await;
            return Ok(());
        }
        let happening = if inbox_first {
            tokio::select! {
                biased;
                came = inbox.next() => Happening::Came(came),
                _ = ticks.tick() => Happening::Tick,
                done = jobs.next() => Happening::Done(done),
                () = bus.wake.notified() => Happening::Woken,
                () = shutdown.as_mut(), if ending.is_none() => Happening::Shutdown,
            }
        } else {
            tokio::select! {
                biased;
                _ = ticks.tick() => Happening::Tick,
                () = shutdown.as_mut(), if ending.is_none() => Happening::Shutdown,
                done = jobs.next() => Happening::Done(done),
                () = bus.wake.notified() => Happening::Woken,
                came = inbox.next() => Happening::Came(came),
            }
        };
        inbox_first = !matches!(happening, Happening::Came(_));
        match happening {
            Happening::Came(came) => take(engine, came?, &mut inbox).await?,
            Happening::Tick => engine.tick(&mut jobs)?,
            Happening::Done(done) => engine.done(done?, &mut jobs)?,
            Happening::Woken => {}
            Happening::Shutdown => ending = Some(Instant::now() + FLUSH),
        }
    }
}

/// Takes what has come, and what else is there already, so that it reaches each subscriber in one write.
async fn take(engine: &mut Engine, came: Incoming, inbox: &mut impl Inbox) -> Result<(), BackplaneError> {
    let now = Instant::now();
    let mut visits = Visits::of_batch();
    let mut came = Some(came);
    let mut result = Ok(());
    for _ in 0..TAKEN {
        match came.take() {
            Some(Incoming::Message(payload)) => engine.received(payload, now, &mut visits),
            Some(Incoming::Lost) => engine.lost(now),
            None => break,
        }
        let mut next = pin!(inbox.next());
        let ready = std::future::poll_fn(|context| Poll::Ready(next.as_mut().poll(context))).await;
        match ready {
            Poll::Ready(Ok(next)) => came = Some(next),
            Poll::Ready(Err(error)) => result = Err(error),
            Poll::Pending => {}
        }
    }
    if let Some(Incoming::Message(payload)) = came {
        engine.received(payload, now, &mut visits);
    }
    visits.write_all();
    result
}

/// The error and what has caused it, in one line.
fn text(error: &BackplaneError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

impl<B> fmt::Debug for Cluster<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").field("bus", &self.bus).finish_non_exhaustive()
    }
}

/// This many messages are taken at a time.
const TAKEN: usize = 64;

/// How long the end waits for what is to be sent and stored.
const FLUSH: Duration = Duration::from_secs(5);

/// How long the end waits for the connection to take what was sent last.
const SOON: Duration = Duration::from_millis(20);
