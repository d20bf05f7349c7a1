//! Runs a variant of a case on one HTTP/2 connection.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{Instant, timeout},
};

use super::{Fields, Move, THIS, head, line::Connection};
use crate::{
    native::{
        deflate,
        frame::{Frame as WebSocketFrame, close_body, frame as websocket, text},
        handshake::{check_connect, connect_request},
        http2::{
            frames::{
                DATA, Frame, GOAWAY, INITIAL_WINDOW_SIZE, NO_ERROR, PADDED, PREFACE, SETTINGS, frame,
                go_away, settings,
            },
            message,
            mux::Client,
        },
        log::Log,
        probe::{
            Act, Probe, Variant,
            play::{Course, judge},
            want::{self, Seen},
        },
        record::Record,
        script::{Case, Delivery},
        session::KEY,
        target::{Target, Wire},
    },
    role::Role,
    verdict::Behavior,
};

/// Runs a variant on a new connection to a server.
pub(crate) async fn connection(
    target: &Target,
    probe: &Probe,
    variant: &Variant,
    patience: Duration,
) -> Course {
    let stream = match target.connect(patience).await {
        Ok(stream) => stream,
        Err(why) => return Course::without_connection(variant, why),
    };
    let address = &target.address;
    let values =
        [("{scheme}", address.http_scheme()), ("{host}", &address.authority), ("{path}", &address.path)];
    let line = Connection::new(stream, Role::Server, probe.polite);
    Playing { probe, patience, values: &values, target: Some(target) }.run(line, variant).await
}

/// Runs a case on a client that has connected.
pub(crate) async fn on_client<S: Wire>(stream: S, case: &Case, probe: &Probe, patience: Duration) -> Record {
    let start = Instant::now();
    let line = Connection::new(stream, Role::Client, probe.polite);
    let playing = Playing { probe, patience, values: &[], target: None };
    let courses = match probe.variants.first() {
        Some(variant) => vec![playing.run(line, variant).await],
        None => Vec::new(),
    };
    judge(case, probe, courses, start.elapsed())
}

/// What is needed to run a variant.
struct Playing<'a> {
    probe: &'a Probe,
    patience: Duration,
    values: &'a [(&'a str, &'a str)],
    target: Option<&'a Target>,
}

impl Playing<'_> {
    fn soon(&self) -> Instant {
        Instant::now() + self.probe.within.unwrap_or(self.patience).max(self.patience)
    }

    async fn run<S: Wire>(&self, mut line: Connection<S>, variant: &Variant) -> Course {
        let start = Instant::now();
        for act in &variant.acts {
            if !self.act(&mut line, act).await {
                break;
            }
        }
        self.finish(&mut line).await;
        Course {
            name: variant.name.clone(),
            took: start.elapsed(),
            code: line.code(),
            heads: std::mem::take(&mut line.heads),
            seen: std::mem::take(&mut line.seen),
            log: Some(line.log.clone()),
        }
    }

    /// Does an act and returns whether the case continues.
    async fn act<S: Wire>(&self, line: &mut Connection<S>, act: &Act) -> bool {
        let stream = line.stream;
        match act {
            Act::Http2(action) => self.action(line, action).await,
            Act::Answer => {
                line.run(self.soon(), false, Connection::is_answered).await;
                return line.is_open();
            }
            Act::Answered => line.run(self.soon(), false, Connection::is_answered).await,
            Act::Frame(frame, delivery) => line.with(stream, |line| line.send_frame(frame, *delivery, 1)),
            Act::Flood(frame, count) => {
                line.with(stream, |line| line.send_frame(frame, Delivery::Joined, *count));
            }
            Act::Bytes(bytes, delivery) => {
                line.with(stream, |line| {
                    line.log.sent(bytes);
                    line.send(bytes.clone(), *delivery);
                });
            }
            Act::Bomb(size) => line.with(stream, |line| {
                if let Some(Ok(packed)) = line.deflater.as_mut().map(|d| d.message(&vec![0; *size])) {
                    let frame = WebSocketFrame { rsv: 4, ..websocket(2, packed) };
                    line.send_frame(&frame, Delivery::Joined, 1);
                }
            }),
            Act::Wait(time) => line.run(Instant::now() + *time, false, |line| line.ended).await,
            Act::Deaf(time) => line.run(Instant::now() + *time, true, |_| false).await,
            Act::Until(events) => {
                line.run(self.soon(), false, |line| line.ended || line.seen.len() >= *events).await;
            }
            Act::Mark => line.seen.push(Seen::Mark),
            Act::HalfClose => line.end_stream(),
            Act::Neighbour => {
                let served = match self.target {
                    Some(target) => serves(target, self.patience).await,
                    None => true,
                };
                line.seen.push(Seen::Neighbour(served));
            }
            Act::Reset => {
                line.run(self.soon(), false, Connection::is_flushed).await;
                line.shut_down().await;
            }
            Act::Pace(pause) => line.pause = *pause,
            // A case has one version.
            Act::Head(_) => {}
        }
        true
    }

    async fn action<S: Wire>(&self, line: &mut Connection<S>, action: &Move) {
        match action {
            Move::Begin(ours) => {
                if line.tested == Role::Server {
                    line.send_bytes(PREFACE);
                }
                self.granted(line, ours);
                line.send(&settings(ours));
                line.run(self.soon(), false, Connection::is_settled).await;
            }
            Move::Head(fields) => self.head(line, fields),
            Move::Asked => line.run(self.soon(), false, Connection::is_asked).await,
            Move::Raw(frame) => {
                let stream = match frame.stream {
                    0 => 0,
                    offset => line.stream.saturating_add(offset).saturating_sub(THIS),
                };
                let payload = match frame.kind {
                    // GOAWAY names the last stream.
                    GOAWAY if frame.stream != 0 => go_away(line.stream, NO_ERROR).payload,
                    _ => frame.payload.clone(),
                };
                let stream = if frame.kind == GOAWAY { 0 } else { stream };
                if frame.kind == SETTINGS {
                    self.granted(line, &frame.settings());
                }
                line.send(&Frame { stream, payload, ..frame.clone() });
            }
            Move::Trailers(fields) => {
                for frame in fields.frames(line.stream, self.values) {
                    line.send_after(frame);
                }
            }
            Move::Padded(bytes, padding) => {
                let payload = [&[*padding][..], bytes, &vec![0; usize::from(*padding)]].concat();
                line.log.sent(bytes);
                line.send_after(frame(DATA, PADDED, line.stream, payload));
            }
            Move::Empty(count) => {
                line.log.note(format!("sent      {count} empty DATA"));
                (0..*count).for_each(|_| line.send_after(frame(DATA, 0, line.stream, "")));
            }
            Move::Hold(which) => line.hold(*which),
            Move::Grant(which, size) => {
                let stream = if *which == 0 { 0 } else { line.stream };
                line.grant(stream, *size);
            }
            Move::Beside(count) => {
                let served = self.beside(line, *count).await;
                line.seen.push(Seen::Neighbour(served));
            }
            Move::Crowd(count) => (0..*count).for_each(|_| {
                line.ask(&head::connect(), self.values);
            }),
            Move::Over => line.run(self.soon(), false, Connection::is_over).await,
        }
    }

    /// Applies SETTINGS that the suite sends.
    fn granted<S: Wire>(&self, line: &mut Connection<S>, settings: &[(u16, u32)]) {
        for (_, size) in settings.iter().filter(|(name, _)| *name == INITIAL_WINDOW_SIZE) {
            line.set_granted(*size);
        }
    }

    fn head<S: Wire>(&self, line: &mut Connection<S>, fields: &Fields) {
        match line.tested {
            Role::Server => {
                line.stream = line.ask(fields, self.values);
                let filled = fields.filled(self.values);
                line.heads.0.push_str(&message::text(&filled));
            }
            Role::Client => {
                let first = line.subprotocols().split(',').next().unwrap_or_default().trim().to_owned();
                let values = [("{subprotocol}", &first[..])];
                let filled = fields.filled(&values);
                line.heads.1.push_str(&message::text(&filled));
                for frame in fields.frames(line.stream, &values) {
                    line.send(&frame);
                }
            }
        }
    }

    /// Whether the server opens further WebSockets on the same connection and echoes a message on each.
    async fn beside<S: Wire>(&self, line: &mut Connection<S>, count: usize) -> bool {
        let until = self.soon();
        let streams: Vec<u32> = (0..count).map(|_| line.ask(&head::connect(), self.values)).collect();
        for stream in &streams {
            let opened = |line: &Connection<S>| !line.seen_on(*stream).is_empty() || line.is_over_on(*stream);
            line.run(until, false, opened).await;
            if !matches!(line.seen_on(*stream), [Seen::Open(_)]) {
                return false;
            }
            line.send_text(*stream, "neighbour");
        }
        for stream in &streams {
            let echoed = |line: &Connection<S>| line.seen_on(*stream).len() > 1 || line.is_over_on(*stream);
            line.run(until, false, echoed).await;
            if line.seen_on(*stream).get(1) != Some(&Seen::Text(b"neighbour".to_vec())) {
                return false;
            }
        }
        true
    }

    /// Waits for the events that are still expected, then ends the connection.
    async fn finish<S: Wire>(&self, line: &mut Connection<S>) {
        let complete = |line: &Connection<S>| {
            let mut good = self.probe.accepted.iter().filter(|(behavior, _)| *behavior == Behavior::Ok);
            good.any(|(_, course)| want::is_complete(course, &line.seen))
        };
        // A tested client has answered the Close: the server ends the stream (RFC 6455 section 7.1.1).
        let serves = self.probe.tested == Role::Client && self.probe.polite;
        line.run(self.soon(), false, |line| line.ended || complete(line) || (serves && line.is_closed()))
            .await;
        if !line.ended && !complete(line) && serves && line.is_closed() {
            line.end_stream();
            line.run(self.soon(), false, |line| line.ended || complete(line)).await;
        }
        if !line.ended && !complete(line) {
            line.log.note("the case stops waiting");
            line.seen.push(Seen::Silence);
        }
        let seen = line.seen.clone();
        if !line.ended {
            if line.is_open() {
                let stream = line.stream;
                line.with(stream, |line| line.close(close_body(1000, b"")));
            }
            line.send(&go_away(0, NO_ERROR));
            line.run(Instant::now() + PARTING.min(self.patience), false, Connection::is_flushed).await;
            line.shut_down().await;
        }
        line.seen = seen;
    }
}

/// How long to wait for the last bytes to be written after all expected events.
const PARTING: Duration = Duration::from_secs(1);

/// Whether the server opens another connection and echoes a message within `patience`.
async fn serves(target: &Target, patience: Duration) -> bool {
    let asked = async {
        let stream = target.connect(patience).await?;
        let request = connect_request(&target.address, &[] as &[deflate::Offer]);
        let (head, mut stream) = Client::begin(stream).await?.open(&request).await?;
        check_connect(&head, &[])?;
        let message = text("neighbour");
        let mut back = vec![0; message.encode(None).len()];
        stream.write_all(&message.encode(Some(KEY))).await.map_err(|e| e.to_string())?;
        stream.read_exact(&mut back).await.map_err(|e| e.to_string())?;
        Ok::<bool, String>(back == message.encode(None))
    };
    matches!(timeout(patience, asked).await, Ok(Ok(true)))
}

impl Course {
    /// Creates the course of a connection that was never there.
    fn without_connection(variant: &Variant, why: String) -> Self {
        let mut log = Log::new();
        log.note(why.clone());
        Self { name: variant.name.clone(), seen: vec![Seen::Wrong(why)], log: Some(log), ..Self::default() }
    }
}
