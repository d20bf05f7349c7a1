//! Sessions in a terminal that the test makes.

use std::fs::{File, OpenOptions};
use std::io::Read as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};

use super::*;

pub(super) struct Terminal {
    ours: File,
    theirs: File,
    pub(super) child: Child,
    seen: std::sync::mpsc::Receiver<Vec<u8>>,
    text: String,
}

impl Terminal {
    /// Standard input and output are the terminal.
    pub(super) fn new(arguments: &[&str], state: &std::path::Path) -> Self {
        Self::start(|theirs| {
            let mut command = ws(arguments);
            command.env("TERM", "xterm").env("XDG_STATE_HOME", state).stdin(theirs()).stdout(theirs());
            command
        })
    }

    /// Starts a program that is given the terminal as some of its standard input, output and error.
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

    pub(super) fn types(&mut self, keys: &str) {
        self.ours.write_all(keys.as_bytes()).unwrap();
    }

    /// Ends the input, and returns everything that is shown until the program ends.
    fn shows_at_all(mut self) -> String {
        drop(self.child.stdin.take());
        // From now on only the program can write to it.
        drop(self.theirs);
        let output = finish(self.child);
        assert!(output.status.code().is_some(), "{output:?}");
        let chunks: Vec<u8> = self.seen.iter().flatten().collect();
        String::from_utf8(chunks).unwrap()
    }

    /// Reads until this text has been shown, and returns what was shown before it.
    pub(super) fn shows(&mut self, what: &str) -> String {
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

pub(super) fn state(test: &str) -> std::path::PathBuf {
    let path =
        std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{test}-{}", std::process::id()));
    std::fs::create_dir_all(&path).unwrap();
    path
}

#[test]
fn messages_are_shown_above_the_line_being_typed() {
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

/// A server that sends back every message, and the messages that the test gives it.
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

#[test]
fn the_history_is_kept_for_the_next_session_without_lines_that_begin_with_a_space() {
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
fn a_session_that_the_server_ends_restores_the_terminal() {
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
fn the_terminal_is_restored_although_lines_are_typed_while_the_server_closes() {
    let url = serving(|mut socket| async move {
        socket.recv().await?;
        socket.close(ws_server::CloseCode::NORMAL_CLOSURE, "").await.map(|_| ())
    });
    for attempt in 0..20 {
        let mut terminal = Terminal::new(&[&url, "--no-history"], &state("restore-race"));
        terminal.shows("> ");
        // The editor changes the modes of the terminal before and after each line.
        terminal.types(&"x\r".repeat(200));
        assert_eq!(wait(&mut terminal.child).code(), Some(0));
        let modes = tcgetattr(&terminal.theirs).unwrap().local_modes;
        assert!(modes.contains(LocalModes::ICANON | LocalModes::ECHO), "attempt {attempt}: {modes:?}");
    }
}

#[test]
fn a_thousand_lines_pasted_at_once_are_all_sent_and_shown() {
    let server = Serving::new(&[]);
    let mut terminal = Terminal::new(&[&server.url, "--no-history"], &state("paste"));
    terminal.shows("> ");
    terminal.types(&("x\r".repeat(1000) + "last\r"));
    let shown = terminal.shows("< last");
    assert_eq!(shown.matches("< x").count(), 1000);
    terminal.types("\x04");
    assert_eq!(wait(&mut terminal.child).code(), Some(0));
}

#[test]
fn a_subprotocol_that_the_server_does_not_speak_is_reported_above_the_prompt() {
    let server = Serving::new(&["--subprotocol", "chat.v2"]);
    let mut terminal = Terminal::new(&[&server.url, "--no-history", "-s", "chat.v1"], &state("subprotocol"));
    terminal.shows("none of the subprotocols offered (chat.v1)");
    terminal.types("\x04");
    let output = finish(terminal.child);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
}

#[test]
fn a_message_cannot_control_the_terminal() {
    let server = Serving::new(&[]);
    let mut terminal = Terminal::new(&[&server.url, "-m", "\x1b]0;owned\x07"], &state("commands"));
    let shown = terminal.shows("\u{2407}");
    assert!(shown.contains("\u{241b}]0;owned") && !shown.contains("\x1b]0;"), "{shown:?}");
    terminal.types("\x04");
    assert_eq!(wait(&mut terminal.child).code(), Some(0));
}

/// A server that answers the first message, and closes, with bytes that would control a terminal.
fn controlling() -> String {
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
fn a_server_cannot_control_a_terminal_that_is_standard_output_or_standard_error_alone() {
    let url = controlling();
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
            // The terminal itself turns the end of a line into CR LF.
            let commands = shown.replace("\r\n", "\n");
            assert!(!commands.contains(|c: char| c.is_control() && c != '\n'), "{arguments:?}: {shown:?}");
            // Standard error has the reason of the Close, except with --once, and with --json, where it is an event.
            let silent = errors && arguments.iter().any(|option| ["--once", "--json"].contains(option));
            assert_eq!(shown.contains("owned"), !silent, "{arguments:?}: {shown:?}");
        }
    }
    // A file or another program gets the bytes unchanged.
    let output = run(&[&url, "--binary", "-m", "hi", "--wait", "inf"], b"");
    assert_eq!(
        output.stdout,
        [&b"\x1b]0;owned\x07\n"[..], "\u{9b}31m\x7f\x08\r\n".as_bytes(), b"\x1b[2J\xff\n"].concat()
    );
}

#[test]
fn an_abnormal_end_is_reported_once_and_names_the_side_that_ended_it_first() {
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
