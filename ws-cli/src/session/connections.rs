//! Where the connections of a session come from: there is one, or with `--reconnect` one after another.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use ws_client::{Opened, Reconnect};

use crate::connect::Connecting;
use crate::failure::Failure;
use crate::screen::remark;
use crate::signal::Signals;

pub(super) enum Connections<'a> {
    One(&'a Connecting),
    Many {
        reconnect: Reconnect,
        /// Why there is a wait, and how long it is.
        waits: mpsc::UnboundedReceiver<String>,
        /// When the latest attempt began.
        begun: Arc<Mutex<Instant>>,
    },
}

impl<'a> Connections<'a> {
    pub(super) fn new(connecting: &'a Connecting, reconnect: bool) -> Self {
        if !reconnect {
            return Self::One(connecting);
        }
        let begun = Arc::new(Mutex::new(Instant::now()));
        let (sender, waits) = mpsc::unbounded_channel();
        let begin = begun.clone();
        let reconnect = connecting
            .reconnect(move || *begin.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now())
            // The receiver lives as long as the hook does.
            .on_wait(move |retry| drop(sender.send(Failure::of_wait(retry))));
        Self::Many { reconnect, waits, begun }
    }

    /// Opens the first connection; there is no screen yet, so that waits are reported on standard error.
    pub(super) async fn first(&mut self, signals: &mut Signals) -> Result<(Opened, Duration), Failure> {
        match self {
            Self::One(connecting) => {
                let begun = Instant::now();
                let opened = connecting.open_unless(signals).await?;
                Ok((opened, begun.elapsed()))
            }
            Self::Many { .. } => loop {
                tokio::select! {
                    event = self.next() => match event? {
                        Next::Opened(opened, took) => return Ok((*opened, took)),
                        Next::Waiting(why) => remark(why),
                    },
                    signal = signals.next() => return Err(Failure::interrupted(signal)),
                }
            },
        }
    }

    /// Opens another connection, or reports that it has to wait for one. The future can be dropped: the wait goes on.
    ///
    /// # Errors
    /// When another attempt would fail for the same reason; without `--reconnect`.
    pub(super) async fn next(&mut self) -> Result<Next, Failure> {
        let Self::Many { reconnect, waits, begun } = self else {
            return Err(Failure::other("the connection has ended"));
        };
        tokio::select! {
            biased;
            Some(why) = waits.recv() => Ok(Next::Waiting(why)),
            opened = reconnect.next() => {
                let begun = *begun.lock().unwrap_or_else(PoisonError::into_inner);
                Ok(Next::Opened(Box::new(opened?), begun.elapsed()))
            }
        }
    }
}

/// What [`Connections::next`] comes to.
pub(super) enum Next {
    Opened(Box<Opened>, Duration),
    /// Why there is a wait, and how long it is.
    Waiting(String),
}
