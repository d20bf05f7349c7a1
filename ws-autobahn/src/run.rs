//! Runs the groups: a queue, workers, and a process of Autobahn's suite for each group.

use std::{
    collections::{BTreeMap, VecDeque},
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    net::TcpListener,
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, sleep_until},
};
use ws_client::HttpVersion;

use crate::{
    assessment::GroupResult,
    board::{Board, clock},
    bridge::Bridge,
    case::CaseId,
    group::Group,
    native::exec,
    process::{Process, Progress},
    report,
    role::Role,
    spec::{mode, spec},
    suite::{ENVIRONMENT, Suite, VOLUME},
    testee,
};

/// What the workers share.
#[derive(Debug)]
pub(crate) struct Run {
    /// The program.
    pub(crate) suite: Suite,
    /// The folder in which each group has a folder of reports, by role and name.
    pub(crate) reports: PathBuf,
    /// The longest time in which no case begins.
    pub(crate) stall: Duration,
    /// Shows the progress.
    pub(crate) board: Board,
    /// The tested implementation.
    pub(crate) tested: Tested,
    /// Whether ws-server and ws-client are tested over HTTP/2.
    pub(crate) http2: bool,
    /// The maximum size in bytes of all messages of a case about compression.
    pub(crate) volume: Option<usize>,
}

/// The tested implementation.
#[derive(Clone, Debug)]
pub(crate) enum Tested {
    /// ws-server and ws-client.
    Ours,
    /// The server at this URL, with its name in the reports.
    Server(String, String),
    /// A client that is started with this command for each case, with its name in the reports.
    Client(String, String),
}

impl Tested {
    /// Returns its name in the reports.
    fn agent(&self, role: Role) -> &str {
        match self {
            Self::Ours => role.agent(),
            Self::Server(_, agent) | Self::Client(_, agent) => agent,
        }
    }
}

impl Run {
    /// Runs all groups, the longest first, `jobs` at a time, and returns the result of each.
    ///
    /// Dropping the future ends all processes that it has started.
    pub(crate) async fn all(self, mut groups: Vec<(Role, Group)>, jobs: usize) -> Vec<GroupResult> {
        groups.sort_by(|(_, a), (_, b)| b.seconds().total_cmp(&a.seconds()));
        let this = Arc::new(self);
        let queue = Arc::new(Mutex::new(VecDeque::from(groups)));
        let mut workers = JoinSet::new();
        for worker in 0..jobs {
            workers.spawn(Arc::clone(&this).work(worker, Arc::clone(&queue)));
        }
        let mut results = Vec::new();
        let mut tick = interval(Duration::from_millis(500));
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                done = workers.join_next() => match done {
                    Some(Ok(more)) => results.extend(more),
                    // The results that the worker had not delivered count as missing.
                    Some(Err(e)) => eprintln!("A worker of the harness failed: {e}"),
                    None => break,
                },
                _ = tick.tick() => this.board.show(),
            }
        }
        this.board.wipe();
        results
    }

    async fn work(
        self: Arc<Self>,
        worker: usize,
        queue: Arc<Mutex<VecDeque<(Role, Group)>>>,
    ) -> Vec<GroupResult> {
        let mut results = Vec::new();
        loop {
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let Some((role, group)) = next else { return results };
            let start = Instant::now();
            let result = self.group(worker, role, &group).await;
            let n = group.cases.len();
            let how = result.trouble.as_deref().unwrap_or("done");
            self.board.leave(
                worker,
                &format!("{role} {}: {n} cases in {}, {how}", group.name, clock(start.elapsed())),
            );
            results.push(result);
        }
    }

    async fn group(&self, worker: usize, role: Role, group: &Group) -> GroupResult {
        let folder = self.reports.join(role.name()).join(&group.name);
        let played = match fs::create_dir_all(&folder) {
            Ok(()) => {
                Game { run: self, worker, role, group, folder: &folder, begun: Vec::new() }.play().await
            }
            Err(e) => Err(format!("{}: {e}", folder.display())),
        };
        // Also after an error: incomplete reports are better than none.
        let (outcomes, unread) = match report::read(&folder, self.tested.agent(role)) {
            Ok(outcomes) => (outcomes, None),
            Err(e) => (BTreeMap::new(), Some(e)),
        };
        GroupResult { role, name: group.name.clone(), outcomes, trouble: played.err().or(unread) }
    }
}

/// A group that is being run.
struct Game<'a> {
    run: &'a Run,
    worker: usize,
    role: Role,
    group: &'a Group,
    folder: &'a Path,
    begun: Vec<CaseId>,
}

impl Game<'_> {
    async fn play(mut self) -> Result<(), String> {
        match self.role {
            Role::Server => {
                if let Tested::Server(url, _) = &self.run.tested {
                    let process = self.start(url)?;
                    return self.watch(process, async { Ok(()) }).await;
                }
                let server = testee::server::Server::start().await.map_err(|e| format!("our server: {e}"))?;
                if !self.run.http2 {
                    let process = self.start(&format!("ws://{}", server.address()))?;
                    return self.watch(process, async { Ok(()) }).await;
                }
                let bridge =
                    Bridge::to_http2(server.address()).await.map_err(|e| format!("the bridge: {e}"))?;
                let process = self.start(&format!("ws://{}", bridge.address()))?;
                self.watch(process, async { Ok(()) }).await?;
                shared(&bridge, 1)
            }
            Role::Client => {
                for _ in 1..PORTS {
                    let played = self.play_client().await;
                    // Another process may have taken the port before the suite did.
                    if played.is_ok() || !self.begun.is_empty() {
                        return played;
                    }
                }
                self.play_client().await
            }
        }
    }

    async fn play_client(&mut self) -> Result<(), String> {
        let port = free_port().await.map_err(|e| format!("no free port: {e}"))?;
        let process = self.start(&format!("ws://127.0.0.1:{port}"))?;
        let cases = self.group.cases.len();
        let agent = self.run.tested.agent(self.role).to_owned();
        match &self.run.tested {
            Tested::Client(command, _) => {
                let (command, log) = (command.clone(), self.folder.join("client.log"));
                let stall = self.run.stall;
                self.watch(process, async move {
                    testee::client::wait_until_open(port).await;
                    for n in 1..=cases {
                        exec::one(&command, &exec::url("ws", port, n, &agent), &log, stall).await?;
                    }
                    testee::client::finish(port, &agent).await
                })
                .await
            }
            _ if self.run.http2 => {
                let suite = SocketAddr::from(([127, 0, 0, 1], port));
                let bridge = Bridge::to_http1(suite).await.map_err(|e| format!("the bridge: {e}"))?;
                let (bridge_port, version) = (bridge.address().port(), HttpVersion::Http2);
                self.watch(process, async move {
                    testee::client::wait_until_open(port).await;
                    testee::client::play(bridge_port, version, &agent, cases, 1).await
                })
                .await?;
                // One of the cases, and one of the request for the reports.
                shared(&bridge, 2)
            }
            _ => self.watch(process, testee::client::play(port, HttpVersion::Http1, &agent, cases, 1)).await,
        }
    }

    fn start(&self, url: &str) -> Result<Process, String> {
        let spec_file = self.folder.join("spec.json");
        let text =
            spec(self.role, self.run.tested.agent(self.role), self.group, url, self.folder).to_string();
        fs::write(&spec_file, text).map_err(|e| format!("{}: {e}", spec_file.display()))?;
        let spec_file = spec_file.as_os_str();
        // The web server of the suite would listen on the same port in all workers.
        let args =
            ["-m".as_ref(), mode(self.role).as_ref(), "-s".as_ref(), spec_file, "-u".as_ref(), "0".as_ref()];
        let program = &self.run.suite.program;
        let volume = self.run.volume.map(|bytes| bytes.to_string());
        let mut environment = ENVIRONMENT.to_vec();
        environment.extend(volume.as_deref().map(|bytes| (VOLUME, bytes)));
        Process::start(program, args, &environment, &self.log())
            .map_err(|e| format!("{}: {e}", program.display()))
    }

    fn log(&self) -> PathBuf {
        self.folder.join("wstest.log")
    }

    /// Reads the output of the suite until it ends, and runs `ours` at the same time.
    async fn watch(
        &mut self,
        mut process: Process,
        ours: impl Future<Output = Result<(), String>>,
    ) -> Result<(), String> {
        let mut ours = pin!(ours);
        let mut done = false;
        let mut deadline = Instant::now() + self.run.stall;
        loop {
            tokio::select! {
                // Our part first, so that its result is seen before the end of the suite.
                biased;
                result = &mut ours, if !done => {
                    done = true;
                    result.map_err(|e| format!("our {}: {e}", self.role))?;
                    deadline = Instant::now() + self.run.stall;
                }
                progress = process.next() => match progress.map_err(|e| format!("wstest: {e}"))? {
                    Progress::Line(line) => {
                        if let Some(id) = case_of(&line) {
                            self.begin(id);
                            deadline = Instant::now() + self.run.stall;
                        }
                    }
                    Progress::Ended(status) => {
                        self.end();
                        let log = self.log();
                        return match (status.success(), done) {
                            (true, true) => Ok(()),
                            (true, false) => Err(format!("wstest ended before our client had run all cases ({})", log.display())),
                            (false, _) => Err(format!("wstest ended with {status} ({})", log.display())),
                        };
                    }
                },
                () = sleep_until(deadline) => {
                    let at = self.begun.last().map_or("before the first case".to_owned(), |id| format!("at {id}"));
                    return Err(format!("stopped {at}: nothing happened for {} s", self.run.stall.as_secs()));
                }
            }
        }
    }

    fn begin(&mut self, id: CaseId) {
        self.end();
        self.begun.push(id);
        self.run.board.begin(self.worker, self.role, id);
    }

    fn end(&self) {
        if let Some(id) = self.begun.last() {
            self.run.board.end(*id);
        }
    }
}

/// Checks that no fault in one WebSocket has ended the HTTP/2 connection on which the next one is opened.
fn shared(bridge: &Bridge, most: usize) -> Result<(), String> {
    let (websockets, connections) = bridge.counts();
    if (1..=most).contains(&connections) {
        return Ok(());
    }
    Err(format!(
        "{websockets} WebSockets were opened on {connections} HTTP/2 connections instead of at most {most}"
    ))
}

/// Parses the line with which the suite announces a case.
fn case_of(line: &str) -> Option<CaseId> {
    line.strip_prefix("Running test case ID ")?.split(' ').next()?.parse().ok()
}

/// Returns a port that is unused at the moment.
async fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0)).await?.local_addr()?.port())
}

/// How many ports are tried for the suite to listen on.
const PORTS: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_case_number_is_parsed_from_the_output_of_the_suite() {
        let line = "Running test case ID 12.3.18 for agent ws-server from peer tcp4:127.0.0.1:4000";
        assert_eq!(case_of(line), Some("12.3.18".parse().unwrap()));
        assert_eq!(case_of("Ok, will run 301 test cases against 1 servers"), None);
    }
}
