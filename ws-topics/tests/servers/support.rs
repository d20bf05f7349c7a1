//! Servers that a backplane in memory connects.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use ws_topics::{ClusterEvent, ClusterEvents, ClusterOptions, History, Topics, TopicsOptions};

use crate::fake::{Health, Net};

pub struct Server {
    pub topics: Topics,
    pub events: ClusterEvents,
    running: JoinHandle<()>,
    shutdown: Option<oneshot::Sender<()>>,
}

/// The topics below `log` are durable; messages arrive as `TEXT@OFFSET` there.
pub fn options() -> TopicsOptions {
    TopicsOptions::default()
        .history("log/#", History::default().durable(true))
        .history("kept/#", History::default())
        .frame(|it| {
            let text = it.message.as_text().unwrap();
            if it.topic.starts_with("log/") {
                format!("{text}@{}", it.position.offset).into()
            } else {
                text.to_owned().into()
            }
        })
        .gap_mark(|gap| {
            let lost = gap.lost.map_or("?".into(), |lost| lost.to_string());
            Some(format!("lost {lost} of {}", gap.topic).into())
        })
}

impl Server {
    pub fn start(net: &Net, number: usize, options: TopicsOptions) -> Self {
        Self::start_with(net, number, options, ClusterOptions::default())
    }

    pub fn start_with(net: &Net, number: usize, options: TopicsOptions, cluster: ClusterOptions) -> Self {
        Self::start_as(net, number, options, cluster.seed(Some(number as u64)))
    }

    /// The name of a server follows from the seed.
    pub fn start_as(net: &Net, number: usize, options: TopicsOptions, cluster: ClusterOptions) -> Self {
        let options = options.cluster(cluster);
        let (topics, cluster) = Topics::clustered(options, net.server(number)).unwrap();
        let events = topics.events();
        let (shutdown, asked) = oneshot::channel::<()>();
        let running = tokio::spawn(cluster.run_until(async move {
            if asked.await.is_err() {
                std::future::pending::<()>().await;
            }
        }));
        Self { topics, events, running, shutdown: Some(shutdown) }
    }

    /// It ends in order.
    pub async fn end(mut self) {
        self.shutdown.take().unwrap().send(()).unwrap();
        self.running.await.unwrap();
    }

    /// It ends at once.
    pub fn kill(self, net: &Net, number: usize) {
        self.running.abort();
        net.health(number, Health::Dead);
    }

    pub async fn event(&mut self) -> ClusterEvent {
        tokio::time::timeout(Duration::from_secs(60), self.events.next()).await.unwrap().unwrap()
    }
}

/// That many servers, which know each other.
pub async fn servers<const N: usize>(net: &Net) -> [Server; N] {
    let servers = std::array::from_fn(|number| Server::start(net, number, options()));
    settle().await;
    let mut servers: [Server; N] = servers;
    for server in &mut servers {
        assert_eq!(server.event().await, ClusterEvent::Up);
    }
    servers
}

/// Lets what is on its way arrive, and a heartbeat.
pub async fn settle() {
    sleep(Duration::from_millis(2_500)).await;
}
