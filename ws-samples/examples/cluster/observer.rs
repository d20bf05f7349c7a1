//! A client of one of the servers that checks what arrives.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

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
    /// When the latest gap mark came, in milliseconds of the system's clock: publishers are named by theirs.
    marked_at: Option<u128>,
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
                        seen.marked_at = Some(now());
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
        let (last, marked) = self.reached(publisher);
        if number <= last {
            self.disorder += 1;
            return;
        }
        self.miss(number - last - 1, marked);
        self.last.insert(publisher.to_owned(), (number, false));
    }

    /// A publisher has ended after this many messages.
    pub(crate) fn ended(&mut self, publisher: &str, count: u64) {
        let (last, marked) = self.reached(publisher);
        self.miss(count.saturating_sub(last), marked);
    }

    fn miss(&mut self, messages: u64, marked: bool) {
        if marked {
            self.missing += messages;
        } else {
            self.unreported += messages;
        }
    }

    /// The last number of a publisher, and whether a gap mark came after it. The messages of one that was not seen before can be missing only
    /// since it began: a mark that came earlier is not about them, and one that came later stands between its beginning and what comes now.
    fn reached(&self, publisher: &str) -> (u64, bool) {
        let began = || publisher.split_once('-').and_then(|(_, run)| run.parse::<u128>().ok());
        self.last.get(publisher).copied().unwrap_or_else(|| {
            (0, self.marked_at.zip(began()).is_some_and(|(marked_at, began)| marked_at >= began))
        })
    }
}

fn now() -> u128 {
    #[expect(clippy::disallowed_methods, reason = "it is compared with what names a publisher")]
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis()
}
