//! The command `ws`, run as a program.
#![allow(dead_code, unreachable_pub)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use ws_client::ws_core::handshake::accept_key;

/// `ws` with these arguments, without the variables of the environment that would change its behaviour.
pub fn ws(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ws"));
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for name in
        ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy", "NO_COLOR"]
    {
        command.env_remove(name);
    }
    command
}

/// Runs `ws` with this on its standard input.
pub fn run(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = ws(arguments).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // A program that has ended reads nothing.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = finish(child);
    writer.join().unwrap();
    output
}

/// Everything that a program writes, and its exit status; one that does not end is killed.
pub fn finish(mut child: Child) -> Output {
    let reader = |pipe: Option<Box<dyn std::io::Read + Send>>| {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            if let Some(mut pipe) = pipe {
                pipe.read_to_end(&mut bytes).unwrap();
            }
            bytes
        })
    };
    let stdout = reader(child.stdout.take().map(|pipe| Box::new(pipe) as _));
    let stderr = reader(child.stderr.take().map(|pipe| Box::new(pipe) as _));
    let status = wait(&mut child);
    Output { status, stdout: stdout.join().unwrap(), stderr: stderr.join().unwrap() }
}

/// Waits for the end of a program, but not for ever.
pub fn wait(child: &mut Child) -> ExitStatus {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if Instant::now() > deadline {
            child.kill().unwrap();
            panic!("the program did not end; killed: {:?}", child.wait().unwrap());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A signal to a program.
#[cfg(unix)]
pub fn signal(child: &Child, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_child(child);
    rustix::process::kill_process(pid, signal).unwrap();
}

/// `ws serve` on a free port; ended with the test.
pub struct Serving {
    pub child: Child,
    /// `ws://127.0.0.1:port`
    pub url: String,
}

impl Serving {
    pub fn new(options: &[&str]) -> Self {
        Self::at("127.0.0.1:0", options)
    }

    pub fn at(address: &str, options: &[&str]) -> Self {
        let mut child = ws(&[&["serve", address], options].concat()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let Some(url) = line.trim().strip_prefix("listening on ").map(str::to_owned) else {
            let mut why = String::new();
            child.stderr.take().unwrap().read_to_string(&mut why).unwrap();
            panic!("{line}{why}");
        };
        Self { child, url }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A server with this handler, until the test ends.
pub fn serving<F>(handler: impl Fn(ws_server::WebSocket) -> F + Clone + Send + Sync + 'static) -> String
where
    F: Future<Output = Result<(), ws_server::Error>> + Send + 'static,
{
    let (address, bound) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let server = ws_server::Server::builder().route("/", handler).bind("127.0.0.1:0").await.unwrap();
            address.send(server.local_addr().unwrap()).unwrap();
            server.serve().await;
        });
    });
    format!("ws://{}", bound.recv().unwrap())
}

/// A server that answers each connection's first bytes with these; `{accept}` stands for the right key.
pub fn answering(answer: &str) -> SocketAddr {
    let answer = answer.to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let mut head = [0; 4096];
            let Ok(n) = stream.read(&mut head) else { continue };
            let head = String::from_utf8_lossy(&head[..n]).into_owned();
            // A command that has ended reads nothing more.
            let _ = stream.write_all(answer.replace("{accept}", &accept(&head)).as_bytes());
            let _ = std::io::copy(&mut stream, &mut std::io::sink());
        }
    });
    address
}

/// The answer to the key in a head.
pub fn accept(head: &str) -> String {
    let fields = head.lines().filter_map(|line| line.split_once(": "));
    let key =
        fields.filter(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-key")).map(|(_, key)| key).next();
    accept_key(key.unwrap_or_default().as_bytes())
}

/// The head of a 101, without its last line.
pub const SWITCHING: &str =
    "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n";
