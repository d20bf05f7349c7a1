//! The command `ws`: sessions in a pipe and in a terminal, `serve`, `bench`, `topics`, `completions`.

#[path = "common/command.rs"]
mod command;
#[path = "command/http2.rs"]
mod http2;
#[path = "command/messages.rs"]
mod messages;
#[cfg(unix)]
#[path = "command/prompt.rs"]
mod prompt;
#[path = "command/reconnect.rs"]
mod reconnect;
#[cfg(unix)]
#[path = "command/terminal.rs"]
mod terminal;
#[path = "command/topics.rs"]
mod topics;
#[cfg(unix)]
#[path = "command/unix_socket.rs"]
mod unix_socket;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};

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
fn input_larger_than_all_buffers_comes_back_in_order() {
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
    assert_eq!(open["http"], "1.1");
    assert!(open["peer"].is_string() && open["took_ms"].as_f64().unwrap() > 0.0, "{open}");
    let messages: Vec<_> = events.iter().filter(|event| event["event"] == "message").collect();
    assert_eq!((&messages[0]["type"], &messages[0]["data"]), (&"text".into(), &"first".into()));
    // A line that is not UTF-8 is no text.
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
fn a_closed_pipe_at_the_output_is_no_failure() {
    let server = Serving::new(&[]);
    let mut child = ws(&[&server.url]).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    stdin.write_all(b"one\n").unwrap();
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    drop(stdout);
    // Its input stays open. Another test may be starting a program, which has the pipe too for a moment: one line is not
    // enough.
    let writer = std::thread::spawn(move || {
        while stdin.write_all(b"two\n").is_ok() {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    });
    let output = finish(child);
    writer.join().unwrap();
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
fn a_signal_ends_a_read_of_a_file_that_never_ends() {
    use std::os::unix::process::ExitStatusExt;

    use rustix::process::Signal;
    let pipe = std::env::temp_dir().join(format!("ws-endless-{}", std::process::id()));
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let mut child = ws(&["ws://127.0.0.1:9", "--file", pipe.to_str().unwrap()]).spawn().unwrap();
    // Open once it is open there too.
    let writer = std::fs::File::options().write(true).open(&pipe).unwrap();
    std::fs::remove_file(&pipe).unwrap();
    signal(&child, Signal::TERM);
    assert_eq!(wait(&mut child).signal(), Some(15));
    drop(writer);
}

#[cfg(unix)]
#[test]
fn a_signal_ends_serve_while_it_reads_a_certificate_that_never_ends() {
    use std::os::unix::process::ExitStatusExt;

    use rustix::process::Signal;
    let pipe = std::env::temp_dir().join(format!("ws-endless-cert-{}", std::process::id()));
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let path = pipe.to_str().unwrap();
    let mut child = ws(&["serve", "127.0.0.1:0", "--cert", path, "--key", path]).spawn().unwrap();
    // Open once it is open there too.
    let writer = std::fs::File::options().write(true).open(&pipe).unwrap();
    std::fs::remove_file(&pipe).unwrap();
    signal(&child, Signal::TERM);
    assert_eq!(wait(&mut child).signal(), Some(15));
    drop(writer);
}

#[cfg(unix)]
#[test]
fn a_server_that_gets_a_signal_closes_with_1001() {
    use rustix::process::Signal;
    for number in [Signal::INT, Signal::TERM] {
        let mut server = Serving::new(&[]);
        let mut child = ws(&[&server.url, "--json", "-m", "hi"]).spawn().unwrap();
        let _stdin = child.stdin.take();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut lines = String::new();
        while !lines.contains("message") {
            stdout.read_line(&mut lines).unwrap();
        }
        signal(&server.child, number);
        lines.clear();
        stdout.read_line(&mut lines).unwrap();
        let close: Value = serde_json::from_str(&lines).unwrap();
        assert_eq!((&close["code"], &close["by"]), (&1001.into(), &"remote".into()));
        assert_eq!(wait(&mut child).code(), Some(0));
        assert_eq!(wait(&mut server.child).code(), Some(0));
    }
}

/// The request that `ws` sends with these arguments.
fn request(arguments: &[&str]) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let serving = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.extend(byte);
        }
        String::from_utf8(head).unwrap()
    });
    // It is not answered.
    assert!(!run(&[&[url.as_str()], arguments].concat(), b"").status.success());
    serving.join().unwrap()
}

#[test]
fn a_user_agent_is_sent_unless_the_user_gives_one() {
    let agents = |head: String| {
        let fields: Vec<_> = head.lines().filter_map(|line| line.split_once(": ")).collect();
        let agents = fields.iter().filter(|(name, _)| name.eq_ignore_ascii_case("user-agent"));
        agents.map(|(_, value)| (*value).to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(agents(request(&[])), [concat!("ws/", env!("CARGO_PKG_VERSION"))]);
    assert_eq!(agents(request(&["-H", "user-agent: mine/1"])), ["mine/1"]);
}

#[test]
fn field_names_are_sent_as_they_are_written() {
    let head = request(&["-H", "X-Foo: bar", "-H", "x-lower: case"]);
    assert!(head.contains("\r\nX-Foo: bar\r\n") && head.contains("\r\nx-lower: case\r\n"), "{head}");
}

#[test]
fn a_server_on_loopback_serves_names_of_loopback_and_those_of_the_option_host() {
    let status = |options: &[&str], host: &str| {
        let server = Serving::new(options);
        run(&[&server.url, "-H", &format!("Host: {host}"), "--once", "-m", "hi"], b"").status.code()
    };
    assert_eq!(status(&[], "localhost:9001"), Some(0));
    // DNS rebinding: a foreign name that resolves to this machine.
    assert_eq!(status(&[], "evil.example"), Some(4));
    assert_eq!(status(&["--host", "chat.example"], "chat.example"), Some(0));
    assert_eq!(status(&["--host", "chat.example"], "evil.example"), Some(4));
    assert_eq!(status(&["--host", "any"], "evil.example"), Some(0));
}

#[test]
fn bench_reports_in_json_and_as_a_table() {
    let server = Serving::new(&["--compress"]);
    let load = ["--connections", "3", "--duration", "1", "--size", "100"];
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
    // 200 a second for a second; fewer where the machine is too busy to send all in time.
    let (_, count) = words.split_once("messages     ").unwrap();
    let (count, rest) = count.split_once(' ').unwrap();
    assert!(
        (1..=200).contains(&count.parse().unwrap()) && rest.starts_with("of 100 bytes (binary)"),
        "{words}"
    );
}

#[test]
fn an_idle_bench_holds_connections_open_and_reports_those_that_are_lost() {
    let server = Serving::new(&[]);
    let load = ["--idle", "--connections", "20", "--duration", "1.5"];
    let output = run(&[&["bench", &server.url], &load[..]].concat(), b"");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let (words, live) = (text(&output.stdout), text(&output.stderr));
    assert!(words.contains("20 opened") && words.contains("held         20 for 1.5 s, 0 lost"), "{words}");
    assert!(live.contains("20 open   0 failed"), "{live}");

    // Sends messages to all, and closes every fourth.
    let count = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
    let url = serving(move |mut socket| {
        let number = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        async move {
            socket.send("news").await?;
            if number.is_multiple_of(4) {
                socket.close(ws_server::CloseCode(4000), "enough").await?;
            }
            while socket.recv().await?.is_some() {}
            Ok(())
        }
    });
    let output = run(&[&["bench", &url, "--json"], &load[..]].concat(), b"");
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let result: Value = serde_json::from_str(text(&output.stdout).lines().next().unwrap()).unwrap();
    assert_eq!((&result["connections"], &result["lost"]), (&20.into(), &5.into()), "{result}");
    assert!(result["first_failure"].as_str().unwrap().contains("4000"), "{result}");
    assert!(result["seconds"].as_f64().unwrap() >= 1.5, "{result}");
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
    // From now on nobody reads standard error.
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
fn help_and_version_succeed() {
    for arguments in [&["--help"][..], &["--version"], &["bench", "--help"]] {
        assert_eq!(run(arguments, b"").status.code(), Some(0), "{arguments:?}");
    }
    let output = run(&["--help"], b"");
    let help = text(&output.stdout);
    assert!(help.contains("Exit status:") && help.contains("Events of --json"), "{help}");
}
