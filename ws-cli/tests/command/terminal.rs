//! At a prompt, in a terminal of the test's own.

use std::fs::{File, OpenOptions};
use std::io::Read as _;
use std::process::{Child, Command, Stdio};
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
    /// All of it but standard error is the terminal.
    fn new(arguments: &[&str], state: &std::path::Path) -> Self {
        Self::start(|theirs| {
            let mut command = ws(arguments);
            command.env("TERM", "xterm").env("XDG_STATE_HOME", state).stdin(theirs()).stdout(theirs());
            command
        })
    }

    /// A program of whose standard input, output and error some are the terminal.
    fn start(command: impl FnOnce(&dyn Fn() -> File) -> Command) -> Self {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&ours).unwrap();
        unlockpt(&ours).unwrap();
        let name = ptsname(&ours, Vec::new()).unwrap().into_string().unwrap();
        let theirs = OpenOptions::new().read(true).write(true).open(name).unwrap();
        let child = command(&|| theirs.try_clone().unwrap()).spawn().unwrap();
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

    /// All that is shown until the program ends, which gets the end of its input.
    fn shows_at_all(mut self) -> String {
        drop(self.child.stdin.take());
        // The last that could write to it is the program.
        drop(self.theirs);
        let output = finish(self.child);
        assert!(output.status.code().is_some(), "{output:?}");
        let chunks: Vec<u8> = self.seen.iter().flatten().collect();
        String::from_utf8(chunks).unwrap()
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
    let news = std::sync::Arc::new(tokio::sync::Mutex::new(news));
    let url = serving(move |mut socket| {
        let news = news.clone();
        async move {
            let mut news = news.lock().await;
            loop {
                tokio::select! {
                    message = socket.recv() => match message? {
                        Some(message) => socket.send(message).await?,
                        None => return Ok(()),
                    },
                    Some(text) = news.recv() => socket.send(text).await?,
                }
            }
        }
    });
    (url, sender)
}

/// A server with this handler, until the test ends.
fn serving<F>(handler: impl Fn(ws_server::WebSocket) -> F + Clone + Send + Sync + 'static) -> String
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

/// A server that answers the first message in ways that would command a terminal, and closes so.
fn commanding() -> String {
    serving(|mut socket| async move {
        socket.recv().await?;
        socket.send("\x1b]0;owned\x07").await?;
        socket.send("\u{9b}31m\x7f\x08\r").await?;
        socket.send(b"\x1b[2J\xff".to_vec()).await?;
        socket.close(ws_server::CloseCode(4000), "\x1b]0;owned\x07\u{9b}").await?;
        Ok(())
    })
}

#[test]
fn a_server_cannot_command_a_terminal_that_is_the_output_or_the_errors_alone() {
    let url = commanding();
    for arguments in [&["--once"][..], &[], &["--binary"], &["--json"], &["--json", "--binary"]] {
        for errors in [false, true] {
            let terminal = Terminal::start(|theirs| {
                let mut command = ws(&[&[url.as_str(), "-m", "hi", "--wait", "inf"], arguments].concat());
                match errors {
                    false => command.stdout(theirs()).stderr(Stdio::null()),
                    true => command.stderr(theirs()).stdout(Stdio::null()),
                };
                command
            });
            let shown = terminal.shows_at_all();
            // The terminal itself makes CR LF of a line's end.
            let commands = shown.replace("\r\n", "\n");
            assert!(!commands.contains(|c: char| c.is_control() && c != '\n'), "{arguments:?}: {shown:?}");
            // On standard error there is the reason of the Close, unless it is of no interest or an event.
            let silent = errors && arguments.iter().any(|option| ["--once", "--json"].contains(option));
            assert_eq!(shown.contains("owned"), !silent, "{arguments:?}: {shown:?}");
        }
    }
    // Into a file or another program goes what was sent.
    let output = run(&[&url, "--binary", "-m", "hi", "--wait", "inf"], b"");
    assert_eq!(
        output.stdout,
        [&b"\x1b]0;owned\x07\n"[..], "\u{9b}31m\x7f\x08\r\n".as_bytes(), b"\x1b[2J\xff\n"].concat()
    );
}

#[test]
fn an_abnormal_end_is_said_once_and_names_the_culprit_first() {
    let url = serving(|mut socket| async move {
        while let Some(message) = socket.recv().await? {
            socket.send(message).await?;
            socket.close(ws_server::CloseCode(1011), "out of ideas").await?;
        }
        Ok(())
    });
    let terminal = Terminal::start(|theirs| {
        let mut command = ws(&[&url, "--no-history", "-m", "last words"]);
        command.env("TERM", "xterm").stdin(theirs()).stdout(theirs()).stderr(theirs());
        command
    });
    let shown = terminal.shows_at_all();
    assert!(shown.contains("< last words"), "{shown:?}");
    let said = "ws: the server closed with 1011 (it failed): \"out of ideas\"";
    assert!(shown.trim_end().ends_with(said), "{shown:?}");
    assert_eq!(shown.matches("clos").count(), 1 + shown.matches("Ctrl-D closes").count(), "{shown:?}");
}
