//! A sample that runs as a process until the test ends, and its clients.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::time::timeout;
use ws_client::{Client, ConnectError, Request, WebSocket};

pub(crate) struct Sample {
    child: Child,
    /// The URL of its first line: `http://127.0.0.1:1234/`, with a path or fragment.
    pub(crate) url: String,
}

impl Sample {
    /// Starts a sample on a free port.
    pub(crate) fn start(name: &str, arguments: &[&str]) -> Self {
        let mut child = command(name).args(["--listen", "127.0.0.1:0"]).args(arguments).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.split_whitespace().find(|word| word.starts_with("http://"));
        Self { url: url.unwrap_or_else(|| panic!("{name} said {line:?}")).to_owned(), child }
    }

    /// Returns host and port, such as `127.0.0.1:1234`.
    pub(crate) fn host(&self) -> &str {
        self.url.trim_start_matches("http://").split('/').next().unwrap()
    }

    /// Returns a request for one of its endpoints with the origin of its page.
    pub(crate) fn request(&self, target: &str) -> Request {
        let request = Request::new(&format!("ws://{}{target}", self.host())).unwrap();
        request.header("Origin", format!("http://{}", self.host())).unwrap()
    }

    pub(crate) async fn open(&self, target: &str) -> WebSocket {
        open(self.request(target)).await.unwrap()
    }

    /// Sends a GET and returns the answer.
    pub(crate) async fn get(&self, target: &str) -> String {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let mut socket = tokio::net::TcpStream::connect(self.host()).await.unwrap();
        let head = format!("GET {target} HTTP/1.1\r\nHost: {}\r\n\r\n", self.host());
        socket.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        soon(socket.read_to_string(&mut answer)).await.unwrap();
        answer
    }

    /// Sends SIGTERM, as Docker, systemd and Kubernetes do.
    #[cfg(unix)]
    pub(crate) fn terminate(&self) {
        assert!(Command::new("kill").arg(self.child.id().to_string()).status().unwrap().success());
    }

    /// Waits for the exit status.
    #[cfg(unix)]
    pub(crate) fn ended(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    /// Returns its peak memory in MiB.
    #[cfg(target_os = "linux")]
    pub(crate) fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() >> 10
    }
}

impl Drop for Sample {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a sample that ends by itself and returns its status and its standard error.
pub(crate) fn refused(name: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let mut child = command(name).args(arguments).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    (child.wait().unwrap().code(), said)
}

pub(crate) async fn open(request: Request) -> Result<WebSocket, ConnectError> {
    Ok(soon(Client::new().unwrap().connect(request)).await?.0)
}

/// Sends a request that is refused and returns the status.
pub(crate) async fn status(request: Request) -> Option<u16> {
    open(request).await.err().and_then(|error| Some(error.response()?.status().as_u16()))
}

/// Receives the next message as JSON.
pub(crate) async fn event(socket: &mut WebSocket) -> serde_json::Value {
    let message = soon(socket.recv()).await.unwrap().expect("a message");
    serde_json::from_slice(message.as_bytes()).unwrap()
}

/// Awaits a future with a time limit.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(30), future).await.expect("timed out")
}

pub(crate) fn command(name: &str) -> Command {
    // target/debug/deps/samples-0123 runs target/debug/examples/NAME.
    let mut path: PathBuf = std::env::current_exe().unwrap();
    path.pop();
    path.set_file_name("examples");
    path.push(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(
        path.exists(),
        "{} is not there: build it with cargo build --examples -p ws-samples -p ws-server",
        path.display()
    );
    let mut command = Command::new(path);
    command.stdout(Stdio::piped());
    command
}
