//! Runs a case on an open connection: one loop that reads, writes and waits, so that nothing can block it.

use std::time::Duration;

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split},
    task::yield_now,
    time::{Instant, sleep, sleep_until, timeout},
};

use crate::{
    native::{
        deflate::Agreed,
        echo::Echoing,
        judge::{self, Judgement},
        log::Log,
        script::{Case, Delivery, Event, Script},
        session::{Phase, Session},
        steps::Stepping,
    },
    role::Role,
};

/// How long the suite waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// The limit for an answer, for each part of closing, and for the opening handshake.
    pub(crate) answer: Duration,
    /// The limit without any byte sent or received, in the cases that may take long.
    pub(crate) stall: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { answer: Duration::from_secs(5), stall: Duration::from_secs(10) }
    }
}

/// The result of a case.
#[derive(Clone, Debug)]
pub(crate) struct Played {
    /// The verdict.
    pub(crate) judgement: Judgement,
    /// The wire log.
    pub(crate) log: Log,
}

/// What is done with an open connection besides closing it. By default, each method does nothing.
pub(crate) trait Program {
    /// Something was received.
    fn received(&mut self, _event: Event, _session: &mut Session) {}

    /// When to call `tick`; `moved` is when a byte was last sent or received.
    fn due(&self, _moved: Instant) -> Option<Instant> {
        None
    }

    /// Called at the time that `next` returned.
    fn tick(&mut self, _session: &mut Session) {}
}

/// Runs `case` on a connection whose opening handshake is complete; `early` are the bytes after its head.
pub(crate) async fn play<S: AsyncRead + AsyncWrite + Send>(
    stream: S,
    early: &[u8],
    tested: Role,
    agreed: Option<Agreed>,
    case: &Case,
    patience: Patience,
) -> Played {
    let mut session = Session::new(tested, agreed);
    let judgement = match &case.script {
        Script::Steps(steps) => {
            let mut program = Stepping::new(tested, steps, patience.answer);
            program.begin(&mut session);
            converse(stream, early, &mut session, &mut program, patience).await;
            program.judge(&session)
        }
        Script::Echo(echo) => {
            let mut program = Echoing::new(tested, echo, agreed.is_some(), patience.stall);
            program.begin(&mut session);
            converse(stream, early, &mut session, &mut program, patience).await;
            program.judge(&session)
        }
        Script::Probe(_) => judge::never_open("the case begins before the connection is open"),
    };
    Played { judgement, log: session.log }
}

/// Reads, writes and waits until the connection has ended; `early` are the bytes after the head.
pub(crate) async fn converse<S: AsyncRead + AsyncWrite>(
    stream: S,
    early: &[u8],
    session: &mut Session,
    program: &mut impl Program,
    patience: Patience,
) {
    for event in session.feed(early) {
        program.received(event, session);
    }
    let (mut reader, mut writer) = split(stream);
    let mut input = vec![0; READ];
    let mut moved = Instant::now();
    let mut phase = (session.phase, moved);
    while session.phase != Phase::Over {
        if phase.0 != session.phase {
            phase = (session.phase, Instant::now());
        }
        let due = match session.phase {
            Phase::Open => program.due(moved),
            // What is still to be written may take time, but not without limit.
            _ => Some((phase.1.max(moved) + patience.answer).min(phase.1 + 6 * patience.answer)),
        };
        let (bytes, pause) = next_write(session);
        let writes = !bytes.is_empty();
        tokio::select! {
            read = reader.read(&mut input) => match read {
                Ok(n @ 1..) => {
                    moved = Instant::now();
                    for event in session.feed(input.get(..n).unwrap_or_default()) {
                        program.received(event, session);
                    }
                }
                Ok(0) => {
                    session.log.note("the peer ended the TCP connection");
                    break;
                }
                Err(e) => {
                    session.log.note(format!("the TCP connection broke: {e}"));
                    break;
                }
            },
            written = writer.write(bytes), if writes => match written {
                Ok(n) => {
                    moved = Instant::now();
                    advance(session, n);
                    match pause {
                        Pause::None => {}
                        Pause::Yield => yield_now().await,
                        Pause::Short => sleep(SHORT).await,
                    }
                }
                // What the peer sent before it ended can still be read.
                Err(_) => session.out.clear(),
            },
            () = at(due) => {
                match session.phase {
                    Phase::Open => program.tick(session),
                    _ => session.closing_is_late(),
                }
            }
        }
    }
    if session.end.dropped_by_suite && session.end.clean {
        let ended = timeout(LINGER, async {
            for chunk in std::mem::take(&mut session.out) {
                writer.write_all(chunk.bytes.get(chunk.written..).unwrap_or_default()).await?;
            }
            writer.shutdown().await?;
            // A reset would discard what the peer has not read yet.
            while reader.read(&mut input).await? > 0 {}
            std::io::Result::Ok(())
        });
        // The connection has ended either way.
        let _ = ended.await;
    }
}

/// The pause after a write, in which the peer can read what was written on its own.
enum Pause {
    None,
    Yield,
    Short,
}

/// Returns the bytes to write now, and the pause after them.
fn next_write(session: &Session) -> (&[u8], Pause) {
    let Some(chunk) = session.out.front() else { return (&[], Pause::None) };
    let rest = chunk.bytes.get(chunk.written..).unwrap_or_default();
    match chunk.delivery {
        Delivery::Chopped(1) => (rest.get(..1).unwrap_or(rest), Pause::Short),
        Delivery::Chopped(size) => (rest.get(..size).unwrap_or(rest), Pause::Yield),
        Delivery::Alone => (rest, Pause::Yield),
        Delivery::Joined => (rest.get(..READ).unwrap_or(rest), Pause::None),
    }
}

fn advance(session: &mut Session, written: usize) {
    if let Some(chunk) = session.out.front_mut() {
        chunk.written = chunk.written.saturating_add(written);
        if chunk.written >= chunk.bytes.len() {
            session.out.pop_front();
        }
    }
}

async fn at(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}

/// How much is read or written at a time.
const READ: usize = 128 << 10;
/// Long enough for a peer to read and answer before the next byte, as with Autobahn. Frames in separate writes follow
/// each other at once, also in Autobahn; and large messages have thousands of pieces.
const SHORT: Duration = Duration::from_millis(3);
/// How long the end of a connection that the suite has closed may take.
const LINGER: Duration = Duration::from_secs(1);
