//! A client of one of the servers that checks what arrives.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::JoinHandle;
use ws_topics::ws_client::Client;
use ws_topics::{Event, Position, SubscribeRequest, TopicsClient};

/// What a client has seen of the durable topic.
#[derive(Default)]
pub(crate) struct Durable {
    /// In the order of arrival.
    pub(crate) messages: Vec<(Position, String)>,
    pub(crate) gaps: u64,
}

/// What a client has seen of the live topic.
#[derive(Default)]
pub(crate) struct Live {
    pub(crate) messages: u64,
    pub(crate) gap_marks: u64,
    /// Messages that are missing, with a gap mark at the place.
    pub(crate) missing: u64,
    /// Messages that are missing without one.
    pub(crate) unreported: u64,
    /// Messages that came twice, or in another order than they were published in.
    pub(crate) disorder: u64,
    /// By publisher: the last number, and whether a gap mark came after it.
    last: HashMap<String, (u64, bool)>,
    pub(crate) reconnects: u64,
    /// Whether a gap mark came after a loss of connection.
    was_away: bool,
}

pub(crate) struct Observer {
    pub(crate) durable: Arc<Mutex<Durable>>,
    pub(crate) live: Arc<Mutex<Live>>,
    tasks: [JoinHandle<()>; 2],
}

impl Observer {
    pub(crate) async fn start(server: SocketAddr) -> Result<Self, String> {
        let client = Client::new().map_err(|error| error.to_string())?;
        let url = format!("ws://{server}/topics?name=observer");
        let client = TopicsClient::new(&client, &url).map_err(|error| error.to_string())?;
        let (durable, live) = (Arc::<Mutex<Durable>>::default(), Arc::<Mutex<Live>>::default());
        let request = || SubscribeRequest::default().max_waiting(100_000);
        let mut log = client.subscribe("log/all", request()).await.map_err(|error| error.to_string())?;
        let mut all = client.subscribe("live/all", request()).await.map_err(|error| error.to_string())?;
        let (seen, found) = (Arc::clone(&durable), Arc::clone(&live));
        let log = tokio::spawn(async move {
            while let Ok(event) = log.next().await {
                let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                match event {
                    Event::Message { position, message, .. } => {
                        seen.messages.push((position, message.as_text().unwrap_or_default().to_owned()));
                    }
                    Event::Gap { .. } => seen.gaps += 1,
                    _ => {}
                }
            }
        });
        let all = tokio::spawn(async move {
            while let Ok(event) = all.next().await {
                let mut seen = found.lock().unwrap_or_else(PoisonError::into_inner);
                match event {
                    Event::Message { message, .. } => seen.message(message.as_text().unwrap_or_default()),
                    Event::Gap { .. } => {
                        seen.gap_marks += 1;
                        seen.was_away |= seen.reconnects > 0;
                        seen.last.values_mut().for_each(|(_, marked)| *marked = true);
                    }
                    Event::Disconnected => seen.reconnects += 1,
                    _ => {}
                }
            }
        });
        Ok(Self { durable, live, tasks: [log, all] })
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Live {
    fn message(&mut self, text: &str) {
        let Some((publisher, number)) =
            text.split_once(' ').and_then(|(who, number)| Some((who, number.parse::<u64>().ok()?)))
        else {
            return;
        };
        self.messages += 1;
        // The clients were there before the first message, but for one that has lost its connection: that has got a mark then.
        let (last, marked) = self.last.entry(publisher.to_owned()).or_insert((0, self.was_away));
        if number <= *last {
            self.disorder += 1;
            return;
        }
        let missing = number - *last - 1;
        if *marked {
            self.missing += missing;
        } else {
            self.unreported += missing;
        }
        (*last, *marked) = (number, false);
    }

    /// The last number of each publisher, and whether a gap mark came after it.
    pub(crate) fn last(&self) -> &HashMap<String, (u64, bool)> {
        &self.last
    }
}
