//! `ws serve --metrics`: what Prometheus reads there is what has happened; and the limits that `ws serve` can be given.

#[path = "common/command.rs"]
mod command;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStdout};
use std::time::{Duration, Instant};

use command::{finish, run, ws};

/// `ws serve --metrics 0`, ended with the test.
struct Observed {
    child: Child,
    _stdout: BufReader<ChildStdout>,
    server: SocketAddr,
    metrics: SocketAddr,
}

impl Observed {
    fn new(options: &[&str]) -> Self {
        let arguments = [&["serve", "127.0.0.1:0", "--metrics", "0"], options].concat();
        let mut child = ws(&arguments).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = |begin: &str, end: &str| -> SocketAddr {
            let mut line = String::new();
            stdout.read_line(&mut line).unwrap();
            let address = line.trim().strip_prefix(begin).and_then(|line| line.strip_suffix(end));
            address.unwrap_or_else(|| panic!("{line}")).parse().unwrap()
        };
        let server = line("listening on ws://", "");
        let metrics = line("metrics at http://", "/metrics");
        Self { child, _stdout: stdout, server, metrics }
    }

    /// The metrics now: the value of each line, by its name and labels.
    fn scrape(&self) -> BTreeMap<String, f64> {
        let answer = ask(self.metrics, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 ") && head.contains("text/plain; version=0.0.4"), "{head}");
        let lines = body.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let value = |line: &str| {
            let (series, value) = line.rsplit_once(' ').unwrap();
            (series.strip_prefix("ws_server_").unwrap().to_owned(), value.parse().unwrap())
        };
        lines.map(value).collect()
    }

    /// The metrics once these are so, but not for ever.
    fn once(&self, expected: &[(&str, f64)]) -> BTreeMap<String, f64> {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let metrics = self.scrape();
            let found = |name: &str| metrics.get(name).copied().unwrap_or(0.0);
            let wrong: Vec<_> = expected
                .iter()
                .filter(|(name, value)| found(name) != *value)
                .map(|(name, _)| (name, found(name)))
                .collect();
            if wrong.is_empty() {
                return metrics;
            }
            assert!(Instant::now() < deadline, "{wrong:?} instead of {expected:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// A WebSocket, or the status that is answered.
    fn open(&self, host: &str, fields: &str) -> Result<TcpStream, u16> {
        let mut stream = TcpStream::connect(self.server).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let key = "dGhlIHNhbXBsZSBub25jZQ==";
        let request = format!(
            "GET /?token=hush HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n{fields}\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        match std::str::from_utf8(&head[9..12]).unwrap().parse().unwrap() {
            101 => Ok(stream),
            status => Err(status),
        }
    }

    fn opened(&self) -> TcpStream {
        self.open("localhost", "").unwrap()
    }
}

impl Drop for Observed {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// A frame of a client, masked with zeros.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        length @ 0..=125 => frame.push(0x80 | length as u8),
        length @ 126..=0xFFFF => {
            frame.push(0xFE);
            frame.extend((length as u16).to_be_bytes());
        }
        length => {
            frame.push(0xFF);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

fn read(stream: &mut TcpStream, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).unwrap();
    bytes
}

/// Reads a message in one frame or more; returns their length.
fn read_message(stream: &mut TcpStream) -> usize {
    let mut all = 0;
    loop {
        let header = read(stream, 2);
        let more = match header[1] {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let length = read(stream, more).into_iter().fold(0, |length, byte| length << 8 | usize::from(byte));
        let length = if more == 0 { usize::from(header[1]) } else { length };
        read(stream, length);
        all += 2 + more + length;
        if header[0] & 0x80 != 0 {
            return all;
        }
    }
}

/// Ends a WebSocket with a Close of that code, and reads to the end.
fn close(mut stream: TcpStream, code: u16) {
    stream.write_all(&frame(0x88, &code.to_be_bytes())).unwrap();
    stream.read_to_end(&mut Vec::new()).unwrap();
}

#[test]
fn prometheus_reads_the_numbers_of_what_a_server_has_done() {
    let server = Observed::new(&["--per-address-max-connections", "3"]);
    let zero = server.scrape();
    let mut differ: Vec<_> =
        zero.iter().filter(|(name, value)| **value != 0.0 && *name != "memory_limit_bytes").collect();
    differ.retain(|(name, _)| *name != "memory_used_bytes");
    assert!(differ.is_empty(), "before anything has happened: {differ:?}");

    // Refused, failed, and plain.
    assert_eq!(server.open("evil.example", "").unwrap_err(), 421);
    for _ in 0..2 {
        assert_eq!(server.open("localhost", "Origin: https://evil.example\r\n").unwrap_err(), 403);
    }
    for _ in 0..3 {
        assert!(ask(server.server, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").starts_with("HTTP/1.1 426 "));
    }
    ask(server.server, "GET / HTTP/1.1\r\n folded\r\n\r\n");
    // Closed by each side, for different causes.
    close(server.opened(), 1000);
    close(server.opened(), 1000);
    close(server.opened(), 4242);
    drop(server.opened());
    let mut unmasked = server.opened();
    unmasked.write_all(b"\x81\x01x").unwrap();
    unmasked.read_to_end(&mut Vec::new()).unwrap();
    drop(unmasked);
    server.once(&[("connections", 0.0)]);
    // Messages, with a message that waits for its peer.
    let (mut first, mut second, third) = (server.opened(), server.opened(), server.opened());
    for _ in 0..5 {
        first.write_all(&frame(0x81, b"hello")).unwrap();
        assert_eq!(read(&mut first, 7), b"\x81\x05hello");
    }
    const LARGE: usize = 12 << 20;
    second.write_all(&frame(0x82, &vec![7; LARGE])).unwrap();
    assert_eq!(server.open("localhost", "").unwrap_err(), 429);
    let waiting = server.once(&[
        ("connections_accepted_total", 7.0 + 5.0 + 4.0),
        ("websockets_opened_total{http=\"1.1\"}", 8.0),
        ("websockets_opened_total{http=\"2\"}", 0.0),
        ("websockets_open", 3.0),
        ("connections", 3.0),
        ("handshakes_refused_total{reason=\"host\"}", 1.0),
        ("handshakes_refused_total{reason=\"origin\"}", 2.0),
        ("handshakes_refused_total{reason=\"per_address.max_connections\"}", 1.0),
        ("handshakes_refused_total{reason=\"guard\"}", 0.0),
        ("handshakes_failed_total{reason=\"malformed\"}", 1.0),
        ("plain_requests_total", 3.0),
        ("websockets_closed_total{initiator=\"remote\",cause=\"handshake\",code=\"1000\"}", 2.0),
        ("websockets_closed_total{initiator=\"remote\",cause=\"handshake\",code=\"4xxx\"}", 1.0),
        ("websockets_closed_total{initiator=\"remote\",cause=\"protocol\",code=\"1002\"}", 1.0),
        ("websockets_closed_total{initiator=\"remote\",cause=\"eof\",code=\"1006\"}", 1.0),
        ("handshake_duration_seconds_count{http=\"1.1\"}", 8.0),
        ("messages_total{direction=\"received\"}", 6.0),
        ("messages_total{direction=\"sent\"}", 6.0),
        // Three Close frames, a frame that broke a rule, five messages, and the large one.
        ("bytes_total{direction=\"received\"}", (3 * 8 + 3 + 5 * 11 + 14 + LARGE) as f64),
        ("draining", 0.0),
    ]);
    let closed: f64 =
        waiting.iter().filter(|(name, _)| name.starts_with("websockets_closed_total")).map(|(_, n)| n).sum();
    assert_eq!(closed, 5.0, "what was opened is open, or has been closed: {waiting:?}");
    assert!(waiting["queued_bytes"] > (1 << 20) as f64, "{waiting:?}");
    assert!(waiting["memory_used_bytes"] >= waiting["queued_bytes"], "{waiting:?}");
    let counted =
        |bound| waiting[&format!("handshake_duration_seconds_bucket{{http=\"1.1\",le=\"{bound}\"}}")];
    assert!(counted("+Inf") == 8.0 && counted("0.0005") <= counted("10"), "{waiting:?}");
    // What has waited is read.
    let large = read_message(&mut second);
    assert!(large > LARGE);
    // Three Close frames, one that names the rule, five messages, and the large one in its frames.
    let sent = server.once(&[("queued_bytes", 0.0)])["bytes_total{direction=\"sent\"}"];
    assert_eq!(sent, (3 * 4 + 37 + 5 * 7 + large) as f64);
    // It shuts down: the one that does not answer is waited for.
    #[cfg(unix)]
    {
        // The third does not answer the Close, and its pings keep it until `drain_timeout`.
        let mut third = third.try_clone().unwrap();
        std::thread::spawn(move || {
            while third.write_all(&frame(0x89, b"")).is_ok() {
                std::thread::sleep(Duration::from_millis(100));
            }
        });
        command::signal(&server.child, rustix::process::Signal::TERM);
        assert_eq!(read(&mut first, 1), [0x88]);
        server.once(&[("draining", 1.0)]);
        first.write_all(&frame(0x88, &1001u16.to_be_bytes())).unwrap();
        let closed = "websockets_closed_total{initiator=\"local\",cause=\"handshake\",code=\"1001\"}";
        drop(first);
        server.once(&[(closed, 1.0), ("draining", 1.0)]);
    }
    drop(third);
}

#[test]
fn each_limit_that_ws_serve_is_given_is_a_reason_of_its_own() {
    for (options, most, status, reason) in [
        (&["--max-connections", "2"][..], 2, 503, "max_connections"),
        (&["--per-address-max-connections", "2"], 2, 429, "per_address.max_connections"),
        (&["--per-address-handshakes-per-second", "1"], 1, 429, "per_address.handshakes_per_second"),
    ] {
        let server = Observed::new(options);
        let (mut open, begin) = (Vec::new(), Instant::now());
        let refused = loop {
            match server.open("localhost", "") {
                Ok(stream) => open.push(stream),
                Err(status) => break status,
            }
            // A rate lets one more in for each second that passes, on a machine that stands still for that long.
            let seconds = usize::try_from(begin.elapsed().as_secs()).unwrap();
            let more = if options[0].ends_with("per-second") { seconds } else { 0 };
            assert!(open.len() <= most + more, "{options:?}: {} are open", open.len());
        };
        assert_eq!(refused, status, "{options:?}");
        assert!(open.len() >= most, "{options:?}: {} are open", open.len());
        server.once(&[(&format!("handshakes_refused_total{{reason=\"{reason}\"}}"), 1.0)]);
        drop(open);
    }
    let server = Observed::new(&["--max-memory", "4194304"]);
    let mut holding = Vec::new();
    // Fragments of half a mebibyte each, until there is no room for another WebSocket.
    let status = loop {
        match server.open("localhost", "") {
            Ok(mut stream) => {
                stream.write_all(&frame(0x02, &vec![7; 1 << 19])).unwrap();
                holding.push(stream);
            }
            Err(status) => break status,
        }
        assert!(holding.len() < 64, "they hold more than was allowed");
        // They are read by and by.
        std::thread::sleep(Duration::from_millis(20));
    };
    assert_eq!(status, 503);
    let metrics = server.once(&[
        ("handshakes_refused_total{reason=\"max_memory\"}", 1.0),
        ("memory_limit_bytes", 4_194_304.0),
    ]);
    assert!(metrics["memory_used_bytes"] > 0.0);
    let server = Observed::new(&[
        "--per-address-bytes-per-second",
        "10000",
        "--per-address-messages-per-second",
        "1000",
    ]);
    let mut stream = server.opened();
    stream.write_all(&frame(0x82, &vec![7; 25_000])).unwrap();
    read(&mut stream, 4 + 25_000);
    assert!(server.scrape()["reads_delayed_total"] >= 1.0);
    let server = Observed::new(&["--per-address-bytes-per-second", "10000", "--per-address-excess", "close"]);
    let mut stream = server.opened();
    stream.write_all(&frame(0x82, &vec![7; 25_000])).unwrap();
    server.once(&[("websockets_closed_total{initiator=\"remote\",cause=\"rate\",code=\"1008\"}", 1.0)]);
}

#[test]
fn a_page_of_metrics_answers_names_of_loopback_and_nothing_but_metrics() {
    let server = Observed::new(&[]);
    let get =
        |path: &str, host: &str| ask(server.metrics, &format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
    assert!(get("/metrics", "evil.example").starts_with("HTTP/1.1 421 "));
    assert!(get("/", "localhost").starts_with("HTTP/1.1 404 "));
    let handshake = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    assert!(ask(server.metrics, handshake).starts_with("HTTP/1.1 404 "));
    // What is asked there is none of what it counts.
    let metrics = server.scrape();
    assert_eq!((metrics["connections_accepted_total"], metrics["plain_requests_total"]), (0.0, 0.0));
}

#[test]
fn connections_that_send_nothing_keep_a_page_of_metrics_from_its_reader_for_less_than_that_waits() {
    let server = Observed::new(&[]);
    let _silent: Vec<TcpStream> = (0..16).map(|_| TcpStream::connect(server.metrics).unwrap()).collect();
    let begin = Instant::now();
    server.scrape();
    assert!(begin.elapsed() < Duration::from_secs(9), "{:?}", begin.elapsed());
}

#[test]
fn a_wrong_limit_or_address_of_metrics_is_named_with_what_to_do() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    for (arguments, status, words) in [
        (
            ["--max-memory", "1000"],
            2,
            "'1000' for '--max-memory <BYTES>': it must be a number of bytes, at least 1048576",
        ),
        (
            ["--max-connections", "0"],
            2,
            "'0' for '--max-connections <COUNT>': it must be a number of at least 1",
        ),
        (
            ["--per-address-max-connections", "none"],
            2,
            "'none' for '--per-address-max-connections <COUNT>': it must be",
        ),
        (["--per-address-handshakes-per-second", "0"], 2, "'--per-address-handshakes-per-second <COUNT>'"),
        (["--per-address-messages-per-second", "0"], 2, "'--per-address-messages-per-second <COUNT>'"),
        (["--per-address-bytes-per-second", "0"], 2, "'--per-address-bytes-per-second <BYTES>'"),
        (["--metrics", "localhost"], 2, "write it as address:port"),
        (["--metrics", &taken], 3, "choose another port"),
    ] {
        let output = run(&[&["serve", "127.0.0.1:0"], &arguments[..]].concat(), b"");
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {said}");
        assert!(said.contains(words) && said.lines().count() == 1, "{arguments:?}: {said}");
    }
    let help = finish(ws(&["serve", "--help"]).spawn().unwrap());
    let help = String::from_utf8(help.stdout).unwrap();
    for option in ["--metrics <ADDRESS>", "--max-memory <BYTES>", "--per-address-bytes-per-second <BYTES>"] {
        assert!(help.contains(option), "{option}: {help}");
    }
}
