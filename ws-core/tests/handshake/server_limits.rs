//! How much a server reads of a request, and how much work it does for it.

use ws_core::handshake::{HeadLimits, Opening, Refusal, RequestReader};

const WEBSOCKET: &str = "Host: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";

/// Feeds one byte at a time; the refusal and after how many bytes it came, or `None` for a whole head.
fn refusal(limits: HeadLimits, head: &str) -> Option<(usize, Refusal)> {
    let mut reader = RequestReader::new(limits);
    for end in 1..=head.len() {
        match reader.receive(&head.as_bytes()[..end]) {
            Ok(None) => {}
            Ok(Some((_, length))) => {
                assert_eq!(length, head.len());
                return None;
            }
            Err(refusal) => return Some((end, refusal)),
        }
    }
    panic!("nothing decided");
}

fn assert_refused(limits: HeadLimits, head: &str, at: usize, status: u16, setting: &str) {
    let (end, refusal) = refusal(limits, head).unwrap();
    assert_eq!((end, refusal.status().as_u16()), (at, status));
    assert!(refusal.body().contains(setting), "{}", refusal.body());
}

#[test]
fn the_default_head_limits_are_the_documented_ones() {
    assert_eq!(HeadLimits::server(), HeadLimits::server().bytes(16384).fields(100).target(8192));
    assert_eq!(HeadLimits::client(), HeadLimits::server().bytes(65536).fields(100).target(8192));
}

#[test]
fn a_head_of_the_limit_passes_and_one_byte_more_gets_431() {
    let empty = format!("GET / HTTP/1.1\r\n{WEBSOCKET}X: \r\n\r\n").len();
    let head =
        |length: usize| format!("GET / HTTP/1.1\r\n{WEBSOCKET}X: {}\r\n\r\n", "x".repeat(length - empty));
    assert!(refusal(HeadLimits::server(), &head(16384)).is_none());
    assert_refused(HeadLimits::server(), &head(16385), 16384, 431, "HeadLimits::bytes = 16384");
    let small = HeadLimits::server().bytes(300);
    assert!(refusal(small, &head(300)).is_none());
    assert_refused(small, &head(301), 300, 431, "HeadLimits::bytes = 300");
}

#[test]
fn a_buffer_as_large_as_the_limit_is_never_stuck() {
    let limits = HeadLimits::server().bytes(64);
    for head in ["G".repeat(64), format!("GET /{} HTTP/1.1\r\n", "a".repeat(48))] {
        let (end, refusal) = refusal(limits, &head[..64]).unwrap();
        assert_eq!((end, refusal.status().as_u16()), (64, 431));
    }
}

#[test]
fn as_many_field_lines_as_the_limit_pass_and_one_more_gets_431() {
    let head = |lines: usize| format!("GET / HTTP/1.1\r\n{WEBSOCKET}{}\r\n", "A: b\r\n".repeat(lines - 5));
    assert!(refusal(HeadLimits::server(), &head(100)).is_none());
    // The first byte of a line is what there is too much of: the 101st, before the empty line's two bytes.
    let at = head(101).len() - "A: b\r\n\r\n".len() + 1;
    assert_refused(HeadLimits::server(), &head(101), at, 431, "HeadLimits::fields = 100");
    let few = HeadLimits::server().fields(5);
    assert!(refusal(few, &head(5)).is_none());
    assert_refused(few, &head(6), head(5).len() - 1, 431, "HeadLimits::fields = 5");
}

#[test]
fn a_target_of_the_limit_passes_and_one_byte_more_gets_414() {
    let head = |length: usize| format!("GET /{} HTTP/1.1\r\n{WEBSOCKET}\r\n", "a".repeat(length - 1));
    assert!(refusal(HeadLimits::server(), &head(8192)).is_none());
    assert_refused(HeadLimits::server(), &head(8193), 4 + 8193, 414, "HeadLimits::target = 8192");
    let short = HeadLimits::server().target(10);
    assert!(refusal(short, &head(10)).is_none());
    assert_refused(short, &head(11), 15, 414, "HeadLimits::target = 10");
}

#[test]
#[cfg_attr(miri, ignore = "tens of thousands of fields are the point")]
fn limits_beyond_what_http_types_can_hold_refuse_and_do_not_panic() {
    let limits = HeadLimits::server().bytes(usize::MAX).fields(usize::MAX).target(usize::MAX);
    let head = |length: usize| format!("GET /{} HTTP/1.1\r\n{WEBSOCKET}\r\n", "a".repeat(length - 1));
    assert!(RequestReader::new(limits).receive(head(65_534).as_bytes()).unwrap().is_some());
    for length in [65_535, 65_536, 70_000] {
        let refusal = RequestReader::new(limits).receive(head(length).as_bytes()).unwrap_err();
        assert_eq!(refusal.status(), 414, "{length} bytes");
    }
    let mut reader = RequestReader::new(limits);
    let lines: String = (0..40_000).map(|line| format!("x{line}:\r\n")).collect();
    let head = format!("GET / HTTP/1.1\r\n{WEBSOCKET}{lines}\r\n");
    assert_eq!(reader.receive(head.as_bytes()).unwrap_err().status(), 431);
    let mut reader = RequestReader::new(limits);
    let head = format!("GET / HTTP/1.1\r\n{WEBSOCKET}{}:\r\n\r\n", "x".repeat(70_000));
    assert_eq!(reader.receive(head.as_bytes()).unwrap_err().status(), 400);
}

#[test]
fn lines_that_have_been_read_are_not_looked_at_again() {
    let head = format!("GET /chat HTTP/1.1\r\n{WEBSOCKET}X: y\r\n\r\n");
    let mut reader = RequestReader::new(HeadLimits::server());
    let mut buffer = Vec::new();
    for line in head.split_inclusive('\n') {
        buffer.extend_from_slice(line.as_bytes());
        if let Some((Opening::Upgrade(upgrade), length)) = reader.receive(&buffer).unwrap() {
            assert_eq!(length, head.len());
            assert_eq!(
                (upgrade.uri().path(), upgrade.request().headers()["x"].as_bytes()),
                ("/chat", &b"y"[..])
            );
            return;
        }
        // Whoever reads these again finds a fault.
        buffer.fill(0);
    }
    panic!("no upgrade");
}

#[test]
fn a_reader_that_has_refused_refuses_again_and_one_that_is_done_is_silent() {
    let mut reader = RequestReader::new(HeadLimits::server());
    let refusal = reader.receive(b"POST / HTTP/1.1\r\n").unwrap_err();
    assert_eq!(reader.receive(b"POST / HTTP/1.1\r\nHost: h\r\n\r\n").unwrap_err(), refusal);

    let mut reader = RequestReader::new(HeadLimits::server());
    assert!(reader.receive(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").unwrap().is_some());
    assert!(reader.receive(b"GET / HTTP/1.1\r\nHost: h\r\n\r\nGET").unwrap().is_none());
}

#[test]
fn a_buffer_shorter_than_before_is_a_wait_and_no_panic() {
    let mut reader = RequestReader::new(HeadLimits::server());
    assert!(reader.receive(b"GET / HTTP/1.1\r\nHo").unwrap().is_none());
    assert!(reader.receive(b"GET").unwrap().is_none());
    assert!(reader.receive(b"").unwrap().is_none());
}
