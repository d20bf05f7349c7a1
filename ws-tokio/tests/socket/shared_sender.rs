//! Many tasks at one Sender, at full speed over loopback: in order, in turn, and about as fast as one task.
//!
//! `cargo test --release -p ws-tokio --test socket shared_sender:: -- --nocapture` prints the figures.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream};
use ws_core::{Config, Connection, Message};
use ws_tokio::{Sender, WebSocket};

const TASKS: usize = 64;
const TOTAL: usize = if cfg!(debug_assertions) { 64 * 150 } else { 64 * 3000 };
const ROUNDS: usize = if cfg!(debug_assertions) { 3 } else { 7 };

async fn pair() -> (WebSocket<TcpStream>, WebSocket<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (near, far) =
        tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), async { listener.accept().await });
    let (near, far) = (near.unwrap(), far.unwrap().0);
    near.set_nodelay(true).unwrap();
    (
        WebSocket::new(near, Connection::client(Arc::new(Config::client()), [1; 32]), &[]),
        WebSocket::new(far, Connection::server(Arc::new(Config::server())), &[]),
    )
}

fn message(task: usize, n: usize) -> Message {
    let mut bytes = vec![0; 64];
    bytes[..2].copy_from_slice(&(task as u16).to_be_bytes());
    bytes[2..6].copy_from_slice(&(n as u32).to_be_bytes());
    Message::binary(bytes)
}

/// Receives all; at each tenth of the way no task is more than twice as far as another, if `fair`.
async fn receive(mut socket: WebSocket<TcpStream>, tasks: usize, fair: bool) {
    let mut next = vec![0usize; tasks];
    for count in 1..=TOTAL {
        let message = socket.recv().await.unwrap().unwrap();
        let bytes = message.as_bytes();
        let task = usize::from(u16::from_be_bytes([bytes[0], bytes[1]]));
        let n = u32::from_be_bytes([bytes[2], bytes[3], bytes[4], bytes[5]]) as usize;
        assert_eq!(n, next[task], "task {task} is out of order");
        next[task] += 1;
        if fair && count.is_multiple_of(TOTAL / 10) {
            let (min, max) = (next.iter().min().unwrap(), next.iter().max().unwrap());
            assert!(*max <= 2 * *min, "a task starves after {count} messages: from {min} to {max}");
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Way {
    Feed,
    /// Feeds, and flushes after every [`TASKS`] messages.
    FeedAndFlush,
    /// Waits until each is written.
    Send,
}

async fn send_all(sender: Sender, task: usize, count: usize, way: Way) {
    for n in 0..count {
        let message = message(task, n);
        match way {
            Way::Send => sender.send(message).await.unwrap(),
            Way::Feed | Way::FeedAndFlush => sender.feed(message).await.unwrap(),
        }
        if way == Way::FeedAndFlush && (n + 1).is_multiple_of(TASKS) {
            sender.flush().await.unwrap();
            tokio::task::yield_now().await;
        }
    }
    sender.flush().await.unwrap();
}

/// Whether this system reports how long a thread has been working: a wall clock measures the other programs of a busy machine,
/// too.
fn measures_work() -> bool {
    cfg!(target_os = "linux") && std::fs::exists("/proc/thread-self/schedstat").unwrap_or(false)
}

/// How long this thread has been working, and not waiting for others on a busy machine; elsewhere the time since `begun`.
fn worked(begun: Instant) -> Duration {
    if !measures_work() {
        return begun.elapsed();
    }
    // Nanoseconds on the processor come first.
    let statistics = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = statistics.split(' ').next().and_then(|first| first.parse().ok());
    nanoseconds.map_or_else(|| begun.elapsed(), Duration::from_nanos)
}

/// Nanoseconds of work for each message, with this many tasks. All of them, and the peer, are on this one thread,
/// which always has something to do: work is the inverse of throughput.
async fn round(tasks: usize, way: Way) -> f64 {
    let (client, server) = pair().await;
    let (sender, receiver) = client.split();
    // Turns are of dozens of messages: over the few of a build without optimisation they are no measure of fairness.
    let fair = tasks > 1 && (way == Way::Send || !cfg!(debug_assertions));
    let receiving = tokio::spawn(receive(server, tasks, fair));
    let discarding = tokio::spawn(receiver.discard());
    let begun = Instant::now();
    let before = worked(begun);
    for task in 0..tasks {
        tokio::spawn(send_all(sender.clone(), task, TOTAL / tasks, way));
    }
    receiving.await.unwrap();
    let taken = worked(begun).saturating_sub(before);
    discarding.abort();
    taken.as_nanos() as f64 / TOTAL as f64
}

#[tokio::test]
async fn sixty_four_tasks_share_a_sender_in_turn_and_nearly_as_fast_as_one() {
    let mut best = [f64::INFINITY; 4];
    for _ in 0..ROUNDS {
        let ways = [(1, Way::Feed), (TASKS, Way::Feed), (1, Way::FeedAndFlush), (TASKS, Way::Send)];
        for ((tasks, way), best) in ways.into_iter().zip(&mut best) {
            *best = best.min(round(tasks, way).await);
        }
    }
    let [one, many, flushing, waiting] = best;
    println!("feed: one task takes {one:.0} ns, {TASKS} reach {:.2} of its throughput", one / many);
    println!(
        "{TASKS} messages a write: one task takes {flushing:.0} ns, {TASKS} with send reach {:.2} of its throughput",
        flushing / waiting
    );
    if !measures_work() {
        return;
    }
    // Without optimisation only gross faults show.
    let (least, least_waiting) = if cfg!(debug_assertions) { (0.3, 0.3) } else { (0.8, 0.7) };
    assert!(one / many >= least, "{TASKS} tasks reach only {:.2} of the throughput of one", one / many);
    // Tasks that wait until theirs is written can have no more in a write than there are of them: that is what one
    // task does that flushes as often.
    assert!(
        flushing / waiting >= least_waiting,
        "{TASKS} tasks that wait reach only {:.2} of the throughput of one",
        flushing / waiting
    );
}
