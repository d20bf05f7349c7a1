//! Runs tasks one at a time, in an order that follows from the seed.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use super::chance::Chance;

struct Task {
    name: String,
    future: Pin<Box<dyn Future<Output = ()>>>,
    flag: Arc<Flag>,
}

/// That a task has been woken.
struct Flag {
    ready: AtomicBool,
    executor: Arc<Mutex<Option<Waker>>>,
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.ready.store(true, Ordering::SeqCst);
        if let Some(waker) = &*self.executor.lock().unwrap() {
            waker.wake_by_ref();
        }
    }
}

/// Where running tasks put new ones.
#[derive(Clone, Default)]
pub struct Spawner(Rc<RefCell<Vec<Task>>>, Arc<Mutex<Option<Waker>>>);

impl Spawner {
    pub fn spawn(&self, name: impl Into<String>, future: impl Future<Output = ()> + 'static) {
        let flag = Arc::new(Flag { ready: AtomicBool::new(true), executor: Arc::clone(&self.1) });
        self.0.borrow_mut().push(Task { name: name.into(), future: Box::pin(future), flag });
    }

    /// Polls a ready task chosen by chance, until all have ended. With `spurious`, sometimes polls a task that has not been
    /// woken. Fails when this takes longer than `limit` on the virtual clock.
    pub async fn run(self, limit: Duration, mut chance: Chance, spurious: bool) {
        let mut tasks: Vec<Task> = Vec::new();
        let mut polls = 0usize;
        let mut deadline = pin!(tokio::time::sleep(limit));
        poll_fn(|cx| {
            *self.1.lock().unwrap() = Some(cx.waker().clone());
            loop {
                tasks.append(&mut self.0.borrow_mut());
                if tasks.is_empty() {
                    return Poll::Ready(());
                }
                let ready: Vec<usize> =
                    (0..tasks.len()).filter(|&n| tasks[n].flag.ready.load(Ordering::SeqCst)).collect();
                if ready.is_empty() {
                    let late = deadline.as_mut().poll(cx).is_ready();
                    assert!(!late, "hangs: {} not done after {limit:?} of virtual time", names(&tasks));
                    return Poll::Pending;
                }
                let next = if spurious && chance.one_in(8) {
                    chance.below(tasks.len())
                } else {
                    chance.pick(&ready)
                };
                polls += 1;
                assert!(polls < 300_000, "tasks wake each other in an endless loop: {}", names(&tasks));
                let task = &mut tasks[next];
                task.flag.ready.store(false, Ordering::SeqCst);
                let waker = Waker::from(Arc::clone(&task.flag));
                if task.future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
                    drop(tasks.swap_remove(next));
                }
            }
        })
        .await;
    }
}

fn names(tasks: &[Task]) -> String {
    tasks.iter().map(|task| task.name.as_str()).collect::<Vec<_>>().join(", ")
}
