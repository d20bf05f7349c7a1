//! Peers that send too much, or too many.

use std::time::{Duration, Instant};

use h2::Reason;
use ws_server::{Endpoint, Request, Response, Server, WebSocket, response};

use crate::bytes::*;
use crate::common::{echo, frame as masked, options, reply, run, soon};
use crate::peer::{Client, connect};

/// How many frames or resets a flood has: 10,000, or what WS_HTTP2_FLOOD says.
fn flood() -> usize {
    std::env::var("WS_HTTP2_FLOOD").ok().map_or(10_000, |number| number.parse().unwrap())
}

/// What a flood costs: prints the resident memory and the CPU time of the process, clients included, and the longest wait of
/// a neighbour. (Linux.)
struct Cost {
    begun: Instant,
    resident: usize,
    cpu: Duration,
    longest: Duration,
}

impl Cost {
    fn begin() -> Self {
        Self { begun: Instant::now(), resident: resident(), cpu: cpu(), longest: Duration::ZERO }
    }

    /// Counts an exchange of the neighbour, which has begun at that time.
    fn waited(&mut self, begun: Instant) {
        self.longest = self.longest.max(begun.elapsed());
    }

    fn report(&self, what: &str, floods: usize) {
        println!(
            "{floods} {what} in {:?}: resident {} KiB before, {} KiB now, CPU {:?}, longest wait of the neighbour {:?}",
            self.begun.elapsed(),
            self.resident,
            resident(),
            cpu().saturating_sub(self.cpu),
            self.longest
        );
    }
}

/// The resident memory in KiB; 0 where there is no `/proc`.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}

/// The CPU time of the process, in the ticks of Linux, of which there are a hundred in a second.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok()).unwrap_or_default();
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}

#[tokio::test]
async fn ten_thousand_resets_hold_nothing_and_others_are_served() {
    let server = run(Server::builder().route("/", echo)).await;
    let other = Client::connect(&server).await;
    let mut socket = other.open("/").await;
    let (mut sent, all) = (0, flood());
    let mut cost = Cost::begin();
    while sent < all {
        let flood = Client::connect(&server).await;
        // Until the server has had enough of this connection.
        while sent < all && !flood.task.is_finished() {
            let Ok(mut requests) = flood.requests.clone().ready().await else { break };
            let Ok((_answer, mut send)) = requests.send_request(connect("/").body(()).unwrap(), false) else {
                break;
            };
            send.send_reset(Reason::CANCEL);
            sent += 1;
            if sent % 500 == 0 {
                let begun = Instant::now();
                socket.echo("served").await;
                cost.waited(begun);
            }
        }
    }
    socket.echo("served").await;
    server.until(|stats| (stats.open(), stats.connections()) == (1, 1)).await;
    cost.report("requests, each reset at once", sent);
}

#[tokio::test]
async fn resets_without_a_pause_end_their_connection_and_no_other() {
    let server = run(Server::builder().route("/", echo)).await;
    let mut other = Raw::begin(&server).await;
    other.open(1, "/").await;
    let request = fields(&connect_fields("/"));
    let mut sent = 0;
    let mut cost = Cost::begin();
    while sent < flood() {
        let mut peer = Raw::begin(&server).await;
        let mut stream = 1;
        // A thousand at once, which the server has no time to serve between.
        loop {
            let mut bytes = Vec::new();
            for _ in 0..1000 {
                bytes.extend(frame(HEADERS, END_HEADERS, stream, &request));
                bytes.extend(frame(RST_STREAM, 0, stream, &CANCEL.to_be_bytes()));
                stream += 2;
            }
            sent += 1000;
            if !peer.try_send(&bytes).await || sent >= flood() {
                break;
            }
            let begun = Instant::now();
            other.echo(1, "served").await;
            cost.waited(begun);
        }
        let begun = Instant::now();
        other.echo(1, "served").await;
        cost.waited(begun);
    }
    server.until(|stats| (stats.open(), stats.connections()) == (1, 1)).await;
    cost.report("resets, a thousand in a write", sent);
}

#[tokio::test]
async fn pings_and_settings_without_end_are_each_answered_and_hold_up_nobody() {
    let server = run(Server::builder().route("/", echo)).await;
    let mut peer = Raw::begin(&server).await;
    peer.open(1, "/").await;
    for _ in 0..flood() / 1000 {
        let mut bytes = Vec::new();
        for _ in 0..500 {
            bytes.extend(frame(PING, 0, 0, b"are you?"));
            bytes.extend(frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 255, 255]));
        }
        assert!(peer.try_send(&bytes).await);
        let (mut pings, mut settings) = (0, 0);
        while pings < 500 || settings < 500 {
            let frame = soon(peer.next()).await.unwrap();
            pings += usize::from(frame.kind == PING && frame.flags == ACK);
            settings += usize::from(frame.kind == SETTINGS && frame.flags == ACK);
        }
        peer.echo(1, "in between").await;
    }
}

#[tokio::test]
async fn a_peer_that_floods_and_never_reads_is_not_read_from_and_others_are_served() {
    for (kind, payload) in [(PING, b"are you?".as_slice()), (SETTINGS, &[0, 4, 0, 0, 255, 255])] {
        let server = run(Server::builder().route("/", echo)).await;
        let mut other = Raw::begin(&server).await;
        other.open(1, "/").await;
        let mut peer = Raw::begin(&server).await;
        peer.open(1, "/").await;
        let many = frame(kind, 0, 0, payload).repeat(10_000);
        // Its own answers stop the server: it takes no more than the buffers of the system hold.
        let flood = async {
            for _ in 0..100_000 {
                use tokio::io::AsyncWriteExt;
                if peer.peer.0.write_all(&many).await.is_err() {
                    return;
                }
            }
            panic!("the server reads on, and keeps the answers");
        };
        let served = async {
            for n in 0..200 {
                other.echo(1, &n.to_string()).await;
            }
        };
        tokio::select! {
            () = flood => {}
            () = served => {}
        }
    }
}

#[tokio::test]
async fn more_than_a_hundred_empty_frames_end_their_connection() {
    let server = run(Server::builder().route("/", echo)).await;
    let mut peer = Raw::begin(&server).await;
    peer.open(1, "/").await;
    // The limit is fixed in `h2`. No peer that sends messages sends such frames.
    for _ in 0..100 {
        peer.data(1, 0, b"").await;
    }
    peer.echo(1, "as many as allowed").await;
    peer.data(1, 0, b"").await;
    assert_eq!(peer.next_of(1).await.unwrap().code(), ENHANCE_YOUR_CALM);
    server.until(|stats| stats.connections() == 0).await;
}

/// Opens streams that the server ends, and then sends a hundred thousand small frames on them.
async fn many_small_frames_after_the_end(server: crate::common::Running, path: &str) {
    let mut peer = Raw::begin(&server).await;
    peer.open(1, "/").await;
    let request = fields(&connect_fields(path));
    let streams: Vec<u32> = (3..).step_by(2).take(20).collect();
    for stream in &streams {
        peer.send(HEADERS, END_HEADERS, *stream, &request).await;
    }
    for stream in &streams {
        while peer.next_of(*stream).await.unwrap().kind != RST_STREAM {}
    }
    for stream in &streams {
        // A client may have sent these before it knew of the end.
        peer.many_data(5_000, *stream, 0, &masked(0x81, b"x")).await;
        peer.echo(1, "nothing noticed").await;
    }
}

#[tokio::test]
async fn a_hundred_thousand_small_frames_on_refused_streams_end_nothing() {
    let guard = async |_: Request| Err::<Request, Response>(response::unauthorized());
    let endpoint = Endpoint::new(echo).guard(guard);
    let server = run(Server::builder().route("/", echo).endpoint("/refused", endpoint)).await;
    many_small_frames_after_the_end(server, "/refused").await;
}

#[tokio::test]
async fn a_hundred_thousand_small_frames_on_streams_that_were_reset_end_nothing() {
    let ends = async |socket: WebSocket| drop(socket);
    let options = options(|options| options.handshake.linger_timeout = Duration::from_millis(1));
    let server = run(Server::builder().route("/", echo).route("/ends", ends).options(options)).await;
    many_small_frames_after_the_end(server, "/ends").await;
}

#[tokio::test]
async fn late_frames_on_more_streams_than_are_open_at_a_time_end_nothing() {
    let options = options(|options| options.handshake.linger_timeout = Duration::from_millis(1));
    let ends = async |socket: WebSocket| drop(socket);
    let server = run(Server::builder().route("/", echo).route("/ends", ends).options(options)).await;
    let mut peer = Raw::begin(&server).await;
    peer.open(1, "/").await;
    let request = fields(&connect_fields("/ends"));
    let streams: Vec<u32> = (3..).step_by(2).take(127).collect();
    for stream in &streams {
        peer.send(HEADERS, END_HEADERS, *stream, &request).await;
    }
    for stream in &streams {
        while peer.next_of(*stream).await.unwrap().kind != RST_STREAM {}
    }
    for _ in 0..100 {
        for stream in &streams {
            peer.data(*stream, 0, &masked(0x81, b"late")).await;
        }
    }
    peer.echo(1, "nothing noticed").await;
}

#[tokio::test]
async fn small_frames_that_wait_for_a_guard_are_taken_out_of_h2_and_arrive() {
    let (release, released) = tokio::sync::watch::channel(false);
    let guard = move |request: Request| {
        let mut released = released.clone();
        async move {
            let _ = released.wait_for(|released| *released).await;
            Ok::<Request, Response>(request)
        }
    };
    // What is inside of `h2` is charged: here for 100 frames.
    let options = options(|options| options.http2.as_mut().unwrap().data_frame_budget = 100 * 256);
    let endpoint = Endpoint::new(echo).guard(guard);
    let builder = Server::builder().route("/", echo).endpoint("/guarded", endpoint).options(options);
    let server = run(builder).await;
    let mut peer = Raw::begin(&server).await;
    peer.open(1, "/").await;
    peer.send(HEADERS, END_HEADERS, 3, &fields(&connect_fields("/guarded"))).await;
    for n in 0..3000 {
        peer.data(3, 0, &masked(0x81, b"early")).await;
        if n % 50 == 0 {
            // So that the server has taken what there is.
            peer.echo(1, "ready").await;
        }
    }
    release.send(true).unwrap();
    assert_eq!(peer.next_of(3).await.unwrap().kind, HEADERS);
    assert_eq!(peer.bytes(3, 7 * 3000).await, reply(0x81, b"early").repeat(3000));
}
