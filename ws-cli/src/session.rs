//! `ws URL`: one connection, lines out and messages in.

use std::collections::VecDeque;
use std::io::{self, IsTerminal as _};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::time::{Interval, MissedTickBehavior, interval_at, sleep, sleep_until};
use ws_client::ws_core::{self, CloseInfo, Connection};
use ws_client::ws_tokio::{self, Closer};
use ws_client::{CloseCode, Message, Stream, WebSocket};

use crate::args;
use crate::connect::Connecting;
use crate::event::Event;
use crate::failure::{Failure, Status};
use crate::input::{self, Input, Restore};
use crate::screen::{Screen, remark};
use crate::signal::{INTERRUPTED, Signals};

pub(crate) async fn run(args: args::Session) -> Result<Status, Failure> {
    let mut signals = Signals::new()?;
    let url = args.url.as_deref().unwrap_or_default();
    let connecting = Connecting::new(url, &args.connect, |options| {
        // How much waits to be written is decided here, line by line, so that receiving never stops for it.
        options.websocket.outbound_high_water = usize::MAX;
        options.websocket.outbound_limit = usize::MAX;
        options.websocket.memory_limit = Some(usize::MAX);
    })?;
    let started = Instant::now();
    let (websocket, response) = connecting.open_unless(&mut signals).await?;
    let took = started.elapsed();

    let (input, screen, restore) = open_screen(&args);
    let mut session = Session::new(args, websocket, screen);
    let header =
        |name| response.headers().get(name).and_then(|value: &http::HeaderValue| value.to_str().ok());
    session.opened(&connecting, header("sec-websocket-protocol"), took);
    let ended = session.talk(input, &mut signals).await;
    let status = session.closed(ended);
    drop(restore);
    status
}

/// A prompt if a person sits there, else lines.
fn open_screen(args: &args::Session) -> (mpsc::Receiver<Input>, Screen, Option<Restore>) {
    let person = io::stdin().is_terminal() && io::stdout().is_terminal();
    if person
        && !args.json
        && !args.once
        && let Ok((input, printer, restore)) = input::prompt(args.binary, !args.no_history)
    {
        let colours = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        return (input, Screen::Terminal { printer, colours }, Some(restore));
    }
    let screen = if args.json { Screen::json() } else { Screen::lines(args.binary) };
    (input::lines(args.binary), screen, None)
}

/// An open connection and what is known of it.
struct Session {
    args: args::Session,
    websocket: WebSocket<Stream>,
    closer: Closer,
    shown: Shown,
    /// Messages sent.
    sent: u64,
    /// This end has begun to close: what that comes to if the server takes part in it.
    stopped: Option<Result<Status, Failure>>,
}

/// What is done with what comes: apart from the WebSocket, which lends it.
struct Shown {
    screen: Screen,
    once: bool,
    answers: u64,
    /// The latest pings that have no answer yet, each with its payload; the youngest first.
    pings: VecDeque<(u32, Instant)>,
    /// Nobody reads our output any more, or it cannot be written.
    broken: Option<io::Error>,
}

impl Session {
    fn new(args: args::Session, mut websocket: WebSocket<Stream>, screen: Screen) -> Self {
        let closer = websocket.closer();
        let shown = Shown { screen, once: args.once, answers: 0, pings: VecDeque::new(), broken: None };
        Self { args, websocket, closer, shown, sent: 0, stopped: None }
    }

    fn opened(&mut self, connecting: &Connecting, subprotocol: Option<&str>, took: Duration) {
        let stream = self.websocket.get_ref();
        let event = Event::Open {
            url: connecting.request().url().as_str(),
            subprotocol,
            compressed: self.websocket.connection().is_compressing(),
            tls: stream.tls().and_then(|tls| tls.protocol_version()).and_then(|version| version.as_str()),
            peer: stream.peer_addr(),
            took,
        };
        self.shown.show(&event);
        let offered = connecting.request().subprotocols();
        if subprotocol.is_none() && !offered.is_empty() && !self.args.json {
            remark(format_args!(
                "the server speaks none of the subprotocols offered ({}) and opened without one: check the names",
                offered.join(", ")
            ));
        }
    }

    /// Sends and shows until the connection has ended.
    async fn talk(
        &mut self,
        mut input: mpsc::Receiver<Input>,
        signals: &mut Signals,
    ) -> Result<(), ws_tokio::Error> {
        for text in std::mem::take(&mut self.args.messages) {
            let message =
                if self.args.binary { Message::binary(text.into_bytes()) } else { Message::text(text) };
            self.send(message).await?;
        }
        // It closes by itself with the answer; nothing more is to be sent.
        let mut reading = !(self.args.once && self.sent > 0);
        let mut deadline = (!reading).then(|| self.answer_deadline());
        let mut pings = self.args.ping.map(every);
        let mut ping = 0;
        loop {
            let room = self.websocket.connection().queued() < ROOM;
            let shown = &mut self.shown;
            tokio::select! {
                ended = self.websocket.for_each(|connection, event| { shown.take(connection, &event); Ok(()) }) => {
                    return ended;
                }
                next = input.recv(), if reading && room => match next.unwrap_or(Input::End) {
                    Input::Line(message) => {
                        self.send(message).await?;
                        if self.args.once {
                            reading = false;
                            deadline = Some(self.answer_deadline());
                        }
                    }
                    Input::End => {
                        reading = false;
                        deadline = self.end_of_input();
                    }
                    Input::Interrupt => self.stop(CloseCode::AWAY, Ok(INTERRUPTED)),
                    Input::Failed(why) => self.stop(CloseCode::AWAY, Err(Failure::other(why))),
                },
                // for_each writes it; when it has, there is room for the next line.
                () = sleep(BACKLOG_CHECK), if reading && !room => {}
                () = tick(&mut pings), if room => {
                    self.shown.pings.truncate(UNANSWERED_PINGS);
                    self.shown.pings.push_front((ping, Instant::now()));
                    unless_closing(self.websocket.ping(&ping.to_be_bytes()).await)?;
                    ping += 1;
                }
                signal = signals.next() => {
                    if self.stopped.is_some() {
                        // A second one does not wait for the server.
                        return Ok(());
                    }
                    self.stop(CloseCode::AWAY, Ok(signal));
                }
                () = until(deadline) => {
                    deadline = None;
                    let outcome = if self.args.once { Err(self.unanswered()) } else { Ok(Status::Success) };
                    self.stop(CloseCode::NORMAL, outcome);
                }
            }
        }
    }

    /// Without waiting until it is written: `for_each` does that while it receives.
    async fn send(&mut self, message: Message) -> Result<(), ws_tokio::Error> {
        self.sent += 1;
        unless_closing(self.websocket.feed(message).await)
    }

    fn answer_deadline(&self) -> Instant {
        far(self.args.connect.timeout)
    }

    /// Closes, now or when the time to wait is over.
    fn end_of_input(&mut self) -> Option<Instant> {
        if self.args.once {
            let nothing = "--once has nothing to send: give --message TEXT, or a line on standard input";
            self.stop(CloseCode::NORMAL, Err(Failure::usage(nothing)));
        } else if self.args.wait.is_zero() {
            self.stop(CloseCode::NORMAL, Ok(Status::Success));
        } else {
            return Some(far(self.args.wait));
        }
        None
    }

    fn unanswered(&self) -> Failure {
        let after = self.args.connect.timeout;
        Failure::new(
            Status::Timeout,
            format!("no answer within --timeout = {after:?}: --wait listens without asking"),
        )
    }

    /// Begins the closing handshake. What the server still sends before its Close is shown.
    fn stop(&mut self, code: CloseCode, outcome: Result<Status, Failure>) {
        // The codes may be sent and there is no reason that could be too long.
        let _ = self.closer.close(code, "");
        self.stopped.get_or_insert(outcome);
    }

    /// Shows how it ended, and what that comes to.
    fn closed(mut self, ended: Result<(), ws_tokio::Error>) -> Result<Status, Failure> {
        let info = self.websocket.close_info();
        let close = info.as_ref().map(Event::close);
        if !self.shown.screen.is_for_people() {
            close.iter().for_each(|close| self.shown.show(close));
            return self.outcome(&info, ended);
        }
        let outcome = self.outcome(&info, ended);
        // A person reads once how it ended: here, or in what the command says when it has failed.
        match close.filter(|_| outcome.is_ok()) {
            Some(close) => self.shown.show(&close),
            None => self.shown.screen.settle(),
        }
        outcome
    }

    /// What the end comes to.
    fn outcome(
        &mut self,
        info: &Option<CloseInfo>,
        ended: Result<(), ws_tokio::Error>,
    ) -> Result<Status, Failure> {
        if let Some(error) = self.shown.broken.take() {
            // `ws … | head` is as it should be.
            return match error.kind() {
                io::ErrorKind::BrokenPipe => Ok(Status::Success),
                _ => Err(Failure::output(&error)),
            };
        }
        if self.args.once && self.shown.answers > 0 {
            return Ok(Status::Success);
        }
        match self.stopped.take() {
            // Whether the server took part in closing does not matter then.
            Some(Err(failure)) => return Err(failure),
            Some(Ok(signal @ Status::Signal(_))) => return Ok(signal),
            _ => {}
        }
        match (info, ended) {
            (Some(info), _) if Status::of_end(info) == Status::Success => {
                if self.args.once {
                    return Err(Failure::other("the server closed without an answer"));
                }
                Ok(Status::Success)
            }
            (_, Err(error @ ws_tokio::Error::Io(_))) => Err(error.into()),
            (Some(info), _) => Err(Failure::of_end(info)),
            (None, Err(error)) => Err(error.into()),
            (None, Ok(())) => Ok(Status::Success),
        }
    }
}

impl Shown {
    /// Shows what has come.
    fn take(&mut self, connection: &mut Connection, event: &ws_core::Event<'_>) {
        match event {
            ws_core::Event::Text(_) | ws_core::Event::Binary(_) if self.once && self.answers > 0 => {}
            ws_core::Event::Text(text) => self.answer(connection, &Event::text(text)),
            ws_core::Event::Binary(bytes) => self.answer(connection, &Event::binary(bytes)),
            ws_core::Event::Ping(data) => self.show(&Event::Ping { data }),
            ws_core::Event::Pong(data) => {
                let rtt = self.round_trip(data);
                self.show(&Event::Pong { data, rtt });
            }
            // The record of the end tells more.
            ws_core::Event::Close(_) => {}
        }
        if self.broken.is_some() {
            // Closing already is fine too.
            let _ = connection.close(CloseCode::NORMAL, "");
        }
    }

    fn answer(&mut self, connection: &mut Connection, event: &Event<'_>) {
        self.answers += 1;
        self.show(event);
        if self.once {
            let _ = connection.close(CloseCode::NORMAL, "");
        }
    }

    /// RFC 6455 section 5.5.3: a pong answers the latest ping, and with it those before.
    fn round_trip(&mut self, data: &[u8]) -> Option<Duration> {
        let answered = u32::from_be_bytes(data.try_into().ok()?);
        let position = self.pings.iter().position(|(ping, _)| *ping == answered)?;
        self.pings.drain(position..).next().map(|(_, sent)| sent.elapsed())
    }

    fn show(&mut self, event: &Event<'_>) {
        if self.broken.is_none()
            && let Err(error) = self.screen.show(event)
        {
            self.broken = Some(error);
        }
    }
}

/// How the connection closes is about to be seen by who receives.
fn unless_closing(sent: Result<(), ws_tokio::Error>) -> Result<(), ws_tokio::Error> {
    match sent {
        Err(ws_tokio::Error::Closed(_) | ws_tokio::Error::Send(ws_core::SendError::Closing)) => Ok(()),
        other => other,
    }
}

/// So much may wait to be written before the next line is taken, in bytes.
const ROOM: usize = 64 << 10;
/// A server may answer data and no ping.
const UNANSWERED_PINGS: usize = 15;
const BACKLOG_CHECK: Duration = Duration::from_millis(1);

fn every(period: Duration) -> Interval {
    let mut interval = interval_at(tokio::time::Instant::from_std(far(period)), period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

async fn tick(interval: &mut Option<Interval>) {
    match interval {
        Some(interval) => {
            interval.tick().await;
        }
        None => std::future::pending().await,
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}

/// A point in time so far away; what is beyond the clock is thirty years away.
fn far(duration: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(duration).unwrap_or_else(|| now + Duration::from_secs(30 * 365 * 86_400))
}
