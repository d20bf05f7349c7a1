//! `ws URL`: lines out and messages in, on one connection or with `--reconnect` on one after another.

mod clock;
mod connections;
mod ending;
mod first;
mod shown;

use std::collections::VecDeque;
use std::io::{self, IsTerminal as _};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::time::sleep;
use ws_client::http::Version;
use ws_client::ws_core;
use ws_client::ws_tokio::{self, Closer};
use ws_client::{CloseCode, Message, Opened, Stream, WebSocket};

use self::clock::{after, every, tick, until};
use self::connections::{Connections, Next};
use self::shown::Shown;
use crate::args;
use crate::command::{self, Command};
use crate::connect::Connecting;
use crate::event::Event;
use crate::failure::{Failure, Status};
use crate::input::{self, Input, Restore};
use crate::screen::Screen;
use crate::signal::{INTERRUPTED, Signals};

pub(crate) async fn run(args: args::Session) -> Result<Status, Failure> {
    let first = first::messages(&args)?;
    let connecting = Connecting::new(args.url.as_deref(), &args.connect, |options| {
        // How much waits to be written is decided here, line by line, so that receiving never stops for it.
        options.connection.send_high_water = usize::MAX;
        options.connection.max_queued = usize::MAX;
        options.connection.max_memory = Some(usize::MAX);
    })?;
    // Only now: until here signals end the process, since nothing else ends a read of a file that waits, or never ends.
    let mut signals = Signals::new()?;
    let mut connections = Connections::new(&connecting, args.reconnect);
    let (mut opened, mut took) = connections.first(&mut signals).await?;
    let (mut input, screen, restore) = open_screen(&args);
    let mut session = Session::new(args, first, screen);
    let status = loop {
        let mut connection = session.begin(&connecting, opened, took);
        let ended = session.talk(&mut connection, &mut input, &mut signals).await;
        if !session.goes_on() {
            break session.closed(&connection.websocket, ended);
        }
        session.lost(&connection.websocket, ended);
        drop(connection);
        match session.wait(&mut connections, &mut input, &mut signals).await {
            Ok(Waited::Opened(next, time)) => (opened, took) = (*next, time),
            Ok(Waited::Left(status)) => {
                session.shown.screen.settle();
                break Ok(status);
            }
            Err(failure) => {
                session.shown.screen.settle();
                break Err(failure);
            }
        }
    };
    drop(restore);
    status
}

/// Opens a prompt if input and output are a terminal, else lines.
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

/// What is kept from connection to connection.
struct Session {
    args: args::Session,
    /// The messages of `--message` and `--file`, sent first on each connection.
    first: Vec<Message>,
    /// Lines typed while there was no connection.
    held: VecDeque<Message>,
    shown: Shown,
    /// Messages sent.
    sent: u64,
    /// Pings sent.
    pings: u32,
    /// Whether more input is to be read.
    reading: bool,
    /// When `--wait` ends, or the time for the answer of `--once`.
    deadline: Option<Instant>,
    /// The code of `/close`.
    asked: Option<CloseCode>,
    /// This end has begun to close: the outcome, if the server completes the closing handshake.
    stopped: Option<Result<Status, Failure>>,
}

/// One open connection.
struct Connection {
    websocket: WebSocket<Stream>,
    closer: Closer,
}

/// How a wait for the next connection ends.
enum Waited {
    Opened(Box<Opened>, Duration),
    /// The user does not wait any longer.
    Left(Status),
}

impl Session {
    fn new(args: args::Session, first: Vec<Message>, screen: Screen) -> Self {
        let shown = Shown::new(screen, args.once, args.pretty);
        Self {
            args,
            first,
            held: VecDeque::new(),
            shown,
            sent: 0,
            pings: 0,
            reading: true,
            deadline: None,
            asked: None,
            stopped: None,
        }
    }

    /// Shows that a connection is open.
    fn begin(
        &mut self,
        connecting: &Connecting,
        (websocket, negotiated): Opened,
        took: Duration,
    ) -> Connection {
        let stream = websocket.get_ref();
        let subprotocol = negotiated.subprotocol();
        let event = Event::Open {
            url: connecting.request().url(),
            subprotocol,
            compressed: websocket.connection().is_compressing(),
            http: if negotiated.http_version() == Version::HTTP_2 { "2" } else { "1.1" },
            tls: stream.tls_version().and_then(|version| version.as_str()),
            peer: stream.peer_addr(),
            took,
        };
        self.shown.begin_again();
        self.shown.show(&event);
        let offered = connecting.request().subprotocols();
        if subprotocol.is_none() && !offered.is_empty() && !self.args.json {
            let offered = offered.join(", ");
            self.shown.screen.note(&format!(
                "the server speaks none of the subprotocols offered ({offered}) and opened without one: check the names"
            ));
        }
        let mut websocket = websocket;
        Connection { closer: websocket.closer(), websocket }
    }

    /// Sends and shows until the connection has ended.
    async fn talk(
        &mut self,
        connection: &mut Connection,
        input: &mut mpsc::Receiver<Input>,
        signals: &mut Signals,
    ) -> Result<(), ws_tokio::Error> {
        for message in self.first.clone().into_iter().chain(std::mem::take(&mut self.held)) {
            self.send(connection, message).await?;
        }
        // It closes by itself with the answer; nothing more is to be sent.
        if self.args.once && self.sent > 0 {
            self.expect_answer();
        }
        let mut pings = self.args.ping.map(every);
        loop {
            let room = connection.websocket.connection().queued() < ROOM;
            let shown = &mut self.shown;
            tokio::select! {
                ended = connection.websocket.for_each_event(|protocol, event| { shown.take(protocol, &event); Ok(()) }) => {
                    return ended;
                }
                next = input.recv(), if self.reading && room => match next.unwrap_or(Input::End) {
                    Input::Line(message) => {
                        self.send(connection, message).await?;
                        if self.args.once {
                            self.expect_answer();
                        }
                    }
                    Input::Command(command) => self.obey(connection, command).await?,
                    Input::End => {
                        if let Some(outcome) = self.end_of_input() {
                            self.stop(&connection.closer, CloseCode::NORMAL_CLOSURE, "", outcome);
                        }
                    }
                    Input::Interrupt => self.stop(&connection.closer, CloseCode::GOING_AWAY, "", Ok(INTERRUPTED)),
                    Input::Failed(why) => {
                        self.stop(&connection.closer, CloseCode::GOING_AWAY, "", Err(Failure::other(why)));
                    }
                },
                // for_each_event writes it; when it has, there is room for the next line.
                () = sleep(BACKLOG_CHECK), if self.reading && !room => {}
                () = tick(&mut pings), if room => self.ping(connection).await?,
                signal = signals.next() => {
                    if self.stopped.is_some() {
                        // A second signal does not wait for the server.
                        return Ok(());
                    }
                    self.stop(&connection.closer, CloseCode::GOING_AWAY, "", Ok(signal));
                }
                () = until(self.deadline) => {
                    self.deadline = None;
                    let outcome = if self.args.once { Err(self.unanswered()) } else { Ok(Status::Success) };
                    self.stop(&connection.closer, CloseCode::NORMAL_CLOSURE, "", outcome);
                }
            }
        }
    }

    /// Waits for the next connection. What is typed at a prompt meanwhile is sent on it; lines of a pipe stay there.
    async fn wait(
        &mut self,
        connections: &mut Connections<'_>,
        input: &mut mpsc::Receiver<Input>,
        signals: &mut Signals,
    ) -> Result<Waited, Failure> {
        let typed = self.shown.screen.is_for_people();
        loop {
            tokio::select! {
                next = connections.next() => match next? {
                    Next::Opened(opened, took) => return Ok(Waited::Opened(opened, took)),
                    Next::Waiting(why) => self.shown.screen.note(&why),
                },
                next = input.recv(), if typed && self.reading => match next.unwrap_or(Input::End) {
                    Input::Line(message) => {
                        self.held.push_back(message);
                        self.shown.screen.note("not connected: it is sent as soon as there is a connection");
                    }
                    Input::Command(Command::Close { .. }) => return Ok(Waited::Left(Status::Success)),
                    Input::Command(Command::Ping) => self.shown.screen.note("not connected"),
                    Input::Command(Command::Help) => self.shown.screen.note(command::HELP),
                    Input::Command(Command::Wrong(why)) => self.shown.screen.note(&why),
                    Input::End => {
                        if let Some(outcome) = self.end_of_input() {
                            return outcome.map(Waited::Left);
                        }
                    }
                    Input::Interrupt => return Ok(Waited::Left(INTERRUPTED)),
                    Input::Failed(why) => return Err(Failure::other(why)),
                },
                signal = signals.next() => return Ok(Waited::Left(signal)),
                () = until(self.deadline) => return Ok(Waited::Left(Status::Success)),
            }
        }
    }

    /// Queues a message without waiting until it is written: `for_each_event` does that while it receives.
    async fn send(&mut self, connection: &mut Connection, message: Message) -> Result<(), ws_tokio::Error> {
        self.sent += 1;
        unless_closing(connection.websocket.feed(message).await)
    }

    async fn ping(&mut self, connection: &mut Connection) -> Result<(), ws_tokio::Error> {
        self.shown.pinged(self.pings);
        let payload = self.pings.to_be_bytes();
        self.pings = self.pings.wrapping_add(1);
        unless_closing(connection.websocket.ping(&payload).await)
    }

    async fn obey(&mut self, connection: &mut Connection, command: Command) -> Result<(), ws_tokio::Error> {
        match command {
            Command::Ping => self.ping(connection).await?,
            Command::Close { code, reason } => {
                self.asked = Some(code);
                self.reading = false;
                self.stop(&connection.closer, code, &reason, Ok(Status::Success));
            }
            Command::Help => self.shown.screen.note(command::HELP),
            Command::Wrong(why) => self.shown.screen.note(&why),
        }
        Ok(())
    }

    fn expect_answer(&mut self) {
        self.reading = false;
        self.deadline = Some(after(self.args.connect.timeout));
    }

    /// Returns the outcome, or `None` to wait for messages until the deadline.
    fn end_of_input(&mut self) -> Option<Result<Status, Failure>> {
        self.reading = false;
        if self.args.once {
            let nothing = "--once has nothing to send: give --message TEXT, or a line on standard input";
            return Some(Err(Failure::usage(nothing)));
        }
        if self.args.wait.is_zero() {
            return Some(Ok(Status::Success));
        }
        self.deadline = Some(after(self.args.wait));
        None
    }

    /// Begins the closing handshake. What the server sends before its Close is still shown.
    fn stop(&mut self, closer: &Closer, code: CloseCode, reason: &str, outcome: Result<Status, Failure>) {
        // Code and reason have been checked where they were typed; the others may be sent.
        let _ = closer.start_close(code, reason);
        self.stopped.get_or_insert(outcome);
    }

    /// Whether another connection is to follow one that has ended.
    fn goes_on(&self) -> bool {
        self.args.reconnect && self.stopped.is_none() && self.shown.broken.is_none()
    }
}

/// Ignores that the connection is closing: the receiver is about to see how.
fn unless_closing(sent: Result<(), ws_tokio::Error>) -> Result<(), ws_tokio::Error> {
    match sent {
        Err(ws_tokio::Error::Closed(_) | ws_tokio::Error::Send(ws_core::SendError::Closing)) => Ok(()),
        other => other,
    }
}

/// The next line is read when fewer bytes than this wait to be written.
const ROOM: usize = 64 << 10;
const BACKLOG_CHECK: Duration = Duration::from_millis(1);
