//! The command `ws`: sessions in a pipe and in a terminal, `serve`, `bench`, `completions`.

#[path = "common/command.rs"]
mod command;

use std::io::{BufRead as _, BufReader, Write as _};

use command::*;
use serde_json::Value;

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn events(stdout: &[u8]) -> Vec<Value> {
    text(stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn lines_come_back_and_the_end_of_the_input_closes() {
    let server = Serving::new(&[]);
    let output = run(&[&server.url], "hello\nw\u{f6}rld\r\n\nlast without newline".as_bytes());
    assert_eq!(text(&output.stdout), "hello\nw\u{f6}rld\n\nlast without newline\n");
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
}

#[test]
fn more_than_all_buffers_hold_passes_in_order() {
    let server = Serving::new(&[]);
    let lines: String = (0..200_000).map(|n| format!("{n}\n")).collect();
    let large = format!("{}\n{lines}", "x".repeat(9 << 20));
    let output = run(&[&server.url, "--compress"], large.as_bytes());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(output.stdout == large.as_bytes());
}

#[test]
fn json_has_one_event_a_line_with_its_time() {
    let server = Serving::new(&["--compress", "--subprotocol", "chat"]);
    let arguments = ["--json", "--compress", "-s", "chat", "--wait", "0.3", "--ping", "0.05", "-m", "first"];
    let output = run(&[&[server.url.as_str()], &arguments[..]].concat(), b"\xff\n");
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
    let events = events(&output.stdout);
    let open = &events[0];
    assert_eq!((&open["event"], &open["subprotocol"]), (&"open".into(), &"chat".into()));
    assert_eq!((&open["compressed"], &open["tls"]), (&true.into(), &Value::Null));
    assert!(open["peer"].is_string() && open["took_ms"].as_f64().unwrap() > 0.0, "{open}");
    let messages: Vec<_> = events.iter().filter(|event| event["event"] == "message").collect();
    assert_eq!((&messages[0]["type"], &messages[0]["data"]), (&"text".into(), &"first".into()));
    // What is not UTF-8 is no text.
    assert_eq!((&messages[1]["type"], &messages[1]["data"]), (&"binary".into(), &"/w==".into()));
    assert!(events.iter().any(|event| event["event"] == "pong" && event["rtt_ms"].as_f64().unwrap() > 0.0));
    let close = events.last().unwrap();
    assert_eq!(
        (&close["event"], &close["code"], &close["clean"]),
        (&"close".into(), &1000.into(), &true.into())
    );
    assert!(events.iter().all(|event| event["time"].as_str().is_some_and(|time| time.ends_with('Z'))));
}

#[test]
fn once_is_one_message_and_one_answer() {
    let server = Serving::new(&[]);
    let output = run(&[&server.url, "--once"], b"a\nb\nc\n");
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), "a\n"));
    let output = run(&[&server.url, "--once", "-m", "given"], b"");
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), "given\n"));
    let output = run(&[&server.url, "--once"], b"");
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("give --message TEXT"), "{}", text(&output.stderr));
}

#[test]
fn binary_messages_are_written_as_they_are_or_in_hexadecimal() {
    let server = Serving::new(&[]);
    let output = run(&[&server.url, "--binary"], b"\x00\xff\n");
    assert_eq!((output.status.code(), &output.stdout[..]), (Some(0), &b"\x00\xff\n"[..]));
    let output = run(&[&server.url], b"\x00\xff\n");
    assert_eq!(text(&output.stdout), "00 ff\n");
}

#[test]
fn nobody_reading_the_output_is_no_failure() {
    let server = Serving::new(&[]);
    let mut child = ws(&[&server.url]).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    stdin.write_all(b"one\n").unwrap();
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    drop(stdout);
    stdin.write_all(b"two\n").unwrap();
    // Its input is still open.
    let output = finish(child);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
}

#[cfg(unix)]
#[test]
fn a_signal_closes_with_1001_and_shows_in_the_status() {
    use rustix::process::Signal;
    let server = Serving::new(&[]);
    for (number, status) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let mut child = ws(&[&server.url, "--json", "-m", "hi"]).spawn().unwrap();
        let _stdin = child.stdin.take();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut lines = String::new();
        while !lines.contains("message") {
            stdout.read_line(&mut lines).unwrap();
        }
        signal(&child, number);
        lines.clear();
        stdout.read_line(&mut lines).unwrap();
        let close: Value = serde_json::from_str(&lines).unwrap();
        assert_eq!(
            (&close["event"], &close["code"], &close["by"]),
            (&"close".into(), &1001.into(), &"local".into())
        );
        assert_eq!(wait(&mut child).code(), Some(status));
    }
}

#[cfg(unix)]
#[test]
fn a_server_that_is_told_to_stop_says_goodbye() {
    let mut server = Serving::new(&[]);
    let mut child = ws(&[&server.url, "--json", "-m", "hi"]).spawn().unwrap();
    let _stdin = child.stdin.take();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut lines = String::new();
    while !lines.contains("message") {
        stdout.read_line(&mut lines).unwrap();
    }
    signal(&server.child, rustix::process::Signal::INT);
    lines.clear();
    stdout.read_line(&mut lines).unwrap();
    let close: Value = serde_json::from_str(&lines).unwrap();
    assert_eq!((&close["code"], &close["by"]), (&1001.into(), &"remote".into()));
    assert_eq!(wait(&mut child).code(), Some(0));
    assert_eq!(wait(&mut server.child).code(), Some(0));
}

#[test]
fn bench_measures_and_tells_in_json_and_in_words() {
    let server = Serving::new(&["--compress"]);
    let load = ["--connections", "3", "--duration", "0.5", "--size", "100"];
    let output = run(&[&["bench", &server.url, "--json", "--compress"], &load[..]].concat(), b"");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&result["connections"], &result["failed"]), (&3.into(), &0.into()));
    let messages = result["messages"].as_u64().unwrap();
    let counted: u64 =
        result["histogram"].as_array().unwrap().iter().map(|row| row["count"].as_u64().unwrap()).sum();
    assert!(messages >= 3 && counted == messages, "{result}");
    let latency = |name: &str| result["latency_ms"][name].as_f64().unwrap();
    // No round trip takes less than 5 µs.
    assert!(0.005 < latency("p50") && latency("p50") <= latency("p99") && latency("p99") <= latency("max"));

    let output = run(&[&["bench", &server.url, "--rate", "200", "--binary"], &load[..]].concat(), b"");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let words = text(&output.stdout);
    assert!(words.contains("3 opened") && words.contains("p99.9") && words.contains('\u{2588}'), "{words}");
    // 200 a second for half a second.
    assert!(words.contains("messages     100 of 100 bytes (binary)"), "{words}");
}

#[cfg(unix)]
#[test]
fn an_interrupted_bench_reports_what_it_has() {
    let server = Serving::new(&[]);
    let mut child = ws(&["bench", &server.url, "--json", "--duration", "60"]).spawn().unwrap();
    // The first line of the live display.
    let mut line = String::new();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    stderr.read_line(&mut line).unwrap();
    // From now on nobody looks.
    drop(stderr);
    assert!(line.contains("messages/s") && line.contains("p99"), "{line}");
    signal(&child, rustix::process::Signal::INT);
    let output = finish(child);
    assert_eq!(output.status.code(), Some(130));
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(result["messages"].as_u64().unwrap() > 0 && result["failed"] == 0, "{result}");
}

#[test]
fn every_shell_gets_its_completions() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = run(&["completions", shell], b"");
        assert_eq!(output.status.code(), Some(0));
        assert!(text(&output.stdout).contains("subprotocol"), "{shell}");
    }
}

#[test]
fn help_and_version_are_no_failures() {
    for arguments in [&["--help"][..], &["--version"], &["bench", "--help"]] {
        assert_eq!(run(arguments, b"").status.code(), Some(0), "{arguments:?}");
    }
    let output = run(&["--help"], b"");
    let help = text(&output.stdout);
    assert!(help.contains("Exit status:") && help.contains("Events of --json"), "{help}");
}

/// At a prompt, in a terminal of the test's own.
#[cfg(unix)]
mod terminal {
    use super::*;
    use std::fs::{File, OpenOptions};
    use std::io::Read as _;
    use std::process::Child;
    use std::time::{Duration, Instant};

    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    use rustix::termios::{LocalModes, tcgetattr};

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
        terminal.types(" whole\rmore\r");
        terminal.shows("< half whole");
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
                let server =
                    ws_server::Server::builder().route("/", handler).bind("127.0.0.1:0").await.unwrap();
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
}
