//! The suite as a server, which tests a client that speaks Autobahn's protocol for testees.

use std::{
    collections::{BTreeMap, HashSet},
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use serde_json::json;
use tokio::{
    io::{AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{Notify, Semaphore},
    task::JoinSet,
    time::{Instant, timeout},
};

use crate::{
    native::{
        against_server::{Pace, read_head},
        control::answer,
        deflate::{Agreed, Demand},
        handshake::CheckedRequest,
        http2::{
            message,
            mux::{self, Exchange},
        },
        play::{Patience, play},
        probe,
        progress::Progress,
        record::Record,
        script::{Case, Script},
        target::{Version, Wire},
        tls::Tls,
        wanted::Wanted,
    },
    role::Role,
    verdict::Behavior,
};

/// The suite as a server, with the results so far.
#[derive(Debug)]
pub(crate) struct Fuzzer {
    cases: Vec<Case>,
    version: Version,
    patience: Patience,
    /// What clients of `wss://` connect to.
    tls: Option<Tls>,
    progress: Progress,
    found: Mutex<Found>,
    /// How many cases are running that are not requested by a path.
    running: AtomicUsize,
    /// Notified when a case has a verdict or the reports are requested.
    news: Notify,
    /// Limits the connections that are served at the same time.
    connections: Arc<Semaphore>,
}

#[derive(Debug, Default)]
struct Found {
    agents: BTreeMap<String, BTreeMap<usize, Record>>,
    /// The Sec-WebSocket-Key of every connection.
    keys: HashSet<String>,
    reports_wanted: bool,
}

/// The maximum number of connections at the same time; a client needs no more.
const CONNECTIONS: usize = 64;
/// The maximum number of agent names; each takes the memory of a whole run.
const AGENTS: usize = 8;
/// The maximum number of different keys that are remembered; a run has fewer connections.
const KEYS: usize = 10_000;

impl Fuzzer {
    /// Creates a server for these cases.
    pub(crate) fn new(cases: Vec<Case>, version: Version, patience: Patience) -> Arc<Self> {
        Self::with(cases, version, patience, None)
    }

    /// Creates a server for these cases, over TLS if it is given.
    pub(crate) fn with(
        cases: Vec<Case>,
        version: Version,
        patience: Patience,
        tls: Option<Tls>,
    ) -> Arc<Self> {
        Arc::new(Self {
            progress: Progress::new(Role::Client, cases.len()),
            cases,
            version,
            patience,
            tls,
            found: Mutex::default(),
            running: AtomicUsize::new(0),
            news: Notify::new(),
            connections: Arc::new(Semaphore::new(CONNECTIONS)),
        })
    }

    /// Serves clients until one requests the reports, or until the time limit. Dropping the future ends the server.
    ///
    /// # Errors
    /// No client has run a case within the time limit.
    pub(crate) async fn serve(self: &Arc<Self>, listener: TcpListener, pace: Pace) -> Result<(), String> {
        let mut tasks = JoinSet::new();
        let ended = timeout(pace.limit, async {
            loop {
                let changed = self.news.notified();
                if self.found().reports_wanted {
                    break;
                }
                tokio::select! {
                    () = changed => {}
                    accepted = listener.accept() => {
                        // A connection that ended before it was accepted is ignored.
                        if let Ok((stream, _)) = accepted
                            && let Ok(permit) = Arc::clone(&self.connections).try_acquire_owned()
                        {
                            let this = Arc::clone(self);
                            tasks.spawn(async move {
                                let _permit = permit;
                                this.connection(stream).await;
                            });
                        }
                    }
                    Some(_) = tasks.join_next() => {}
                }
            }
        });
        if ended.await.is_err() && self.found().agents.is_empty() {
            return Err(format!("no client has run a case within {} s", pace.limit.as_secs()));
        }
        // A client may go on before the end of a case whose connection it does not use any more.
        let idle = async {
            loop {
                let mut changed = pin!(self.news.notified());
                changed.as_mut().enable();
                if self.running.load(Ordering::Relaxed) == 0 {
                    break;
                }
                changed.await;
            }
        };
        let _ = timeout(6 * self.patience.answer, idle).await;
        // The answer to the request for the reports may not have been written yet.
        let _ = timeout(self.patience.answer, async { while tasks.join_next().await.is_some() {} }).await;
        Ok(())
    }

    /// Prepares a new connection; `None` if there is no TLS on it in time.
    pub(crate) async fn secured(&self, stream: TcpStream) -> Option<Box<dyn Wire>> {
        // Without it, small writes would be delayed.
        let _ = stream.set_nodelay(true);
        let Some(tls) = &self.tls else { return Some(Box::new(stream)) };
        match timeout(self.patience.answer, tls.accept(stream)).await {
            Ok(Some(stream)) => Some(Box::new(stream)),
            Ok(None) | Err(_) => None,
        }
    }

    async fn connection(self: &Arc<Self>, stream: TcpStream) {
        let Some(stream) = self.secured(stream).await else { return };
        match self.version {
            Version::Http1 => self.on_stream(stream).await,
            Version::Http2 => {
                let this = Arc::clone(self);
                let exchange = move |exchange| {
                    let this = Arc::clone(&this);
                    async move { this.on_exchange(exchange).await }
                };
                mux::serve(stream, exchange).await;
            }
        }
    }

    /// Serves a connection.
    pub(crate) async fn on_stream<S: Wire>(&self, mut stream: S) {
        let Ok(read) = timeout(self.patience.answer, read_head(&mut stream)).await else { return };
        let Ok((head, request, early)) = read else { return };
        let fresh = self.is_fresh(head.values("sec-websocket-key").first());
        // A case about the opening handshake is run even if the rest of the request is invalid.
        let target = head.first.split(' ').nth(1).unwrap_or_default();
        if let Ok(Wanted::RunCase(n, agent)) = Wanted::read(target)
            && let Some(case) = self.cases.get(n)
            && let Script::Probe(probe) = &case.script
        {
            let request = probe::Asked { head, text: request, early, fresh };
            let record = probe::on_client(stream, request, case, probe, self.patience.answer).await;
            return self.keep(n, agent, record);
        }
        let (wanted, asked) = match self.wanted(CheckedRequest::check(&head)) {
            Ok(asked) => asked,
            Err(why) => return refuse(stream, &why).await,
        };
        let (response, agreed) = asked.answer(self.demands(&wanted));
        if stream.write_all(response.as_bytes()).await.is_err() {
            return;
        }
        self.serve_wanted(wanted, (request, response), stream, &early, agreed).await;
    }

    /// Serves a request over HTTP/2.
    pub(crate) async fn on_exchange(&self, exchange: Exchange) {
        let (wanted, asked) = match self.wanted(CheckedRequest::check_connect(&exchange.head)) {
            Ok(asked) => asked,
            Err(why) => return exchange.refuse(&why),
        };
        let (response, agreed) = asked.answer_connect(self.demands(&wanted));
        let heads = (message::text(&exchange.head.fields), message::text(&response));
        let stream = exchange.open(&response);
        self.serve_wanted(wanted, heads, stream, &[], agreed).await;
    }

    /// Returns what a request is for.
    fn wanted(&self, asked: Result<CheckedRequest, String>) -> Result<(Wanted, CheckedRequest), String> {
        let asked = asked?;
        match Wanted::read(&asked.target)? {
            Wanted::RunCase(n, _) | Wanted::CaseInfo(n) | Wanted::CaseStatus(n, _)
                if n >= self.cases.len() =>
            {
                Err(format!("there are {} cases", self.cases.len()))
            }
            wanted => Ok((wanted, asked)),
        }
    }

    fn demands(&self, wanted: &Wanted) -> &[Demand] {
        match wanted {
            Wanted::RunCase(n, _) => self.cases.get(*n).map(Case::demands).unwrap_or_default(),
            _ => &[],
        }
    }

    /// Does what was requested on an open WebSocket.
    async fn serve_wanted<S: Wire>(
        &self,
        wanted: Wanted,
        heads: (String, String),
        stream: S,
        early: &[u8],
        agreed: Option<Agreed>,
    ) {
        let (start, patience) = (Instant::now(), self.patience);
        match wanted {
            Wanted::RunCase(n, agent) => {
                let Some(case) = self.cases.get(n) else { return };
                let played = play(stream, early, Role::Client, agreed, case, patience).await;
                self.keep(n, agent, Record::played(case, heads, played, start.elapsed()));
            }
            Wanted::CaseInfo(n) => {
                let case = self.cases.get(n);
                let (id, what) =
                    case.map(|case| (case.id.to_string(), case.what.clone())).unwrap_or_default();
                answer(stream, &json!({ "id": id, "description": what }).to_string(), patience).await;
            }
            Wanted::CaseStatus(n, agent) => {
                let Ok(behavior) = timeout(6 * patience.stall, self.status(n, &agent)).await else { return };
                answer(stream, &json!({ "behavior": behavior.name() }).to_string(), patience).await;
            }
            Wanted::UpdateReports => {
                answer(stream, "", patience).await;
                self.found().reports_wanted = true;
                self.news.notify_waiters();
                self.news.notify_one();
            }
            Wanted::CaseCount => answer(stream, &self.cases.len().to_string(), patience).await,
        }
    }

    /// Returns a case by its number, counted from 0.
    pub(crate) fn case(&self, n: usize) -> Option<&Case> {
        self.cases.get(n)
    }

    /// Runs a case that is not requested by a path, and keeps its result.
    pub(crate) async fn run(&self, n: usize, agent: String, record: impl Future<Output = Record>) {
        self.running.fetch_add(1, Ordering::Relaxed);
        self.keep(n, agent, record.await);
        self.running.fetch_sub(1, Ordering::Relaxed);
        self.news.notify_waiters();
    }

    /// Returns how long the suite waits.
    pub(crate) fn patience(&self) -> Patience {
        self.patience
    }

    /// Remembers a Sec-WebSocket-Key, and returns whether no connection has had it before.
    fn is_fresh(&self, key: Option<&String>) -> bool {
        let keys = &mut self.found().keys;
        key.is_none_or(|key| !keys.contains(key) && (keys.len() >= KEYS || keys.insert(key.clone())))
    }

    fn keep(&self, n: usize, agent: String, record: Record) {
        self.progress.done(&record);
        let mut found = self.found();
        if found.agents.contains_key(&agent) || found.agents.len() < AGENTS {
            found.agents.entry(agent).or_default().insert(n, record);
        }
        drop(found);
        self.news.notify_waiters();
    }

    /// Waits for the verdict on a case.
    async fn status(&self, n: usize, agent: &str) -> Behavior {
        loop {
            let changed = self.news.notified();
            let found = self.found().agents.get(agent).and_then(|a| a.get(&n)).map(|r| r.verdict().behavior);
            match found {
                Some(behavior) => return behavior,
                None => changed.await,
            }
        }
    }

    fn found(&self) -> MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the results by agent; a case that an agent has not run has failed.
    pub(crate) fn records(&self) -> BTreeMap<String, Vec<Record>> {
        let found = self.found();
        let all = |records: &BTreeMap<usize, Record>| {
            let record = |(n, case): (usize, &Case)| match records.get(&n) {
                Some(record) => record.clone(),
                None => {
                    let nothing = (String::new(), String::new());
                    Record::not_open(
                        case,
                        nothing,
                        "the client has not run the case",
                        std::time::Duration::ZERO,
                    )
                }
            };
            self.cases.iter().enumerate().map(record).collect()
        };
        found.agents.iter().map(|(agent, records)| (agent.clone(), all(records))).collect()
    }
}

/// Refuses a request that the suite does not know.
async fn refuse<S: AsyncWrite + Unpin>(mut stream: S, why: &str) {
    let why = why.replace(|c: char| c.is_control(), " ");
    let (status, length) = ("HTTP/1.1 400 Bad Request", why.len().saturating_add(1));
    let answer = format!("{status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{why}\n");
    // The client may disconnect before it is answered.
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}
