//! ws-client as the tested client: it requests the cases one by one and echoes what it receives.

use std::{
    future::poll_fn,
    sync::atomic::{AtomicUsize, Ordering},
    task::Poll,
    time::Duration,
};

use tokio::{net::TcpStream, time::sleep};
use ws_client::{Client, HttpVersion, Message, Options, ProxyChoice, ws_core::deflate};

use crate::native::doors::Ports;

/// Runs the client's part with the suite's server at `port`: requests the number of cases, runs each, `jobs` at a time,
/// then requests the reports and the end of the suite. Every WebSocket is opened in this version of HTTP.
///
/// The suite judges each case, so errors within a case are not errors here.
///
/// # Errors
/// The suite has another number of cases, or does not follow its protocol.
pub(crate) async fn play(
    port: u16,
    version: HttpVersion,
    agent: &str,
    cases: usize,
    jobs: usize,
) -> Result<(), String> {
    play_at(port, Ports::one(port), version, agent, cases, jobs).await
}

/// The same for a suite that has separate ports for some cases, by number.
///
/// # Errors
/// As `play`.
pub(crate) async fn play_at(
    port: u16,
    ports: Ports,
    version: HttpVersion,
    agent: &str,
    cases: usize,
    jobs: usize,
) -> Result<(), String> {
    wait_until_open(port).await;
    let suite = Suite::new(port, version)?;
    let count = suite.case_count().await?;
    if count != cases {
        return Err(format!("the suite has {count} cases, not the {cases} that were requested"));
    }
    let next = AtomicUsize::new(1);
    let worker = async || {
        loop {
            let case = next.fetch_add(1, Ordering::Relaxed);
            if case > cases {
                return;
            }
            let port = ports.of(case);
            let url = format!("ws://127.0.0.1:{port}/runCase?case={case}&agent={agent}");
            let _ = suite.echo(&suite.client, &url).await;
        }
    };
    let mut workers: Vec<_> = (0..jobs).map(|_| Box::pin(worker())).collect();
    poll_fn(|context| {
        workers.retain_mut(|worker| worker.as_mut().poll(context).is_pending());
        if workers.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    suite.finish(agent).await;
    Ok(())
}

/// Requests the reports and the end of the suite.
///
/// # Errors
/// The client cannot be created.
pub(crate) async fn finish(port: u16, agent: &str) -> Result<(), String> {
    Suite::new(port, HttpVersion::Http1)?.finish(agent).await;
    Ok(())
}

struct Suite {
    client: Client,
    /// For the request that the suite answers only when its reports are written.
    patient: Client,
    base: String,
}

impl Suite {
    fn new(port: u16, version: HttpVersion) -> Result<Self, String> {
        let of = |timeout| client(timeout, version).map_err(|e| e.to_string());
        // A case may never answer the request: the client must end before the case does.
        let (client, patient) = (of(Duration::from_secs(20))?, of(Duration::from_secs(300))?);
        Ok(Self { client, patient, base: format!("ws://127.0.0.1:{port}") })
    }

    /// The connection ends without a Close once the reports are written; the reports show whether they are.
    async fn finish(&self, agent: &str) {
        let _ = self
            .echo(
                &self.patient,
                &format!("{}/updateReports?agent={agent}&shutdownOnComplete=true", self.base),
            )
            .await;
    }

    async fn case_count(&self) -> Result<usize, String> {
        let wrong = |what: &dyn std::fmt::Display| format!("getCaseCount: {what}");
        let url = format!("{}/getCaseCount", self.base);
        let (mut socket, _) = self.client.connect(url.as_str()).await.map_err(|e| wrong(&e))?;
        let count = match socket.recv().await {
            Ok(Some(Message::Text(count))) => {
                count.parse().map_err(|_| wrong(&format!("{count:?} is not a number")))?
            }
            Ok(other) => return Err(wrong(&format!("{other:?} is not a number"))),
            Err(e) => return Err(wrong(&e)),
        };
        while let Ok(Some(_)) = socket.recv().await {}
        Ok(count)
    }

    async fn echo(&self, client: &Client, url: &str) -> Result<(), EchoError> {
        let (mut socket, _) = client.connect(url).await?;
        while let Some(message) = socket.recv().await? {
            socket.send(message).await?;
        }
        Ok(())
    }
}

/// The ways in which a connection may fail.
type EchoError = Box<dyn std::error::Error + Send + Sync>;

/// The defaults, except where the suite allows no unexpected frames or takes long. Every message is compressed, however
/// short.
fn client(timeout: Duration, version: HttpVersion) -> Result<Client, ws_client::SettingError> {
    let mut options = Options::default();
    let mut compression = deflate::Config::client();
    compression.threshold = 0;
    options.deflate = Some(compression);
    options.opening_timeout = timeout;
    options.connection.keepalive = None;
    options.proxy = ProxyChoice::Direct;
    options.http_version = version;
    options.build()
}

/// Waits until a server listens at the port; the caller limits the time.
pub(crate) async fn wait_until_open(port: u16) {
    loop {
        if let Ok(stream) = TcpStream::connect(("127.0.0.1", port)).await
            // Without a listener, the system may choose the same port for our end and connect it to itself.
            && stream.local_addr().ok() != stream.peer_addr().ok()
        {
            return;
        }
        sleep(Duration::from_millis(100)).await;
    }
}
