//! What one connection of a load test does.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::{sleep, sleep_until};
use ws_client::ws_core::{Initiator, SendError};
use ws_client::ws_tokio::Error;
use ws_client::{CloseCode, Message, Stream, WebSocket};

use super::tally::Tally;
use crate::args;
use crate::failure::{self, Failure, Status};

/// What is sent, how fast and how long.
pub(super) struct Load {
    message: Message,
    in_flight: usize,
    /// Messages a second by all together.
    rate: Option<u32>,
    duration: Duration,
    /// Whether nothing is sent.
    idle: bool,
    /// How long an answer may take.
    patience: Duration,
    connections: usize,
    begin: Instant,
}

impl Load {
    pub(super) fn new(args: &args::Bench) -> Result<Self, Failure> {
        let default = if args.rate.is_some() { 100 } else { 1 };
        let in_flight = args.in_flight.unwrap_or(default);
        let load = Self {
            message: message(if args.idle { 0 } else { args.size as usize }, args.binary),
            in_flight: in_flight as usize,
            rate: args.rate,
            duration: args.duration,
            idle: args.idle,
            patience: args.connect.timeout,
            connections: args.connections as usize,
            begin: Instant::now(),
        };
        // Both queues of a connection may come to hold what is in flight.
        let all = load.bytes_in_flight().saturating_mul(load.connections);
        if all > MOST_IN_FLIGHT {
            return Err(Failure::usage(format!(
                "--connections × --in-flight × --size = {all} bytes may wait in memory: at most {MOST_IN_FLIGHT} are possible"
            )));
        }
        Ok(load)
    }

    /// For one connection.
    pub(super) fn bytes_in_flight(&self) -> usize {
        self.in_flight.saturating_mul(self.message.len())
    }

    pub(super) fn shared_by(mut self, connections: usize, begin: Instant) -> Self {
        self.connections = connections;
        self.begin = begin;
        self
    }

    /// When a connection's next message is due, after this many: in turn with those of the others, so that they do not
    /// all send at once. Without a rate it is due from the beginning.
    fn due(&self, index: usize, number: u64) -> Instant {
        let Some(rate) = self.rate else { return self.begin };
        let before = number.saturating_mul(self.connections as u64).saturating_add(index as u64);
        let after = Duration::from_secs(before) / rate;
        // What is beyond the clock is beyond the end as well.
        self.begin.checked_add(after).unwrap_or_else(|| self.begin + LONGEST_PATIENCE)
    }

    /// Sends and measures until the time is over, or only waits until then, then waits for the answers that are due, and
    /// closes.
    pub(super) async fn run(
        self: Arc<Self>,
        index: usize,
        mut websocket: WebSocket<Stream>,
        tally: Arc<Tally>,
    ) {
        let held = match self.idle {
            true => self.hold(&mut websocket).await,
            false => self.echo(index, &mut websocket, &tally).await,
        };
        let interrupted = websocket.close_info().is_some_and(|info| info.initiator == Initiator::Local);
        if let Err(failure) = held
            && !interrupted
        {
            return tally.fail(failure);
        }
        match websocket.close(CloseCode::NORMAL_CLOSURE, "").await {
            Ok(info) if Status::of_end(&info) == Status::Success => {}
            Ok(info) => tally.fail(Failure::of_end(&info)),
            Err(error) => tally.fail(error.into()),
        }
    }

    /// Keeps a connection open until the time is over, and drops the messages of the server.
    async fn hold(&self, websocket: &mut WebSocket<Stream>) -> Result<(), Failure> {
        // A time without end is one for tokio as well.
        let mut end = pin!(sleep(self.duration.saturating_sub(self.begin.elapsed())));
        loop {
            tokio::select! {
                message = websocket.recv() => if message?.is_none() { return Err(ended_early(websocket)) },
                () = end.as_mut() => return Ok(()),
            }
        }
    }

    async fn echo(
        &self,
        index: usize,
        websocket: &mut WebSocket<Stream>,
        tally: &Tally,
    ) -> Result<(), Failure> {
        let end = self.begin.checked_add(self.duration);
        let ended = |now: Instant| end.is_some_and(|end| now >= end);
        let mut number = 0;
        let mut due = self.due(index, number);
        let mut waiting = VecDeque::with_capacity(self.in_flight);
        loop {
            let now = Instant::now();
            let sending = waiting.len() < self.in_flight && !ended(due.max(now));
            if sending && due <= now {
                // With a rate, the time counts from when the message was due: a slow server does not
                // improve its own figures.
                waiting.push_back(if self.rate.is_some() { due } else { now });
                match websocket.feed(self.message.clone()).await {
                    // Interrupted.
                    Err(Error::Send(SendError::Closing)) => return Ok(()),
                    other => other?,
                }
                number += 1;
                due = self.due(index, number);
                continue;
            }
            if waiting.is_empty() && (ended(now) || (sending && ended(due))) {
                return Ok(());
            }
            let wake = match waiting.front() {
                _ if sending => due,
                Some(oldest) => (*oldest).max(self.begin) + self.patience.min(LONGEST_PATIENCE),
                None => end.unwrap_or(now + self.patience.min(LONGEST_PATIENCE)),
            };
            tokio::select! {
                answer = websocket.recv() => {
                    let Some(answer) = answer? else {
                        return Err(ended_early(websocket));
                    };
                    let Some(sent) = waiting.pop_front() else {
                        return Err(Failure::new(Status::Protocol, NOT_AN_ECHO));
                    };
                    if answer != self.message {
                        return Err(Failure::new(Status::Protocol, NOT_AN_ECHO));
                    }
                    tally.answer(sent.elapsed());
                }
                () = sleep_until(wake.into()) => {
                    if let Some(oldest) = waiting.front().filter(|_| !sending)
                        && oldest.elapsed() >= self.patience
                    {
                        let after = self.patience;
                        return Err(Failure::new(
                            Status::Timeout,
                            format!("no answer within --timeout = {after:?}: the test needs an echo server, such as `ws serve`"),
                        ));
                    }
                }
            }
        }
    }
}

fn ended_early(websocket: &WebSocket<Stream>) -> Failure {
    let how = websocket.close_info().map_or_else(String::new, |info| failure::ending(&info));
    Failure::new(Status::Network, how + ", before the test was over")
}

/// Text that compresses about as well as JSON does.
fn message(size: usize, binary: bool) -> Message {
    let mut text = String::with_capacity(size + 80);
    let mut number = 0u32;
    while text.len() < size {
        // A multiplicative hash: digits without a pattern, the same in each run.
        let value = number.wrapping_mul(2_654_435_761);
        text.push_str(&format!("{{\"id\":{number},\"value\":{value},\"on\":{}}},", value.is_multiple_of(2)));
        number += 1;
    }
    text.truncate(size);
    if binary { Message::binary(text.into_bytes()) } else { Message::text(text) }
}

const NOT_AN_ECHO: &str =
    "the server does not send back what it was sent: the test needs an echo server, such as `ws serve`";
const MOST_IN_FLIGHT: usize = 1 << 30;
const LONGEST_PATIENCE: Duration = Duration::from_secs(86_400);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_that_of_all_connections_together_in_equal_steps() {
        let begin = Instant::now();
        let load = Load {
            message: message(1, false),
            in_flight: 1,
            rate: Some(200),
            duration: Duration::from_millis(500),
            idle: false,
            patience: Duration::from_secs(1),
            connections: 3,
            begin,
        };
        let end = begin + load.duration;
        let due = (0..3).flat_map(|index| (0..1000).map(move |number| (index, number)));
        let mut due: Vec<_> =
            due.map(|(index, number)| load.due(index, number)).filter(|due| *due < end).collect();
        due.sort();
        assert_eq!((due.len(), due[0]), (100, begin));
        assert!(due.windows(2).all(|pair| pair[1] - pair[0] == Duration::from_millis(5)));
        assert_eq!(Load { rate: None, ..load }.due(2, 1000), begin);
    }

    #[test]
    fn a_message_is_as_long_as_asked() {
        for size in [0, 1, 64, 5000] {
            assert_eq!(message(size, false).len(), size);
            assert_eq!(message(size, true).len(), size);
        }
        assert!(message(10, false).as_text().is_some() && message(10, true).as_text().is_none());
    }
}
