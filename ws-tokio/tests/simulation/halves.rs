//! An end that is split: a task for each sender, one that receives, one that closes.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::sleep;
use ws_core::SendError;
use ws_tokio::{Error, Receiver, Sender, TrySendError, WebSocket};

use super::chance::Chance;
use super::ledger::Fate;
use super::plan::Ending;
use super::transport::Transport;
use super::whole;
use super::world::Signal;
use super::world::{Got, World, cancellable};

/// What the tasks of one end share.
#[derive(Clone)]
struct Halves {
    world: World,
    end: usize,
    /// Messages that have been sent, by all.
    sent: Rc<Cell<usize>>,
    /// Senders that have not finished.
    sending: Rc<Cell<usize>>,
    /// This many messages have been sent that the end comes.
    enough: Signal,
    /// All senders have finished.
    finished: Signal,
    /// Everything has been received that will be.
    received: Signal,
    /// Everything is dropped.
    dropped: Signal,
    /// The last sender, for the receiver to be put together with.
    spare: Rc<RefCell<Option<Sender>>>,
}

pub fn run(world: &World, end: usize, socket: WebSocket<Transport>, mut chance: Chance) {
    let plan = world.plan.ends[end].clone();
    let (sender, receiver) = socket.split();
    let halves = Halves {
        world: world.clone(),
        end,
        sent: Rc::default(),
        sending: Rc::new(Cell::new(plan.senders)),
        enough: Signal::default(),
        finished: Signal::default(),
        received: Signal::default(),
        dropped: Signal::default(),
        spare: Rc::default(),
    };
    let spawn = |name: String, task| {
        world.spawner.spawn(name, halves.dropped.clone().ends(task));
    };
    for n in 0..plan.senders {
        let task = halves.clone().send(n, sender.clone(), chance.fork());
        spawn(format!("sender {n} of end {end}"), Box::pin(task) as Pin<Box<dyn Future<Output = ()>>>);
    }
    spawn(format!("receiver of end {end}"), Box::pin(halves.clone().receive(receiver, chance.fork())));
    if plan.reunites() {
        *halves.spare.borrow_mut() = Some(sender);
    } else {
        spawn(format!("closer of end {end}"), Box::pin(halves.clone().close(sender, chance)));
    }
}

impl Halves {
    async fn send(self, n: usize, sender: Sender, mut chance: Chance) {
        let plan = self.world.plan.ends[self.end].clone();
        for count in 0..plan.messages {
            if chance.one_in(4) {
                sleep(Duration::from_millis(chance.below(30) as u64)).await;
            }
            if chance.one_in(6) {
                // A full queue refuses it.
                let _ = cancellable(&mut chance, 2, sender.ping(b"there?")).await;
            }
            let last = count + 1 == plan.messages;
            let (index, message) =
                self.world.ledger.borrow_mut().next(self.end, n, &mut chance, plan.max_size, last);
            self.world.trace(&[b's', self.end as u8, n as u8, index as u8]);
            let cancel = if last { 0 } else { plan.cancel };
            let fate = loop {
                break match chance.below(4) {
                    0 => match sender.try_send(message.clone()) {
                        Ok(()) => Fate::Sent,
                        Err(TrySendError::Full(back)) => {
                            assert_eq!(back, message);
                            sleep(Duration::from_millis(1 + chance.below(50) as u64)).await;
                            continue;
                        }
                        Err(TrySendError::Refused(..)) => Fate::NotSent,
                    },
                    1 => match cancellable(&mut chance, cancel, sender.feed(message.clone())).await {
                        // Nothing is queued then.
                        None => continue,
                        Some(Err(_)) => Fate::Unknown,
                        Some(Ok(())) => {
                            if last {
                                let _ = sender.flush().await;
                            }
                            Fate::Sent
                        }
                    },
                    _ => match cancellable(&mut chance, cancel, sender.send(message.clone())).await {
                        Some(Ok(())) => Fate::Sent,
                        Some(Err(Error::Send(error))) if error != SendError::Closing => {
                            panic!("end {} cannot send: {error}", self.end)
                        }
                        Some(Err(_)) | None => Fate::Unknown,
                    },
                };
            };
            self.world.ledger.borrow_mut().settle(self.end, n, index, fate);
            self.sent.set(self.sent.get() + 1);
            if let Ending::CloseAfter(after) | Ending::DropAfter(after) = plan.ending
                && self.sent.get() >= after
            {
                self.enough.set();
            }
            if fate != Fate::Sent && !sender.is_open() {
                break;
            }
        }
        drop(sender);
        self.sending.set(self.sending.get() - 1);
        if self.sending.get() == 0 {
            self.finished.set();
            self.enough.set();
        }
    }

    async fn receive(self, mut receiver: Receiver<Transport>, mut chance: Chance) {
        let plan = self.world.plan.ends[self.end].clone();
        let reunite = plan.reunites();
        loop {
            let done = self.world.ledger.borrow().is_done(1 - self.end);
            if done {
                self.received.set();
                if reunite && self.finished.is_set() {
                    break;
                }
            }
            // One that is to be made whole again looks up now and then.
            let cancel = if reunite { 1 } else { plan.cancel };
            match self.world.receive(self.end, &mut receiver, &mut chance, cancel).await {
                Got::Message | Got::Nothing => {}
                // Receiving again has the reply sent; the senders go on until then.
                Got::Closing => sleep(Duration::from_millis(chance.below(100) as u64)).await,
                Got::End => {
                    self.received.set();
                    return self.world.settle(self.end, receiver.close_info());
                }
            }
        }
        let Some(sender) = self.spare.borrow_mut().take() else {
            panic!("there is no sender to reunite with")
        };
        match receiver.reunite(sender) {
            Ok(socket) => whole::finish(self.world.clone(), self.end, socket, chance).await,
            Err(error) => panic!("{error}"),
        }
    }

    async fn close(self, sender: Sender, mut chance: Chance) {
        let plan = self.world.plan.ends[self.end].clone();
        match plan.ending {
            Ending::Wait => return,
            Ending::CloseWhenDone => {
                self.finished.wait().await;
                self.received.wait().await;
            }
            Ending::CloseAfter(_) => self.enough.wait().await,
            Ending::DropAfter(_) => {
                self.enough.wait().await;
                return self.dropped.set();
            }
        }
        let code = whole::code(self.end);
        if chance.one_in(2) {
            let _ = sender.start_close(code, "done");
        } else {
            while cancellable(&mut chance, plan.cancel, sender.close(code, "done")).await.is_none() {}
            let info = sender.close_info();
            assert!(info.is_some(), "end {} has closed and has no close_info", self.end);
        }
    }
}
