//! What all tasks of a simulation share, and what each of them needs.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use tokio::time::{Instant, sleep};
use ws_core::{CloseInfo, Message};
use ws_tokio::{Error, MessageReader, Receiver, WebSocket};

use super::chance::Chance;
use super::executor::Spawner;
use super::ledger::Ledger;
use super::plan::Plan;
use super::transport::Transport;

#[derive(Clone)]
pub struct World {
    pub plan: Rc<Plan>,
    pub ledger: Rc<RefCell<Ledger>>,
    /// How each end saw it end.
    pub infos: Rc<RefCell<[Option<CloseInfo>; 2]>>,
    pub spawner: Spawner,
    trace: Rc<Cell<u64>>,
    begun: Instant,
}

/// Either thing that messages are received with.
pub trait Receives {
    async fn next(&mut self) -> Result<Option<Message>, Error>;
    async fn next_stream(&mut self) -> Result<Option<MessageReader<'_>>, Error>;
    fn is_open(&self) -> bool;
}

/// What became of an attempt to receive.
#[derive(Debug, PartialEq, Eq)]
pub enum Got {
    Message,
    /// The future was dropped before its end.
    Nothing,
    /// The peer has closed, and the reply is held back: messages can still be sent.
    Closing,
    /// There will be no more.
    End,
}

impl World {
    pub fn new(plan: Plan) -> Self {
        let senders = [plan.ends[0].senders, plan.ends[1].senders];
        Self {
            plan: Rc::new(plan),
            ledger: Rc::new(RefCell::new(Ledger::new(senders))),
            infos: Rc::default(),
            spawner: Spawner::default(),
            trace: Rc::default(),
            begun: Instant::now(),
        }
    }

    /// Notes that something happened, and when.
    pub fn trace(&self, what: &[u8]) {
        let now = self.begun.elapsed().as_millis() as u64;
        let mut hash = self.trace.get() ^ now;
        for &byte in what {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3).rotate_left(5);
        }
        self.trace.set(hash);
    }

    /// All that was noted, as one number.
    pub fn fingerprint(&self) -> u64 {
        self.trace.get()
    }

    pub fn settle(&self, end: usize, info: Option<CloseInfo>) {
        self.trace(format!("{end} {info:?}").as_bytes());
        self.infos.borrow_mut()[end] = info;
    }

    /// Receives a message as chance says, and holds it against the ledger. Once in `cancel` times the
    /// attempt is dropped before its end.
    pub async fn receive(
        &self,
        end: usize,
        socket: &mut impl Receives,
        chance: &mut Chance,
        cancel: usize,
    ) -> Got {
        if !(self.plan.ends[end].streams && chance.one_in(2)) {
            return self.receive_whole(end, socket, chance, cancel).await;
        }
        let from = 1 - end;
        let opened = cancellable(chance, cancel, socket.next_stream()).await;
        if matches!(opened, Some(Ok(None))) {
            drop(opened);
            return self.no_more(end, socket);
        }
        let mut reader = match opened {
            None | Some(Ok(None)) => return Got::Nothing,
            Some(Ok(Some(reader))) => reader,
            Some(Err(error)) => return self.ended(end, &error),
        };
        let mut all = Vec::new();
        loop {
            match cancellable(chance, cancel, reader.next()).await {
                None => {}
                Some(Ok(Some(piece))) => {
                    assert_eq!(piece.data_type(), reader.data_type());
                    all.extend_from_slice(piece.as_bytes());
                    self.trace(&all.len().to_be_bytes());
                    if chance.one_in(8) && self.ledger.borrow_mut().turned_away(from, &all) {
                        return Got::Message;
                    }
                }
                Some(Ok(None)) => break,
                Some(Err(error)) => return self.ended(end, &error),
            }
        }
        self.ledger.borrow_mut().arrived(from, reader.data_type(), &all);
        Got::Message
    }

    /// As [`receive`](Self::receive), never in pieces: an attempt that is dropped leaves no message half received.
    pub async fn receive_whole(
        &self,
        end: usize,
        socket: &mut impl Receives,
        chance: &mut Chance,
        cancel: usize,
    ) -> Got {
        match cancellable(chance, cancel, socket.next()).await {
            None => Got::Nothing,
            Some(Ok(Some(message))) => {
                self.trace(&message.as_bytes()[..message.len().min(8)]);
                self.ledger.borrow_mut().arrived(1 - end, message.data_type(), message.as_bytes());
                Got::Message
            }
            Some(Ok(None)) => self.no_more(end, socket),
            Some(Err(error)) => self.ended(end, &error),
        }
    }

    /// What it means that a receiving method returned no message.
    fn no_more(&self, end: usize, socket: &impl Receives) -> Got {
        if !socket.is_open() {
            return Got::End;
        }
        let delays = self.plan.ends[end].config.delay_close_reply;
        assert!(delays, "recv of end {end} returned the end although the connection is open");
        self.trace(&[b'c', end as u8]);
        Got::Closing
    }

    fn ended(&self, end: usize, error: &Error) -> Got {
        let calm = self.plan.is_calm();
        // Each end closes with a code of the application's, which is an error at the other.
        let closed = matches!(error, Error::Closed(info) if info.is_clean() && !info.is_normal());
        assert!(!calm || closed, "end {end} fails on an undisturbed network: {error}");
        let allowed = match error {
            Error::Protocol(error) => self.plan.may_report(*error),
            Error::OverLimit { .. } => false,
            _ => true,
        };
        assert!(allowed, "end {end} reports a protocol error: {error}");
        self.trace(format!("{end} {error}").as_bytes());
        // The end is still to come.
        if matches!(error, Error::MessageCutOff) { Got::Nothing } else { Got::End }
    }
}

impl Receives for WebSocket<Transport> {
    async fn next(&mut self) -> Result<Option<Message>, Error> {
        self.recv().await
    }

    async fn next_stream(&mut self) -> Result<Option<MessageReader<'_>>, Error> {
        self.recv_stream().await
    }

    fn is_open(&self) -> bool {
        Self::is_open(self)
    }
}

impl Receives for Receiver<Transport> {
    async fn next(&mut self) -> Result<Option<Message>, Error> {
        self.recv().await
    }

    async fn next_stream(&mut self) -> Result<Option<MessageReader<'_>>, Error> {
        self.recv_stream().await
    }

    fn is_open(&self) -> bool {
        Self::is_open(self)
    }
}

/// Once in `cancel` times (0 for never) the future is dropped after a few polls, or a few milliseconds.
pub async fn cancellable<T>(
    chance: &mut Chance,
    cancel: usize,
    future: impl Future<Output = T>,
) -> Option<T> {
    if cancel == 0 || !chance.one_in(cancel) {
        return Some(future.await);
    }
    let mut polls = chance.below(4);
    let mut patience = pin!(sleep(Duration::from_millis(chance.below(30) as u64)));
    let mut future = pin!(future);
    poll_fn(|cx| {
        if polls == 0 {
            return Poll::Ready(None);
        }
        polls -= 1;
        match future.as_mut().poll(cx) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending => patience.as_mut().poll(cx).map(|()| None),
        }
    })
    .await
}

/// Something that happens once, and that some wait for.
#[derive(Clone, Default)]
pub struct Signal(Rc<(Cell<bool>, RefCell<Vec<Waker>>)>);

impl Signal {
    pub fn set(&self) {
        self.0.0.set(true);
        self.0.1.take().into_iter().for_each(Waker::wake);
    }

    pub fn is_set(&self) -> bool {
        self.0.0.get()
    }

    pub async fn wait(&self) {
        poll_fn(|cx| {
            if self.is_set() {
                return Poll::Ready(());
            }
            self.0.1.borrow_mut().push(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Goes on with `future` until this happens; it is dropped then.
    pub async fn ends(self, future: impl Future<Output = ()>) {
        let (mut stop, mut future) = (pin!(self.wait()), pin!(future));
        poll_fn(
            |cx| if stop.as_mut().poll(cx).is_ready() { Poll::Ready(()) } else { future.as_mut().poll(cx) },
        )
        .await;
    }
}
