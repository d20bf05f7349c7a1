//! A peer of bytes, for what `h2` does not send.

use tokio::io::AsyncReadExt;
use ws_server::Server;

use crate::common::{Peer, Running, echo, run, soon};

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;

/// A frame as it is received.
#[derive(Debug)]
struct Frame {
    kind: u8,
    stream: u32,
    payload: Vec<u8>,
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend(stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// Fields as literals without indexing (RFC 7541 section 6.2.2).
fn fields(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            block.push(u8::try_from(text.len()).unwrap());
            block.extend_from_slice(text.as_bytes());
        }
    }
    block
}

async fn begin(server: &Running) -> Peer {
    let mut peer = server.connect().await;
    peer.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    peer.send(frame(SETTINGS, 0, 0, &[])).await;
    peer
}

/// The next frame; `None` at the end.
async fn next(peer: &mut Peer) -> Option<Frame> {
    let mut head = [0; 9];
    soon(peer.0.read_exact(&mut head)).await.ok()?;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
    Some(Frame { kind: head[3], stream, payload: peer.bytes(length.try_into().unwrap()).await })
}

/// The next frame that is for a stream, or ends the connection.
async fn next_of_interest(peer: &mut Peer) -> Option<Frame> {
    loop {
        let frame = next(peer).await?;
        if frame.stream != 0 || frame.kind == GOAWAY {
            return Some(frame);
        }
    }
}

const PAGE: &[(&str, &str)] =
    &[(":method", "GET"), (":scheme", "http"), (":authority", "localhost"), (":path", "/page")];

async fn server() -> Running {
    run(Server::builder().route("/", echo).page("/page", "text/plain", "page")).await
}

#[tokio::test]
async fn the_first_settings_permit_extended_connect() {
    let server = server().await;
    let mut peer = begin(&server).await;
    let settings = next(&mut peer).await.unwrap();
    assert_eq!((settings.kind, settings.stream), (SETTINGS, 0));
    let settings: Vec<_> = settings.payload.chunks(6).map(|setting| (setting[1], setting[5])).collect();
    // RFC 8441 §3: SETTINGS_ENABLE_CONNECT_PROTOCOL (0x8) = 1.
    assert!(settings.contains(&(8, 1)), "{settings:?}");
}

#[tokio::test]
async fn malformed_requests_fail_their_stream_with_protocol_error_and_the_connection_lives() {
    let server = server().await;
    let mut peer = begin(&server).await;
    let good = [
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        (":scheme", "http"),
        (":authority", "localhost"),
        (":path", "/"),
        ("sec-websocket-version", "13"),
    ];
    let without = |name: &str| good.iter().copied().filter(|(field, _)| *field != name).collect::<Vec<_>>();
    let with = |name, value| good.iter().copied().chain([(name, value)]).collect::<Vec<_>>();
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
    ] {
        peer.send(frame(HEADERS, 4, stream, &fields(&malformed))).await;
        let answer = next_of_interest(&mut peer).await.unwrap();
        assert_eq!((answer.kind, answer.stream), (RST_STREAM, stream), "{malformed:?} {answer:?}");
        // PROTOCOL_ERROR (RFC 9113 section 7).
        assert_eq!(answer.payload, [0, 0, 0, 1], "{malformed:?}");
        stream += 2;
    }
    peer.send(frame(HEADERS, 5, stream, &fields(PAGE))).await;
    let answer = next_of_interest(&mut peer).await.unwrap();
    assert_eq!((answer.kind, answer.stream), (HEADERS, stream));
}

#[tokio::test]
async fn a_head_over_the_limit_and_a_flood_of_continuation_are_bounded() {
    let server = server().await;
    let mut peer = begin(&server).await;
    peer.send(frame(HEADERS, 0, 1, &fields(PAGE))).await;
    let more = fields(&[("x-filler", &"f".repeat(120))]);
    let many = more.repeat(100);
    // It never ends: the server is to end it.
    let flood = async {
        for _ in 0..10_000 {
            if tokio::io::AsyncWriteExt::write_all(&mut peer.0, &frame(CONTINUATION, 0, 1, &many))
                .await
                .is_err()
            {
                return true;
            }
        }
        false
    };
    assert!(soon(flood).await, "the connection is ended");
    // Others are served.
    let mut peer = begin(&server).await;
    peer.send(frame(HEADERS, 5, 1, &fields(PAGE))).await;
    assert_eq!(next_of_interest(&mut peer).await.unwrap().kind, HEADERS);
}
