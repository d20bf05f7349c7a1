//! Common mistakes: each gives one line that says what to do, and an exit status for its kind.

#[path = "common/command.rs"]
mod command;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::thread;

use command::*;

/// The one line that `ws` writes when it fails with this status, with this on its standard input.
#[track_caller]
fn complaint(arguments: &[&str], input: &[u8], status: i32) -> String {
    let output = run(arguments, input);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(status), "{arguments:?}: {said}");
    assert!(said.starts_with("ws: ") && said.ends_with('\n') && said.lines().count() == 1, "{said:?}");
    said.trim().to_owned()
}

fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// A file with this in it, below the target directory.
fn file(name: &str, contents: &str) -> String {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{name}", std::process::id()));
    std::fs::write(&path, contents).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn an_invalid_address_is_reported_with_how_to_write_it() {
    for (url, what) in [
        ("http://localhost:9001", "write ws:// instead"),
        ("https://example.com/chat", "write wss:// instead"),
        ("localhost:port", "port"),
        ("unix:", "name a socket: unix:/path/to/socket"),
        ("ftp://example.com", "write ws:// or wss://"),
        ("ws://localhost:0", "use the port that the server prints"),
        ("ws://localhost/#top", "leave out `#"),
    ] {
        let said = complaint(&[url], b"", 2);
        assert!(said.contains(what), "{url}: {said}");
    }
}

#[test]
fn a_command_without_arguments_is_answered_with_what_to_write() {
    for (arguments, what) in [
        (&[][..], "an argument is missing; usage: ws [OPTIONS] [URL]"),
        (&["topics"], "an argument is missing; usage: ws topics [OPTIONS] [URL] <COMMAND>"),
    ] {
        let said = complaint(arguments, b"", 2);
        assert!(said.contains(what), "{arguments:?}: {said}");
    }
}

#[test]
fn an_invalid_option_is_named() {
    for (arguments, what) in [
        (&["ws://h", "--header", "X-Token=1"][..], "--header X-Token… has no colon: write 'Name: value'"),
        (&["ws://h", "--header", "Sec-WebSocket-Protocol: chat"], "offer it with --subprotocol NAME"),
        (&["ws://h", "--header", "Upgrade: x"], "belongs to the handshake"),
        (
            &["ws://127.0.0.1:1", "-H", "Host: a", "-H", "Host: b"],
            "--header: header field `host` is given twice",
        ),
        (&["ws://h", "--timeout", "5s"], "--timeout <SECONDS>': write it in seconds, for example 5 or 0.5"),
        (&["ws://h", "--timeout", "0"], "longer than zero"),
        (&["ws://h", "--proxy", "ftp://h"], "ftp"),
        (&["ws://h", "--cert", "a.pem"], "--key <FILE>"),
        (&["ws://h", "--cacert", "/no/such/file.pem"], "--cacert /no/such/file.pem cannot be read"),
        (&["serve", "localhost"], "write it as address:port, for example 127.0.0.1:9001"),
        (&["serve", "--subprotocol", "a b"], "--subprotocol \"a b\" is not possible"),
        (&["serve", "--origin", "example.com"], "--origin \"example.com\" is not possible: "),
        (
            &["serve", "--trust-proxies", "10.0.0.1/8", "--proxy-protocol"],
            "--trust-proxies \"10.0.0.1/8\" is not possible: ",
        ),
        (&["serve", "--trust-proxies", "", "--proxy-protocol"], "--trust-proxies \"\" is not possible: "),
        (&["serve", "--host", "a/b"], "--host \"a/b\" is not possible: "),
        (&["ws://h", "--file", "/no/such/file"], "--file /no/such/file: it cannot be read"),
        (&["ws://h", "--text"], "--file <PATH>"),
        (&["ws://h", "--pretty", "--json"], "--json"),
        (&["ws://h", "--reconnect", "--once"], "--once"),
        (&["ws://h", "--unix", "a", "--proxy", "none"], "--proxy"),
        (&["bench"], "<URL>"),
        (&["bench", "ws://h", "--idle", "--rate", "5"], "--rate <COUNT>"),
        (&["bench", "ws://h", "--idle", "--size", "5"], "--size <BYTES>"),
        (
            &["bench", "ws://h", "--size", "60000000", "--in-flight", "1000"],
            "--connections × --in-flight × --size",
        ),
        (&["--frobnicate"], "unexpected argument '--frobnicate'"),
    ] {
        let said = complaint(arguments, b"", 2);
        assert!(said.contains(what), "{arguments:?}: {said}");
    }
}

#[test]
fn a_refused_connection_asks_whether_the_server_is_running() {
    let said = complaint(&[&format!("ws://{}", nobody())], b"", 3);
    assert!(
        said.contains("connection refused by 127.0.0.1:") && said.contains("is the server running?"),
        "{said}"
    );
    let said = complaint(&["bench", &format!("ws://{}", nobody())], b"", 3);
    assert!(said.contains("is the server running?"), "{said}");
    let said = complaint(&["ws://no-such-host.invalid/"], b"", 3);
    assert!(
        said.contains("no-such-host.invalid") && said.contains("check the name and the network"),
        "{said}"
    );
    let proxy = format!("http://{}", nobody());
    let said = complaint(&["ws://192.0.2.1/", "--proxy", &proxy], b"", 3);
    assert!(said.contains("proxy 127.0.0.1:") && said.contains("is the server running?"), "{said}");
}

#[test]
fn an_answer_other_than_101_is_reported_with_what_to_check() {
    for (answer, status, what) in [
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
            4,
            "answers in plain HTTP, it is not a WebSocket's: check the path (it says: hi)",
        ),
        ("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", 4, "nothing at this path: check the path"),
        (
            "HTTP/1.1 301 X\r\nLocation: https://h/ws?t=1\r\nContent-Length: 0\r\n\r\n",
            4,
            "points to https://h/ws: give --redirects COUNT to follow",
        ),
        ("HTTP/1.1 401 X\r\nContent-Length: 0\r\n\r\n", 4, "--header 'Authorization: …'"),
        (
            "HTTP/1.1 401 X\r\nWWW-Authenticate: Bearer\r\nContent-Length: 7\r\n\r\nexpired",
            4,
            "give it as --header 'Authorization: Bearer TOKEN' (it says: expired)",
        ),
        ("HTTP/1.1 403 X\r\nContent-Length: 0\r\n\r\n", 4, "the Origin it expects"),
        ("HTTP/1.1 426 X\r\nContent-Length: 0\r\n\r\n", 4, "another version of the protocol"),
        ("HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n", 4, "try again later"),
        ("220 mail.example ESMTP\r\n", 5, "did not open a WebSocket"),
    ] {
        let said = complaint(&[&format!("ws://{}/", answering(answer))], b"", status);
        assert!(said.contains(what), "{answer:?}: {said}");
    }
}

#[test]
fn the_wrong_scheme_for_the_port_says_which_to_write() {
    let (cert, key) = certificate("localhost", false, 2040);
    let secure = Serving::new(&["--cert", &cert, "--key", &key]);
    let plain = Serving::new(&[]);
    // Our server sees it and says so in HTTP; others answer with an alert.
    let said = complaint(&[&secure.url.replace("wss://", "ws://")], b"", 4);
    assert!(said.contains("This port speaks TLS: use https:// or wss://."), "{said}");
    let alert = answering("\u{15}\u{3}\u{3}\0\u{2}\u{2}F");
    let said = complaint(&[&format!("ws://{alert}/")], b"", 5);
    assert!(said.contains("write wss:// instead of ws://"), "{said}");
    let said = complaint(&[&plain.url.replace("ws://", "wss://")], b"", 5);
    assert!(said.contains("does not answer in TLS: write ws://"), "{said}");
}

#[test]
fn an_invalid_certificate_is_reported_with_its_fault_and_what_to_do() {
    for (name, authority, year, options, what) in [
        (
            "localhost",
            false,
            2040,
            &[][..],
            "unknown authority: if it is to be trusted, give its root as --cacert FILE",
        ),
        ("localhost", false, 2020, &["--cacert"], "has expired"),
        (
            "other.example",
            false,
            2040,
            &["--cacert"],
            "is for other.example: connect by a name that is in it",
        ),
        ("localhost", true, 2040, &["--cacert"], "basicConstraints"),
    ] {
        let (cert, key) = certificate(name, authority, year);
        let server = Serving::new(&["--cert", &cert, "--key", &key]);
        let url = server.url.replace("127.0.0.1", "localhost");
        let cacert = options.iter().copied().chain(options.iter().map(|_| cert.as_str()));
        let arguments: Vec<&str> = std::iter::once(url.as_str()).chain(cacert).collect();
        let said = complaint(&arguments, b"", 6);
        assert!(said.contains(what) && said.contains("localhost"), "{what}: {said}");
    }
    // And with the right one, all is well.
    let (cert, key) = certificate("localhost", false, 2040);
    let server = Serving::new(&["--cert", &cert, "--key", &key]);
    let output = run(&[&server.url.replace("127.0.0.1", "localhost"), "--cacert", &cert], b"hello\n");
    assert_eq!((output.status.code(), &output.stdout[..]), (Some(0), &b"hello\n"[..]));
}

#[test]
fn files_that_serve_cannot_use_are_named_with_their_option() {
    let (cert, key) = certificate("localhost", false, 2040);
    let nothing = file("nothing.pem", "nothing");
    for (cert, key, what) in [
        ("/no/cert.pem", key.as_str(), "--cert /no/cert.pem is not possible: it cannot be read"),
        (cert.as_str(), "/no/key.pem", "--key /no/key.pem is not possible: it cannot be read"),
        (nothing.as_str(), key.as_str(), "must hold at least one certificate in PEM"),
        (cert.as_str(), nothing.as_str(), "must hold a private key in PEM"),
    ] {
        let said = complaint(&["serve", "127.0.0.1:0", "--cert", cert, "--key", key], b"", 2);
        assert!(said.contains(what), "{said}");
    }
}

#[test]
fn a_port_in_use_is_reported_with_what_to_do() {
    let server = Serving::new(&[]);
    let said = complaint(&["serve", server.url.trim_start_matches("ws://")], b"", 3);
    assert!(said.contains("the port is taken by another program; stop it or choose another port"), "{said}");
}

#[test]
fn a_subprotocol_that_the_server_does_not_speak_is_reported() {
    let server = Serving::new(&["--subprotocol", "chat.v2"]);
    let said = complaint(&[&server.url, "-s", "chat.v1"], b"", 0);
    assert!(said.contains("none of the subprotocols offered (chat.v1)"), "{said}");
    let unasked = answering(&format!("{SWITCHING}Sec-WebSocket-Protocol: chat.v2\r\n\r\n"));
    let said = complaint(&[&format!("ws://{unasked}/")], b"", 5);
    assert!(said.contains("\"chat.v2\", which was not offered: offer it with --subprotocol NAME"), "{said}");
}

#[test]
fn a_timeout_names_its_option() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", silent.local_addr().unwrap());
    let said = complaint(&[&url, "--timeout", "0.2"], b"", 7);
    assert!(said.contains("--timeout = 200ms"), "{said}");
    // It opens, and never says a word.
    let mute = answering(&format!("{SWITCHING}\r\n"));
    let said = complaint(&[&format!("ws://{mute}/"), "--once", "-m", "hi", "--timeout", "0.3"], b"", 7);
    assert!(said.contains("no answer within --timeout = 300ms"), "{said}");
    let said = complaint(
        &["bench", &format!("ws://{mute}/"), "--duration", "0.1", "--connections", "1", "--timeout", "0.3"],
        b"",
        7,
    );
    assert!(said.contains("the test needs an echo server"), "{said}");
}

#[test]
fn a_server_that_does_not_close_is_a_timeout() {
    let mute = answering(&format!("{SWITCHING}\r\n"));
    // Pings that are due while it closes change nothing of that.
    let said = complaint(&[&format!("ws://{mute}/"), "--ping", "0.05"], b"", 7);
    assert!(said.starts_with("ws: the server did not close: "), "{said}");
    assert!(said.contains("no answer to the Close for 5s"), "{said}");
}

#[test]
fn a_message_over_the_limit_names_the_option() {
    let server = Serving::new(&[]);
    let said = complaint(&[&server.url, "--max-size", "10"], b"eleven bytes\n", 5);
    assert!(said.starts_with("ws: the server sent too much: "), "{said}");
    assert!(said.contains("--max-size = 10 bytes"), "{said}");
}

#[test]
fn a_close_with_an_error_code_is_a_failure() {
    let server = Serving::new(&["--max-size", "10"]);
    let said = complaint(&[&server.url], b"eleven bytes\n", 1);
    assert!(said.starts_with("ws: the server closed with 1009 (a message is too big for it): "), "{said}");
    assert!(said.contains("max_message_size = 10 bytes"), "{said}");
}

#[test]
fn a_connection_that_is_lost_is_a_failure_of_the_network() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serving = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = [0; 4096];
        let n = stream.read(&mut head).unwrap();
        let head = String::from_utf8_lossy(&head[..n]).into_owned();
        let answer = SWITCHING.replace("{accept}", &accept(&head)) + "\r\n";
        stream.write_all(answer.as_bytes()).unwrap();
    });
    let said = complaint(&[&format!("ws://{address}/"), "--wait", "inf"], b"", 3);
    assert!(said.starts_with("ws: the server, or a proxy, ended the connection"), "{said}");
    assert!(said.ends_with("without a closing handshake"), "{said}");
    serving.join().unwrap();
}

#[test]
fn with_json_an_error_is_an_event() {
    let output = run(&[&format!("ws://{}", nobody()), "--json"], b"");
    assert_eq!((output.status.code(), &output.stderr[..]), (Some(3), &b""[..]));
    let event: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&event["event"], &event["status"]), (&"error".into(), &3.into()));
    assert!(event["message"].as_str().unwrap().contains("is the server running?"));
}

/// A self-signed certificate and its key, as PEM files.
fn certificate(name: &str, authority: bool, until: i32) -> (String, String) {
    let mut parameters = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
    parameters.not_before = rcgen::date_time_ymd(2019, 1, 1);
    parameters.not_after = rcgen::date_time_ymd(until, 1, 1);
    if authority {
        // As `openssl req -x509` makes them.
        parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    }
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = parameters.self_signed(&key).unwrap();
    let id = format!("{name}-{authority}-{until}-{:?}", thread::current().id());
    (
        file(&format!("{id}-cert.pem"), &certificate.pem()),
        file(&format!("{id}-key.pem"), &key.serialize_pem()),
    )
}
