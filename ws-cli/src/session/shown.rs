//! What a session shows, and what it knows of what was shown.

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use ws_client::CloseCode;
use ws_client::ws_core::{self, Connection};

use crate::event::Event;
use crate::pretty::pretty;
use crate::screen::Screen;

/// Shows what was received. It is apart from the WebSocket, which lends each event.
pub(super) struct Shown {
    pub(super) screen: Screen,
    once: bool,
    pretty: bool,
    pub(super) answers: u64,
    /// The latest pings without an answer, each with its payload; the youngest first.
    pings: VecDeque<(u32, Instant)>,
    /// Why the output cannot be written: its reader is gone, for instance.
    pub(super) broken: Option<io::Error>,
}

impl Shown {
    pub(super) fn new(screen: Screen, once: bool, pretty: bool) -> Self {
        Self { screen, once, pretty, answers: 0, pings: VecDeque::new(), broken: None }
    }

    /// Shows one event; closes the connection when nothing more is to be shown.
    pub(super) fn take(&mut self, connection: &mut Connection, event: &ws_core::Event<'_>) {
        match event {
            ws_core::Event::Text(_) | ws_core::Event::Binary(_) if self.once && self.answers > 0 => {}
            ws_core::Event::Text(text) => {
                let indented = if self.pretty { pretty(text) } else { None };
                self.answer(connection, &Event::text(indented.as_deref().unwrap_or(text)));
            }
            ws_core::Event::Binary(bytes) => self.answer(connection, &Event::binary(bytes)),
            ws_core::Event::Ping(data) => self.show(&Event::Ping { data }),
            ws_core::Event::Pong(data) => {
                let rtt = self.round_trip(data);
                self.show(&Event::Pong { data, rtt });
            }
            // What is shown at the end has more in it.
            ws_core::Event::Close(_) => {}
        }
        if self.broken.is_some() {
            // It may be closing already.
            let _ = connection.close(CloseCode::NORMAL_CLOSURE, "");
        }
    }

    fn answer(&mut self, connection: &mut Connection, event: &Event<'_>) {
        self.answers += 1;
        self.show(event);
        if self.once {
            let _ = connection.close(CloseCode::NORMAL_CLOSURE, "");
        }
    }

    /// Remembers a ping that is sent now.
    pub(super) fn pinged(&mut self, number: u32) {
        self.pings.truncate(UNANSWERED_PINGS);
        self.pings.push_front((number, Instant::now()));
    }

    /// Forgets what belongs to a connection that has ended.
    pub(super) fn begin_again(&mut self) {
        self.pings.clear();
    }

    /// The time since the ping that a pong answers (RFC 6455 section 5.5.3: the latest one, and with it those before).
    fn round_trip(&mut self, data: &[u8]) -> Option<Duration> {
        let answered = u32::from_be_bytes(data.try_into().ok()?);
        let position = self.pings.iter().position(|(ping, _)| *ping == answered)?;
        self.pings.drain(position..).next().map(|(_, sent)| sent.elapsed())
    }

    pub(super) fn show(&mut self, event: &Event<'_>) {
        if self.broken.is_none()
            && let Err(error) = self.screen.show(event)
        {
            self.broken = Some(error);
        }
    }
}

/// A server may answer data and no ping.
const UNANSWERED_PINGS: usize = 15;
