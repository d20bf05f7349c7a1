//! How a session ends: what is shown of it, and the exit status.

use std::io;

use ws_client::ws_core::{CloseCause, CloseInfo};
use ws_client::{Stream, WebSocket, ws_tokio};

use super::Session;
use crate::event::Event;
use crate::failure::{self, Failure, Status};

impl Session {
    pub(super) fn unanswered(&self) -> Failure {
        let after = self.args.connect.timeout;
        Failure::new(
            Status::Timeout,
            format!("no answer within --timeout = {after:?}: --wait listens without asking"),
        )
    }

    /// Shows how a connection ended that another one is to follow.
    pub(super) fn lost(&mut self, websocket: &WebSocket<Stream>, ended: Result<(), ws_tokio::Error>) {
        let info = websocket.close_info();
        let screen = &self.shown.screen;
        match &info {
            // Neither end has closed, as the line about a Close would say.
            Some(info) if screen.is_for_people() && matches!(info.cause, CloseCause::Timeout(_)) => {
                self.shown.screen.note(&failure::ending(info));
            }
            Some(info) if screen.shows_closes() => self.shown.show(&Event::close(info)),
            Some(info) => self.shown.screen.note(&failure::ending(info)),
            None => {
                if let Err(error) = ended {
                    self.shown.screen.note(&Failure::from(error).message);
                }
            }
        }
    }

    /// Shows how the last connection ended, and returns the outcome.
    pub(super) fn closed(
        &mut self,
        websocket: &WebSocket<Stream>,
        ended: Result<(), ws_tokio::Error>,
    ) -> Result<Status, Failure> {
        let info = websocket.close_info();
        let close = info.as_ref().map(Event::close);
        if !self.shown.screen.is_for_people() {
            close.iter().for_each(|close| self.shown.show(close));
            return self.outcome(&info, ended);
        }
        let outcome = self.outcome(&info, ended);
        // A person reads once how it ended: here, or in the error message.
        match close.filter(|_| outcome.is_ok()) {
            Some(close) => self.shown.show(&close),
            None => self.shown.screen.settle(),
        }
        outcome
    }

    /// The outcome of the session.
    fn outcome(
        &mut self,
        info: &Option<CloseInfo>,
        ended: Result<(), ws_tokio::Error>,
    ) -> Result<Status, Failure> {
        if let Some(error) = self.shown.broken.take() {
            // `ws … | head` is a success.
            return match error.kind() {
                io::ErrorKind::BrokenPipe => Ok(Status::Success),
                _ => Err(Failure::output(&error)),
            };
        }
        if self.args.once && self.shown.answers > 0 {
            return Ok(Status::Success);
        }
        match self.stopped.take() {
            // Then it does not matter how the server closed.
            Some(Err(failure)) => return Err(failure),
            Some(Ok(signal @ Status::Signal(_))) => return Ok(signal),
            _ => {}
        }
        match (info, ended) {
            // The user chose the code, and the server agreed.
            (Some(info), _) if self.asked.is_some() && info.is_clean() && info.received == self.asked => {
                Ok(Status::Success)
            }
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
