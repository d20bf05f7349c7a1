//! What a request, a frame or a head must be, with a peer of bytes.

use ws_server::Server;

use crate::bytes::*;
use crate::common::{Running, echo, run, soon};

pub(crate) async fn server() -> Running {
    run(Server::builder().route("/", echo).page("/page", "text/plain", "page")).await
}

#[tokio::test]
async fn the_first_settings_permit_extended_connect() {
    let server = server().await;
    let mut peer = Raw::begin(&server).await;
    let settings = peer.next().await.unwrap();
    assert_eq!((settings.kind, settings.stream), (SETTINGS, 0));
    let settings: Vec<_> = settings.payload.chunks(6).map(|setting| (setting[1], setting[5])).collect();
    // RFC 8441 §3: SETTINGS_ENABLE_CONNECT_PROTOCOL (0x8) = 1.
    assert!(settings.contains(&(8, 1)), "{settings:?}");
}

#[tokio::test]
async fn malformed_requests_fail_their_stream_with_protocol_error_and_the_connection_lives() {
    let server = server().await;
    let mut peer = Raw::begin(&server).await;
    let good = connect_fields("/");
    let without = |name: &str| good.iter().copied().filter(|(field, _)| *field != name).collect::<Vec<_>>();
    let with = |name, value| good.iter().copied().chain([(name, value)]).collect::<Vec<_>>();
    let before = |name, value| [(name, value)].into_iter().chain(good).collect::<Vec<_>>();
    let mut get = good;
    get[0] = (":method", "GET");
    let mut stream = 1;
    for malformed in [
        get.to_vec(),
        without(":scheme"),
        without(":path"),
        without(":method"),
        with("connection", "upgrade"),
        with("upgrade", "websocket"),
        with("transfer-encoding", "chunked"),
        with("te", "gzip"),
        // A pseudo-field of responses, one twice, and one behind a field (RFC 9113 section 8.3).
        before(":status", "200"),
        before(":protocol", "websocket"),
        before(":method", "CONNECT"),
        with(":path", "/"),
    ] {
        peer.send(HEADERS, END_HEADERS, stream, &fields(&malformed)).await;
        let answer = peer.next_of_interest().await.unwrap();
        assert_eq!((answer.kind, answer.stream), (RST_STREAM, stream), "{malformed:?} {answer:?}");
        assert_eq!(answer.code(), PROTOCOL_ERROR, "{malformed:?}");
        stream += 2;
    }
    peer.send(HEADERS, END_HEADERS | END_STREAM, stream, &fields(PAGE)).await;
    let answer = peer.next_of_interest().await.unwrap();
    assert_eq!((answer.kind, answer.stream), (HEADERS, stream));
}

#[tokio::test]
async fn frames_that_http_2_forbids_end_the_connection_and_no_other() {
    let server = server().await;
    let mut other = Raw::begin(&server).await;
    other.open(1, "/").await;
    for (name, bytes, code) in [
        ("DATA on no stream", frame(DATA, 0, 0, b"x"), PROTOCOL_ERROR),
        ("DATA on an idle stream", frame(DATA, 0, 3, b"x"), PROTOCOL_ERROR),
        ("RST_STREAM on an idle stream", frame(RST_STREAM, 0, 3, &[0; 4]), PROTOCOL_ERROR),
        ("HEADERS on a stream of the server", frame(HEADERS, 5, 2, &fields(PAGE)), PROTOCOL_ERROR),
        ("CONTINUATION without HEADERS", frame(CONTINUATION, 4, 1, b""), PROTOCOL_ERROR),
        ("PUSH_PROMISE of a client", frame(5, 4, 1, &[0, 0, 0, 2, 0x82]), PROTOCOL_ERROR),
        ("padding longer than the frame", frame(DATA, PADDED, 1, &[9, 0, 0]), PROTOCOL_ERROR),
        ("a window of the connection above 2^31 - 1", frame(WINDOW_UPDATE, 0, 0, &[0x7f, 255, 255, 255]), 3),
        ("an initial window above 2^31 - 1", frame(SETTINGS, 0, 0, &[0, 4, 255, 255, 255, 255]), 3),
        ("an unknown pseudo-field", frame(HEADERS, 5, 3, &fields(&[(":unknown", "x")])), PROTOCOL_ERROR),
        ("a frame above the largest size", frame(DATA, 0, 1, &[0; 16_385]), 6),
        ("SETTINGS of five bytes", frame(SETTINGS, 0, 0, &[0; 5]), 6),
        ("PING of seven bytes", frame(PING, 0, 0, &[0; 7]), 6),
        ("a block of fields that is no HPACK", frame(HEADERS, 5, 3, &[0xff; 9]), 9),
        ("a name in upper case", frame(HEADERS, 5, 3, &fields(&[("Upper-Case", "x")])), PROTOCOL_ERROR),
        ("a line feed in a value", frame(HEADERS, 5, 3, &fields(&[("x", "a\nb")])), PROTOCOL_ERROR),
        ("a second preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), 6),
    ] {
        let mut peer = Raw::begin(&server).await;
        peer.open(1, "/").await;
        peer.try_send(&bytes).await;
        let goaway = peer.next_of_kind(GOAWAY).await;
        if let Some(goaway) = goaway {
            // `h2` says PROTOCOL_ERROR for some faults that RFC 9113 has another code for.
            assert!([code, PROTOCOL_ERROR].contains(&goaway.code()), "{name}: {goaway:?}");
        }
        while peer.next().await.is_some() {}
        other.echo(1, "nothing noticed").await;
    }
    server.until(|stats| (stats.open(), stats.connections()) == (1, 1)).await;
}

#[tokio::test]
async fn unknown_frames_flags_and_settings_are_ignored() {
    let server = server().await;
    // A setting that nobody knows, and PRIORITY, which RFC 9113 has deprecated.
    let mut peer = Raw::with(&server, &[0x7f, 1, 0, 0, 0, 9]).await;
    peer.open(1, "/").await;
    peer.send(0x7f, 255, 1, b"whatever").await;
    peer.send(2, 0, 1, &[0, 0, 0, 0, 7]).await;
    peer.data(1, 0x70, &crate::common::frame(0x81, b"flags")).await;
    assert_eq!(peer.bytes(1, 7).await, crate::common::reply(0x81, b"flags"));
    peer.echo(1, "still").await;
}

#[tokio::test]
async fn a_head_over_the_limit_and_a_flood_of_continuation_are_bounded() {
    let server = server().await;
    let mut peer = Raw::begin(&server).await;
    peer.send(HEADERS, 0, 1, &fields(PAGE)).await;
    let more = fields(&[("x-filler", &"f".repeat(120))]);
    let many = frame(CONTINUATION, 0, 1, &more.repeat(100));
    // It never ends: the server is to end it.
    let flood = async {
        for _ in 0..10_000 {
            if !peer.try_send(&many).await {
                return true;
            }
        }
        false
    };
    assert!(soon(flood).await, "the connection is ended");
    // Others are served.
    let mut peer = Raw::begin(&server).await;
    peer.send(HEADERS, END_HEADERS | END_STREAM, 1, &fields(PAGE)).await;
    assert_eq!(peer.next_of_interest().await.unwrap().kind, HEADERS);
}

#[tokio::test]
async fn fields_that_grow_a_thousandfold_when_they_are_decompressed_are_refused() {
    let server = server().await;
    let mut peer = Raw::begin(&server).await;
    // A field of 4,000 bytes goes into the dynamic table (RFC 7541 section 6.2.1), and is then named by one byte each time.
    let mut block = fields(&connect_fields("/"));
    block.extend([0x40, 1, b'x', 0x7f, 0xa1, 0x1e]);
    block.extend([b'f'; 4000]);
    block.extend([0x80 | 62; 5000]);
    peer.send(HEADERS, END_HEADERS, 1, &block).await;
    let answer = peer.next_of(1).await.unwrap();
    // `:status: 431`, as h2 answers it, or a reset.
    assert!(matches!(answer.kind, HEADERS | RST_STREAM | GOAWAY), "{answer:?}");
    assert!(answer.kind != HEADERS || answer.flags & END_STREAM != 0, "{answer:?}");
    assert_eq!((server.stats.open(), server.stats.opened()), (0, 0));
}
