//! At a prompt, in a terminal of the test's own.

use std::fs::{File, OpenOptions};
use std::io::Read as _;
use std::process::Child;
use std::time::{Duration, Instant};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};

use super::*;

struct Terminal {
    ours: File,
    theirs: File,
    child: Child,
    seen: std::sync::mpsc::Receiver<Vec<u8>>,
    text: String,
}

impl Terminal {
    fn new(arguments: &[&str], state: &std::path::Path) -> Self {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&ours).unwrap();
        unlockpt(&ours).unwrap();
        let name = ptsname(&ours, Vec::new()).unwrap().into_string().unwrap();
        let theirs = OpenOptions::new().read(true).write(true).open(name).unwrap();
        let child = ws(arguments)
            .env("TERM", "xterm")
            .env("XDG_STATE_HOME", state)
            .stdin(theirs.try_clone().unwrap())
            .stdout(theirs.try_clone().unwrap())
            .spawn()
            .unwrap();
        let ours = File::from(ours);
        let mut reader = ours.try_clone().unwrap();
        let (sender, seen) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let mut chunk = [0; 4096];
            while let Ok(n @ 1..) = reader.read(&mut chunk) {
                if sender.send(chunk[..n].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self { ours, theirs, child, seen, text: String::new() }
    }

    fn types(&mut self, keys: &str) {
        self.ours.write_all(keys.as_bytes()).unwrap();
    }

    /// Reads until this has been shown; what came up to its end is forgotten.
    fn shows(&mut self, what: &str) -> String {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            if let Some(at) = self.text.find(what) {
                let rest = self.text.split_off(at + what.len());
                return std::mem::replace(&mut self.text, rest);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(chunk) = self.seen.recv_timeout(left) else {
                self.child.kill().unwrap();
                panic!("{what:?} was not shown, but {:?}", self.text);
            };
            self.text.push_str(&String::from_utf8_lossy(&chunk));
        }
    }
}

fn state(test: &str) -> std::path::PathBuf {
    let path =
        std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{test}-{}", std::process::id()));
    std::fs::create_dir_all(&path).unwrap();
    path
}

#[test]
fn what_comes_stands_above_the_line_being_typed() {
    let (url, news) = newsroom();
    let mut terminal = Terminal::new(&[&url], &state("prompt"));
    terminal.shows("connected to ws://127.0.0.1");
    terminal.shows("> ");
    terminal.types("half");
    terminal.shows("half");
    news.send("news").unwrap();
    terminal.shows("< news");
    terminal.shows("> half");
    terminal.types(" whole\r");
    terminal.shows("< half whole");
    terminal.types("more\r");
    terminal.shows("< more");
    // The history: up, up is the line before the last.
    terminal.types("\x1b[A\x1b[A\r");
    terminal.shows("< half whole");
    terminal.types("\x04");
    terminal.shows("closed by this end");
    assert_eq!(wait(&mut terminal.child).code(), Some(0));
}

/// A server that sends back what comes, and what the test tells it to.
fn newsroom() -> (String, tokio::sync::mpsc::UnboundedSender<&'static str>) {
    let (sender, news) = tokio::sync::mpsc::unbounded_channel();
    let (address, bound) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let news = std::sync::Arc::new(tokio::sync::Mutex::new(news));
            let handler = move |mut socket: ws_server::WebSocket| {
                let news = news.clone();
                async move {
                    let mut news = news.lock().await;
                    loop {
                        tokio::select! {
                            message = socket.recv() => match message? {
                                Some(message) => socket.send(message).await?,
                                None => return Ok::<(), ws_server::Error>(()),
                            },
                            Some(text) = news.recv() => socket.send(text).await?,
                        }
                    }
                }
            };
            let server = ws_server::Server::builder().route("/", handler).bind("127.0.0.1:0").await.unwrap();
            address.send(server.local_addr().unwrap()).unwrap();
            server.serve().await;
        });
    });
    (format!("ws://{}", bound.recv().unwrap()), sender)
}

#[test]
fn the_history_is_there_the_next_time_and_secrets_are_not() {
    let server = Serving::new(&[]);
    let state = state("history");
    let mut terminal = Terminal::new(&[&server.url], &state);
    terminal.shows("> ");
    terminal.types("remembered\r secret\r");
    terminal.shows("<  secret");
    terminal.types("\x04");
    assert_eq!(wait(&mut terminal.child).code(), Some(0));
    let mut terminal = Terminal::new(&[&server.url], &state);
    terminal.shows("> ");
    terminal.types("\x1b[A\r");
    terminal.shows("< remembered");
    terminal.types("\x03");
    assert_eq!(wait(&mut terminal.child).code(), Some(130));
    let kept = std::fs::read_to_string(state.join("ws/history")).unwrap();
    assert!(kept.contains("remembered") && !kept.contains("secret"), "{kept}");
}

#[test]
fn a_server_that_ends_it_leaves_the_terminal_as_it_was() {
    let server = Serving::new(&[]);
    let mut terminal = Terminal::new(&[&server.url, "--no-history"], &state("restore"));
    let cooked = |terminal: &Terminal| {
        tcgetattr(&terminal.theirs).unwrap().local_modes.contains(LocalModes::ICANON | LocalModes::ECHO)
    };
    terminal.shows("> ");
    terminal.types("typed but not sent");
    terminal.shows("sent");
    assert!(!cooked(&terminal));
    signal(&server.child, rustix::process::Signal::INT);
    terminal.shows("closed by the server");
    assert_eq!(wait(&mut terminal.child).code(), Some(0));
    assert!(cooked(&terminal));
}

#[test]
fn a_message_cannot_command_the_terminal() {
    let server = Serving::new(&[]);
    let mut terminal = Terminal::new(&[&server.url, "-m", "\x1b]0;owned\x07"], &state("commands"));
    let shown = terminal.shows("\u{2407}");
    assert!(shown.contains("\u{241b}]0;owned") && !shown.contains("\x1b]0;"), "{shown:?}");
    terminal.types("\x04");
    assert_eq!(wait(&mut terminal.child).code(), Some(0));
}
