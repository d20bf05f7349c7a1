//! Runs the native suite on targets that cannot be tested: every run ends by itself with the right status and reason.
#![cfg(unix)]

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Output},
    thread,
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use sha1::{Digest, Sha1};

/// Listens, and calls a function with every connection.
fn server(serve: fn(TcpStream)) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || serve(stream));
        }
    });
    address
}

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    folder
}

/// Runs ws-autobahn, which may use 1.5 GB of memory.
fn run(args: &[&str], out: &Path) -> (Option<i32>, String) {
    let start = Instant::now();
    let output: Output = Command::new("sh")
        .args(["-c", "ulimit -d 1500000; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_ws-autobahn")])
        .args(args)
        .arg("--out")
        .arg(out)
        .output()
        .unwrap();
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(start.elapsed() < Duration::from_secs(300), "{said}");
    (output.status.code(), said)
}

/// Completes the opening handshake as a server.
fn accept(stream: &TcpStream) -> Option<()> {
    let mut key = String::new();
    for line in BufReader::new(stream.try_clone().ok()?).lines() {
        match line.ok()?.split_once(": ") {
            Some(("Sec-WebSocket-Key", value)) => key = value.to_owned(),
            Some(_) => {}
            None if key.is_empty() => {}
            None => break,
        }
    }
    let hash = Sha1::digest(format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11"));
    let accept = STANDARD.encode(hash);
    let head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
    { stream }.write_all(format!("{head}Sec-WebSocket-Accept: {accept}\r\n\r\n").as_bytes()).ok()
}

/// Opens every connection, then sends `bytes` without end and reads nothing.
fn flooding_server(bytes: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let flood = bytes.repeat((64 << 10) / bytes.len() + 1);
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let flood = flood.clone();
            thread::spawn(move || {
                if accept(&stream).is_some() {
                    while stream.write_all(&flood).is_ok() {}
                }
            });
        }
    });
    address
}

/// Tests a client that calls `play` for each of the cases 1.1.1 to 1.1.8, then requests the reports.
fn test_client(name: &str, play: fn(TcpStream, usize)) -> (Option<i32>, String) {
    let address = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let client = thread::spawn(move || {
        let connect = || {
            loop {
                match TcpStream::connect(address) {
                    Ok(stream) => return stream,
                    Err(_) => thread::sleep(Duration::from_millis(20)),
                }
            }
        };
        (1..=8).for_each(|n| play(connect(), n));
        let mut stream = connect();
        ask(&mut stream, "/updateReports?agent=x");
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let listen = address.to_string();
    let args = ["client", "--listen", &listen, "--only", "1.1.*", "--patience", "1", "--limit", "200"];
    let ended = run(&args, &folder(name));
    client.join().unwrap();
    ended
}

/// Sends the request of a client.
fn ask(stream: &mut TcpStream, target: &str) {
    let fields =
        "Host: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n";
    let head =
        format!("GET {target} HTTP/1.1\r\n{fields}Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
    let _ = stream.write_all(head.as_bytes());
}

/// Tests a server with sections 1 and 7 and a patience of one second.
fn test_server(address: SocketAddr, out: &Path, more: &[&str]) -> (Option<i32>, String) {
    let url = format!("ws://{address}/");
    run(&[&["server", &url, "--only", "1.*,7.*", "--patience", "1"], more].concat(), out)
}

#[test]
fn a_server_that_hangs_fails_every_case_and_the_run_ends() {
    let address = server(|mut stream| {
        // Reads everything and never answers.
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let (status, said) = test_server(address, &folder("hangs_target"), &[]);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("no answer to the opening handshake in time"), "{said}");
}

#[test]
fn a_server_that_closes_at_once_fails_every_case() {
    let address = server(drop);
    let (status, said) = test_server(address, &folder("closes_target"), &[]);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("during the opening handshake"), "{said}");
}

#[test]
fn a_server_that_answers_garbage_without_end_fails_every_case() {
    let address = server(|mut stream| while stream.write_all(&[b'x'; 4096]).is_ok() {});
    let (status, said) = test_server(address, &folder("garbage_target"), &[]);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("no end of the head within 16384 bytes"), "{said}");
}

/// An empty Ping, an empty text message, and a fragment of 16 KiB, from a server.
const FLOODS: [(&str, &[u8]); 3] =
    [("pings", &[0x89, 0]), ("messages", &[0x81, 0]), ("fragments", &FRAGMENT)];

/// The first bytes of a fragment of 16 KiB; the others are zeros.
static FRAGMENT: [u8; 4 + (16 << 10)] = {
    let mut fragment = [0; 4 + (16 << 10)];
    (fragment[1], fragment[2]) = (126, 16 << 2);
    fragment
};

#[test]
fn the_run_ends_and_needs_little_memory_when_a_server_floods_every_connection() {
    for (name, flood) in FLOODS {
        let url = format!("ws://{}/", flooding_server(flood));
        let only = "1.1.*,23.1.1,23.1.2,23.1.4,23.1.9,23.1.12,23.1.17";
        let (status, said) =
            run(&["server", &url, "--only", only, "--patience", "1"], &folder(&format!("floods_{name}")));
        assert_eq!(status, Some(1), "{name}: {said}");
        assert!(said.contains("1.1.8 FAILED"), "{name}: {said}");
    }
}

#[test]
fn the_run_ends_when_a_client_hangs_in_every_case() {
    let (status, said) = test_client("hanging_client", |mut stream, n| {
        ask(&mut stream, &format!("/runCase?case={n}&agent=x"));
        let _ = stream.read_to_end(&mut Vec::new());
    });
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("1.1.8 FAILED"), "{said}");
}

#[test]
fn the_run_ends_when_a_client_never_completes_a_request() {
    let (status, said) = test_client("silent_client", |mut stream, _| {
        let _ = stream.write_all(b"GET /runCase?case=1&agent=x HTTP/1.1\r\n");
        let _ = stream.read_to_end(&mut Vec::new());
    });
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains("the client has not connected to /runCase"), "{said}");
}

#[test]
fn the_run_ends_when_a_client_closes_at_once() {
    let (status, said) = test_client("closing_client", |mut stream, n| {
        ask(&mut stream, &format!("/runCase?case={n}&agent=x"));
    });
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("1.1.8 FAILED"), "{said}");
}

#[test]
fn the_run_ends_when_a_client_sends_garbage_without_end() {
    let (status, said) =
        test_client("garbage_client", |mut stream, _| while stream.write_all(&[b'x'; 4096]).is_ok() {});
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains("the client has not connected to /runCase"), "{said}");
}

#[test]
fn the_run_ends_when_a_client_floods_every_connection() {
    let (status, said) = test_client("flooding_client", |mut stream, n| {
        ask(&mut stream, &format!("/runCase?case={n}&agent=x"));
        // Masked Pings.
        while stream.write_all(&[0x89, 0x80, 1, 2, 3, 4].repeat(10_000)).is_ok() {}
    });
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("1.1.8 FAILED"), "{said}");
}

#[test]
fn a_command_that_never_ends_does_not_exceed_the_limit_of_the_run() {
    let args = ["client", "--listen", "127.0.0.1:0", "--only", "1.1.*", "--limit", "2", "--exec"];
    let (status, said) = run(&[&args[..], &["sleep 600"]].concat(), &folder("endless_command"));
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains("no client has run a case within 2 s"), "{said}");
}

#[cfg(target_os = "linux")]
#[test]
fn the_memory_of_the_process_is_measured_when_its_id_is_known() {
    // Every connection takes 128 MiB, and a Close with 1009 ends it.
    let address = server(|mut stream| {
        if accept(&stream).is_some() {
            let filled = vec![1u8; 128 << 20];
            thread::sleep(Duration::from_millis(200));
            let _ = stream.write_all(&[0x88, 2, 0x03, 0xf1]);
            let _ = stream.read_to_end(&mut Vec::new());
            assert_eq!(std::hint::black_box(filled).len(), 128 << 20);
        }
    });
    let url = format!("ws://{address}/");
    let args = ["server", &url, "--only", "25.3.1", "--patience", "20"];
    let id = std::process::id();
    let (_, said) = run(&[&args[..], &["--pid", &id.to_string()]].concat(), &folder("memory_target"));
    assert!(said.contains("25.3.1 NON-STRICT"), "{said}");
    assert!(said.contains(&format!("the memory of process {id} grew by")), "{said}");
    let (status, said) = run(&[&args[..], &["--pid", "4194305"]].concat(), &folder("memory_of_none"));
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains("--pid 4194305: its memory cannot be read"), "{said}");
}

#[test]
fn a_server_that_hangs_or_does_not_speak_http_2_fails_every_case_over_http_2() {
    let hangs: fn(TcpStream) = |mut stream| {
        let _ = stream.read_to_end(&mut Vec::new());
    };
    let speaks_http1: fn(TcpStream) = |mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
    };
    for (serve, name, why) in [
        (hangs, "http2_hangs", "no answer to the opening handshake in time"),
        (speaks_http1, "http2_http1", "the HTTP/2 connection"),
    ] {
        let url = format!("ws://{}/", server(serve));
        let args = ["server", &url, "--http2", "--only", "1.*,26.1.*", "--patience", "1"];
        let (status, said) = run(&args, &folder(name));
        assert_eq!(status, Some(1), "{said}");
        assert!(said.contains(why) && said.contains("26.1.5 FAILED"), "{said}");
    }
}

#[test]
fn a_run_that_exceeds_its_limit_ends_and_counts_the_remaining_cases_as_failed() {
    let address = server(|mut stream| {
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let more = ["--limit", "1", "--jobs", "1", "--patience", "30"];
    let url = format!("ws://{address}/");
    let (status, said) =
        run(&[&["server", &url, "--only", "1.*"], &more[..]].concat(), &folder("limit_target"));
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("1.2.8 FAILED") && said.contains("see --limit"), "{said}");
}

#[test]
fn an_address_where_nothing_listens_is_status_2() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let (status, said) = test_server(address, &folder("nobody_target"), &[]);
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains("is the server running?"), "{said}");
    let (status, said) =
        run(&["client", "--listen", "127.0.0.1:0", "--limit", "1"], &folder("nobody_client"));
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains("no client has run a case within 1 s"), "{said}");
}

#[test]
fn a_command_that_connects_nowhere_is_status_2() {
    let args = ["client", "--listen", "127.0.0.1:0", "--only", "1.1.*", "--exec", "echo {url}"];
    let out = folder("idle_command");
    let (status, said) = run(&args, &out);
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains("the client has not connected to /runCase"), "{said}");
    let log = fs::read_to_string(out.join("client.log")).unwrap();
    assert_eq!(log.lines().count(), 8, "{log}");
    assert!(log.contains("/runCase?case=8&agent=tested"), "{log}");
}

#[test]
fn over_http_2_a_command_gets_a_separate_port_for_each_case_that_begins_before_the_request() {
    let args =
        ["client", "--http2", "--listen", "127.0.0.1:0", "--only", "1.1.*,27.1.*", "--exec", "echo {url}"];
    let out = folder("http2_ports");
    let (status, said) = run(&args, &out);
    assert_eq!(status, Some(2), "{said}");
    let log = fs::read_to_string(out.join("client.log")).unwrap();
    let authority = |url: &str| url.split('/').nth(2).map(str::to_owned);
    let authorities: std::collections::BTreeSet<_> = log.lines().map(authority).collect();
    assert_eq!((log.lines().count(), authorities.len()), (8 + 6, 1 + 6), "{log}");
}

#[test]
fn a_baseline_allows_cases_that_failed_before_and_the_reports_are_written() {
    let address = server(drop);
    let out = folder("baseline_target");
    let junit = Path::new(env!("CARGO_TARGET_TMPDIR")).join("baseline_target.xml");
    let (status, _) = test_server(address, &out, &["--junit", junit.to_str().unwrap()]);
    assert_eq!(status, Some(1));
    let xml = fs::read_to_string(&junit).unwrap();
    assert!(xml.contains("<testsuite name=\"tested 7 Closing\" tests=\"37\" failures=\"37\""), "{xml}");
    assert!(fs::read_to_string(out.join("native/report.html")).unwrap().contains("\"id\":\"7.9.9\""));

    let baseline = Path::new(env!("CARGO_TARGET_TMPDIR")).join("baseline.json");
    fs::copy(out.join("native/index.json"), &baseline).unwrap();
    let (status, said) = test_server(address, &out, &["--baseline", baseline.to_str().unwrap()]);
    assert_eq!(status, Some(0), "{said}");
    let better = fs::read_to_string(&baseline).unwrap().replacen("\"FAILED\"", "\"OK\"", 1);
    fs::write(&baseline, better).unwrap();
    let (status, said) = test_server(address, &out, &["--baseline", baseline.to_str().unwrap()]);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("baseline: 1 worse, 0 better"), "{said}");
}
