//! Runs the native suite on targets that cannot be tested: every run ends by itself with the right status and reason.
#![cfg(unix)]

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Output},
    thread,
    time::{Duration, Instant},
};

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

fn run(args: &[&str], out: &Path) -> (Option<i32>, String) {
    let start = Instant::now();
    let output: Output =
        Command::new(env!("CARGO_BIN_EXE_ws-autobahn")).args(args).arg("--out").arg(out).output().unwrap();
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(start.elapsed() < Duration::from_secs(300), "{said}");
    (output.status.code(), said)
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
